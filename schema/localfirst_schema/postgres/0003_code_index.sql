-- The code index that a team shares: chunks and their vectors as a set, addressed by content, without versions and never
-- changed; and per repository which file holds which chunks where. Nothing here takes part in the numbering of changes.

CREATE TABLE localfirst.code_chunks (
    project_id uuid NOT NULL REFERENCES localfirst.projects (id),
    chunk_hash bytea NOT NULL CHECK (octet_length(chunk_hash) = 16),
    text text NOT NULL,
    words tsvector NOT NULL,               -- identifiers in their parts; A: symbol, D: the text
    first_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, chunk_hash)
);
CREATE INDEX code_chunks_words ON localfirst.code_chunks USING gin (words);

-- One vector per chunk and model, each part an int8, as the replicas hold it.
CREATE TABLE localfirst.code_vectors (
    project_id uuid NOT NULL,
    model text NOT NULL,
    chunk_hash bytea NOT NULL,
    embedding bytea NOT NULL,
    PRIMARY KEY (project_id, model, chunk_hash),
    FOREIGN KEY (project_id, chunk_hash) REFERENCES localfirst.code_chunks ON DELETE CASCADE
);

CREATE TABLE localfirst.code_repositories (
    project_id uuid NOT NULL REFERENCES localfirst.projects (id),
    repository text NOT NULL,              -- host/owner/name of its git remote, else its name
    name text NOT NULL,
    model text,                            -- whose vectors are all here
    published_at timestamptz NOT NULL DEFAULT now(),
    published_by text,
    PRIMARY KEY (project_id, repository)
);

-- The tree as it was last published, file by file.
CREATE TABLE localfirst.code_files (
    project_id uuid NOT NULL,
    repository text NOT NULL,
    path text NOT NULL,
    content_hash bytea NOT NULL,
    language text NOT NULL,
    PRIMARY KEY (project_id, repository, path),
    FOREIGN KEY (project_id, repository) REFERENCES localfirst.code_repositories ON DELETE CASCADE
);

CREATE TABLE localfirst.code_places (
    project_id uuid NOT NULL,
    repository text NOT NULL,
    path text NOT NULL,
    start_line integer NOT NULL,
    end_line integer NOT NULL,
    symbol text,
    kind text NOT NULL,
    chunk_hash bytea NOT NULL,
    FOREIGN KEY (project_id, repository, path) REFERENCES localfirst.code_files ON DELETE CASCADE,
    FOREIGN KEY (project_id, chunk_hash) REFERENCES localfirst.code_chunks
);
CREATE INDEX code_places_of_file ON localfirst.code_places (project_id, repository, path);
CREATE INDEX code_places_of_chunk ON localfirst.code_places (project_id, chunk_hash);

-- With pgvector each vector stands a second time in a form that the server can search. Without the extension, or the
-- right to install it, everything else works; call this again when it is there.
CREATE FUNCTION localfirst.enable_code_vector_search() RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    home text;
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS vector;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
        RETURN false;
    END;
    SELECT n.nspname INTO home FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector';
    IF to_regtype(format('%I.halfvec', home)) IS NULL THEN
        RETURN false; -- older than 0.7
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM pg_attribute
        WHERE attrelid = 'localfirst.code_vectors'::regclass AND attname = 'searchable' AND NOT attisdropped
    ) THEN
        EXECUTE format('ALTER TABLE localfirst.code_vectors ADD COLUMN searchable %I.halfvec', home);
    END IF;
    RETURN true;
END
$$;

SELECT localfirst.enable_code_vector_search();

-- Chunks that no file holds any more. A day's grace: a laptop sends chunks before the files that hold them.
CREATE FUNCTION localfirst.delete_unused_code_chunks(project uuid) RETURNS bigint
LANGUAGE sql AS $$
    WITH deleted AS (
        DELETE FROM localfirst.code_chunks AS c
        WHERE c.project_id = project AND c.first_seen < now() - interval '1 day' AND NOT EXISTS (
            SELECT 1 FROM localfirst.code_places AS p WHERE p.project_id = c.project_id AND p.chunk_hash = c.chunk_hash
        )
        RETURNING 1
    )
    SELECT count(*) FROM deleted
$$;
