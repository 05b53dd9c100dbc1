-- What makes any SQL client a first-class writer.

-- Numbering, at commit -------------------------------------------------------------------------------------------------

-- Every look-up below is LATERAL with OFFSET 0 (or a LIMIT): one by an index for each row in question, whatever the planner
-- thinks of the sizes. On tables that were never analysed it takes a project for one row, and joins in cubic time.
CREATE FUNCTION localfirst.check_structure(project uuid, transaction_id xid8) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    offender uuid;
BEGIN
    SELECT c.id INTO offender
    FROM localfirst.history_pending AS h
    CROSS JOIN LATERAL (
        SELECT w.deleted_at FROM localfirst.work_items AS w WHERE w.project_id = project AND w.id = h.entity_id OFFSET 0
    ) AS p
    CROSS JOIN LATERAL (
        SELECT w.id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.parent_id = h.entity_id AND w.deleted_at IS NULL LIMIT 1
    ) AS c
    WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item'
        AND p.deleted_at IS NOT NULL
    LIMIT 1;
    IF offender IS NOT NULL THEN
        RAISE EXCEPTION 'a work item with live children cannot be deleted (child %)', offender
            USING ERRCODE = 'restrict_violation';
    END IF;

    SELECT h.entity_id INTO offender
    FROM localfirst.history_pending AS h
    CROSS JOIN LATERAL (
        SELECT w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.id = h.entity_id AND w.deleted_at IS NULL OFFSET 0
    ) AS c
    CROSS JOIN LATERAL (
        SELECT w.deleted_at FROM localfirst.work_items AS w WHERE w.project_id = project AND w.id = c.parent_id OFFSET 0
    ) AS p
    WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item'
        AND p.deleted_at IS NOT NULL
    LIMIT 1;
    IF offender IS NOT NULL THEN
        RAISE EXCEPTION 'work item % has a deleted parent', offender USING ERRCODE = 'foreign_key_violation';
    END IF;

    IF EXISTS (
        WITH RECURSIVE up (id, next, height) AS (
            SELECT h.entity_id, w.parent_id, 0
            FROM localfirst.history_pending AS h
            CROSS JOIN LATERAL (
                SELECT i.parent_id FROM localfirst.work_items AS i
                WHERE i.project_id = project AND i.id = h.entity_id AND i.parent_id IS NOT NULL OFFSET 0
            ) AS w
            WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item'
            UNION ALL
            SELECT up.id, w.parent_id, up.height + 1
            FROM up
            CROSS JOIN LATERAL (
                SELECT i.parent_id FROM localfirst.work_items AS i
                WHERE i.project_id = project AND i.id = up.next AND i.parent_id IS NOT NULL OFFSET 0
            ) AS w
            WHERE up.height < 5
        )
        SELECT FROM up WHERE height >= 4
    ) THEN
        RAISE EXCEPTION 'work items must not be nested deeper than 5 levels, nor in a circle' USING ERRCODE = 'check_violation';
    END IF;

    -- From each new dependency on, along what is waited for, until nothing new is reached.
    IF EXISTS (
        WITH RECURSIVE reach (origin, at_item) AS (
            SELECT CASE d.dependency_type WHEN 'depends_on' THEN d.work_item_id ELSE d.depends_on_id END,
                   CASE d.dependency_type WHEN 'depends_on' THEN d.depends_on_id ELSE d.work_item_id END
            FROM localfirst.history_pending AS h
            CROSS JOIN LATERAL (
                SELECT e.work_item_id, e.depends_on_id, e.dependency_type FROM localfirst.work_item_dependencies AS e
                WHERE e.project_id = project AND e.id = h.entity_id AND e.deleted_at IS NULL OFFSET 0
            ) AS d
            WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item_dependency'
            UNION
            SELECT reach.origin, w.for_item
            FROM reach
            CROSS JOIN LATERAL (
                SELECT e.depends_on_id AS for_item FROM localfirst.work_item_dependencies AS e
                WHERE e.project_id = project AND e.work_item_id = reach.at_item
                    AND e.dependency_type = 'depends_on' AND e.deleted_at IS NULL
                UNION ALL
                SELECT e.work_item_id FROM localfirst.work_item_dependencies AS e
                WHERE e.project_id = project AND e.depends_on_id = reach.at_item
                    AND e.dependency_type = 'blocks' AND e.deleted_at IS NULL
            ) AS w
        )
        SELECT FROM reach WHERE origin = at_item
    ) THEN
        RAISE EXCEPTION 'dependencies must not form a cycle' USING ERRCODE = 'check_violation';
    END IF;
