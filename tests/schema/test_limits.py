"""What the tools take PostgreSQL takes, and what PostgreSQL takes a replica can hold: the limits are the same in all places."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_args

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from localfirst_schema import limits, metadata, timestamps, types
from localfirst_schema.entities import ENTITIES
from localfirst_schema.errors import ValidationError
from localfirst_schema.identifiers import project_id
from localfirst_sync import sieve
from localfirst_sync.postgres.columns import pull_list
from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError

PROJECT = "limits"


class Place(NamedTuple):
    """A column, what the tools make of a value for it (ValueError: refused), and whether both must say the very same."""

    table: str
    column: str
    door: Callable[[Any], Any]
    values: st.SearchStrategy[Any]
    is_exact: bool = True


def door(annotation: Any) -> Callable[[Any], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    return lambda value: adapter.validate_python(value, strict=True)


def documents(model: Any) -> Callable[[Any], Any]:
    return lambda value: metadata.check(model, value)


HOLDABLE = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
LONG_TEXTS = ["x" * length for length in (99, 100, 101, 200, 201, 250, 251, 10_001)]
BLANKS = ["", " ", "\n", "a\nb", "\t", "\x7f", "\x85", "\xa0", "\u2003", "\u2028", " x "]
ODD_TEXTS = st.one_of(
    st.text(HOLDABLE, max_size=230), st.sampled_from(BLANKS), st.sampled_from(LONG_TEXTS),
    st.sampled_from(["e\u0301", "\u0344" * 150, "é" * 200, "😀" * 200]),
)  # fmt: skip
KNOWN_WORDS = limits.ITEM_TYPES | limits.STATUSES | limits.PRIORITIES | limits.ENHANCEMENT_STATUSES | limits.CONTEXT_TYPES
WORDS = st.sampled_from([*sorted(KNOWN_WORDS), "", "Active", "paused", "urgent", " active", "task\n"])
HASHES = st.one_of(
    st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    st.sampled_from(["", "A" * 40, "a" * 39, "g" * 40, "a" * 40 + "\n"]),
)
QUARTERS = st.one_of(
    st.from_regex(r"Q[0-5] [0-9]{3,5}", fullmatch=True),
    st.sampled_from(["Q1 ٢٠٢٦", "q1 2026", "Q1 2026\n", ""]),
)
TIMES = st.one_of(
    st.datetimes().map(timestamps.from_datetime),
    st.sampled_from(["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"]),
    st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "10000-01-01"]),
)
BOUNDS = [-1, 0, 1, 999, 1000, 1_000_000, 1_000_001, 2**31, 2**53, 2**53 + 1]
INTEGERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from(BOUNDS))
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([5e-324, 1e308, -1e308, 1e22, 10**999, -(10**999), 10**1000]),
)
ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(HOLDABLE, max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text('abc[]{}"\\', max_size=5), inner, max_size=4)),
    max_leaves=12,
)
KEYS = st.sampled_from([
    "description", "target_quarter", "constitutional_principles", "token_budget", "prompts_count", "yaml_frontmatter", "prompt",
    "estimated_hours", "actual_hours", "blocked_reason", "priority", "research_questions", "findings_summary", "references",
    "format_support", "test_results", "extractor_version", "manifest_compliant", "pr_number", "pr_title", "commit_hash",
    "test_summary", "constitutional_compliance", "note",
])  # fmt: skip


def nested(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


LARGE: list[Any] = [
    "[" * 200, "9" * 2000, "\x01" * 900_000, "😀" * 900_000, "x" * 1_000_001, [5e-324] * 100_000, [5e-324] * 2_000,
    [1.5e-300] * 2_900, [0] * 124_000, [[]] * 60_000,
]  # fmt: skip
DOCUMENTS = st.one_of(
    st.dictionaries(KEYS, ANY_JSON, max_size=4),
    st.sampled_from([{"n": nested(levels)} for levels in (62, 63, 64, 65, 66, 400)]),
    st.sampled_from([{"t": value} for value in LARGE]),
)

PLACES = (
    Place("work_items", "item_type", door(types.ItemType), WORDS),
    Place("work_items", "title", door(types.Title), ODD_TEXTS),
    Place("work_items", "status", door(types.Status), WORDS),
    Place("work_items", "branch_name", door(types.BranchName), ODD_TEXTS),
    Place("work_items", "commit_hash", door(types.CommitHash), HASHES),
    Place("work_items", "pr_number", door(types.PrNumber), INTEGERS),
    Place("work_items", "claimed_by", door(types.Who), ODD_TEXTS),
    Place("work_items", "created_by", door(types.Who), ODD_TEXTS),
    Place("work_items", "created_at", door(types.Moment), TIMES),
    Place("work_items", "archived_at", door(types.Moment), TIMES),
    Place("work_items", "metadata", documents(metadata.TaskMetadata), DOCUMENTS, is_exact=False),
    Place("work_item_comments", "body", door(types.Body), ODD_TEXTS),
    Place("work_item_comments", "created_at", door(types.Moment), TIMES),
    Place("vendor_extractors", "name", door(types.VendorName), ODD_TEXTS, is_exact=False),
    Place("vendor_extractors", "metadata", documents(metadata.VendorMetadata), DOCUMENTS, is_exact=False),
    Place("deployment_events", "deployed_at", door(types.Moment), TIMES),
    Place("deployment_events", "metadata", documents(metadata.DeploymentMetadata), DOCUMENTS, is_exact=False),
    Place("future_enhancements", "title", door(types.Title), ODD_TEXTS),
    Place("future_enhancements", "description", door(types.Description), ODD_TEXTS),
    Place("future_enhancements", "priority", door(types.Priority), WORDS),
    Place("future_enhancements", "status", door(types.EnhancementStatus), WORDS),
    Place("future_enhancements", "target_quarter", door(types.Quarter), QUARTERS, is_exact=False),
    Place("future_enhancements", "requires_constitutional_principles", door(types.Texts), ANY_JSON, is_exact=False),
    Place("project_configuration", "active_context_type", door(types.ContextType), WORDS),
    Place("project_configuration", "git_branch", door(types.GitBranch), ODD_TEXTS),
    Place("project_configuration", "git_head_commit", door(types.CommitHash), HASHES),
    Place("project_configuration", "default_token_budget", door(types.TokenBudget), INTEGERS),
)

_JSON = ("metadata", "requires_constitutional_principles")
_GOOD = {
    "work_items": {"item_type": "task", "title": "t"},
    "work_item_comments": {"body": "b"},
    "vendor_extractors": {"name": "v"},
    "deployment_events": {},
    "future_enhancements": {"title": "t"},
    "project_configuration": {},
}


@pytest.fixture(scope="module")
def server(postgres_server: Any) -> Iterator[psycopg.Connection[Any]]:
    with postgres_server.database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO localfirst.projects (id, name) VALUES (%s, %s)", (project_id(PROJECT), PROJECT))
        connection.execute("SET timezone = 'UTC'")
        yield connection


def kept(server: psycopg.Connection[Any], place: Place, value: Any) -> tuple[Any, ...] | None:
    """The row as a pull reads it, of a direct writer's insert of this value; None if PostgreSQL refuses it."""
    (entity,) = (one for one in ENTITIES if one.table == place.table)
    values = _GOOD[place.table] | {place.column: json.dumps(value) if place.column in _JSON else value}
    read = f"SELECT {pull_list(entity, 't')} FROM localfirst.{place.table} AS t WHERE t.id = %s"
    try:
        with server.transaction(force_rollback=True):
            if place.table == "project_configuration":
                changed = f"UPDATE localfirst.project_configuration SET {place.column} = %s RETURNING id"
                found = server.execute(changed.encode(), (value,)).fetchone()
            else:
                if place.table == "work_item_comments":
                    item = "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 't') RETURNING id"
                    (values["work_item_id"],) = server.execute(item).fetchone() or (None,)
                names = ", ".join(values)
                insert = (
                    f"INSERT INTO localfirst.{place.table} ({names}) VALUES ({', '.join(['%s'] * len(values))}) RETURNING id"
                )
                found = server.execute(insert.encode(), tuple(values.values())).fetchone()
            server.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return server.execute(read.encode(), found).fetchone()
    except psycopg.Error as error:
        if (error.sqlstate or "")[:2] not in ("22", "23", "54"):
            raise
        return None


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.table}.{place.column}")
def test_the_door_and_the_constraints_agree(place: Place, server: psycopg.Connection[Any]) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(value=place.values)
    def agree(value: Any) -> None:
        try:
            taken = place.door(value)
        except (ValidationError, PydanticError, ValueError):
            taken = None
        if taken is not None:
            row = kept(server, place, taken)
            assert row is not None, "the door takes what PostgreSQL refuses"
            assert sieve.rows(place.table, [row])[1] == []
        raw = kept(server, place, value)
        if raw is not None:
            assert sieve.rows(place.table, [raw])[1] == [], "PostgreSQL takes what no replica can hold"
        if place.is_exact and taken == value:
            assert raw is not None
        if place.is_exact and taken is None:
            assert raw is None, "PostgreSQL takes what the door refuses"

    agree()


