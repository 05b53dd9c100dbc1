"""What a role may try, in SQL: to run something as another, or to write what it may not.

`{me}` is the role, `{item}` a work item, `{project}` its project. Functions that an attempt makes say "ran as NAME" when
anybody else runs them. Everything is tried in a session of its own, with the right to make objects in `public`, as every role
has it before PostgreSQL 15.
"""

from __future__ import annotations

# Raises if anybody but the one who made it runs it; else gives what suits the attempt.
_TRAP = """
CREATE FUNCTION {where}.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS $trap$
BEGIN
    IF current_user OPERATOR(pg_catalog.<>) '{{me}}' THEN
        RAISE EXCEPTION 'ran as %', current_user;
    END IF;
    RETURN {value};
END
$trap$
"""


def trap(name: str, arguments: str, returns: str, value: str, where: str = "public") -> str:
    """A function that betrays who runs it."""
    return _TRAP.format(where=where, name=name, arguments=arguments, returns=returns, value=value)


def shadow(name: str, of: str) -> tuple[str, str]:
    """A domain of one's own temp schema that is named like a type."""
    return (
        trap(f"check_{name}", f"x {of}", "boolean", "true", "pg_temp"),
        f"CREATE DOMAIN pg_temp.{name} AS {of} CHECK (pg_temp.check_{name}(VALUE))",
    )


ITEM = "11111111-1111-4111-8111-111111111111"

AGAIN = "AGAIN"
"""Instead of a statement: what follows is tried in a new session."""

OF_THE_ENGINE = ("the setting of the engine", "our functions, called")
"""Attempts that succeed in part for whoever may act as the engine."""

WRITES = (
    "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'made')",
    "INSERT INTO localfirst.vendor_extractors (name) VALUES ('Vendor') ON CONFLICT DO NOTHING",
    "INSERT INTO localfirst.work_items (item_type, title, parent_id) VALUES ('task', 'below', '{item}')",
    "UPDATE localfirst.work_items SET title = title || '.' WHERE id = '{item}'",
    "UPDATE localfirst.work_items SET version = 7, path = 'elsewhere', updated_at = 'yesterday' WHERE id = '{item}'",
    "DELETE FROM localfirst.vendor_extractors",
    "INSERT INTO localfirst.vendor_extractors (name) VALUES ('Vendor')",
    "DELETE FROM localfirst.work_items WHERE title = 'made'",
)
"""Direct writes, which bring everything of ours to run."""

_FIRST = "SET search_path = public, pg_catalog"

