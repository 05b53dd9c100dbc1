-- Whose rights are whose: nothing here runs with another's rights at somebody's bidding, and who acts as the engine is
-- a right, not a setting.
--
-- Names are looked up in three ways, none of which a caller can bend. Functions in SQL have a parsed body (RETURN): their
-- names were resolved here, once, and they are still inlined. Functions that run once a statement have
-- `search_path = pg_catalog, pg_temp` (`localfirst.secure` sees to it). Functions that run once a row have every name and
-- operator qualified, since a setting for each of 100 000 rows doubles the time of an update; their comment begins with
-- the word "qualified", by which `localfirst.secure` knows them.

-- Who acts as the engine ------------------------------------------------------------------------------------------------

-- Whoever may execute this may act as the engine. It is the one thing that the role localfirst_engine has; where that role
-- could not be made, laptops have it themselves. A right of this database, since membership in a role is one of the whole
-- cluster, and since a dump that is restored where the role is missing must not take the engine for a direct writer.
CREATE FUNCTION localfirst.act_as_engine() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('localfirst.engine', 'on', true);
    IF NOT localfirst.by_engine() THEN
        RAISE EXCEPTION 'role % may not act as the engine of localfirst', current_user
            USING ERRCODE = 'insufficient_privilege', HINT = 'localfirst server grant ROLE';
    END IF;
END
$$;

-- The setting alone says nothing: anybody may set it. A role that is a laptop elsewhere in the cluster, and here may not
-- write the log, is no engine here.
CREATE OR REPLACE FUNCTION localfirst.by_engine() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('localfirst.engine', true) = 'on', false)
    AND has_function_privilege('localfirst.act_as_engine()'::regprocedure::oid, 'EXECUTE')
    AND has_table_privilege('localfirst.history'::regclass::oid, 'INSERT');

-- Functions in SQL: the same, with parsed bodies -------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION localfirst.natural_id(VARIADIC parts text[]) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    -- UUIDv8 of SHA-256 over the NFC parts joined by NUL, as identifiers.natural_id computes it.
    SELECT encode(set_byte(set_byte(digest, 6, (get_byte(digest, 6) & 15) | 128), 8, (get_byte(digest, 8) & 63) | 128), 'hex')::uuid
    FROM (
        SELECT substring(sha256(string_agg(
            CASE WHEN place > 1 THEN '\x00'::bytea ELSE ''::bytea END || convert_to(normalize(part, NFC), 'UTF8'),
            ''::bytea ORDER BY place
        )) FROM 1 FOR 16) AS digest
        FROM unnest(parts) WITH ORDINALITY AS p (part, place)
    ) AS hashed
);

