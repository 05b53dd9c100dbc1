"""The code index: what it takes to find the right function in a repository, offline.

The data flows through the packages in this order:

    scan      which files of a working tree belong to the index, and why others do not
    chunking  a file's text as chunks along its syntax tree, with symbol and lines
    words     what full text and the embedding see of a chunk
    store     the tables of the replica (0002_code_index.sql): files, places, chunks, words, vectors
    pipeline  a scan against the store: new, changed and deleted files, written in short transactions
    jobs      a run of the pipeline as a row with a state, a file list and checkpoints
    worker    the process that runs jobs, outlives its client, and ends when there is none
    shared    chunks and vectors as a set that a team shares through PostgreSQL
    search    full text and vectors fused, then ranked for code

Importing this package loads nothing.
"""
