"""The worker: one process per replica that runs jobs, outlives the client that asked, and ends when there is nothing to do.

    lease      the kernel's lock that makes it the only one
    start      starting it, detached, when a job needs one and none is there
    keeper     a client's thread that looks for jobs without a worker
    process    the process: takes up jobs, three at a time, and keeps their signs of life fresh
    job_run    one job through the pipeline
    report     what a run tells the job's row, in the pipeline's own transactions
    obstacle   what is in a job's way
    publisher  sends what was indexed to the team's server

Importing this package loads nothing.
"""
