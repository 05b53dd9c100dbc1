-- Claims are an entity of their own: who works on an item, and until when. A lease never rides in a change with data, never raises
-- an item's version, and never clashes with its fields. A client that would go on claiming in the items is told to upgrade.
-- protocol: 2

CREATE TABLE localfirst.work_item_claims (
    project_id uuid NOT NULL DEFAULT localfirst.only_project() REFERENCES localfirst.projects (id),
    id uuid NOT NULL,
    work_item_id uuid NOT NULL,
    claimed_by text CHECK (char_length(claimed_by) BETWEEN 1 AND 100),
    claimed_until timestamptz CONSTRAINT work_item_claims_claimed_until_limit CHECK (localfirst.is_time(claimed_until)),
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1) CONSTRAINT work_item_claims_version_limit CHECK (localfirst.is_version(version)),
    created_at timestamptz NOT NULL DEFAULT now() CONSTRAINT work_item_claims_created_at_limit CHECK (localfirst.is_time(created_at)),
    updated_at timestamptz NOT NULL DEFAULT now() CONSTRAINT work_item_claims_updated_at_limit CHECK (localfirst.is_time(updated_at)),
    created_by text CHECK (char_length(created_by) <= 100) CONSTRAINT work_item_claims_created_by_limit CHECK (created_by <> ''),
    updated_by text CHECK (char_length(updated_by) <= 100) CONSTRAINT work_item_claims_updated_by_limit CHECK (updated_by <> ''),
    deleted_at timestamptz CONSTRAINT work_item_claims_deleted_at_limit CHECK (localfirst.is_time(deleted_at)),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, work_item_id) REFERENCES localfirst.work_items DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT work_item_claims_lease_check CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX work_item_claims_item ON localfirst.work_item_claims (project_id, work_item_id);

CREATE OR REPLACE FUNCTION localfirst.is_entity(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN name IN (
    'work_item', 'work_item_dependency', 'work_item_comment', 'work_item_claim', 'vendor', 'deployment', 'vendor_deployment_link',
    'work_item_deployment_link', 'enhancement', 'configuration', 'conflict'
);

-- As before, and: a claim has its id from its item.
CREATE OR REPLACE FUNCTION localfirst.fill_insert() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := 1;
    NEW.created_by := coalesce(NEW.created_by, pg_catalog.left(session_user::pg_catalog.text, 100));
    NEW.updated_by := coalesce(NEW.updated_by, NEW.created_by);
    NEW.updated_at := pg_catalog.now();
    IF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'work_items' THEN
        NEW.id := coalesce(NEW.id, pg_catalog.gen_random_uuid());
        -- A parent that comes later in the same statement is found by the AFTER trigger.
        SELECT p.path OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) NEW.id::pg_catalog.text, p.depth OPERATOR(pg_catalog.+) 1
        INTO NEW.path, NEW.depth
        FROM localfirst.work_items AS p
        WHERE p.project_id OPERATOR(pg_catalog.=) NEW.project_id AND p.id OPERATOR(pg_catalog.=) NEW.parent_id;
        NEW.path := coalesce(NEW.path, NEW.id::pg_catalog.text);
        NEW.depth := coalesce(NEW.depth, 0);
        RETURN NEW;
    ELSIF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'project_configuration' THEN
        NEW.id := localfirst.natural_id(NEW.project_id::pg_catalog.text, 'configuration', 'singleton');
        RETURN NEW;
    ELSIF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'vendor_extractors' THEN
        NEW.id := localfirst.natural_id(NEW.project_id::pg_catalog.text, 'vendor', NEW.name);
    ELSIF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'work_item_dependencies' THEN
        NEW.id := localfirst.natural_id(
            NEW.project_id::pg_catalog.text, 'work_item_dependency',
            NEW.work_item_id::pg_catalog.text, NEW.depends_on_id::pg_catalog.text, NEW.dependency_type);
    ELSIF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'work_item_claims' THEN
        NEW.id := localfirst.natural_id(NEW.project_id::pg_catalog.text, 'work_item_claim', NEW.work_item_id::pg_catalog.text);
    ELSIF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'vendor_deployment_links' THEN
        NEW.id := localfirst.natural_id(
            NEW.project_id::pg_catalog.text, 'vendor_deployment_link',
            NEW.deployment_id::pg_catalog.text, NEW.vendor_id::pg_catalog.text);
    ELSIF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'work_item_deployment_links' THEN
        NEW.id := localfirst.natural_id(
            NEW.project_id::pg_catalog.text, 'work_item_deployment_link',
            NEW.deployment_id::pg_catalog.text, NEW.work_item_id::pg_catalog.text);
    ELSE
        NEW.id := coalesce(NEW.id, pg_catalog.gen_random_uuid());
        RETURN NEW;
    END IF;
    -- What has its id from its content, and was deleted, comes back as the row that it was: the insert becomes an update.
    IF localfirst.revive(TG_TABLE_NAME::pg_catalog.text, pg_catalog.to_jsonb(NEW)) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