END
$$;

CREATE FUNCTION localfirst.number_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    project uuid;
    last bigint;
    numbered bigint;
    new_tag integer;
BEGIN
    -- The first marker to fire numbers all projects of the transaction, sorted, so that two transactions never wait for
    -- each other's heads crosswise; the others then find nothing to do.
    FOR project IN
        SELECT m.project_id FROM localfirst.history_markers AS m WHERE m.tx = pg_current_xact_id() ORDER BY m.project_id
    LOOP
        SELECT head INTO last FROM localfirst.project_heads WHERE project_id = project FOR UPDATE;
        IF EXISTS (
            SELECT FROM localfirst.history_pending WHERE tx = pg_current_xact_id() AND project_id = project AND structural
        ) THEN
            -- Under the head's lock all earlier changes of the project are visible, so that the check cannot be outrun.
            PERFORM localfirst.check_structure(project, pg_current_xact_id());
        END IF;
        new_tag := floor(random() * 2147483647)::integer;
        WITH moved AS (
            DELETE FROM localfirst.history_pending WHERE tx = pg_current_xact_id() AND project_id = project RETURNING *
        )
        INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, by, at, outcome, fields)
        SELECT project, last + row_number() OVER (ORDER BY change_id), new_tag, entity, entity_id, version, by, now(), 'accepted', fields
        FROM moved;
        GET DIAGNOSTICS numbered = ROW_COUNT;
        DELETE FROM localfirst.history_markers WHERE tx = pg_current_xact_id() AND project_id = project;
        IF numbered > 0 THEN
            UPDATE localfirst.project_heads SET head = last + numbered, tag = new_tag WHERE project_id = project;
            PERFORM pg_notify('localfirst_' || replace(project::text, '-', ''), '');
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER number_changes AFTER INSERT ON localfirst.history_markers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION localfirst.number_changes();

-- Filling in what a direct writer leaves out ---------------------------------------------------------------------------