ATTEMPTS: dict[str, tuple[str, ...]] = {
    "a domain pg_temp.jsonb": (*shadow("jsonb", "pg_catalog.jsonb"), *WRITES),
    "domains in the temp schema for every other type": (
        *shadow("uuid", "pg_catalog.uuid"),
        *shadow("text", "pg_catalog.text"),
        *shadow("regclass", "pg_catalog.regclass"),
        *shadow("xid8", "pg_catalog.xid8"),
        "SET search_path = pg_temp, pg_catalog",
        *WRITES,
    ),
    "tables of the temp schema for ours and the system's": (
        "CREATE TEMPORARY TABLE history_pending (project_id uuid)",
        "CREATE TEMPORARY TABLE work_items (id uuid, project_id uuid, path text, depth integer)",
        "CREATE TEMPORARY TABLE pg_proc (oid oid)",
        "CREATE TEMPORARY TABLE pg_roles (oid oid, rolname name, rolsuper boolean)",
        "SET search_path = pg_temp, pg_catalog",
        *WRITES,
        "SELECT localfirst.secure()",
    ),
    "functions that stand before PostgreSQL's": (
        trap('"left"', "t text, n integer", "text", "'somebody else'"),
        trap('"left"', "t name, n integer", "text", "'somebody else'"),
        trap("now", "", "timestamptz", "'2001-01-01'"),
        trap("jsonb_typeof", "j jsonb", "text", "'object'"),
        trap("cardinality", "a uuid[]", "integer", "1"),
        trap("set_config", "n text, v text, l boolean", "text", "'on'"),
        trap("current_setting", "n text, l boolean", "text", "'on'"),
        trap("gen_random_uuid", "", "uuid", "'{item}'"),
        trap("to_jsonb", "r localfirst.vendor_extractors", "jsonb", "'{{}}'"),
        trap("concat_ws", "s text, t text", "text", "''"),
        trap("pg_current_xact_id", "", "xid8", "'1'"),
        _FIRST,
        *WRITES,
        "INSERT INTO localfirst.work_items (item_type, title, metadata) VALUES ('task', 'misfit', '[]')",
        "INSERT INTO localfirst.work_items (item_type, title, metadata) VALUES ('task', 'misfit', '{{\"priority\": 1}}')",
    ),
    "operators that stand before PostgreSQL's": (
        trap("op_eq", "a uuid, b uuid", "boolean", "true"),
        "CREATE OPERATOR public.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = public.op_eq)",
        "CREATE OPERATOR public.<> (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = public.op_eq)",
        trap("op_text", "a text, b text", "boolean", "false"),
        "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.op_text)",
        trap("op_name", "a name, b text", "boolean", "false"),
        "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.op_name)",
        trap("op_plus", "a bigint, b integer", "bigint", "a"),
        "CREATE OPERATOR public.+ (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = public.op_plus)",
        trap("op_get", "a jsonb, b text", "jsonb", "NULL"),
        "CREATE OPERATOR public.-> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = public.op_get)",
        trap("op_bigint", "a bigint, b bigint", "boolean", "false"),
        "CREATE OPERATOR public.<> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.op_bigint)",
        _FIRST,
        *WRITES,
        "INSERT INTO localfirst.work_items (item_type, title, metadata) VALUES ('task', 'misfit', '{{\"priority\": 1}}')",
    ),
    "an aggregate that stands before PostgreSQL's": (
        trap("step", "s uuid[], u uuid", "uuid[]", "'{{}}'"),
        "CREATE AGGREGATE public.array_agg(uuid) (SFUNC = public.step, STYPE = uuid[])",
        _FIRST,
        *WRITES,
    ),
    "casts": (
        trap("as_text", "u uuid", "text", "'x'"),
        "CREATE CAST (uuid AS text) WITH FUNCTION public.as_text(uuid) AS IMPLICIT",
        "CREATE TYPE public.pair AS (a text)",
        trap("as_jsonb", "p public.pair", "jsonb", "'{{}}'"),
        "CREATE CAST (public.pair AS jsonb) WITH FUNCTION public.as_jsonb(public.pair) AS IMPLICIT",
        "UPDATE localfirst.work_items SET metadata = ROW('x')::public.pair WHERE id = '{item}'",
        *WRITES,
    ),
    "an event trigger": (
        "CREATE FUNCTION public.on_event() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'ran as %', current_user; END $$",
        "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION public.on_event()",
    ),
    "a trigger, a rule and an index on our tables": (
        "CREATE FUNCTION public.on_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user; END $$",
        "CREATE TRIGGER mine BEFORE INSERT ON localfirst.work_items FOR EACH ROW EXECUTE FUNCTION public.on_row()",
        "CREATE RULE mine AS ON INSERT TO localfirst.work_items DO INSTEAD NOTHING",
        trap("of_row", "t text", "text", "t"),
        "CREATE INDEX mine ON localfirst.work_items (public.of_row(title))",
        "ALTER TABLE localfirst.work_items ALTER title SET DEFAULT public.of_row('x')",
        "ALTER TABLE localfirst.work_items ADD CHECK (public.of_row(title) IS NOT NULL)",
        "CREATE POLICY mine ON localfirst.work_items USING (false)",
        *WRITES,
    ),
    "a temporary table with our trigger functions": (
        "CREATE TEMPORARY TABLE bait (LIKE localfirst.work_items INCLUDING DEFAULTS)",
        "INSERT INTO bait (project_id, id, item_type, title, path, depth, metadata)"
        " VALUES ('{project}', gen_random_uuid(), 'task', 'forged', 'x', 0, '{{}}')",
        "CREATE TRIGGER a AFTER DELETE ON bait REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT"
        " EXECUTE FUNCTION localfirst.work_items_log_delete()",
        "CREATE TRIGGER b AFTER INSERT ON bait REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT"
        " EXECUTE FUNCTION localfirst.work_items_log_insert()",
        "CREATE TRIGGER c AFTER INSERT ON bait FOR EACH ROW EXECUTE FUNCTION localfirst.start_project()",
        "CREATE CONSTRAINT TRIGGER d AFTER INSERT ON bait FOR EACH ROW EXECUTE FUNCTION localfirst.number_changes()",
        "INSERT INTO bait SELECT * FROM bait",
        "DELETE FROM bait",
    ),
    "defaults and views that call ours": (
        "CREATE TEMPORARY TABLE d (a uuid DEFAULT localfirst.only_project(), b boolean DEFAULT localfirst.by_engine())",
        "INSERT INTO d DEFAULT VALUES",
        "CREATE TEMPORARY VIEW v AS SELECT * FROM localfirst.history_pending",
        "SELECT * FROM v",
        "CREATE TEMPORARY VIEW w AS SELECT localfirst.act_as_engine()",
    ),
    "the setting of the engine": (
        "SET localfirst.engine = 'on'",
        *WRITES,
        "INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'mine')",
        "SELECT localfirst.act_as_engine()",
        "UPDATE localfirst.work_items SET title = 'by stealth', version = 1 WHERE id = '{item}'",
    ),
    "the setting of the engine as a role's default": (
        "ALTER ROLE {me} SET localfirst.engine = 'on'",
        "ALTER DATABASE \"{database}\" SET localfirst.engine = 'on'",
    ),
    "our functions, called": (
        "SELECT localfirst.write_places('{project}', ARRAY['{item}'::uuid], ARRAY['elsewhere'], ARRAY[3])",
        "SELECT localfirst.derive_paths('{project}', ARRAY['{item}'::uuid])",
        "SELECT localfirst.mend_paths('{project}')",
        "SELECT localfirst.revive('vendor_extractors', '{{}}')",
        "SELECT localfirst.revive('work_items SET title = ''x'' --', '{{}}')",
        "SELECT localfirst.install_triggers('work_item', 'work_items', '{{title}}', '{{}}', 'false')",
        "SELECT localfirst.enable_code_vector_search()",
        "SELECT localfirst.index_code_vectors('m', 'code_vectors_near_000000000000', 1)",
        "SELECT localfirst.index_code_vectors('m', 'x\" ON localfirst.history (seq); --', 1)",
        "SELECT localfirst.secure()",
        "SELECT localfirst.grant_role('{me}', 'laptop')",
        "SELECT localfirst.extend_grade('{me}'::regrole, 'laptop')",
        "SELECT localfirst.hand_over('{me}'::regrole)",
        "SELECT localfirst.delete_unused_code_chunks('{project}')",
    ),
    "other roles": (
        "SET ROLE localfirst_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "GRANT localfirst_owner TO {me}",
        "GRANT pg_write_all_data TO {me}",
        "ALTER ROLE localfirst_owner LOGIN",
        "ALTER ROLE {me} SUPERUSER",
        "GRANT ALL ON ALL TABLES IN SCHEMA localfirst TO {me}",
        "GRANT ALL ON SCHEMA localfirst TO {me}",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA localfirst TO {me}",
    ),
    "default privileges": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE localfirst_owner IN SCHEMA localfirst GRANT ALL ON TABLES TO {me}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE localfirst_owner GRANT ALL ON FUNCTIONS TO {me}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO {me}",
    ),
    "objects in our schema": (
        "CREATE TABLE localfirst.mine (x integer)",
        "CREATE FUNCTION localfirst.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION localfirst.by_engine() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "CREATE FUNCTION localfirst.natural_id(a text, b text, c text) RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
        "CREATE OPERATOR localfirst.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = uuid_eq)",
        "CREATE DOMAIN localfirst.jsonb AS pg_catalog.jsonb",
        "ALTER FUNCTION localfirst.fill_update() RESET ALL",
        "ALTER FUNCTION localfirst.number_changes() SECURITY INVOKER",
        "DROP FUNCTION localfirst.fill_update() CASCADE",
        "ALTER SCHEMA localfirst RENAME TO theirs",
        "DROP SCHEMA localfirst CASCADE",
    ),
    "a function of one's own given to the owner": (
        "CREATE FUNCTION public.gift() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM localfirst.history'",
        "ALTER FUNCTION public.gift() OWNER TO localfirst_owner",
        "SELECT public.gift() WHERE '{grade}' <> 'laptop'",
    ),
    "the identity of the server": (
        "UPDATE localfirst.server_identity SET id = gen_random_uuid()",
        "DELETE FROM localfirst.server_identity",
        "INSERT INTO localfirst.server_identity (singleton, is_later) VALUES (true, false)"
        " ON CONFLICT (singleton) DO UPDATE SET id = gen_random_uuid()",
        "TRUNCATE localfirst.server_identity",
        "SELECT localfirst.name_server(gen_random_uuid())",
    ),
    "what a role has set for its later sessions": (
        *shadow("uuid", "pg_catalog.uuid"),
        trap("lower", "t text", "text", "'x'"),
        "ALTER ROLE {me} SET search_path = public, pg_temp, pg_catalog",
        "ALTER ROLE {me} SET transform_null_equals = on",
        "ALTER ROLE {me} SET DateStyle = 'SQL, DMY'",
        "ALTER ROLE {me} SET TimeZone = 'Europe/Amsterdam'",
        "ALTER ROLE {me} SET session_replication_role = replica",
        "ALTER ROLE {me} SET role = localfirst_owner",
        "ALTER ROLE {me} SET session_preload_libraries = 'x'",
        "ALTER ROLE postgres SET search_path = public",
        "ALTER ROLE localfirst_owner SET search_path = public",
        "ALTER ROLE ALL SET search_path = public",
        'ALTER DATABASE "{database}" SET search_path = public',
        AGAIN,
        *shadow("jsonb", "pg_catalog.jsonb"),
        *WRITES,
        "ALTER ROLE {me} RESET ALL",
    ),
    "settings that change how SQL is read and written": (
        "SET transform_null_equals = on",
        "SET standard_conforming_strings = off",
        "SET array_nulls = off",
        "SET quote_all_identifiers = on",
        "SET extra_float_digits = -15",
        "SET bytea_output = escape",
        "SET DateStyle = 'SQL, DMY'",
        "SET IntervalStyle = sql_standard",
        "SET TimeZone = '<+167>-167:59'",
        "SET xmloption = document",
        "SET plpgsql.extra_errors = 'all'",
        "SET plpgsql.variable_conflict = use_column",
        "SET default_table_access_method = nothing",
        "SET createrole_self_grant = 'set, inherit'",
        "SET check_function_bodies = off",
        *WRITES,
        "RESET plpgsql.extra_errors",
        *WRITES,
    ),
    "one's own SQL within an INSERT … ON CONFLICT": (
        trap("of_old", "t text", "text", "t"),
        trap("is_true", "t text", "boolean", "true"),
        "INSERT INTO localfirst.work_items (project_id, id, item_type, title) VALUES ('{project}', '{item}', 'task', 'x')"
        " ON CONFLICT (project_id, id) DO UPDATE SET title = public.of_old(work_items.title)"
        " WHERE public.is_true(excluded.title)",
        "INSERT INTO localfirst.work_items (item_type, title) SELECT 'task', public.of_old('mine') ON CONFLICT DO NOTHING",
        "WITH w AS (UPDATE localfirst.work_items SET title = title || '.' WHERE id = '{item}' RETURNING public.of_old(title))"
        " SELECT * FROM w",
    ),
    "operator classes, collations and types of one's own": (
        trap("cmp", "a uuid, b uuid", "integer", "0"),
        "CREATE OPERATOR CLASS public.uuid_ops DEFAULT FOR TYPE uuid USING btree AS FUNCTION 1 public.cmp(uuid, uuid)",
        "CREATE OPERATOR FAMILY public.uuid_ops USING btree",
        'CREATE COLLATION public."C" FROM pg_catalog."POSIX"',
        'CREATE COLLATION public."default" FROM pg_catalog."POSIX"',
        "CREATE TYPE public.moment AS (a text)",
        trap("as_moment", "m public.moment", "timestamptz", "now()"),
        "CREATE CAST (public.moment AS timestamptz) WITH FUNCTION public.as_moment(public.moment) AS ASSIGNMENT",
        "UPDATE localfirst.work_items SET archived_at = ROW('x')::public.moment WHERE id = '{item}'",
        "UPDATE localfirst.work_items SET archived_at = NULL WHERE id = '{item}'",
        trap("as_json", "m public.moment", "json", "'{{}}'"),
        "CREATE CAST (public.moment AS json) WITH FUNCTION public.as_json(public.moment)",
        _FIRST,
        *WRITES,
        'DROP COLLATION IF EXISTS public."C"',
        'DROP COLLATION IF EXISTS public."default"',
        "DROP TYPE IF EXISTS public.moment CASCADE",
    ),
    "views and rules": (
        trap("of_title", "t text", "text", "t"),
        "CREATE VIEW public.titles AS SELECT public.of_title(title) AS title FROM localfirst.work_items",
        "SELECT * FROM public.titles",
        "CREATE RULE mine AS ON UPDATE TO localfirst.archived_work_items DO INSTEAD NOTHING",
        "CREATE OR REPLACE VIEW localfirst.archived_work_items AS SELECT * FROM localfirst.work_items",
        "ALTER VIEW localfirst.archived_work_items SET (security_barrier)",
        "UPDATE localfirst.archived_work_items SET title = 'through the view'",
        "INSERT INTO localfirst.archived_work_items (item_type, title) VALUES ('task', 'through the view')",
        "DELETE FROM localfirst.archived_work_items",
        "SELECT public.of_title(title) FROM localfirst.archived_work_items",
        "DROP VIEW IF EXISTS public.titles",
    ),
    "columns, defaults and expression indexes of one's own tables": (
        trap("of_id", "u uuid", "uuid", "u"),
        "CREATE TABLE public.mine_{me} (u uuid)",
        "ALTER TABLE public.mine_{me} ADD COLUMN d uuid DEFAULT public.of_id(localfirst.only_project())",
        "INSERT INTO public.mine_{me} (u) SELECT id FROM localfirst.work_items",
        "ALTER TABLE public.mine_{me} ADD FOREIGN KEY (d, u) REFERENCES localfirst.work_items ON DELETE CASCADE",
        "ALTER TABLE localfirst.work_items ADD COLUMN mine uuid DEFAULT public.of_id('{item}')",
        "ALTER TABLE localfirst.work_items ALTER created_at TYPE text USING public.of_id(id)::text",
        "CREATE INDEX ON localfirst.history (public.of_id(entity_id))",
        "CREATE STATISTICS public.mine ON (public.of_id(entity_id)), seq FROM localfirst.history",
        "CREATE MATERIALIZED VIEW public.copied AS SELECT * FROM localfirst.history_pending",
        "ALTER TABLE localfirst.work_items INHERIT public.mine_{me}",
        "DROP TABLE IF EXISTS public.mine_{me}",
    ),
    "our other trigger functions on a table of one's own": (
        "CREATE TEMPORARY TABLE projects (id uuid, name text, name_key text)",
        "CREATE TRIGGER a BEFORE INSERT ON projects FOR EACH ROW EXECUTE FUNCTION localfirst.key_project()",
        "CREATE TRIGGER b AFTER UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION localfirst.announce_name()",
        "CREATE TRIGGER c BEFORE INSERT ON projects FOR EACH ROW EXECUTE FUNCTION localfirst.fill_insert()",
        "INSERT INTO projects VALUES ('{project}', 'mine')",
        "UPDATE projects SET name = 'theirs'",
    ),
    "large objects, files, programs and libraries": (
        "SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/localfirst-object-of-{me}')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "LOAD 'localfirst'",
        "CREATE FUNCTION public.mine() RETURNS text LANGUAGE internal AS 'pg_reload_conf'",
        "CREATE FUNCTION public.mine() RETURNS text LANGUAGE c AS '/lib/x.so', 'x'",
        "CREATE EXTENSION file_fdw",
        "CREATE EXTENSION dblink",
        "ALTER SYSTEM SET search_path = 'public'",
        "SELECT pg_reload_conf()",
    ),
    "copies of what is written": (
        "CREATE PUBLICATION mine FOR TABLE localfirst.history",
        "CREATE PUBLICATION everything FOR ALL TABLES",
        "SELECT pg_create_logical_replication_slot('mine_{me}', 'pgoutput')",
        "CREATE SUBSCRIPTION mine CONNECTION 'dbname=x' PUBLICATION x WITH (connect = false)",
    ),
    "comments, names and ownership": (
        "COMMENT ON FUNCTION localfirst.number_changes() IS 'qualified: mine'",
        "SECURITY LABEL ON TABLE localfirst.history IS 'x'",
        "REASSIGN OWNED BY localfirst_owner TO {me}",
        "REASSIGN OWNED BY {me} TO localfirst_owner",
        "DROP OWNED BY localfirst_owner",
        "CREATE ROLE localfirst_engine_of_{me}",
        "ALTER ROLE {me} RENAME TO localfirst_engine",
        "GRANT localfirst_engine TO {me} WITH ADMIN OPTION",
    ),
    "triggers switched off": (
        "ALTER TABLE localfirst.work_items DISABLE TRIGGER ALL",
        "ALTER TABLE localfirst.work_items DISABLE TRIGGER fill_update",
        "DROP TRIGGER log_update ON localfirst.work_items",
        "SET session_replication_role = replica",
        *WRITES,
    ),
    "truncate": (
        "TRUNCATE localfirst.work_items CASCADE",
        "TRUNCATE localfirst.history",
        "TRUNCATE localfirst.projects CASCADE",
    ),
    "copy": (
        "COPY localfirst.work_items FROM '/etc/passwd'",
        "COPY localfirst.history TO '/tmp/localfirst-history-of-{me}'",
        "COPY localfirst.work_items FROM PROGRAM 'true'",
        "COPY localfirst.history_pending TO STDOUT",
    ),
    "foreign keys that probe": (
        "CREATE TABLE public.probe (p uuid, i uuid, FOREIGN KEY (p, i) REFERENCES localfirst.work_items)",
        "CREATE TABLE public.probe_projects (p uuid REFERENCES localfirst.projects ON DELETE CASCADE)",
        "CREATE TABLE public.child () INHERITS (localfirst.work_items)",
    ),
    "what only the owner writes": (
        "INSERT INTO localfirst.schema_migrations VALUES (9999, 'forged', '', 99)",
        "UPDATE localfirst.schema_migrations SET protocol = 99",
        "DELETE FROM localfirst.schema_migrations",
        "INSERT INTO localfirst.history_pending (project_id, entity, entity_id, version, fields, structural)"
        " VALUES ('{project}', 'work_item', '{item}', 9, '{{}}', false)",
        "INSERT INTO localfirst.history_markers (project_id) VALUES ('{project}')",
    ),
}
"""What every role tries."""