NESTED = st.builds(
    lambda opening, closing, depth: opening * depth + "0" + closing * depth,
    *(st.just("["), st.just("]")), st.sampled_from([1, 31, 32, 33, 63, 64, 65, 70]),
)  # fmt: skip
NUMBERS = st.builds(
    lambda sign, digits, rest: sign + "7" * digits + rest,
    *(st.sampled_from(["", "-"]), st.sampled_from([1, 307, 308, 309, 310, 617, 618, 1000, 1001]), st.sampled_from(["", ".5"])),
)
STRINGS = st.builds(json.dumps, st.sampled_from(["x" * 300, "[" * 80, "{" * 80, "8" * 310, "y" * 307 + "9"]))
MEMBERS = st.builds(lambda values: "{" + ", ".join(f'"k{n}": {v}' for n, v in enumerate(values)) + "}",
                    st.lists(st.one_of(NESTED, NUMBERS, STRINGS), max_size=3))  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(texts=st.lists(MEMBERS, min_size=1, max_size=4))
def test_a_batch_is_taken_exactly_when_each_of_its_documents_is(texts: list[str]) -> None:
    (rule,) = (one for one in sieve._rules("work_items") if one.name == "metadata")
    assert rule.quick(texts) == all(rule.reason(text) is None for text in texts)
    (fields,) = (one for one in sieve._HISTORY_RULES if one.name == "fields")
    changes = [f'{{"metadata": {text}}}' for text in texts]
    assert fields.quick(changes) == all(fields.reason(text) is None for text in changes)


