"""The daemon as a `RemoteStore`: what a laptop without a PostgreSQL address speaks. It imports no PostgreSQL driver.

The daemon's own side is `localfirst_sync.daemon`; both share `messages` and `packet`.
"""
