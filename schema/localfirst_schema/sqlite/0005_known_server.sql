-- The server that this replica reconciles with; no row before the first contact. No other is taken for it until it is adopted.
CREATE TABLE known_server (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    id TEXT NOT NULL,
    system_identifier TEXT                  -- of the cluster, where the role may read it
) STRICT;

-- Where it was reached: host, port and database, as the driver read them; never a user or a password.
CREATE TABLE known_address (
    address TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
