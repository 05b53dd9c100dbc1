"""The PostgreSQL side of the engine: connection, migration, push, pull, and waiting for news.

Everything that leaves this package as an error is a `localfirst_schema.errors.LocalfirstError` or a
`localfirst_sync.ports.SyncError`; neither holds a connection string, a password or the text of a driver.
"""
