-- The code index. All of it can be computed again from the working trees, so it is written with synchronous=NORMAL, in
-- transactions of a few milliseconds. Paths are relative to the repository's root, with "/".

CREATE TABLE code_repositories (
    repository_id INTEGER PRIMARY KEY,
    root TEXT NOT NULL UNIQUE,              -- absolute, links resolved
    name TEXT NOT NULL,
    shared_key TEXT,                        -- host/owner/name of its git remote: the same on every laptop; NULL: not shared
    chunker TEXT NOT NULL,                  -- what cut its files: another chunker means all files are cut again
    indexed_at TEXT                         -- when a run last reached its end
) STRICT;

CREATE TABLE code_files (
    file_id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,               -- when it was read; a file as young as that may have changed within the same tick
    content_hash BLOB NOT NULL,
    language TEXT NOT NULL,
    UNIQUE (repository_id, path)
) STRICT;

-- The content, once however often it stands somewhere.
CREATE TABLE code_chunks (
    chunk_id INTEGER PRIMARY KEY,
    chunk_hash BLOB NOT NULL UNIQUE,
    text BLOB NOT NULL                      -- compressed
) STRICT;

-- Where it stands.
CREATE TABLE code_places (
    place_id INTEGER PRIMARY KEY,
    file_id INTEGER NOT NULL,
    chunk_id INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    symbol TEXT,
    kind TEXT NOT NULL
) STRICT;
CREATE INDEX code_places_of_file ON code_places (file_id);
CREATE INDEX code_places_of_chunk ON code_places (chunk_id);

-- rowid is code_places.place_id: the same text under another path is found by that path too.
CREATE VIRTUAL TABLE code_words USING fts5 (
    symbol, path, body, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- Embedding models that vectors are kept of. The vectors of a model are in the sqlite-vec table code_vectors_<model_id> (int8,
-- rowid is chunk_id), which is made when the model is first used. At most one is active: the one that searches ask.
CREATE TABLE code_models (
    model_id INTEGER PRIMARY KEY,
    model TEXT NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL,
    active INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 0   -- raised by every transaction that writes or deletes vectors of it
) STRICT;

-- Chunks that still lack a vector of a model: noted in the transaction that writes the chunk.
CREATE TABLE code_unembedded (
    model_id INTEGER NOT NULL,
    chunk_id INTEGER NOT NULL,
    PRIMARY KEY (model_id, chunk_id)
) STRICT, WITHOUT ROWID;

-- Jobs. pending -> running -> completed / failed / cancelled; pending -> cancelled / failed; running <-> blocked;
-- blocked -> failed / cancelled.
CREATE TABLE index_jobs (
    job_id TEXT PRIMARY KEY NOT NULL,
    root TEXT NOT NULL,
    name TEXT NOT NULL,
    force_reindex INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'blocked', 'completed', 'failed', 'cancelled')),
    phase TEXT NOT NULL,
    progress_percentage REAL NOT NULL DEFAULT 0,
    files_scanned INTEGER NOT NULL DEFAULT 0,
    files_indexed INTEGER NOT NULL DEFAULT 0,
    files_unchanged INTEGER NOT NULL DEFAULT 0,
    files_skipped INTEGER NOT NULL DEFAULT 0,
    files_deleted INTEGER NOT NULL DEFAULT 0,
    chunks_created INTEGER NOT NULL DEFAULT 0,
    files_total INTEGER,                    -- of the list taken at the start
    chunks_to_embed INTEGER,
    created_at TEXT NOT NULL,
    started_at TEXT,
    renewed_at TEXT,                        -- of the last progress
    completed_at TEXT,
    cancelled_at TEXT,
    blocked_reason TEXT,
    error_type TEXT,
    error_message TEXT,
    warnings TEXT NOT NULL DEFAULT '[]',
    starts INTEGER NOT NULL DEFAULT 0       -- how often a worker has taken it up
) STRICT;
CREATE UNIQUE INDEX index_jobs_one_per_repository ON index_jobs (root) WHERE status IN ('pending', 'running', 'blocked');
CREATE INDEX index_jobs_by_age ON index_jobs (created_at);

-- The file list of a job: what is still to be done. A row goes in the transaction that writes the file's chunks.
CREATE TABLE index_job_files (
    job_id TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (job_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE index_job_skipped (
    job_id TEXT NOT NULL,
    path TEXT NOT NULL,
    rule TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (job_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE index_job_events (
    event_id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX index_job_events_of_job ON index_job_events (job_id);
