"""What a status file says, as rows of the store: planned from its entries, written in one act, and where each line went.

The migration writes them into the project's replica; the fallback layers write them into one in memory.
"""
