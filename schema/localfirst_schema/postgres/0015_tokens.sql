-- Tokens, by which laptops reach the server through `localfirst serve`. Of a secret only the hash is here: it is as long as the hash,
-- and drawn by chance, so that nothing is gained by trying. The project of a token need not exist yet: it is named, and bound to the
-- project's id when that is there, so that a rename takes nobody's right.

CREATE TABLE localfirst.tokens (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-z]{8,32}$'),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    access text NOT NULL CHECK (access IN ('write', 'read')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

CREATE TABLE localfirst.token_projects (
    token_id text NOT NULL REFERENCES localfirst.tokens (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    name_key text NOT NULL,
    project_id uuid,
    PRIMARY KEY (token_id, name_key)
);

-- (As before, and: tokens are nobody's but the owner's, as whose member the daemon and `localfirst token` work.)
CREATE OR REPLACE FUNCTION localfirst.table_kind(tab regclass) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
    WHEN tab IN ('localfirst.history_pending'::regclass, 'localfirst.history_markers'::regclass) THEN 'internal'
    WHEN tab IN ('localfirst.tokens'::regclass, 'localfirst.token_projects'::regclass) THEN 'internal'
    WHEN tab IN ('localfirst.schema_migrations'::regclass, 'localfirst.server_identity'::regclass) THEN 'fixed'
    WHEN (SELECT relkind FROM pg_class WHERE oid = tab) IN ('v', 'm') THEN 'fixed'
    WHEN EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tab AND tgname = 'log_insert') THEN 'entity'
    ELSE 'log'
END;

SELECT localfirst.secure();
