-- Roles that see and write some projects alone (`localfirst server role create`), by row-level security.
--
-- It is switched on with the first such role, table by table: whoever has none pays nothing for it. It is enabled, not forced: the
-- triggers that write the log run as the owner, who cannot log in. A role that nobody has restricted sees everything, as before.

CREATE TABLE localfirst.restricted_roles (role_name name PRIMARY KEY);

CREATE TABLE localfirst.role_projects (
    role_name name NOT NULL REFERENCES localfirst.restricted_roles (role_name) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    PRIMARY KEY (role_name, project_id)
);

-- (As before, and: who is restricted to what is nobody's.)
CREATE OR REPLACE FUNCTION localfirst.table_kind(tab regclass) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
    WHEN tab IN ('localfirst.history_pending'::regclass, 'localfirst.history_markers'::regclass) THEN 'internal'
    WHEN tab IN ('localfirst.tokens'::regclass, 'localfirst.token_projects'::regclass) THEN 'internal'
    WHEN tab IN ('localfirst.restricted_roles'::regclass, 'localfirst.role_projects'::regclass) THEN 'internal'
    WHEN tab IN ('localfirst.schema_migrations'::regclass, 'localfirst.server_identity'::regclass) THEN 'fixed'
    WHEN (SELECT relkind FROM pg_class WHERE oid = tab) IN ('v', 'm') THEN 'fixed'
    WHEN EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tab AND tgname = 'log_insert') THEN 'entity'
    ELSE 'log'
END;

-- Both are given the role, since `current_user` is the owner within them. They answer for whoever asks about himself alone. In
-- PL/pgSQL, whose plans are kept for the session.
CREATE FUNCTION localfirst.is_restricted(who name) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM localfirst.restricted_roles WHERE role_name = who);
END
$$;

CREATE FUNCTION localfirst.my_projects(who name) RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(session_user, who, 'MEMBER') THEN
        RETURN '{}';
    END IF;
    RETURN ARRAY(SELECT project_id FROM localfirst.role_projects WHERE role_name = who);
END
$$;

-- (As before, but for what the policies ask: everybody whose rows they filter has to be able to.)
CREATE OR REPLACE FUNCTION localfirst.engine_functions() RETURNS TABLE (routine oid)
LANGUAGE sql STABLE AS $$
    SELECT p.oid FROM pg_proc AS p
    WHERE p.pronamespace = 'localfirst'::regnamespace AND p.prorettype <> 'trigger'::regtype
        AND (p.prosecdef OR p.oid = 'localfirst.act_as_engine()'::regprocedure)
        AND p.proname NOT IN ('is_restricted', 'my_projects')
        AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
$$;

GRANT EXECUTE ON FUNCTION localfirst.is_restricted(name), localfirst.my_projects(name) TO PUBLIC;

-- A view reads as its owner, whom no policy binds: it filters by itself. (`security_invoker` is of PostgreSQL 15 and newer.)
CREATE OR REPLACE VIEW localfirst.archived_work_items WITH (security_barrier = true) AS
    SELECT * FROM localfirst.work_items
    WHERE archived_at IS NOT NULL AND deleted_at IS NULL AND (
        NOT (SELECT localfirst.is_restricted(current_user))
        OR project_id = ANY ((SELECT localfirst.my_projects(current_user))::uuid[]));

-- Every table of projects that has no policy yet gets one, if any role is restricted. It runs after every migration.
CREATE FUNCTION localfirst.extend_row_security() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
    command text;
BEGIN
    IF NOT EXISTS (SELECT FROM localfirst.restricted_roles) THEN
        RETURN;
    END IF;
    FOR found IN
        SELECT c.oid::regclass AS tab, a.attname AS key FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
        WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
            AND localfirst.table_kind(c.oid::regclass) IN ('entity', 'log')
            AND a.attname = CASE WHEN c.relname IN ('projects', 'deleted_projects') THEN 'id' ELSE 'project_id' END
        ORDER BY c.oid
    LOOP
        EXECUTE format(
            'CREATE POLICY by_project ON %s USING (NOT (SELECT localfirst.is_restricted(current_user))'
            ' OR %I = ANY ((SELECT localfirst.my_projects(current_user))::uuid[]))', found.tab, found.key);
        -- Which names are taken is nobody's business either: an error would tell it.
        IF found.tab = 'localfirst.projects'::regclass THEN
            FOREACH command IN ARRAY '{INSERT,UPDATE,DELETE}'::text[] LOOP
                EXECUTE format(
                    'CREATE POLICY %I ON %s AS RESTRICTIVE FOR %s %s (NOT (SELECT localfirst.is_restricted(current_user)))',
                    lower(command) || '_by_the_unrestricted', found.tab, command, CASE command WHEN 'INSERT' THEN 'WITH CHECK' ELSE 'USING' END);
            END LOOP;
        END IF;
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', found.tab);
    END LOOP;
    -- A table without a project's id would be open to all.
    FOR found IN
        SELECT c.oid::regclass AS tab FROM pg_class AS c
        WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
            AND localfirst.table_kind(c.oid::regclass) IN ('entity', 'log')
    LOOP
        RAISE EXCEPTION 'the table % names no project, so nobody can be restricted to some', found.tab USING ERRCODE = 'invalid_table_definition';
    END LOOP;
END
$$;

-- From now on a role sees and writes these projects alone.
CREATE FUNCTION localfirst.restrict_role(role text, projects uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO localfirst.restricted_roles (role_name) VALUES (role) ON CONFLICT DO NOTHING;
    DELETE FROM localfirst.role_projects WHERE role_name = role;
    INSERT INTO localfirst.role_projects (role_name, project_id) SELECT role, p FROM unnest(projects) AS p ON CONFLICT DO NOTHING;
    PERFORM localfirst.extend_row_security();
END
$$;

REVOKE ALL ON FUNCTION localfirst.extend_row_security(), localfirst.restrict_role(text, uuid[]) FROM PUBLIC;

SELECT localfirst.secure();
