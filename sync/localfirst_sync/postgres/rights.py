"""Rights in PostgreSQL: which of them this user lacks, by object, and the statements that grant them.

What a grade holds stands in the schema itself (`table_kind`, `rights_of`, `grant_role` of `0005_rights.sql`). The question
what is missing is asked of the catalogs alone, since who has no right to use the schema cannot ask its functions.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, cast

import psycopg
from localfirst_schema.errors import NotFoundError, UnavailableError
from psycopg import errors, sql

from localfirst_sync.ports import Access
from localfirst_sync.postgres.connection import Connection, writing
from localfirst_sync.postgres.failure import unavailable

Grade: TypeAlias = Literal["reader", "application", "laptop"]

OWNER = "localfirst_owner"

_STANDS = """
SELECT current_user::text, pg_catalog.current_database()::text, n.oid IS NOT NULL, r.rolname::text,
    r.rolsuper, r.rolcanlogin, pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
    pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')
FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'localfirst'
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner
"""

# The rights of a laptop, table by table.
_TABLES = """
SELECT c.relname::text, pg_catalog.array_agg(w.privilege ORDER BY w.place)::text[]
FROM pg_catalog.pg_class AS c
CROSS JOIN LATERAL pg_catalog.unnest(CASE WHEN c.relname IN
    ('schema_migrations', 'server_identity') THEN '{SELECT}' ELSE '{SELECT,INSERT,UPDATE,DELETE}' END::text[]
) WITH ORDINALITY AS w (privilege, place)
WHERE c.relnamespace = pg_catalog.to_regnamespace('localfirst') AND c.relkind IN ('r', 'p')
    AND c.relname NOT IN (
        'history_pending', 'history_markers', 'tokens', 'token_projects', 'restricted_roles', 'role_projects'
    )
    AND NOT pg_catalog.has_table_privilege(c.oid, w.privilege)
GROUP BY c.relname ORDER BY c.relname
"""

_FUNCTIONS = """
SELECT p.oid::regprocedure::text, EXISTS (
    SELECT FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = 'localfirst_engine' AND pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE')
)
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = pg_catalog.to_regnamespace('localfirst') AND p.prorettype <> 'pg_catalog.trigger'::regtype
    AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
    AND p.proname NOT IN ('extend_row_security', 'restrict_role') -- the owner's alone
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY p.proname
"""


ACCESS = """
    CASE
        WHEN pg_catalog.pg_is_in_recovery() THEN 'standby'
        WHEN coalesce(
            pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('localfirst.act_as_engine()')::oid, 'EXECUTE')
            AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('localfirst.history')::oid, 'INSERT'), false
        ) THEN 'write'
        ELSE 'read'
    END
