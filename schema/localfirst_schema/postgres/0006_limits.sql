-- The limits of the tools and of the replicas as constraints, so that no SQL client can write what others cannot take
-- (`limits.py`, `values.py`). What is misfit already is moved first, whole and numbered, since a constraint that is not valid
-- for all rows would refuse every later update of such a row.

-- What may stand ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION localfirst.is_time(value timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN value >= '0001-01-01 00:00:00+00'::timestamptz AND value < '10000-01-01 00:00:00+00'::timestamptz;

CREATE FUNCTION localfirst.is_version(value bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN value BETWEEN 1 AND 9007199254740992;

-- One line of which something can be seen: no control characters, not blanks alone.
CREATE FUNCTION localfirst.is_line(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN value ~ '^[^\u0001-\u001f\u007f-\u009f]*[^\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0001-\u001f\u007f-\u009f]*$';

-- What a line of the log may be about. A later version that has another entity replaces this.
CREATE FUNCTION localfirst.is_entity(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN name IN (
    'work_item', 'work_item_dependency', 'work_item_comment', 'vendor', 'deployment', 'vendor_deployment_link',
    'work_item_deployment_link', 'enhancement', 'configuration', 'conflict'
);

-- What a change says: columns, each with what was and what is.
CREATE FUNCTION localfirst.are_fields(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(value) <> 'object' THEN false
    ELSE NOT jsonb_path_exists(value, 'strict $.* ? (@.type() != "object")')
END;

-- Whether every program can hold a document: its size as text, its depth, and the digits of its numbers. Measured as text, which
-- is short nearly always: below 129 bytes nothing can be wrong, below 309 no number. What is dear is asked of the others alone.
CREATE FUNCTION localfirst.is_held(value jsonb, longest integer, too_deep jsonpath) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    written text := value::text;
    bytes integer := pg_catalog.octet_length(written);
BEGIN
    IF bytes OPERATOR(pg_catalog.<=) 128 THEN
        RETURN true;
    END IF;
    IF bytes OPERATOR(pg_catalog.>) longest THEN
        RETURN false;
    END IF;
    IF bytes OPERATOR(pg_catalog.-) pg_catalog.octet_length(pg_catalog.translate(written, '[{', '')) OPERATOR(pg_catalog.>) 64
        AND pg_catalog.jsonb_path_exists(value, too_deep) THEN
        RETURN false;
    END IF;
    IF bytes OPERATOR(pg_catalog.<=) 308 OR written OPERATOR(pg_catalog.!~) '[0-9]{103}[0-9]{103}[0-9]{103}' THEN
        RETURN true;
    END IF;
    -- A whole number may have 1000 digits; before a point there may stand as many as a double has.
    RETURN NOT EXISTS (
        SELECT FROM pg_catalog.jsonb_path_query(value, 'strict $.** ? (@.type() == "number")') AS n (number)
        WHERE n.number::text OPERATOR(pg_catalog.~) '^-?[0-9]{103}[0-9]{103}[0-9]{103}[0-9]*[.]'
            OR pg_catalog.length(pg_catalog.ltrim(n.number::text, '-')) OPERATOR(pg_catalog.>) 1000
                AND n.number::text OPERATOR(pg_catalog.!~) '[.]'
    );
END
$$;
COMMENT ON FUNCTION localfirst.is_held(jsonb, integer, jsonpath) IS 'qualified: it runs for each row';

CREATE FUNCTION localfirst.document_is_held(value jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN localfirst.is_held(value, 8000000, 'strict $.**{65}');
END
$$;
COMMENT ON FUNCTION localfirst.document_is_held(jsonb) IS 'qualified: it runs for each row';

CREATE FUNCTION localfirst.fields_are_held(value jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN localfirst.is_held(value, 20000000, 'strict $.**{68}');
END
$$;
COMMENT ON FUNCTION localfirst.fields_are_held(jsonb) IS 'qualified: it runs for each row';

-- What did not fit ---------------------------------------------------------------------------------------------------------

-- Values that stood in PostgreSQL before it refused them, as they were. `row_id` is the row's id, of the history its number.
CREATE TABLE localfirst.set_aside (
    project_id uuid NOT NULL REFERENCES localfirst.projects (id) ON DELETE CASCADE,
    table_name text NOT NULL,
    row_id text NOT NULL,
    column_name text NOT NULL,
    raw text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, table_name, row_id, column_name)
);

-- The constraints, as the condition that each column has to meet, and what stands there instead of a value that does not.
CREATE TEMPORARY TABLE localfirst_limits (tab text, col text, condition text, instead text, reason text) ON COMMIT DROP;

INSERT INTO localfirst_limits
SELECT c.relname, a.attname, format('localfirst.is_time(%I)', a.attname),
    -- That something was deleted, archived or settled stays so.
    'now()', 'no time of the years 1 to 9999'
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'timestamptz'::regtype AND a.attnum > 0
    AND NOT a.attisdropped AND c.relname NOT IN ('history_pending', 'history_markers', 'set_aside')
    AND (c.relname = 'projects' OR EXISTS (
        SELECT FROM pg_attribute AS p WHERE p.attrelid = c.oid AND p.attname = 'project_id' AND NOT p.attisdropped
    ));

INSERT INTO localfirst_limits
SELECT c.relname, 'version', 'localfirst.is_version(version)', '1', 'beyond the versions that there are'
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind = 'r' AND a.attname = 'version' AND c.relname <> 'history_pending';

INSERT INTO localfirst_limits
SELECT c.relname, 'created_by', 'created_by <> ''''', 'NULL', 'empty'
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind = 'r' AND a.attname = 'created_by';

INSERT INTO localfirst_limits
SELECT c.relname, 'updated_by', 'updated_by <> ''''', 'NULL', 'empty'
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind = 'r' AND a.attname = 'updated_by';

INSERT INTO localfirst_limits
SELECT tab, 'title', 'localfirst.is_line(title)',
    $$CASE WHEN localfirst.is_line(regexp_replace(title, '[\u0001-\u001f\u007f-\u009f]', ' ', 'g'))
        THEN regexp_replace(title, '[\u0001-\u001f\u007f-\u009f]', ' ', 'g') ELSE 'untitled' END$$,
    'no line of which something can be seen'
FROM unnest('{work_items,future_enhancements}'::text[]) AS tab;

INSERT INTO localfirst_limits VALUES
    ('vendor_extractors', 'name', 'name IS NFC NORMALIZED', 'normalize(name, NFC)', 'not in the normal form NFC'),
    ('project_configuration', 'git_branch', 'git_branch <> ''''', 'NULL', 'empty'),
    ('future_enhancements', 'requires_constitutional_principles', 'localfirst.document_is_held(requires_constitutional_principles)',
        'NULL', 'too large'),
    ('history', 'entity', 'localfirst.is_entity(entity) OR (outcome = ''lost'' AND char_length(entity) <= 1000)', '''conflict''', 'unknown'),
    ('history', 'by', 'char_length(by) <= 1000', 'left(by, 100)', 'too long'),
    ('history', 'fields', 'localfirst.are_fields(fields) AND localfirst.fields_are_held(fields)', '''{}''',
        'no object of columns with what was and what is, or too large, too deep or with too long a number'),
    ('conflicts', 'entity', 'char_length(entity) <= 1000', 'left(entity, 100)', 'too long'),
    ('conflicts', 'my_by', 'char_length(my_by) <= 1000', 'left(my_by, 100)', 'too long'),
    ('conflicts', 'their_by', 'char_length(their_by) <= 1000', 'left(their_by, 100)', 'too long'),
    ('conflicts', 'resolved_by', 'char_length(resolved_by) <= 1000', 'left(resolved_by, 100)', 'too long'),
    ('conflicts', 'reason', 'char_length(reason) <= 1000', 'left(reason, 100)', 'too long'),
    ('conflicts', 'fields', 'localfirst.json_texts(fields) AND localfirst.fields_are_held(fields)', '''[]''', 'no list of names'),
    ('conflicts', 'base', 'jsonb_typeof(base) = ''object'' AND localfirst.fields_are_held(base)', '''{}''', 'no object, or too large'),
    ('conflicts', 'mine', 'jsonb_typeof(mine) = ''object'' AND localfirst.fields_are_held(mine)', '''{}''', 'no object, or too large'),
    ('conflicts', 'theirs', 'jsonb_typeof(theirs) = ''object'' AND localfirst.fields_are_held(theirs)', '''{}''', 'no object, or too large'),
    ('conflicts', 'base_version', 'base_version BETWEEN 0 AND 9007199254740992', '0', 'beyond the versions that there are'),
    ('conflicts', 'my_version', 'my_version BETWEEN 0 AND 9007199254740992', '1', 'beyond the versions that there are'),
    ('conflicts', 'their_version', 'their_version BETWEEN 0 AND 9007199254740992', 'NULL', 'beyond the versions that there are');

-- Of metadata the keys that do not fit become text below `set_aside`; the rest stays.
CREATE FUNCTION pg_temp.fitting_metadata(m jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    kept jsonb := '{}';
    aside jsonb := '{}';
    pair record;
BEGIN
    FOR pair IN SELECT e.key, e.value FROM jsonb_each(m) AS e ORDER BY e.key LOOP
        IF char_length(pair.key) <= 1000 AND octet_length(pair.value::text) <= 1000000
            AND localfirst.document_is_held(jsonb_build_object('', pair.value)) THEN
            kept := kept || jsonb_build_object(pair.key, pair.value);
        ELSE
            aside := aside || jsonb_build_object(left(pair.key, 1000), left(pair.value::text, 10000));
        END IF;
    END LOOP;
    IF jsonb_typeof(m -> 'set_aside') = 'object' AND kept ? 'set_aside' THEN
        aside := (m -> 'set_aside') || aside;
    END IF;
    kept := kept || jsonb_build_object('set_aside', aside);
    RETURN CASE WHEN localfirst.document_is_held(kept) THEN kept ELSE '{}' END;
END
$$;

INSERT INTO localfirst_limits
SELECT tab, 'metadata', 'localfirst.document_is_held(metadata)', 'pg_temp.fitting_metadata(metadata)',
    'too large, nested too deep, or with a number of too many digits'
FROM unnest('{work_items,vendor_extractors,deployment_events}'::text[]) AS tab;

DO $$
DECLARE
    of_table record;
    id_text text;
    is_logged boolean;
    entity_name text;
BEGIN
    FOR of_table IN
        SELECT tab, array_agg(col) AS cols, string_agg(format('(%s)', condition), ' AND ') AS all_fit,
            string_agg(format('%1$I = CASE WHEN %2$s THEN %1$I ELSE %3$s END', col, condition, instead), ', ') AS fitted,
            string_agg(format('(%1$L, %1$I::text, %2$L, (%3$s))', col, reason, condition), ', ') AS told,
            string_agg(format('ADD CONSTRAINT %I CHECK (%s)', left(tab || '_' || col, 55) || '_limit', condition), ', ') AS constraints
        FROM localfirst_limits GROUP BY tab ORDER BY tab
    LOOP
        -- Its key without the project.
        SELECT string_agg(format('%I::text', a.attname), ' || '' '' || ' ORDER BY a.attnum) INTO id_text
        FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = ('localfirst.' || of_table.tab)::regclass AND i.indisprimary AND a.attname <> 'project_id';
        is_logged := EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = ('localfirst.' || of_table.tab)::regclass AND tgname = 'log_insert'
        ) OR of_table.tab = 'conflicts';
        EXECUTE format(
            'INSERT INTO localfirst.set_aside (project_id, table_name, row_id, column_name, raw, reason)'
            ' SELECT %1$s, %2$L, %3$s, v.v_col, v.v_raw, v.v_reason FROM localfirst.%2$I AS t'
            ' CROSS JOIN LATERAL (VALUES %4$s) AS v (v_col, v_raw, v_reason, v_fits)'
            ' WHERE (%5$s) IS FALSE AND v.v_fits IS FALSE ON CONFLICT DO NOTHING',
            CASE WHEN of_table.tab = 'projects' THEN 'id' ELSE 'project_id' END, of_table.tab, id_text, of_table.told, of_table.all_fit);
        IF NOT FOUND AND NOT EXISTS (SELECT FROM localfirst.set_aside AS s WHERE s.table_name = of_table.tab) THEN
            EXECUTE format('ALTER TABLE localfirst.%I %s', of_table.tab, of_table.constraints);
            CONTINUE;
        END IF;
        EXECUTE format('ALTER TABLE localfirst.%I DISABLE TRIGGER USER', of_table.tab);
        EXECUTE format('UPDATE localfirst.%I SET %s WHERE (%s) IS FALSE', of_table.tab, of_table.fitted, of_table.all_fit);
        EXECUTE format('ALTER TABLE localfirst.%I ENABLE TRIGGER USER', of_table.tab);
        EXECUTE format('ALTER TABLE localfirst.%I %s', of_table.tab, of_table.constraints);
        IF NOT is_logged THEN
            CONTINUE;
        END IF;
        -- Everybody is told: a line of the history, with the values that stand there now.
        entity_name := CASE of_table.tab
            WHEN 'work_items' THEN 'work_item' WHEN 'work_item_dependencies' THEN 'work_item_dependency'
            WHEN 'work_item_comments' THEN 'work_item_comment' WHEN 'vendor_extractors' THEN 'vendor'
            WHEN 'deployment_events' THEN 'deployment' WHEN 'vendor_deployment_links' THEN 'vendor_deployment_link'
            WHEN 'work_item_deployment_links' THEN 'work_item_deployment_link' WHEN 'future_enhancements' THEN 'enhancement'
            WHEN 'project_configuration' THEN 'configuration' ELSE 'conflict' END;
        IF entity_name <> 'conflict' THEN
            EXECUTE format('ALTER TABLE localfirst.%I DISABLE TRIGGER USER', of_table.tab);
            EXECUTE format(
                'UPDATE localfirst.%1$I SET version = 1 + greatest(version, (SELECT coalesce(max(h.version), 0) FROM localfirst.history AS h'
                ' WHERE h.project_id = %1$I.project_id AND h.entity_id = %1$I.id AND h.version < 9007199254740992)),'
                ' updated_at = now(), updated_by = ''localfirst'''
                ' WHERE id::text IN (SELECT s.row_id FROM localfirst.set_aside AS s WHERE s.table_name = %1$L'
                ' AND s.project_id = %1$I.project_id)', of_table.tab);
            EXECUTE format('ALTER TABLE localfirst.%I ENABLE TRIGGER USER', of_table.tab);
        END IF;
        EXECUTE format(
            'INSERT INTO localfirst.history_pending (project_id, entity, entity_id, version, by, fields, structural)'
            ' SELECT t.project_id, %2$L, t.id, %3$s, ''localfirst'', coalesce(('
            '   SELECT jsonb_object_agg(s.column_name, jsonb_build_object(''old'', NULL, ''new'', to_jsonb(t) -> s.column_name))'
            '   FROM localfirst.set_aside AS s WHERE s.table_name = %1$L AND s.project_id = t.project_id AND s.row_id = t.id::text'
            '     AND s.column_name NOT IN (''version'', ''created_at'', ''updated_at'', ''created_by'', ''updated_by'')'
            ' ), ''{}''), false FROM localfirst.%1$I AS t'
            ' WHERE t.id::text IN (SELECT s.row_id FROM localfirst.set_aside AS s WHERE s.table_name = %1$L AND s.project_id = t.project_id)',
            of_table.tab, entity_name, CASE WHEN entity_name = 'conflict' THEN
                '(SELECT 1 + coalesce(max(h.version), 0) FROM localfirst.history AS h WHERE h.project_id = t.project_id AND h.entity_id = t.id'
                ' AND h.version < 9007199254740992)' ELSE 't.version' END);
    END LOOP;
    INSERT INTO localfirst.history_markers (project_id)
    SELECT DISTINCT p.project_id FROM localfirst.history_pending AS p WHERE p.tx = pg_current_xact_id() ON CONFLICT DO NOTHING;
END
$$;

DROP FUNCTION pg_temp.fitting_metadata(jsonb);

SELECT localfirst.secure();