THE_LOG: tuple[str, ...] = (
    "INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, at, outcome, fields)"
    " VALUES ('{project}', 9999, 1, 'work_item', '{item}', 9, now(), 'accepted', '{{}}')",
    "UPDATE localfirst.history SET fields = '{{}}'",
    "DELETE FROM localfirst.history",
    "UPDATE localfirst.project_heads SET head = 0",
    "SELECT * FROM localfirst.project_heads FOR UPDATE",
    "INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'mine')",
    "UPDATE localfirst.projects SET name = 'theirs'",
    "INSERT INTO localfirst.replicas (project_id, replica_id, epoch) VALUES ('{project}', gen_random_uuid(), 99)",
    "UPDATE localfirst.replicas SET epoch = 99",
    "DELETE FROM localfirst.push_receipts",
    "DELETE FROM localfirst.conflicts",
    "INSERT INTO localfirst.code_chunks (project_id, chunk_hash, text, words)"
    " VALUES ('{project}', decode(repeat('00', 16), 'hex'), 'x', '')",
    "SET ROLE localfirst_engine",
)
"""What is a laptop's business, and no application's, reader's or outsider's."""

READING: tuple[str, ...] = (
    "SELECT * FROM localfirst.work_items",
    "SELECT * FROM localfirst.history",
    "SELECT * FROM localfirst.archived_work_items",
    "SELECT * FROM localfirst.code_chunks",
    "SELECT localfirst.only_project()",
    "COPY localfirst.work_items TO STDOUT",
    "DO $$ BEGIN LOCK TABLE localfirst.work_items; END $$",
)
"""What an outsider may not, who has CONNECT alone."""