CREATE OR REPLACE FUNCTION localfirst.json_text(value jsonb, longest integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN value IS NULL OR (jsonb_typeof(value) = 'string' AND char_length(value #>> '{}') <= longest);

CREATE OR REPLACE FUNCTION localfirst.json_number(value jsonb, at_least numeric, at_most numeric, whole boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN value IS NULL THEN true
    WHEN jsonb_typeof(value) <> 'number' THEN false
    ELSE (value #>> '{}')::numeric BETWEEN at_least AND at_most
        AND (NOT whole OR (value #>> '{}')::numeric = trunc((value #>> '{}')::numeric))
END;

CREATE OR REPLACE FUNCTION localfirst.json_is(value jsonb, type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN value IS NULL OR jsonb_typeof(value) = type;

CREATE OR REPLACE FUNCTION localfirst.json_texts(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN value IS NULL THEN true
    WHEN jsonb_typeof(value) <> 'array' THEN false
    ELSE NOT jsonb_path_exists(value, '$[*] ? (@.type() != "string")')
END;

CREATE OR REPLACE FUNCTION localfirst.json_counts(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN value IS NULL THEN true
    WHEN jsonb_typeof(value) <> 'object' THEN false
    ELSE NOT EXISTS (
        SELECT FROM jsonb_each(value) AS e WHERE NOT localfirst.json_number(e.value, 0, 9223372036854775807, true)
    )
END;

-- What the constraints ask stands in parsed functions; around each a function in PL/pgSQL, which plans it once a session.
CREATE FUNCTION localfirst.work_item_metadata_rules(item_type text, m jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(m) <> 'object' THEN false
    WHEN item_type = 'project' THEN
        localfirst.json_text(m -> 'description', 1000)
        AND localfirst.json_text(m -> 'target_quarter', 1000)
        AND localfirst.json_texts(m -> 'constitutional_principles')
    WHEN item_type = 'session' THEN
        localfirst.json_number(m -> 'token_budget', 1000, 1000000, true)
        AND localfirst.json_number(m -> 'prompts_count', 0, 9223372036854775807, true)
        AND localfirst.json_is(m -> 'yaml_frontmatter', 'object')
        AND localfirst.json_is(m -> 'yaml_frontmatter' -> 'schema_version', 'string')
        AND localfirst.json_is(m -> 'prompt', 'string')
    WHEN item_type = 'task' THEN
        localfirst.json_number(m -> 'estimated_hours', 0, 1000, false)
        AND localfirst.json_number(m -> 'actual_hours', 0, 1000, false)
        AND localfirst.json_text(m -> 'blocked_reason', 500)
        AND (m -> 'priority' IS NULL OR m -> 'priority' IN ('"high"', '"medium"', '"low"'))
    ELSE
        localfirst.json_texts(m -> 'research_questions')
        AND localfirst.json_text(m -> 'findings_summary', 2000)
        AND localfirst.json_is(m -> 'references', 'array')
END;

CREATE FUNCTION localfirst.vendor_metadata_rules(m jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
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

CREATE FUNCTION localfirst.deployment_metadata_rules(m jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_typeof(m) = 'object'
    AND localfirst.json_number(m -> 'pr_number', 1, 9223372036854775807, true)
    AND localfirst.json_text(m -> 'pr_title', 200)
    AND m -> 'pr_title' IS DISTINCT FROM '""'
    AND localfirst.json_is(m -> 'commit_hash', 'string')
    AND coalesce(m ->> 'commit_hash', repeat('0', 40)) ~ '^[0-9a-f]{40}$'
    AND localfirst.json_counts(m -> 'test_summary')
    AND localfirst.json_is(m -> 'constitutional_compliance', 'boolean');

CREATE OR REPLACE FUNCTION localfirst.work_item_metadata_is_valid(item_type text, m jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN localfirst.work_item_metadata_rules(item_type, m);
END
$$;

CREATE OR REPLACE FUNCTION localfirst.vendor_metadata_is_valid(m jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN localfirst.vendor_metadata_rules(m);
END
$$;

CREATE OR REPLACE FUNCTION localfirst.deployment_metadata_is_valid(m jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN localfirst.deployment_metadata_rules(m);
END
$$;

COMMENT ON FUNCTION localfirst.work_item_metadata_is_valid(text, jsonb) IS 'qualified: it runs for each row';
COMMENT ON FUNCTION localfirst.vendor_metadata_is_valid(jsonb) IS 'qualified: it runs for each row';
COMMENT ON FUNCTION localfirst.deployment_metadata_is_valid(jsonb) IS 'qualified: it runs for each row';

-- What runs once a row, with every name qualified ------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION localfirst.only_project() RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found pg_catalog.uuid[];
BEGIN
    SELECT pg_catalog.array_agg(p.id) INTO found FROM (SELECT id FROM localfirst.projects LIMIT 2) AS p;
    IF pg_catalog.cardinality(found) OPERATOR(pg_catalog.=) 1 THEN
        RETURN found[1];
    END IF;
    RAISE EXCEPTION 'project_id must be given: there are several projects, or none'
        USING ERRCODE = 'not_null_violation', HINT = 'SELECT id, name FROM localfirst.projects';
END
$$;

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

CREATE OR REPLACE FUNCTION localfirst.fill_update() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.project_id OPERATOR(pg_catalog.<>) OLD.project_id OR NEW.id OPERATOR(pg_catalog.<>) OLD.id THEN
        RAISE EXCEPTION 'project_id and id cannot be changed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    NEW.version := OLD.version OPERATOR(pg_catalog.+) 1;
    NEW.created_at := OLD.created_at;
    NEW.created_by := OLD.created_by;
    NEW.updated_at := pg_catalog.now();
    IF NEW.updated_by OPERATOR(pg_catalog.=) OLD.updated_by OR (NEW.updated_by IS NULL AND OLD.updated_by IS NULL) THEN
        NEW.updated_by := pg_catalog.left(session_user::pg_catalog.text, 100);
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION localfirst.only_project() IS 'qualified: it runs for each row';
COMMENT ON FUNCTION localfirst.fill_insert() IS 'qualified: it runs for each row';
COMMENT ON FUNCTION localfirst.fill_update() IS 'qualified: it runs for each row';
COMMENT ON FUNCTION localfirst.keep_audit() IS 'qualified: it runs for each row, and looks nothing up';
COMMENT ON FUNCTION localfirst.keep_derived() IS 'qualified: it runs for each row, and looks nothing up';

-- Trigger functions that run with the owner's rights, for our tables alone ------------------------------------------------

CREATE FUNCTION localfirst.refuse_table(tab regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this function of localfirst is no trigger for the table %', tab USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE OR REPLACE FUNCTION localfirst.number_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    transaction_id xid8 := pg_current_xact_id();
    project uuid;
    since bigint;
    last bigint;
    numbered bigint;
    new_tag integer;
    patience text := current_setting('lock_timeout');
BEGIN
    IF TG_RELID <> 'localfirst.history_markers'::regclass THEN
        PERFORM localfirst.refuse_table(TG_RELID);
    END IF;
    -- A statement derives paths from what it saw. What others have committed since may have moved what is above, or have put
    -- something below. First here, where nobody waits for us, since those rows may be held by others ...
    FOR project, since, last IN
        SELECT m.project_id, m.head, h.head FROM localfirst.history_markers AS m JOIN localfirst.project_heads AS h USING (project_id)
        WHERE m.tx = transaction_id AND h.head > m.head
            AND EXISTS (
                SELECT FROM localfirst.history_pending AS p WHERE p.tx = transaction_id AND p.project_id = m.project_id AND p.structural
            )
    LOOP
        PERFORM localfirst.derive_again(project, transaction_id, since, last);
        UPDATE localfirst.history_markers AS m SET head = last WHERE m.tx = transaction_id AND m.project_id = project;
    END LOOP;
    -- The first marker to fire numbers all projects of the transaction, sorted, so that two transactions never wait for
    -- each other's heads crosswise; the others then find nothing to do.
    FOR project, since IN
        SELECT m.project_id, m.head FROM localfirst.history_markers AS m WHERE m.tx = transaction_id ORDER BY m.project_id
    LOOP
        SELECT h.head INTO last FROM localfirst.project_heads AS h WHERE h.project_id = project FOR UPDATE;
        IF EXISTS (
            SELECT FROM localfirst.history_pending AS p WHERE p.tx = transaction_id AND p.project_id = project AND p.structural
        ) THEN
            -- Under the head's lock all earlier changes of the project are visible, so that the check cannot be outrun.
            PERFORM localfirst.check_structure(project, transaction_id);
            IF last > since THEN
                -- ... and again for what came in between. Here everybody waits for us: we wait for nobody for long.
                BEGIN
                    PERFORM set_config('lock_timeout', '500ms', true);
                    PERFORM localfirst.derive_again(project, transaction_id, since, last);
                    PERFORM set_config('lock_timeout', patience, true);
                EXCEPTION WHEN lock_not_available THEN
                    RAISE EXCEPTION 'something below a moved work item is held by another open transaction; repeat this one'
                        USING ERRCODE = 'lock_not_available';
                END;
            END IF;
        END IF;
        new_tag := floor(random() * 2147483647)::integer;
        WITH moved AS (
            DELETE FROM localfirst.history_pending AS p WHERE p.tx = transaction_id AND p.project_id = project RETURNING p.*
        )
        INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, by, at, outcome, fields)
        SELECT project, last + row_number() OVER (ORDER BY m.change_id), new_tag, m.entity, m.entity_id, m.version, m.by, now(),
            'accepted', m.fields
        FROM moved AS m;
        GET DIAGNOSTICS numbered = ROW_COUNT;
        DELETE FROM localfirst.history_markers AS m WHERE m.tx = transaction_id AND m.project_id = project;
        IF numbered > 0 THEN
            UPDATE localfirst.project_heads AS h SET head = last + numbered, tag = new_tag WHERE h.project_id = project;
            PERFORM pg_notify('localfirst_' || replace(project::text, '-', ''), '');
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- The configuration is a direct write, whatever the caller has set.
CREATE OR REPLACE FUNCTION localfirst.start_project() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text := current_setting('localfirst.engine', true);
BEGIN
    IF TG_RELID <> 'localfirst.projects'::regclass THEN
        PERFORM localfirst.refuse_table(TG_RELID);
    END IF;
    PERFORM set_config('localfirst.engine', '', true);
    INSERT INTO localfirst.project_heads (project_id) VALUES (NEW.id);
    INSERT INTO localfirst.project_configuration (project_id) VALUES (NEW.id);
    PERFORM set_config('localfirst.engine', coalesce(before, ''), true);
    RETURN NULL;
END
$$;

-- Creates the triggers of one table, or makes them anew. `data` are the columns that a change may carry, `structural` an SQL
-- condition over o (old row, NULL on insert) and n (new row) that asks for the check of structure at commit.
CREATE OR REPLACE FUNCTION localfirst.install_triggers(entity text, tab text, data text[], identifying text[], structural text) RETURNS void
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
        CREATE OR REPLACE FUNCTION localfirst.%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            IF TG_RELID <> 'localfirst.%5$I'::regclass THEN
                PERFORM localfirst.refuse_table(TG_RELID);
            END IF;
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
        CREATE OR REPLACE FUNCTION localfirst.%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        SET work_mem = '64MB' SET enable_nestloop = off AS $body$ -- old rows are hashed, however many: in memory, not in files
        BEGIN
            IF TG_RELID <> 'localfirst.%6$I'::regclass THEN
                PERFORM localfirst.refuse_table(TG_RELID);
            END IF;
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
        END, tab);

    -- A deleted row comes back as a tombstone in the same statement.
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION localfirst.%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        DECLARE
            before text := current_setting('localfirst.engine', true);
        BEGIN
            IF TG_RELID <> 'localfirst.%2$I'::regclass THEN
                PERFORM localfirst.refuse_table(TG_RELID);
            END IF;
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
        CREATE OR REPLACE TRIGGER fill_insert BEFORE INSERT ON localfirst.%1$I FOR EACH ROW
            WHEN (NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.fill_insert();
        CREATE OR REPLACE TRIGGER fill_update BEFORE UPDATE ON localfirst.%1$I FOR EACH ROW
            WHEN ((%5$s) AND NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.fill_update();
        CREATE OR REPLACE TRIGGER keep_audit BEFORE UPDATE OF project_id, id, version, created_at, created_by, updated_at, updated_by
            ON localfirst.%1$I FOR EACH ROW
            WHEN (NOT (%5$s) AND NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.keep_audit();
        CREATE OR REPLACE TRIGGER log_insert AFTER INSERT ON localfirst.%1$I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
            WHEN (NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.%2$I();
        CREATE OR REPLACE TRIGGER log_update AFTER UPDATE ON localfirst.%1$I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
            WHEN (NOT localfirst.by_engine()) EXECUTE FUNCTION localfirst.%3$I();
        CREATE OR REPLACE TRIGGER log_delete AFTER DELETE ON localfirst.%1$I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
            EXECUTE FUNCTION localfirst.%4$I();
        CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE ON localfirst.%1$I FOR EACH STATEMENT
            EXECUTE FUNCTION localfirst.refuse_truncate();
        $sql$, tab, tab || '_log_insert', tab || '_log_update', tab || '_log_delete', data_changed);

    IF cardinality(identifying) > 0 THEN
        SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', c), ' OR ') INTO key_changed FROM unnest(identifying) AS c;
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER refuse_key_change BEFORE UPDATE ON localfirst.%I FOR EACH ROW WHEN (%s) EXECUTE FUNCTION localfirst.refuse_key_change()',
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


-- The team's code index ---------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION localfirst.enable_code_vector_search() RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    home text := CASE WHEN to_regnamespace('public') IS NULL THEN 'localfirst' ELSE 'public' END;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
        BEGIN
            EXECUTE format('CREATE EXTENSION IF NOT EXISTS vector SCHEMA %I', home);
        EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
            RETURN false;
        END;
    END IF;
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

-- A graph (HNSW) for the vectors of a model. The table's owner alone may make an index, and laptops notice when one is due.
CREATE FUNCTION localfirst.index_code_vectors(of_model text, index_name text, at_least bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET maintenance_work_mem = '256MB' AS $$
DECLARE
    home text;
    dimensions integer;
BEGIN
    SELECT n.nspname INTO home
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid JOIN pg_namespace AS n ON n.oid = t.typnamespace
    WHERE a.attrelid = 'localfirst.code_vectors'::regclass AND a.attname = 'searchable' AND NOT a.attisdropped;
    IF home IS NULL OR index_name !~ '^code_vectors_near_[0-9a-f]{12}$' OR (
        SELECT count(*) FROM (SELECT FROM localfirst.code_vectors WHERE model = of_model LIMIT at_least) AS v
    ) < at_least THEN
        RETURN false;
    END IF;
    SELECT octet_length(embedding) INTO dimensions FROM localfirst.code_vectors WHERE model = of_model LIMIT 1;
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS %1$I ON localfirst.code_vectors'
        ' USING hnsw ((searchable::%2$I.halfvec(%3$s)) %2$I.halfvec_cosine_ops) WHERE model = %4$L',
        index_name, home, dimensions, of_model);
    RETURN true;
END
$$;

-- Grades of rights ----------------------------------------------------------------------------------------------------------

-- What a table is to those who are given rights: `entity` (rows that anybody may write), `log` (what the engine writes),
-- `fixed` (nobody but the owner writes it), `internal` (nobody's, neither to read). A migration that adds a table which is
-- neither an entity nor the engine's replaces this function before it calls `secure`.
CREATE FUNCTION localfirst.table_kind(tab regclass) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
    WHEN tab IN ('localfirst.history_pending'::regclass, 'localfirst.history_markers'::regclass) THEN 'internal'
    WHEN tab = 'localfirst.schema_migrations'::regclass THEN 'fixed'
    WHEN (SELECT relkind FROM pg_class WHERE oid = tab) IN ('v', 'm') THEN 'fixed'
    WHEN EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tab AND tgname = 'log_insert') THEN 'entity'
    ELSE 'log'
END;

-- The rights on a table of this kind that a grade has.
CREATE FUNCTION localfirst.rights_of(grade text, kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN kind = 'internal' THEN '{}'::text[]
    WHEN kind = 'fixed' OR grade = 'reader' OR (grade = 'application' AND kind = 'log') THEN '{SELECT}'
    ELSE '{SELECT,INSERT,UPDATE,DELETE}'
END;

-- The grade whose rights a role (0: PUBLIC) holds in full on what the first version had; NULL if none. So rights that were
-- given by hand are extended to later tables as far as they were whole, and no further.
CREATE FUNCTION localfirst.grade_of(grantee oid) RETURNS text
LANGUAGE sql STABLE AS $$
    WITH held AS (
        SELECT c.relname::text AS tab, a.privilege_type AS privilege
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.relnamespace = 'localfirst'::regnamespace AND a.grantee = grade_of.grantee
    ), entities (tab) AS (
        VALUES ('work_items'), ('work_item_dependencies'), ('work_item_comments'), ('vendor_extractors'), ('deployment_events'),
            ('vendor_deployment_links'), ('work_item_deployment_links'), ('future_enhancements'), ('project_configuration')
    ), logs (tab) AS (VALUES ('projects'), ('project_heads'), ('history'), ('conflicts')),
    lacks AS (
        SELECT
            EXISTS (SELECT tab, 'SELECT' FROM entities EXCEPT SELECT tab, privilege FROM held) AS of_reading,
            EXISTS (SELECT tab, 'SELECT' FROM logs EXCEPT SELECT tab, privilege FROM held) AS of_logs,
            EXISTS (
                SELECT tab, p FROM entities CROSS JOIN (VALUES ('INSERT'), ('UPDATE')) AS w (p)
                EXCEPT SELECT tab, privilege FROM held
            ) AS of_writing,
            EXISTS (SELECT tab, 'DELETE' FROM entities EXCEPT SELECT tab, privilege FROM held) AS of_deleting,
            EXISTS (
                VALUES ('history', 'INSERT'), ('project_heads', 'UPDATE'), ('replicas', 'INSERT')
                EXCEPT SELECT tab, privilege FROM held
            ) AS of_engine
    )
    SELECT CASE
        WHEN of_reading THEN NULL
        WHEN NOT (of_logs OR of_writing OR of_engine) THEN 'laptop'
        WHEN NOT (of_writing OR of_deleting) THEN 'application'
        WHEN NOT of_logs THEN 'reader'
    END FROM lacks
$$;

CREATE FUNCTION localfirst.is_plain_role(name text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM pg_roles WHERE rolname = name
            AND NOT (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
    )
$$;

-- Who is to own everything here: localfirst_owner, if it is there or can be made, is what it should be, and this role may hand
-- things over to it; else whoever owns the schema. A role that is there is checked, never changed: whoever made it may be its
-- member, and would own this schema through it.
CREATE FUNCTION localfirst.settle_owner() RETURNS oid
LANGUAGE plpgsql AS $$
DECLARE
    present oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'localfirst');
    me pg_roles;
    wanted oid;
    made text;
BEGIN
    SELECT * INTO me FROM pg_roles WHERE rolname = current_user;
    FOREACH made IN ARRAY '{localfirst_owner,localfirst_engine}'::text[] LOOP
        IF to_regrole(made) IS NULL AND (me.rolsuper OR me.rolcreaterole) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', made);
            EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
                NULL; -- another database's migration was faster, or this is not allowed after all: what is there is looked at below
            END;
        END IF;
    END LOOP;
    wanted := to_regrole('localfirst_owner');
    IF wanted IS NULL OR wanted = present OR NOT localfirst.is_plain_role('localfirst_owner') THEN
        RETURN present;
    END IF;
    IF EXISTS (
        SELECT FROM pg_roles AS r
        WHERE r.oid <> wanted AND NOT r.rolsuper AND pg_has_role(r.oid, wanted, 'MEMBER')
            AND NOT pg_has_role(r.oid, me.oid, 'MEMBER')
            AND NOT pg_has_role(r.oid, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'MEMBER')
    ) OR EXISTS (
        SELECT FROM pg_roles AS r WHERE r.oid <> wanted AND pg_has_role(wanted, r.oid, 'MEMBER')
    ) THEN
        RETURN present;
    END IF;
    IF NOT pg_has_role(current_user, wanted, 'USAGE') THEN
        BEGIN
            EXECUTE format('GRANT localfirst_owner TO %I', me.rolname);
        EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
            RETURN present;
        END;
    END IF;
    RETURN CASE WHEN pg_has_role(current_user, wanted, 'USAGE') THEN wanted ELSE present END;
END
$$;

-- Gives everything in the schema to one owner.
CREATE FUNCTION localfirst.hand_over(new_owner oid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner_name text := (SELECT rolname FROM pg_roles WHERE oid = new_owner);
    found record;
BEGIN
    IF (SELECT nspowner FROM pg_namespace WHERE nspname = 'localfirst') <> new_owner THEN
        EXECUTE format('ALTER SCHEMA localfirst OWNER TO %I', owner_name);
    END IF;
    FOR found IN
        SELECT c.relkind, c.relname FROM pg_class AS c
        WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relowner <> new_owner
            AND NOT EXISTS (
                SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')
            )
        ORDER BY c.oid
    LOOP
        EXECUTE format(
            'ALTER %s localfirst.%I OWNER TO %I',
            CASE found.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
            found.relname, owner_name);
    END LOOP;
    FOR found IN
        SELECT p.oid::regprocedure AS routine FROM pg_proc AS p
        WHERE p.pronamespace = 'localfirst'::regnamespace AND p.proowner <> new_owner AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        )
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO %I', found.routine, owner_name);
    END LOOP;
END
$$;

-- Names as in GRANT: a role's, or PUBLIC.
CREATE FUNCTION localfirst.grantee_name(grantee oid) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE (SELECT quote_ident(rolname) FROM pg_roles WHERE oid = grantee) END
$$;

-- Gives a role (0: PUBLIC) what its grade has, of everything that is there now.
CREATE FUNCTION localfirst.extend_grade(grantee oid, grade text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text := localfirst.grantee_name(grantee);
    found record;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA localfirst TO %s', name);
    FOR found IN
        SELECT c.oid::regclass AS tab, localfirst.rights_of(grade, localfirst.table_kind(c.oid::regclass)) AS rights
        FROM pg_class AS c WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    LOOP
        IF cardinality(found.rights) > 0 THEN
            EXECUTE format('GRANT %s ON %s TO %s', array_to_string(found.rights, ', '), found.tab, name);
        END IF;
    END LOOP;
    IF grade <> 'laptop' THEN
        RETURN;
    END IF;
    IF grantee <> 0 AND localfirst.is_plain_role('localfirst_engine')
        AND NOT pg_has_role(grantee, to_regrole('localfirst_engine'), 'USAGE') THEN
        BEGIN
            EXECUTE format('GRANT localfirst_engine TO %s', name);
        EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
            NULL; -- who may not hand out the role grants what the role has, below
        END;
    END IF;
    FOR found IN SELECT f.routine FROM localfirst.engine_functions() AS f LOOP
        IF grantee = 0 OR NOT has_function_privilege(grantee, found.routine, 'EXECUTE') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', found.routine::regprocedure, name);
        END IF;
    END LOOP;
END
$$;

-- What only the engine may execute: `act_as_engine`, and whatever runs with the owner's rights and is no trigger.
CREATE FUNCTION localfirst.engine_functions() RETURNS TABLE (routine oid)
LANGUAGE sql STABLE AS $$
    SELECT p.oid FROM pg_proc AS p
    WHERE p.pronamespace = 'localfirst'::regnamespace AND p.prorettype <> 'trigger'::regtype
        AND (p.prosecdef OR p.oid = 'localfirst.act_as_engine()'::regprocedure)
        AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
$$;

-- Gives a role a grade (`reader`, `application`, `laptop`), and takes away what is beyond it.
CREATE FUNCTION localfirst.grant_role(role text, grade text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    grantee oid := (SELECT oid FROM pg_roles WHERE rolname = role);
    owner oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'localfirst');
    maker oid;
    later text;
BEGIN
    IF grantee IS NULL OR grade NOT IN ('reader', 'application', 'laptop') THEN
        RAISE EXCEPTION 'there is no role % or no grade %', role, grade USING ERRCODE = 'undefined_object';
    END IF;
    IF NOT pg_has_role(current_user, owner, 'USAGE') THEN
        RAISE EXCEPTION 'only % and its members may grant rights on localfirst', localfirst.grantee_name(owner)
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF grantee = owner THEN
        RAISE EXCEPTION '% owns the schema localfirst and has every right on it', role USING ERRCODE = 'invalid_grant_operation';
    END IF;
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA localfirst FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA localfirst FROM %I', role);
    EXECUTE format('REVOKE ALL ON SCHEMA localfirst FROM %I', role);
    PERFORM localfirst.extend_grade(grantee, grade);
    -- For tables that come later; `secure` makes it exact at the end of the migration that brings them.
    later := CASE grade WHEN 'laptop' THEN 'SELECT, INSERT, UPDATE, DELETE' ELSE 'SELECT' END;
    FOR maker IN SELECT owner UNION SELECT oid FROM pg_roles WHERE rolname = current_user LOOP
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %1$s IN SCHEMA localfirst REVOKE ALL ON TABLES FROM %2$I;'
            ' ALTER DEFAULT PRIVILEGES FOR ROLE %1$s IN SCHEMA localfirst GRANT %3$s ON TABLES TO %2$I',
            localfirst.grantee_name(maker), role, later);
    END LOOP;
END
$$;

-- Brings owner, search paths and rights of all that stands in the schema into order. It runs after every migration.
CREATE FUNCTION localfirst.secure() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    before oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'localfirst');
    owner oid := localfirst.settle_owner();
    found record;
BEGIN
    PERFORM localfirst.hand_over(owner);
    FOR found IN
        SELECT p.oid::regprocedure AS routine, p.prorettype = 'trigger'::regtype AS is_trigger, p.proconfig, p.prosqlbody IS NULL
            AND coalesce(obj_description(p.oid, 'pg_proc'), '') NOT LIKE 'qualified%' AS looks_up
        FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')
        WHERE p.pronamespace = 'localfirst'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        IF found.looks_up AND NOT coalesce(found.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}' THEN
            EXECUTE format('ALTER ROUTINE %s SET search_path = pg_catalog, pg_temp', found.routine);
        END IF;
        IF found.is_trigger THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', found.routine);
        END IF;
    END LOOP;
    FOR found IN SELECT f.routine::regprocedure AS routine FROM localfirst.engine_functions() AS f LOOP
        IF localfirst.grade_of(0) IS DISTINCT FROM 'laptop' THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', found.routine);
        END IF;
        IF localfirst.is_plain_role('localfirst_engine') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO localfirst_engine', found.routine);
        END IF;
    END LOOP;
    -- What a default right has opened of a table that is nobody's.
    FOR found IN
        SELECT c.oid::regclass AS tab, localfirst.grantee_name(a.grantee) AS grantee
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner
            AND localfirst.table_kind(c.oid::regclass) = 'internal'
        GROUP BY 1, 2
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', found.tab, found.grantee);
    END LOOP;
    FOR found IN
        SELECT r.grantee, localfirst.grade_of(r.grantee) AS grade FROM (
            SELECT DISTINCT a.grantee FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
            WHERE c.oid = 'localfirst.work_items'::regclass AND a.grantee <> owner
        ) AS r
    LOOP
        IF found.grade IS NOT NULL THEN
            PERFORM localfirst.extend_grade(found.grantee, found.grade);
        END IF;
    END LOOP;
    -- Who owned it until now goes on as the laptop that it was.
    IF before <> owner AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = before) THEN
        PERFORM localfirst.extend_grade(before, 'laptop');
    END IF;
END
$$;

SELECT localfirst.secure();
