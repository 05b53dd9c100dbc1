-- What a direct writer's session says of times does not reach the log, and which server this is only its owner says.

-- Brings owner, search paths and rights of all that stands in the schema into order. It runs after every migration. (As before, and:
-- what writes the log prints times in UTC, whoever writes; what is fixed is written by nobody, whatever a default right has opened.)
CREATE OR REPLACE FUNCTION localfirst.secure() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'localfirst');
    owner oid := localfirst.settle_owner();
    found record;
BEGIN
    PERFORM localfirst.hand_over(owner);
    FOR found IN
        SELECT p.oid::regprocedure AS routine, p.prorettype = 'trigger'::regtype AS is_trigger, p.prosecdef, p.proconfig, p.prosqlbody IS NULL
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
        IF found.is_trigger AND found.prosecdef AND NOT coalesce(found.proconfig, '{}') @> '{TimeZone=UTC}' THEN
            EXECUTE format('ALTER FUNCTION %s SET TimeZone = ''UTC''', found.routine);
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
    -- What a default right, or an earlier version, has opened of a table that is nobody's, or that nobody writes.
    FOR found IN
        SELECT c.oid::regclass AS tab, localfirst.grantee_name(a.grantee) AS grantee, localfirst.table_kind(c.oid::regclass) AS kind
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner
            AND localfirst.table_kind(c.oid::regclass) IN ('internal', 'fixed')
        GROUP BY 1, 2, 3
    LOOP
        EXECUTE format(
            'REVOKE %s ON %s FROM %s',
            CASE found.kind WHEN 'internal' THEN 'ALL' ELSE 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER' END,
            found.tab, found.grantee);
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

-- A laptop that changed the identity would stop all others: they would take the server for another one.
CREATE OR REPLACE FUNCTION localfirst.table_kind(tab regclass) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
    WHEN tab IN ('localfirst.history_pending'::regclass, 'localfirst.history_markers'::regclass) THEN 'internal'
    WHEN tab IN ('localfirst.schema_migrations'::regclass, 'localfirst.server_identity'::regclass) THEN 'fixed'
    WHEN (SELECT relkind FROM pg_class WHERE oid = tab) IN ('v', 'm') THEN 'fixed'
    WHEN EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tab AND tgname = 'log_insert') THEN 'entity'
    ELSE 'log'
END;

-- Gives a server that has no identity, or nothing to lose, the one by which a replica knows it; NULL if others have filled it.
-- A project that was started and holds nothing but its configuration has nothing to lose.
CREATE FUNCTION localfirst.name_server(known uuid) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO localfirst.server_identity AS i (id, is_later)
    SELECT coalesce(known, gen_random_uuid()), EXISTS (SELECT FROM localfirst.project_heads WHERE head > 1)
    ON CONFLICT (singleton) DO UPDATE SET id = excluded.id
    WHERE i.id = excluded.id OR NOT EXISTS (SELECT FROM localfirst.project_heads WHERE head > 1)
    RETURNING i.id::text
$$;

SELECT localfirst.secure();