-- Brings a tombstone back, with the values of the row that was to be inserted; false if there is none.
CREATE FUNCTION localfirst.revive(tab text, given jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    revived bigint;
BEGIN
    EXECUTE format(
        'UPDATE localfirst.%I SET deleted_at = NULL, updated_by = $3 %s'
        ' WHERE project_id = $1 AND id = $2 AND deleted_at IS NOT NULL',
        tab,
        CASE tab WHEN 'vendor_extractors' THEN ', operational = ($4 ->> ''operational'')::boolean, metadata = $4 -> ''metadata''' END)
    USING (given ->> 'project_id')::uuid, (given ->> 'id')::uuid, given ->> 'updated_by', given;
    GET DIAGNOSTICS revived = ROW_COUNT;
    RETURN revived > 0;
END
$$;

CREATE FUNCTION localfirst.fill_insert() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := 1;
    NEW.created_by := coalesce(NEW.created_by, left(session_user, 100));
    NEW.updated_by := coalesce(NEW.updated_by, NEW.created_by);
    NEW.updated_at := now();
    CASE TG_TABLE_NAME
        WHEN 'vendor_extractors' THEN
            NEW.id := localfirst.natural_id(NEW.project_id::text, 'vendor', NEW.name);
        WHEN 'work_item_dependencies' THEN
            NEW.id := localfirst.natural_id(NEW.project_id::text, 'work_item_dependency', NEW.work_item_id::text, NEW.depends_on_id::text, NEW.dependency_type);
        WHEN 'vendor_deployment_links' THEN
            NEW.id := localfirst.natural_id(NEW.project_id::text, 'vendor_deployment_link', NEW.deployment_id::text, NEW.vendor_id::text);
        WHEN 'work_item_deployment_links' THEN
            NEW.id := localfirst.natural_id(NEW.project_id::text, 'work_item_deployment_link', NEW.deployment_id::text, NEW.work_item_id::text);
        WHEN 'project_configuration' THEN
            NEW.id := localfirst.natural_id(NEW.project_id::text, 'configuration', 'singleton');
        WHEN 'work_items' THEN
            NEW.id := coalesce(NEW.id, gen_random_uuid());
            -- A parent that comes later in the same statement is found by the AFTER trigger.
            SELECT p.path || '/' || NEW.id, p.depth + 1 INTO NEW.path, NEW.depth
            FROM localfirst.work_items AS p WHERE p.project_id = NEW.project_id AND p.id = NEW.parent_id;
            NEW.path := coalesce(NEW.path, NEW.id::text);
            NEW.depth := coalesce(NEW.depth, 0);
        ELSE
            NEW.id := coalesce(NEW.id, gen_random_uuid());
    END CASE;
    -- What has its id from its content, and was deleted, comes back as the row that it was: the insert becomes an update.
    IF TG_TABLE_NAME IN ('vendor_extractors', 'work_item_dependencies', 'vendor_deployment_links', 'work_item_deployment_links')
        AND localfirst.revive(TG_TABLE_NAME, to_jsonb(NEW)) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION localfirst.fill_update() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.project_id <> OLD.project_id OR NEW.id <> OLD.id THEN
        RAISE EXCEPTION 'project_id and id cannot be changed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.created_at := OLD.created_at;
    NEW.created_by := OLD.created_by;
    NEW.updated_at := now();
    IF NEW.updated_by IS NOT DISTINCT FROM OLD.updated_by THEN
        NEW.updated_by := left(session_user, 100);
    END IF;
    RETURN NEW;
END
$$;

-- An update that changes no data is no change: version and audit columns stay, whatever it says of them.
CREATE FUNCTION localfirst.keep_audit() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.project_id := OLD.project_id;
    NEW.id := OLD.id;
    NEW.version := OLD.version;
    NEW.created_at := OLD.created_at;
    NEW.created_by := OLD.created_by;
    NEW.updated_at := OLD.updated_at;
    NEW.updated_by := OLD.updated_by;
    RETURN NEW;
END
$$;

CREATE FUNCTION localfirst.keep_derived() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.path := OLD.path;
    NEW.depth := OLD.depth;
    RETURN NEW;
END
$$;

CREATE FUNCTION localfirst.refuse_key_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the columns that identify a row of % cannot be changed: delete it and insert another', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE FUNCTION localfirst.refuse_truncate() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of % is refused: replicas could not follow it', TG_TABLE_NAME
        USING ERRCODE = 'feature_not_supported', HINT = 'Use DELETE: rows become tombstones that reach every replica.';
END
$$;

-- path and depth of the given items and of all below them, from their parents. Level by level: an item whose parent was stale
-- itself is among the next level's, and comes right there.
CREATE FUNCTION localfirst.derive_paths(project uuid, items uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    before text := current_setting('localfirst.engine', true);
    level_items uuid[] := items;
BEGIN
    PERFORM set_config('localfirst.engine', 'on', true);
    FOR level IN 0..6 LOOP
        UPDATE localfirst.work_items AS w
        SET path = coalesce((
                SELECT p.path || '/' FROM localfirst.work_items AS p WHERE p.project_id = project AND p.id = w.parent_id
            ), '') || w.id,
            depth = coalesce((
                SELECT p.depth + 1 FROM localfirst.work_items AS p WHERE p.project_id = project AND p.id = w.parent_id
            ), 0)
        WHERE w.project_id = project AND w.id = ANY (level_items) AND w.path <> coalesce((
            SELECT p.path || '/' FROM localfirst.work_items AS p WHERE p.project_id = project AND p.id = w.parent_id
        ), '') || w.id;
        SELECT array_agg(DISTINCT c.id) INTO level_items
        FROM unnest(level_items) AS i (id)
        CROSS JOIN LATERAL (
            SELECT w.id FROM localfirst.work_items AS w WHERE w.project_id = project AND w.parent_id = i.id OFFSET 0
        ) AS c;
        EXIT WHEN level_items IS NULL;
    END LOOP;
    PERFORM set_config('localfirst.engine', coalesce(before, ''), true);
END
$$;

-- The history of direct writes -------------------------------------------------------------------------------------------

-- Creates the triggers of one table. `data` are the columns that a change may carry, `structural` an SQL condition over
-- o (old row, NULL on insert) and n (new row) that asks for the check of structure at commit.
CREATE FUNCTION localfirst.install_triggers(entity text, tab text, data text[], identifying text[], structural text) RETURNS void
LANGUAGE plpgsql AS $install$
DECLARE
    changed text;
    given text;
    all_columns text;
    key_changed text;
    data_changed text;
BEGIN
    SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', c), ' OR ') INTO data_changed FROM unnest(data) AS c;
    SELECT string_agg(format('CASE WHEN n.%1$I IS DISTINCT FROM o.%1$I THEN %2$L || json_build_object(''old'', o.%1$I, ''new'', n.%1$I) END', c, to_json(c) || ':'), ', '),
           string_agg(format('CASE WHEN n.%1$I IS NOT NULL THEN %2$L || json_build_object(''old'', NULL, ''new'', n.%1$I) END', c, to_json(c) || ':'), ', ')
    INTO changed, given FROM unnest(data) AS c;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO all_columns FROM pg_attribute
    WHERE attrelid = ('localfirst.' || tab)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        AND attname NOT IN ('version', 'updated_at', 'updated_by', 'deleted_at');

    EXECUTE format($sql$
        CREATE FUNCTION localfirst.%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
        BEGIN
            INSERT INTO localfirst.history_pending (project_id, entity, entity_id, version, by, fields, structural)
            SELECT n.project_id, %2$L, n.id, n.version, n.updated_by, ('{' || concat_ws(',', %3$s) || '}')::jsonb, %4$s
            FROM new_rows AS n CROSS JOIN (SELECT (NULL::localfirst.%5$I).*) AS o;
            INSERT INTO localfirst.history_markers (project_id) SELECT DISTINCT project_id FROM new_rows ON CONFLICT DO NOTHING;
            %6$s
            RETURN NULL;
        END $body$;
        $sql$, tab || '_log_insert', entity, given, structural, tab,
        CASE WHEN tab = 'work_items' THEN
            'PERFORM localfirst.derive_paths(project_id, array_agg(id)) FROM new_rows WHERE parent_id IS NOT NULL GROUP BY project_id;'
        END);

    EXECUTE format($sql$
        CREATE FUNCTION localfirst.%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
        SET work_mem = '64MB' AS $body$ -- the old rows of a large update are hashed: in memory, not in files
        BEGIN
            INSERT INTO localfirst.history_pending (project_id, entity, entity_id, version, by, fields, structural)
            SELECT n.project_id, %2$L, n.id, n.version, n.updated_by, ('{' || concat_ws(',', %3$s) || '}')::jsonb, %4$s
            FROM new_rows AS n JOIN old_rows AS o ON o.project_id = n.project_id AND o.id = n.id
            WHERE n.version <> o.version;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            INSERT INTO localfirst.history_markers (project_id) SELECT DISTINCT project_id FROM new_rows ON CONFLICT DO NOTHING;
            %5$s
            RETURN NULL;
        END $body$;
        $sql$, tab || '_log_update', entity, changed, structural,
        CASE WHEN tab = 'work_items' THEN
            -- Asked of the log first: joining the rows again costs as much as logging them.
            'IF EXISTS (SELECT FROM localfirst.history_pending WHERE tx = pg_current_xact_id() AND structural) THEN '
            'PERFORM localfirst.derive_paths(n.project_id, array_agg(n.id)) FROM new_rows AS n JOIN old_rows AS o '
            'ON o.project_id = n.project_id AND o.id = n.id WHERE n.parent_id IS DISTINCT FROM o.parent_id GROUP BY n.project_id; '
            'END IF;'
        END);

    -- A deleted row comes back as a tombstone in the same statement.
    EXECUTE format($sql$
        CREATE FUNCTION localfirst.%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
        DECLARE
            before text := current_setting('localfirst.engine', true);
        BEGIN
            PERFORM set_config('localfirst.engine', 'on', true);
            INSERT INTO localfirst.%2$I (%3$s, version, updated_at, updated_by, deleted_at)
            SELECT %3$s, version + (deleted_at IS NULL)::integer, CASE WHEN deleted_at IS NULL THEN now() ELSE updated_at END,
                CASE WHEN deleted_at IS NULL THEN left(session_user, 100) ELSE updated_by END, coalesce(deleted_at, now())
            FROM old_rows;
            PERFORM set_config('localfirst.engine', coalesce(before, ''), true);
            INSERT INTO localfirst.history_pending (project_id, entity, entity_id, version, by, fields, structural)
            SELECT project_id, %4$L, id, version + 1, left(session_user, 100),
                jsonb_build_object('deleted_at', jsonb_build_object('old', NULL, 'new', now())), true
            FROM old_rows WHERE deleted_at IS NULL;
            INSERT INTO localfirst.history_markers (project_id)
            SELECT DISTINCT project_id FROM old_rows WHERE deleted_at IS NULL ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $body$;
        $sql$, tab || '_log_delete', tab, all_columns, entity);

    EXECUTE format($sql$
        CREATE TRIGGER fill_insert BEFORE INSERT ON localfirst.%1$I FOR EACH ROW
            WHEN (NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.fill_insert();
        CREATE TRIGGER fill_update BEFORE UPDATE ON localfirst.%1$I FOR EACH ROW
            WHEN ((%5$s) AND NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.fill_update();
        CREATE TRIGGER keep_audit BEFORE UPDATE OF project_id, id, version, created_at, created_by, updated_at, updated_by
            ON localfirst.%1$I FOR EACH ROW
            WHEN (NOT (%5$s) AND NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.keep_audit();
        CREATE TRIGGER log_insert AFTER INSERT ON localfirst.%1$I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
            WHEN (NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.%2$I();
        CREATE TRIGGER log_update AFTER UPDATE ON localfirst.%1$I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
            WHEN (NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.%3$I();
        CREATE TRIGGER log_delete AFTER DELETE ON localfirst.%1$I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
            EXECUTE FUNCTION localfirst.%4$I();
        CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON localfirst.%1$I FOR EACH STATEMENT
            EXECUTE FUNCTION localfirst.refuse_truncate();
        $sql$, tab, tab || '_log_insert', tab || '_log_update', tab || '_log_delete', data_changed);

    IF cardinality(identifying) > 0 THEN
        SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', c), ' OR ') INTO key_changed FROM unnest(identifying) AS c;
        EXECUTE format(
            'CREATE TRIGGER refuse_key_change BEFORE UPDATE ON localfirst.%I FOR EACH ROW WHEN (%s) EXECUTE FUNCTION localfirst.refuse_key_change()',
            tab, key_changed);
    END IF;
END
$install$;

SELECT localfirst.install_triggers('work_item', 'work_items',
    '{item_type,title,status,parent_id,branch_name,commit_hash,pr_number,metadata,claimed_by,archived_at,deleted_at}', '{item_type}',
    'n.parent_id IS DISTINCT FROM o.parent_id OR n.deleted_at IS DISTINCT FROM o.deleted_at');
SELECT localfirst.install_triggers('work_item_dependency', 'work_item_dependencies',
    '{work_item_id,depends_on_id,dependency_type,deleted_at}', '{work_item_id,depends_on_id,dependency_type}', 'n.deleted_at IS NULL');
SELECT localfirst.install_triggers('work_item_comment', 'work_item_comments',
    '{work_item_id,body,deleted_at}', '{work_item_id,body}', 'false');
SELECT localfirst.install_triggers('vendor', 'vendor_extractors', '{name,operational,metadata,deleted_at}', '{name}', 'false');
SELECT localfirst.install_triggers('deployment', 'deployment_events', '{deployed_at,metadata,deleted_at}', '{}', 'false');
SELECT localfirst.install_triggers('vendor_deployment_link', 'vendor_deployment_links',
    '{deployment_id,vendor_id,deleted_at}', '{deployment_id,vendor_id}', 'false');
SELECT localfirst.install_triggers('work_item_deployment_link', 'work_item_deployment_links',
    '{deployment_id,work_item_id,deleted_at}', '{deployment_id,work_item_id}', 'false');
SELECT localfirst.install_triggers('enhancement', 'future_enhancements',
    '{title,description,priority,status,target_quarter,requires_constitutional_principles,deleted_at}', '{}', 'false');
SELECT localfirst.install_triggers('configuration', 'project_configuration',
    '{active_context_type,current_session_id,git_branch,git_head_commit,default_token_budget}', '{}', 'false');

CREATE TRIGGER keep_derived BEFORE UPDATE OF path, depth ON localfirst.work_items FOR EACH ROW
    WHEN (NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.keep_derived();

-- A project starts with a head and with its configuration.
CREATE FUNCTION localfirst.start_project() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO localfirst.project_heads (project_id) VALUES (NEW.id);
    INSERT INTO localfirst.project_configuration (project_id) VALUES (NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER start_project AFTER INSERT ON localfirst.projects FOR EACH ROW EXECUTE FUNCTION localfirst.start_project();
