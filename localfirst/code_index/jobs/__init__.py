"""Jobs: a run of the pipeline as rows of the replica, which outlive every process.

    states      the states and the only ways between them
    phase       the parts of a job's work, and their shares of its progress
    job         a job as a value
    table       finding jobs, creating one, its files and what it skipped
    transition  the one place where a job's state changes
    estimate    how long a job will take, from what earlier ones took
    words       what people read of a job
    target      the directory that a caller names, checked

Importing this package loads nothing.
"""
