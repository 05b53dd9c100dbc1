-- The server's schema. Every table and key leads with project_id. Column names are those of `entities.py`.
--
-- Writers are of two kinds. The engine sets `localfirst.engine` for its transaction, gives versions itself and writes the
-- history itself. Every other SQL client is served by triggers: BEFORE ROW triggers only fill in columns; AFTER STATEMENT
-- triggers write the history; a deferred trigger numbers it when the transaction commits.

CREATE FUNCTION localfirst.natural_id(VARIADIC parts text[]) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- UUIDv8 of SHA-256 over the NFC parts joined by NUL, as identifiers.natural_id computes it.
    SELECT encode(set_byte(set_byte(digest, 6, (get_byte(digest, 6) & 15) | 128), 8, (get_byte(digest, 8) & 63) | 128), 'hex')::uuid
    FROM (
        SELECT substring(sha256(string_agg(
            CASE WHEN place > 1 THEN '\x00'::bytea ELSE ''::bytea END || convert_to(normalize(part, NFC), 'UTF8'),
            ''::bytea ORDER BY place
        )) FROM 1 FOR 16) AS digest
        FROM unnest(parts) WITH ORDINALITY AS p (part, place)
    ) AS hashed
$$;

CREATE FUNCTION localfirst.by_engine() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT current_setting('localfirst.engine', true) IS NOT DISTINCT FROM 'on'
$$;

-- Projects and the order of their changes -------------------------------------------------------------------------------