-- As before, and: claims.
CREATE OR REPLACE FUNCTION localfirst.raise_told(project uuid, transaction_id xid8) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text := current_setting('localfirst.engine', true);
    told record;
BEGIN
    FOR told IN
        SELECT p.entity, array_agg(p.entity_id) AS ids, array_agg(h.version) AS versions
        FROM localfirst.history_pending AS p CROSS JOIN LATERAL (
            SELECT h.version FROM localfirst.history AS h
            WHERE h.project_id = project AND h.entity_id = p.entity_id AND h.entity = p.entity ORDER BY h.version DESC LIMIT 1
        ) AS h
        WHERE p.tx = transaction_id AND p.project_id = project AND p.version = 1 GROUP BY p.entity
    LOOP
        UPDATE localfirst.history_pending AS p SET version = p.version + t.version
        FROM unnest(told.ids, told.versions) AS t (id, version)
        WHERE p.tx = transaction_id AND p.project_id = project AND p.entity = told.entity AND p.entity_id = t.id;
        PERFORM set_config('localfirst.engine', 'on', true);
        EXECUTE format(
            'UPDATE localfirst.%I AS r SET version = r.version + t.version FROM unnest($1, $2) AS t (id, version)'
            ' WHERE r.project_id = $3 AND r.id = t.id',
            CASE told.entity
            WHEN 'work_item' THEN 'work_items'
            WHEN 'work_item_dependency' THEN 'work_item_dependencies'
            WHEN 'work_item_comment' THEN 'work_item_comments'
            WHEN 'work_item_claim' THEN 'work_item_claims'
            WHEN 'vendor' THEN 'vendor_extractors'
            WHEN 'deployment' THEN 'deployment_events'
            WHEN 'vendor_deployment_link' THEN 'vendor_deployment_links'
            WHEN 'work_item_deployment_link' THEN 'work_item_deployment_links'
            WHEN 'enhancement' THEN 'future_enhancements'
            WHEN 'configuration' THEN 'project_configuration'
            END)
        USING told.ids, told.versions, project;
        PERFORM set_config('localfirst.engine', coalesce(before, ''), true);
    END LOOP;
END
$$;

-- As before, and: claims.
CREATE OR REPLACE FUNCTION localfirst.revive(tab text, given jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    project uuid := given ->> 'project_id';
    row_id uuid := given ->> 'id';
    is_there boolean := true;
    revived bigint;
BEGIN
    CASE tab
        WHEN 'work_item_dependencies' THEN
            is_there := EXISTS (SELECT FROM localfirst.work_item_dependencies AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
        WHEN 'vendor_deployment_links' THEN
            is_there := EXISTS (SELECT FROM localfirst.vendor_deployment_links AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
        WHEN 'work_item_deployment_links' THEN
            is_there := EXISTS (SELECT FROM localfirst.work_item_deployment_links AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
        WHEN 'work_item_claims' THEN
            is_there := EXISTS (SELECT FROM localfirst.work_item_claims AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
        WHEN 'vendor_extractors' THEN
            is_there := EXISTS (SELECT FROM localfirst.vendor_extractors AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
    END CASE;
    IF NOT is_there THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'UPDATE localfirst.%I SET deleted_at = NULL, updated_by = $3 %s'
        ' WHERE project_id = $1 AND id = $2 AND deleted_at IS NOT NULL',
        tab,
        CASE tab
        WHEN 'vendor_extractors' THEN ', operational = ($4 ->> ''operational'')::boolean, metadata = $4 -> ''metadata'''
        WHEN 'work_item_claims' THEN ', claimed_by = $4 ->> ''claimed_by'', claimed_until = ($4 ->> ''claimed_until'')::timestamptz' END)
    USING project, row_id, given ->> 'updated_by', given;
    GET DIAGNOSTICS revived = ROW_COUNT;
    RETURN revived > 0;
END
$$;

SELECT localfirst.install_triggers('work_item_claim', 'work_item_claims',
    '{work_item_id,claimed_by,claimed_until,deleted_at}', '{work_item_id}', 'false');

SELECT localfirst.secure();

-- What is claimed today becomes a claim that ends in an hour, unless its holder renews it.
INSERT INTO localfirst.work_item_claims (project_id, work_item_id, claimed_by, claimed_until, created_by)
SELECT w.project_id, w.id, w.claimed_by, now() + interval '1 hour', w.claimed_by
FROM localfirst.work_items AS w
WHERE w.claimed_by IS NOT NULL AND w.deleted_at IS NULL AND w.status <> 'completed';