PLANTED: tuple[str, ...] = (
    trap("hashtextextended", "t text, n integer", "bigint", "0"),
    trap("set_config", "n text, v text, l text", "text", "''"),
    trap('"left"', "n name, i integer", "text", "''"),
    trap("format", "f text, a text", "text", "''"),
    trap("format", "f text, a name", "text", "''"),
    trap("to_tsvector", "c text, t text", "tsvector", "''"),
    trap("to_char", "t timestamp, f varchar", "text", "''"),
    trap("pg_advisory_xact_lock", "k integer", "boolean", "true"),
    trap("pg_notify", "c text, p varchar", "boolean", "true"),
    trap("max", "b integer", "integer", "0"),
    trap("op_a", "a text, b uuid", "text", "''"),
    "CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = uuid, FUNCTION = public.op_a)",
    trap("op_b", "a json, b text", "text", "''"),
    "CREATE OPERATOR public.|| (LEFTARG = json, RIGHTARG = text, FUNCTION = public.op_b)",
    trap("op_c", "a name, b varchar", "boolean", "true"),
    "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = varchar, FUNCTION = public.op_c)",
    trap("op_d", "a bigint, b numeric", "boolean", "true"),
    "CREATE OPERATOR public.> (LEFTARG = bigint, RIGHTARG = numeric, FUNCTION = public.op_d)",
    "CREATE DOMAIN public.jsonb AS pg_catalog.jsonb CHECK (VALUE IS NULL)",
    "CREATE DOMAIN public.tsvector AS pg_catalog.text CHECK (VALUE IS NULL)",
    "CREATE TABLE public.work_items (id integer)",
    "CREATE TABLE public.incoming_chunks (id integer)",
)
"""What somebody leaves in `public`, for others to run: better matches than PostgreSQL's own, for whoever looks there."""