CREATE TABLE localfirst.projects (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (char_length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The head of each project: the number of its last committed change. Written by numbering alone, locked from numbering to
-- commit, so that numbers commit in order and without a gap.
CREATE TABLE localfirst.project_heads (
    project_id uuid PRIMARY KEY REFERENCES localfirst.projects (id),
    head bigint NOT NULL DEFAULT 0,
    tag integer NOT NULL DEFAULT 0
);

CREATE FUNCTION localfirst.only_project() RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found uuid[];
BEGIN
    SELECT array_agg(id) INTO found FROM (SELECT id FROM localfirst.projects LIMIT 2) AS p;
    IF cardinality(found) = 1 THEN
        RETURN found[1];
    END IF;
    RAISE EXCEPTION 'project_id must be given: there are several projects, or none'
        USING ERRCODE = 'not_null_violation', HINT = 'SELECT id, name FROM localfirst.projects';
END
$$;

-- What may stand in metadata: the same rules as the client's, so that no change is accepted here and refused there. -----

CREATE FUNCTION localfirst.json_text(value jsonb, longest integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT value IS NULL OR (jsonb_typeof(value) = 'string' AND char_length(value #>> '{}') <= longest)
$$;

CREATE FUNCTION localfirst.json_number(value jsonb, at_least numeric, at_most numeric, whole boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value IS NULL THEN true
        WHEN jsonb_typeof(value) <> 'number' THEN false
        ELSE (value #>> '{}')::numeric BETWEEN at_least AND at_most
            AND (NOT whole OR (value #>> '{}')::numeric = trunc((value #>> '{}')::numeric))
    END
$$;

CREATE FUNCTION localfirst.json_is(value jsonb, type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT value IS NULL OR jsonb_typeof(value) = type
$$;

CREATE FUNCTION localfirst.json_texts(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value IS NULL THEN true
        WHEN jsonb_typeof(value) <> 'array' THEN false
        ELSE NOT jsonb_path_exists(value, '$[*] ? (@.type() != "string")')
    END
$$;

CREATE FUNCTION localfirst.json_counts(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value IS NULL THEN true
        WHEN jsonb_typeof(value) <> 'object' THEN false
        ELSE NOT EXISTS (
            SELECT FROM jsonb_each(value) AS e WHERE NOT localfirst.json_number(e.value, 0, 9223372036854775807, true)
        )
    END
$$;

CREATE FUNCTION localfirst.work_item_metadata_is_valid(item_type text, m jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(m) <> 'object' THEN
        RETURN false;
    END IF;
    RETURN CASE item_type
        WHEN 'project' THEN
            localfirst.json_text(m -> 'description', 1000)
            AND localfirst.json_text(m -> 'target_quarter', 1000)
            AND localfirst.json_texts(m -> 'constitutional_principles')
        WHEN 'session' THEN
            localfirst.json_number(m -> 'token_budget', 1000, 1000000, true)
            AND localfirst.json_number(m -> 'prompts_count', 0, 9223372036854775807, true)
            AND localfirst.json_is(m -> 'yaml_frontmatter', 'object')
            AND localfirst.json_is(m -> 'yaml_frontmatter' -> 'schema_version', 'string')
            AND localfirst.json_is(m -> 'prompt', 'string')
        WHEN 'task' THEN
            localfirst.json_number(m -> 'estimated_hours', 0, 1000, false)
            AND localfirst.json_number(m -> 'actual_hours', 0, 1000, false)
            AND localfirst.json_text(m -> 'blocked_reason', 500)
            AND (m -> 'priority' IS NULL OR m -> 'priority' IN ('"high"', '"medium"', '"low"'))
        ELSE
            localfirst.json_texts(m -> 'research_questions')
            AND localfirst.json_text(m -> 'findings_summary', 2000)
            AND localfirst.json_is(m -> 'references', 'array')
    END;
END
$$;

CREATE FUNCTION localfirst.vendor_metadata_is_valid(m jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN jsonb_typeof(m) = 'object'
        AND localfirst.json_is(m -> 'format_support', 'object')
        AND localfirst.json_is(m #> '{format_support,excel}', 'boolean')
        AND localfirst.json_is(m #> '{format_support,csv}', 'boolean')
        AND localfirst.json_is(m #> '{format_support,pdf}', 'boolean')
        AND localfirst.json_is(m #> '{format_support,ocr}', 'boolean')
        AND localfirst.json_is(m -> 'test_results', 'object')
        AND localfirst.json_number(m #> '{test_results,passing}', 0, 9223372036854775807, true)
        AND localfirst.json_number(m #> '{test_results,total}', 0, 9223372036854775807, true)
        AND localfirst.json_number(m #> '{test_results,skipped}', 0, 9223372036854775807, true)
        AND localfirst.json_text(m -> 'extractor_version', 50)
        AND m -> 'extractor_version' IS DISTINCT FROM '""'
        AND localfirst.json_is(m -> 'manifest_compliant', 'boolean');
END
$$;

CREATE FUNCTION localfirst.deployment_metadata_is_valid(m jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN jsonb_typeof(m) = 'object'
        AND localfirst.json_number(m -> 'pr_number', 1, 9223372036854775807, true)
        AND localfirst.json_text(m -> 'pr_title', 200)
        AND m -> 'pr_title' IS DISTINCT FROM '""'
        AND localfirst.json_is(m -> 'commit_hash', 'string')
        AND coalesce(m ->> 'commit_hash', repeat('0', 40)) ~ '^[0-9a-f]{40}$'
        AND localfirst.json_counts(m -> 'test_summary')
        AND localfirst.json_is(m -> 'constitutional_compliance', 'boolean');
END
$$;

-- The entities --------------------------------------------------------------------------------------------------------

CREATE TABLE localfirst.work_items (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    item_type text NOT NULL CHECK (item_type IN ('project', 'session', 'task', 'research')),
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'blocked')),
    parent_id uuid,
    path text NOT NULL,
    depth integer NOT NULL CHECK (depth BETWEEN 0 AND 4),
    branch_name text CHECK (char_length(branch_name) BETWEEN 1 AND 100),
    commit_hash text CHECK (commit_hash ~ '^[0-9a-f]{40}$'),
    pr_number bigint CHECK (pr_number >= 1),
    metadata jsonb NOT NULL DEFAULT '{}',
    claimed_by text CHECK (char_length(claimed_by) BETWEEN 1 AND 100),
    archived_at timestamptz,
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, parent_id) REFERENCES localfirst.work_items DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT work_items_metadata_check CHECK (localfirst.work_item_metadata_is_valid(item_type, metadata))
);
CREATE INDEX work_items_parent ON localfirst.work_items (project_id, parent_id) WHERE parent_id IS NOT NULL;

CREATE VIEW localfirst.archived_work_items AS
    SELECT * FROM localfirst.work_items WHERE archived_at IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE localfirst.work_item_dependencies (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL,
    work_item_id uuid NOT NULL,
    depends_on_id uuid NOT NULL,
    dependency_type text NOT NULL DEFAULT 'depends_on' CHECK (dependency_type IN ('depends_on', 'blocks')),
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, work_item_id) REFERENCES localfirst.work_items DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (project_id, depends_on_id) REFERENCES localfirst.work_items DEFERRABLE INITIALLY DEFERRED,
    CHECK (work_item_id <> depends_on_id)
);
CREATE INDEX work_item_dependencies_source ON localfirst.work_item_dependencies (project_id, work_item_id);
CREATE INDEX work_item_dependencies_target ON localfirst.work_item_dependencies (project_id, depends_on_id);

CREATE TABLE localfirst.work_item_comments (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    work_item_id uuid NOT NULL,
    body text NOT NULL CHECK (char_length(body) BETWEEN 1 AND 100000),
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, work_item_id) REFERENCES localfirst.work_items DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX work_item_comments_item ON localfirst.work_item_comments (project_id, work_item_id);

CREATE TABLE localfirst.vendor_extractors (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200 AND name = btrim(name)),
    operational boolean NOT NULL DEFAULT true,
    status text NOT NULL GENERATED ALWAYS AS (CASE WHEN operational THEN 'operational' ELSE 'broken' END) STORED,
    metadata jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name),
    CONSTRAINT vendor_extractors_metadata_check CHECK (localfirst.vendor_metadata_is_valid(metadata))
);

CREATE TABLE localfirst.deployment_events (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    deployed_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    CONSTRAINT deployment_events_metadata_check CHECK (localfirst.deployment_metadata_is_valid(metadata))
);

CREATE TABLE localfirst.vendor_deployment_links (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL,
    deployment_id uuid NOT NULL,
    vendor_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, deployment_id) REFERENCES localfirst.deployment_events DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (project_id, vendor_id) REFERENCES localfirst.vendor_extractors DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX vendor_deployment_links_deployment ON localfirst.vendor_deployment_links (project_id, deployment_id);

CREATE TABLE localfirst.work_item_deployment_links (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL,
    deployment_id uuid NOT NULL,
    work_item_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, deployment_id) REFERENCES localfirst.deployment_events DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (project_id, work_item_id) REFERENCES localfirst.work_items DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX work_item_deployment_links_deployment ON localfirst.work_item_deployment_links (project_id, deployment_id);

CREATE TABLE localfirst.future_enhancements (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    description text CHECK (char_length(description) <= 10000),
    priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('high', 'medium', 'low')),
    status text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'approved', 'implementing', 'completed')),
    target_quarter text CHECK (target_quarter ~ '^Q[1-4] [0-9]{4}$'),
    requires_constitutional_principles jsonb CHECK (
        requires_constitutional_principles IS NULL OR localfirst.json_texts(requires_constitutional_principles)
    ),
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id)
);

CREATE TABLE localfirst.project_configuration (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL,
    active_context_type text NOT NULL DEFAULT 'feature' CHECK (active_context_type IN ('feature', 'maintenance', 'research')),
    current_session_id uuid,
    git_branch text CHECK (char_length(git_branch) <= 250),
    git_head_commit text CHECK (git_head_commit ~ '^[0-9a-f]{40}$'),
    default_token_budget bigint NOT NULL DEFAULT 200000 CHECK (default_token_budget BETWEEN 1000 AND 1000000),
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (char_length(created_by) <= 100),
    updated_by text CHECK (char_length(updated_by) <= 100),
    deleted_at timestamptz CHECK (deleted_at IS NULL),
    PRIMARY KEY (project_id, id)
);

-- History, conflicts, replicas ----------------------------------------------------------------------------------------

-- Every change in the order of its commit; also the log that replicas pull by.
CREATE TABLE localfirst.history (
    project_id uuid NOT NULL,
    seq bigint NOT NULL,
    tag integer NOT NULL,
    entity text NOT NULL,
    entity_id uuid NOT NULL,
    version bigint NOT NULL,
    by text,
    at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('accepted', 'merged', 'lost')),
    fields jsonb NOT NULL,
    replica_id uuid,
    number bigint,
    PRIMARY KEY (project_id, seq)
);
CREATE INDEX history_row ON localfirst.history (project_id, entity_id, version);

-- Changes of the transactions under way that the triggers wrote; numbering moves them into the history before the commit.
-- A crash ends all transactions, so that nothing here has to survive one.
CREATE UNLOGGED TABLE localfirst.history_pending (
    change_id bigint GENERATED ALWAYS AS IDENTITY (CACHE 100),
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    project_id uuid NOT NULL,
    entity text NOT NULL,
    entity_id uuid NOT NULL,
    version bigint NOT NULL,
    by text,
    fields jsonb NOT NULL,
    structural boolean NOT NULL
);
CREATE INDEX history_pending_tx ON localfirst.history_pending (tx, project_id);
CREATE INDEX history_pending_structural ON localfirst.history_pending (tx, project_id) WHERE structural;

CREATE UNLOGGED TABLE localfirst.history_markers (
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    project_id uuid NOT NULL,
    PRIMARY KEY (tx, project_id)
);

-- Changes that met a different change of the same thing: base, mine and theirs whole, until somebody settles them.
CREATE TABLE localfirst.conflicts (
    project_id uuid NOT NULL REFERENCES localfirst.projects (id),
    id uuid NOT NULL,
    entity text NOT NULL,
    entity_id uuid NOT NULL,
    fields jsonb NOT NULL,
    base jsonb NOT NULL,
    mine jsonb NOT NULL,
    theirs jsonb NOT NULL,
    base_version bigint NOT NULL,
    my_version bigint NOT NULL,
    their_version bigint,
    my_by text,
    their_by text,
    reason text NOT NULL,
    act_id uuid NOT NULL,
    replica_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    resolved_at timestamptz,
    resolved_by text,
    resolution text CHECK (resolution IN ('mine', 'theirs', 'merge')),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX conflicts_open ON localfirst.conflicts (project_id, entity_id) WHERE resolved_at IS NULL;

CREATE TABLE localfirst.replicas (
    project_id uuid NOT NULL REFERENCES localfirst.projects (id),
    replica_id uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    last_number bigint NOT NULL DEFAULT 0,
    last_hash bytea NOT NULL DEFAULT '\x00000000000000000000000000000000',
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_push_at timestamptz,
    PRIMARY KEY (project_id, replica_id)
);

-- The verdicts that a replica has not acknowledged yet, one row per push: a repeated push is answered from here.
CREATE TABLE localfirst.push_receipts (
    project_id uuid NOT NULL,
    replica_id uuid NOT NULL,
    first_number bigint NOT NULL,
    last_number bigint NOT NULL,
    hashes bytea NOT NULL,
    verdicts bytea NOT NULL,
    PRIMARY KEY (project_id, replica_id, first_number)
);