"""
"""What this user may do here (`ports.Access`). To push is to act as the engine."""

_ASK_ACCESS = f"SELECT {ACCESS}"


class Lack(NamedTuple):
    """What this user may not: the right, the object, and the statement by which its owner grants it."""

    right: str
    of: str
    statement: str


class Owner(NamedTuple):
    """Who owns the schema."""

    name: str
    is_superuser: bool
    can_log_in: bool
    is_us: bool
    """Whether this user is that role, or acts with its rights."""


class Standing(NamedTuple):
    """How this user stands to the schema."""

    user: str
    owner: Owner | None
    """None where the schema is not there."""
    lacks: list[Lack]


def access(connection: Connection) -> Access:
    """What this user may do. Raises `UnavailableError`."""
    try:
        [row] = connection.execute(_ASK_ACCESS.encode()).fetchall()
    except psycopg.Error as error:
        raise unavailable(error) from None
    return cast(Access, row[0])


def standing(connection: Connection) -> Standing:
    """What this user lacks of what a laptop needs. Raises `UnavailableError`."""
    try:
        return _standing(connection)
    except psycopg.Error as error:
        raise unavailable(error) from None


def _standing(connection: Connection) -> Standing:
    [row] = connection.execute(_STANDS).fetchall()
    user, database, is_there, owner_name, is_super, can_log_in, is_us, may_use, may_create, may_temp = row
    lacks = []
    if not is_there and not may_create:
        lacks.append(_lack(connection, "CREATE", ("DATABASE", database), user))
    if is_there and not may_use:
        lacks.append(_lack(connection, "USAGE", ("SCHEMA", "localfirst"), user))
    by_rights: dict[str, list[str]] = {}
    for table, rights in connection.execute(_TABLES).fetchall():
        by_rights.setdefault(", ".join(rights), []).append(f"localfirst.{table}")  # type: ignore[arg-type]  # text[]
    for rights_of_all, tables in by_rights.items():
        of = ", ".join(tables)
        lacks.append(Lack(rights_of_all, of, f"GRANT {rights_of_all} ON {of} TO {_name(connection, user)};"))
    functions = connection.execute(_FUNCTIONS).fetchall()
    if by_role := ", ".join(str(function) for function, comes_by_role in functions if comes_by_role):
        lacks.append(Lack("EXECUTE", by_role, f"GRANT localfirst_engine TO {_name(connection, user)};"))
    for function in (function for function, comes_by_role in functions if not comes_by_role):
        statement = f"GRANT EXECUTE ON FUNCTION {function} TO {_name(connection, user)};"
        lacks.append(Lack("EXECUTE", str(function), statement))
    if not may_temp:
        lacks.append(_lack(connection, "TEMPORARY", ("DATABASE", database), user))
    owner = Owner(str(owner_name), bool(is_super), bool(can_log_in), bool(is_us)) if is_there else None
    return Standing(str(user), owner, lacks)


def why_not_migrated(connection: Connection) -> str:
    """Which right a migration lacks, in a sentence. Raises psycopg.Error."""
    stands = _standing(connection)
    if stands.owner is None:
        return (
            "The schema `localfirst` is not there, and this PostgreSQL user lacks the right CREATE on the database to make it."
        )
    for lack in stands.lacks:
        if lack.right == "USAGE":
            return "This PostgreSQL user lacks the right USAGE on the schema `localfirst`."
        if "SELECT" in lack.right and "localfirst.schema_migrations" in lack.of:
            return "This PostgreSQL user lacks the right SELECT on localfirst.schema_migrations."
    if not stands.owner.is_us:
        return (
            "The schema `localfirst` is older than this client, and this PostgreSQL user may not change it: it belongs to"
            " another role."
        )
    return "The schema `localfirst` is older than this client, and PostgreSQL does not let its owner change it."


def secure(connection: Connection) -> None:
    """Brings owner, search paths and rights into order, and pgvector into use if it is there. Raises `UnavailableError`."""
    try:
        with connection.transaction():
            connection.execute("SELECT localfirst.enable_code_vector_search()")
            connection.execute("SELECT localfirst.secure()")
    except errors.InsufficientPrivilege:
        raise _not_the_owner(connection) from None
    except psycopg.Error as error:
        raise unavailable(error) from None


def grant(connection: Connection, role: str, grade: Grade) -> list[str]:
    """Gives a role a grade of rights, and takes away what is beyond it; the statements that this user may not carry out.

    Raises `NotFoundError` for an unknown role and `UnavailableError`.
    """
    try:
        if not connection.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)).fetchone():
            raise NotFoundError(f"PostgreSQL has no role {role}; make it first: CREATE ROLE … LOGIN.", role=role)
        with connection.transaction():
            connection.execute("SELECT localfirst.grant_role(%s, %s)", (role, grade))
        return _grant_on_database(connection, role, ["CONNECT", "TEMPORARY"] if grade == "laptop" else ["CONNECT"])
    except errors.InsufficientPrivilege:
        raise _not_the_owner(connection) from None
    except errors.InvalidGrantOperation:
        raise UnavailableError(
            "This role owns the schema `localfirst` and has every right on it; grant rights to another one.", cause="permission"
        ) from None
    except psycopg.Error as error:
        raise unavailable(error) from None


def _grant_on_database(connection: Connection, role: str, rights: list[str]) -> list[str]:
    left = []
    held = (
        "SELECT pg_catalog.has_database_privilege(%s, pg_catalog.current_database(), %s), pg_catalog.current_database()::text"
    )
    for right in rights:
        [(is_held, database)] = connection.execute(held, (role, right)).fetchall()
        if is_held:
            continue
        statement = sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
            sql.SQL(right), sql.Identifier(str(database)), sql.Identifier(role)
        )
        try:
            with writing(connection):
                connection.execute(statement)
        except errors.InsufficientPrivilege:
            left.append(f"{statement.as_string(connection)};")
            continue
        if (
            connection.execute(held, (role, right)).fetchall()[0][0] is not True
        ):  # a grant without the right to grant only warns
            left.append(f"{statement.as_string(connection)};")
    return left


def _not_the_owner(connection: Connection) -> UnavailableError:
    try:
        owner = _standing(connection).owner
    except psycopg.Error as error:
        return unavailable(error)
    name = owner.name if owner is not None else OWNER
    return UnavailableError(
        f"This PostgreSQL user may not do that: the schema `localfirst` belongs to the role {name}. Do it as a superuser, or"
        f" as a member of that role (GRANT {name} TO …).",
        cause="permission",
    )


def _lack(connection: Connection, right: str, of: tuple[str, object], user: object) -> Lack:
    kind, name = of
    statement = f"GRANT {right} ON {kind} {_name(connection, name)} TO {_name(connection, user)};"
    return Lack(right, f"the {kind.lower()} {name}", statement)


def _name(connection: Connection, name: object) -> str:
    """A name as a statement has it: quoted where that is needed."""
    [(quoted,)] = connection.execute("SELECT pg_catalog.quote_ident(%s)", (str(name),)).fetchall()
    return str(quoted)