def test_the_words_of_each_column_are_the_doors() -> None:
    pairs = (
        (limits.ITEM_TYPES, types.ItemType), (limits.STATUSES, types.Status), (limits.DEPENDENCY_TYPES, types.DependencyType),
        (limits.PRIORITIES, types.Priority), (limits.ENHANCEMENT_STATUSES, types.EnhancementStatus),
        (limits.CONTEXT_TYPES, types.ContextType),
    )  # fmt: skip
    for words, annotation in pairs:
        assert words == set(get_args(annotation))


def test_the_columns_that_may_be_empty_are_those_of_postgresql(server: psycopg.Connection[Any]) -> None:
    for entity in ENTITIES:
        found = server.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'localfirst' AND table_name = %s"
            " AND is_nullable = 'YES'",
            (entity.table,),
        ).fetchall()
        assert {name for (name,) in found} == limits.NULLABLE_ANYWHERE | limits.NULLABLE.get(entity.table, frozenset())


def test_every_time_and_every_version_has_its_limit(server: psycopg.Connection[Any]) -> None:
    lacking = server.execute("""
        SELECT c.relname || '.' || a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
            AND (a.atttypid = 'timestamptz'::regtype OR a.attname = 'version')
            AND c.relname NOT IN ('history_pending', 'history_markers', 'set_aside', 'schema_migrations', 'deleted_projects')
            AND NOT EXISTS (
                SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)
                    AND k.conname LIKE '%\\_limit' AND k.convalidated
            )
    """).fetchall()
    assert lacking == []


def test_the_log_knows_the_entities(server: psycopg.Connection[Any]) -> None:
    known = server.execute("SELECT pg_get_functiondef('localfirst.is_entity(text)'::regprocedure)").fetchone()
    assert known is not None
    assert {*re.findall(r"'(\w+)'", str(known[0])[str(known[0]).index("RETURN") :])} == {
        *(one.name for one in ENTITIES),
        "conflict",
    }
