-- A row that is new to its table begins past all that the log tells of it: a change that was refused since there was no such row,
-- or the past of a row that a server which was set back has lost. Else its version would fall where somebody has seen it.

CREATE FUNCTION localfirst.raise_told(project uuid, transaction_id xid8) RETURNS void
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
        PERFORM localfirst.raise_told(project, transaction_id);
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

SELECT localfirst.secure();
