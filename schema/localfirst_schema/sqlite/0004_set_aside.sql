-- What a pull brought and this program cannot take: kept raw with its reason, until the server has it otherwise or the program
-- can take more. Everything else goes on.
CREATE TABLE set_aside (
    kind TEXT NOT NULL CHECK (kind IN ('row', 'line', 'conflict', 'chunk')),
    table_name TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,                   -- of a line of the history its number, else 0
    raw TEXT NOT NULL,                      -- JSON of what came, long texts cut
    reason TEXT NOT NULL,
    at TEXT NOT NULL,                       -- when it was first set aside
    limits INTEGER NOT NULL,                -- `limits.GENERATION` of the program that did
    PRIMARY KEY (table_name, id, seq)
) STRICT, WITHOUT ROWID;
