-- Claims are an entity of their own: who works on an item, and until when. What was claimed in the items is carried over by the
-- program, which can compute the ids. The server's clock beside this machine's, as it was last measured; NULL: never.
CREATE TABLE work_item_claims (
    id TEXT PRIMARY KEY NOT NULL,
    work_item_id TEXT NOT NULL,
    claimed_by TEXT,
    claimed_until TEXT,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX work_item_claims_item ON work_item_claims (work_item_id);
CREATE INDEX work_item_claims_held ON work_item_claims (claimed_by) WHERE claimed_by IS NOT NULL;
ALTER TABLE replica ADD COLUMN clock_offset_ms INTEGER;
