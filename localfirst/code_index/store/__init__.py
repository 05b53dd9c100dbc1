"""The tables of the code index in the replica: what is written together, and what is taken away.

    repositories   the roots that are indexed
    differences    the files of a scan against those of the store
    files          files with their places, words and chunks, written in one transaction
    large_file     files with too many chunks for one transaction
    chunks         texts by content; those that no place names any more are swept
    full_text      the words of the places, merged a little at a time
    models         the embedding models, and which one searches ask
    vectors        a chunk's vector; the room that deleted ones leave is closed
    compression    a chunk's text in a third of its size
    transaction    short writes that leave people their turn
    consistency    whether all of it agrees

Every function that writes is called inside a transaction of its caller (`transaction.writing`), unless it says otherwise.
"""
