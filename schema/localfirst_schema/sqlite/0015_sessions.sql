-- The sessions of clients on this machine: whose process has ended, and until when each client name knows what has happened.
CREATE TABLE sessions (
    claimant TEXT PRIMARY KEY NOT NULL,
    client TEXT NOT NULL,
    pid INTEGER NOT NULL,
    start TEXT,                             -- of the process, as the system tells it: numbers are used again
    began_at TEXT NOT NULL,
    ended_at TEXT                           -- NULL: it goes on, or was killed
) STRICT;
CREATE INDEX sessions_client ON sessions (client, ended_at);
