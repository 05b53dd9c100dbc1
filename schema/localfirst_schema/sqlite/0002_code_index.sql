-- The code index. All of it can be computed again from the working trees, so it is written with synchronous=NORMAL, in
-- transactions of a few milliseconds. Paths are relative to the repository's root, with "/".

CREATE TABLE code_repositories (
    repository_id INTEGER PRIMARY KEY,
    root TEXT NOT NULL UNIQUE,              -- absolute, links resolved
    name TEXT NOT NULL,
    shared_key TEXT,                        -- host/owner/name of its git remote: the same on every laptop; NULL: not shared
    chunker TEXT NOT NULL,                  -- what cut its files and their words: another means all files are cut again
    indexed_at TEXT                         -- when a run last reached its end
) STRICT;

CREATE TABLE code_files (
    file_id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    path TEXT NOT NULL,                     -- bytes that are not UTF-8 as U+EF80 to U+EFFF
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,               -- when it was read; a file as young as that may have changed within the same tick
    content_hash BLOB NOT NULL,
    language TEXT NOT NULL,
    UNIQUE (repository_id, path)
) STRICT;

-- Files of the scan that turned out to be none of the index's when they were read: not read again until they change.
CREATE TABLE code_left_out (
    repository_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,
    rule TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (repository_id, path)
) STRICT, WITHOUT ROWID;

-- File ids whose places have no row in code_files: a large file that is being written or taken away in several transactions.
CREATE TABLE code_unfinished (
    file_id INTEGER PRIMARY KEY
) STRICT;

-- The content, once however often it stands somewhere. An id is never used again: what is derived from a chunk may rely on it.
CREATE TABLE code_chunks (
    chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,
    chunk_hash BLOB NOT NULL UNIQUE,
    text BLOB NOT NULL                      -- compressed (Zstandard)
) STRICT;

-- Chunks that have lost a place. Those that have none at the end of a run are deleted; until then their text may turn up elsewhere.
CREATE TABLE code_released (
    chunk_id INTEGER PRIMARY KEY
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
    symbol, path, body, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);
-- Segments are merged a little at a time in transactions of their own, not in the ones that write files.
INSERT INTO code_words (code_words, rank) VALUES ('automerge', 0);
INSERT INTO code_words (code_words, rank) VALUES ('crisismerge', 256);

-- Embedding models that vectors are kept of. The vectors of a model are in the sqlite-vec table code_vectors_<model_id> (int8,
-- rowid is chunk_id), which is made when the model is first used. At most one is active: the one that searches ask. A new one is
-- filled beside it, and takes its place when it is complete.
CREATE TABLE code_models (
    model_id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL,
    active INTEGER NOT NULL DEFAULT 0 CHECK (active IN (-1, 0, 1)),  -- 1: searches ask it; 0: being filled; -1: being dropped
    generation INTEGER NOT NULL DEFAULT 0,  -- raised by every transaction that writes or deletes vectors of it
    backlog INTEGER NOT NULL DEFAULT 0      -- chunks up to this id are older than the model, and still to be queued for it
) STRICT;

-- Chunks that still lack a vector of a model: noted in the transaction that writes the chunk.
CREATE TABLE code_unembedded (
    model_id INTEGER NOT NULL,
    chunk_id INTEGER NOT NULL,
    PRIMARY KEY (model_id, chunk_id)
) STRICT, WITHOUT ROWID;

-- Jobs. pending -> running -> completed / failed / cancelled; pending -> cancelled / failed; running <-> blocked;
-- blocked -> failed / cancelled. A running job without a living worker is taken up again where its file list stands.
CREATE TABLE index_jobs (
    job_id TEXT PRIMARY KEY NOT NULL,
    root TEXT NOT NULL,                     -- absolute, links resolved
    name TEXT NOT NULL,
    force_reindex INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'blocked', 'completed', 'failed', 'cancelled')),
    phase TEXT NOT NULL,
    is_listed INTEGER NOT NULL DEFAULT 0,   -- its file list is whole
    progress_percentage REAL NOT NULL DEFAULT 0,
    files_scanned INTEGER NOT NULL DEFAULT 0,
    files_total INTEGER,                    -- of the list taken at the start
    files_done INTEGER NOT NULL DEFAULT 0,  -- of that list
    files_indexed INTEGER NOT NULL DEFAULT 0,
    files_unchanged INTEGER NOT NULL DEFAULT 0,
    files_skipped INTEGER NOT NULL DEFAULT 0,
    files_deleted INTEGER NOT NULL DEFAULT 0,
    chunks_created INTEGER NOT NULL DEFAULT 0,
    chunks_to_embed INTEGER,
    chunks_embedded INTEGER NOT NULL DEFAULT 0,
    estimated_seconds REAL NOT NULL,        -- when it was asked for
    seconds_left REAL,                      -- at the last progress
    worked_seconds REAL NOT NULL DEFAULT 0, -- without the time that it waited or nobody worked on it
    starts INTEGER NOT NULL DEFAULT 0,      -- how often a worker has taken it up
    fruitless_starts INTEGER NOT NULL DEFAULT 0, -- since the last progress
    created_at TEXT NOT NULL,
    started_at TEXT,
    renewed_at TEXT,                        -- of the last progress or sign of life
    ended_at TEXT,                          -- completed, failed or cancelled
    to_publish INTEGER NOT NULL DEFAULT 0,  -- completed, and not yet on the team's server
    blocked_reason TEXT,
    error_type TEXT,
    error_message TEXT
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
    PRIMARY KEY (job_id, rule, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE index_job_events (
    event_id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX index_job_events_of_job ON index_job_events (job_id);

-- The process that works, for people to see. That there is only one is the business of a kernel lock.
CREATE TABLE index_worker (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    pid INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    renewed_at TEXT NOT NULL,
    is_to_end INTEGER NOT NULL DEFAULT 0    -- a client with other settings, perhaps, wants to start another one
) STRICT;
