"""`localfirst serve`: the server's side of `localfirst_sync.http`, answered by `localfirst_sync.postgres`.

It keeps nothing: any number of daemons behind one address serve one PostgreSQL, and each may be killed at any moment.
"""
