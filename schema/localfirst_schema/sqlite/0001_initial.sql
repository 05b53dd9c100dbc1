-- The replica: one file per project. The entity tables have the columns of `entities.py`; project_id is the file's own.
-- Times are canonical text, booleans 0/1, JSON compact text. There are no foreign keys: a pull may bring a child first.

CREATE TABLE replica (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    project_id TEXT NOT NULL,
    project_name TEXT,                      -- NULL: local until named
    replica_id TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,       -- raised by every sync round that writes
    acked_number INTEGER NOT NULL DEFAULT 0,
    acked_hash BLOB NOT NULL DEFAULT x'00000000000000000000000000000000',
    cursor_seq INTEGER NOT NULL DEFAULT 0,
    cursor_tag INTEGER NOT NULL DEFAULT 0,
    pushed_seq INTEGER NOT NULL DEFAULT 0,  -- the server's head after the last acknowledged push, until the cursor is there
    pushed_tag INTEGER NOT NULL DEFAULT 0,
    doubtful_number INTEGER NOT NULL DEFAULT 0, -- up to here the queue may have been pushed before
    recovered_at TEXT,                      -- when this replica last recovered from a server that was set back,
    recovered_changes INTEGER,              -- and how many changes it sent again
    text_from INTEGER,                      -- after a bootstrap: work items from this local_id on may lack full text
    last_sync_at TEXT,
    created_at TEXT NOT NULL
) STRICT;

-- A bootstrap under way: the head of the server with which it began, the one at which its last pages were read, the table that
-- is being staged (in `staged_…`, see replica/bootstrap.py), and the last key that is there.
CREATE TABLE bootstrap (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    cursor_seq INTEGER NOT NULL,
    cursor_tag INTEGER NOT NULL,
    read_seq INTEGER NOT NULL,
    read_tag INTEGER NOT NULL,
    table_name TEXT,
    last_key ANY,
    foreign_changes INTEGER NOT NULL
) STRICT;

CREATE TABLE work_items (
    local_id INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    item_type TEXT NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    parent_id TEXT,
    path TEXT NOT NULL,
    depth INTEGER NOT NULL,
    branch_name TEXT,
    commit_hash TEXT,
    pr_number INTEGER,
    metadata TEXT NOT NULL,
    claimed_by TEXT,
    archived_at TEXT,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX work_items_changed ON work_items (updated_at) WHERE deleted_at IS NULL;
-- The usual list, whose count needs no row.
CREATE INDEX work_items_current ON work_items (updated_at) WHERE deleted_at IS NULL AND archived_at IS NULL;
CREATE INDEX work_items_parent ON work_items (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE work_item_dependencies (
    id TEXT PRIMARY KEY NOT NULL,
    work_item_id TEXT NOT NULL,
    depends_on_id TEXT NOT NULL,
    dependency_type TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX work_item_dependencies_source ON work_item_dependencies (work_item_id);
CREATE INDEX work_item_dependencies_target ON work_item_dependencies (depends_on_id);

CREATE TABLE work_item_comments (
    id TEXT PRIMARY KEY NOT NULL,
    work_item_id TEXT NOT NULL,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX work_item_comments_item ON work_item_comments (work_item_id, created_at);

CREATE TABLE vendor_extractors (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    operational INTEGER NOT NULL,
    status TEXT NOT NULL GENERATED ALWAYS AS (iif(operational, 'operational', 'broken')) VIRTUAL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX vendor_extractors_name ON vendor_extractors (name);

CREATE TABLE deployment_events (
    id TEXT PRIMARY KEY NOT NULL,
    deployed_at TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX deployment_events_time ON deployment_events (deployed_at) WHERE deleted_at IS NULL;

CREATE TABLE vendor_deployment_links (
    id TEXT PRIMARY KEY NOT NULL,
    deployment_id TEXT NOT NULL,
    vendor_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX vendor_deployment_links_deployment ON vendor_deployment_links (deployment_id);

CREATE TABLE work_item_deployment_links (
    id TEXT PRIMARY KEY NOT NULL,
    deployment_id TEXT NOT NULL,
    work_item_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;
CREATE INDEX work_item_deployment_links_deployment ON work_item_deployment_links (deployment_id);

CREATE TABLE future_enhancements (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    priority TEXT NOT NULL,
    status TEXT NOT NULL,
    target_quarter TEXT,
    requires_constitutional_principles TEXT,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;

CREATE TABLE project_configuration (
    id TEXT PRIMARY KEY NOT NULL,
    active_context_type TEXT NOT NULL,
    current_session_id TEXT,
    git_branch TEXT,
    git_head_commit TEXT,
    default_token_budget INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    deleted_at TEXT
) STRICT;

-- Every change that this replica made or pulled. A change of its own is written once, here; the outbox names it.
CREATE TABLE history (
    history_id INTEGER PRIMARY KEY,
    entity TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    by TEXT,
    at TEXT NOT NULL,
    outcome TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX history_row ON history (entity_id);

-- Changes that the server has not answered yet: narrow, so that acknowledging ten thousand takes milliseconds.
CREATE TABLE outbox (
    history_id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    txn INTEGER NOT NULL,
    base_version INTEGER NOT NULL,
    told INTEGER NOT NULL DEFAULT 0         -- 1: a pull has brought it back; the row has it already
) STRICT;

-- Ids that this replica has given up since its last pull, and how far its changes under them were acknowledged: those are in
-- the history already when they come.
CREATE TABLE former_ids (
    replica_id TEXT PRIMARY KEY NOT NULL,
    acked_number INTEGER NOT NULL
) STRICT;

-- Changes that the server has merged or refused: the next pull brings what it wrote instead of them.
CREATE TABLE awaited (
    history_id INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE conflicts (
    id TEXT PRIMARY KEY NOT NULL,
    entity TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    fields TEXT NOT NULL,
    base TEXT NOT NULL,
    mine TEXT NOT NULL,
    theirs TEXT NOT NULL,
    base_version INTEGER NOT NULL,
    my_version INTEGER NOT NULL,
    their_version INTEGER,
    my_by TEXT,
    their_by TEXT,
    reason TEXT NOT NULL,
    act_id TEXT NOT NULL,
    replica_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    resolved_at TEXT,
    resolved_by TEXT,
    resolution TEXT
) STRICT;
CREATE INDEX conflicts_open ON conflicts (entity_id) WHERE resolved_at IS NULL;

-- Full text of the work items; rowid is work_items.local_id. Written in the transaction that writes the row (a trigger
-- would do it too, at five times the cost for a bulk of rows).
CREATE VIRTUAL TABLE work_items_text USING fts5 (
    title, body, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

-- Work items whose vector does not match their text: noted in the transaction that writes the text, taken off when the
-- vector is written. The vectors are in the sqlite-vec table work_item_vectors (rowid is work_items.local_id), which the
-- first search makes: its dimensions are the model's, and its extension is loaded where somebody searches only.
CREATE TABLE work_item_vector_queue (
    local_id INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE work_item_vector_texts (
    local_id INTEGER PRIMARY KEY,
    text_hash BLOB NOT NULL,                -- of the text that the vector was made of
    generation INTEGER NOT NULL             -- of work_item_vector_model when it was written
) STRICT;
CREATE INDEX work_item_vector_texts_written ON work_item_vector_texts (generation);

CREATE TABLE work_item_vector_model (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    model TEXT NOT NULL,
    first_generation INTEGER NOT NULL,      -- when this model took over
    generation INTEGER NOT NULL             -- raised by every transaction that writes vectors
) STRICT;
