"""The index that a team shares through PostgreSQL: what one laptop has embedded, no other has to embed again.

    server    the connection to it, as the port that the pipeline asks for vectors
    key       the name by which the server knows a repository
    withdraw  takes off the server what this replica alone has published
    publish   sends what the server lacks of a repository: chunks, vectors, then the files that hold them

Sharing never holds up indexing: without the server, vectors are computed here and sent another time; what is missing there
is the difference between the two stores, so nothing has to be remembered.
"""
