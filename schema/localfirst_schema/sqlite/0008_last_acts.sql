-- What `localfirst undo` takes back. A session keeps its last act in memory; each command of the command line is a session of
-- its own, so that the last act of each client name there is kept here.
CREATE TABLE last_acts (
    client TEXT PRIMARY KEY NOT NULL,       -- '' where the client has no name
    at TEXT NOT NULL,
    steps TEXT NOT NULL                     -- JSON: [[entity, id, version before (0: created), version after, fields], …]
) STRICT, WITHOUT ROWID;
