"""A run over one repository: what changed is read, cut, written, embedded; killed at any moment, it goes on where it was.

    plan      the scan against the store: what there is to do
    files     phase Chunking: read, cut and write files, then take away the deleted ones
    vectors   phase Embedding: the vectors that are missing
    finish    phase Writing: full text merged, vectors packed, the model swapped
    report    what a run tells its job, inside its transactions
    pool      the processes that compute
    compute   what they compute
    messages  what is sent to them and back
    child     their main loop

One process writes (the caller's); the others only read files and compute. Each file is written in one transaction together
with the job's own note that it is done.
"""
