"""The entities, defined once: which table holds them, which columns they have, and what each column means to sync.

Both stores, the wire format and the three-way decision read these definitions. The SQL of the stores is written by hand in
`sqlite/` and `postgres/`; tests compare it with this page column by column.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from types import MappingProxyType


class Kind(Enum):
    """The type of a column. In the replica and on the wire: text, integer, boolean (0/1 in SQLite) or JSON."""

    TEXT = "text"
    UUID = "uuid"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    JSON = "json"
    TIMESTAMP = "timestamp"


class Role(Enum):
    """What a column means to sync."""

    DATA = "data"
    """Merged field by field; a change on both sides is a conflict."""
    AUDIT = "audit"
    """Who and when: follows the change that is applied, never conflicts."""
    DERIVED = "derived"
    """Computed by each store from other columns, never sent in a change."""
    EARLIEST = "earliest"
    """Of two different values the earlier one stands, without a conflict."""
    LATEST = "latest"
    """Of two different values the later one stands, without a conflict."""
    CLAIM = "claim"
    """The first to reach the server has it; a later claim is lost (and kept in the history), without a conflict."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name (the same in SQL, Python, wire and tool results), type and role."""

    name: str
    kind: Kind
    role: Role = Role.DATA


_VERSION = Column("version", Kind.INTEGER, Role.AUDIT)
_AUDIT = (
    _VERSION,
    Column("created_at", Kind.TIMESTAMP, Role.AUDIT),
    Column("updated_at", Kind.TIMESTAMP, Role.AUDIT),
    Column("created_by", Kind.TEXT, Role.AUDIT),
    Column("updated_by", Kind.TEXT, Role.AUDIT),
    Column("deleted_at", Kind.TIMESTAMP),
)


@dataclass(frozen=True, eq=False)
class Entity:
    """One entity: `name` as in the tool contract, its table, its columns (`id` first), and what identifies it.

    Args:
        natural_key: columns from which the id is computed (see `identifiers.natural_id`); empty: the id is random.
        references: column → entity name; the row it names must exist and be alive.
        immutable: columns that a change may set only when it creates the row.
        is_lease: who holds something, and until when: a change of it is won or lost, and never a conflict (`lease`).
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    natural_key: tuple[str, ...] = ()
    references: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))
    immutable: frozenset[str] = frozenset()
    is_lease: bool = False

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """All column names, `id` first, without the `project_id` that leads every key in PostgreSQL."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def sent_columns(self) -> tuple[str, ...]:
        """The columns that a change may carry: all but the id, the version, the audit and the derived ones."""
        return tuple(
            c.name
            for c in self.columns
            if (c.name != "id" and c.role not in (Role.AUDIT, Role.DERIVED)) or c.name == "created_at"
        )

    @cached_property
    def json_columns(self) -> frozenset[str]:
        """Names of the columns that hold JSON."""
        return frozenset(c.name for c in self.columns if c.kind is Kind.JSON)

    @cached_property
    def boolean_columns(self) -> frozenset[str]:
        """Names of the columns that hold a boolean."""
        return frozenset(c.name for c in self.columns if c.kind is Kind.BOOLEAN)

    @cached_property
    def timestamp_columns(self) -> frozenset[str]:
        """Names of the columns that hold a time."""
        return frozenset(c.name for c in self.columns if c.kind is Kind.TIMESTAMP)


def _id() -> Column:
    return Column("id", Kind.UUID, Role.DERIVED)


def _references(**names: str) -> MappingProxyType[str, str]:
    return MappingProxyType(names)


WORK_ITEM = Entity(
    "work_item",
    "work_items",
    (
        _id(),
        Column("item_type", Kind.TEXT),
        Column("title", Kind.TEXT),
        Column("status", Kind.TEXT),
        Column("parent_id", Kind.UUID),
        Column("path", Kind.TEXT, Role.DERIVED),
        Column("depth", Kind.INTEGER, Role.DERIVED),
        Column("branch_name", Kind.TEXT),
        Column("commit_hash", Kind.TEXT),
        Column("pr_number", Kind.INTEGER),
        Column("metadata", Kind.JSON),
        Column("claimed_by", Kind.TEXT, Role.CLAIM),
        Column("archived_at", Kind.TIMESTAMP, Role.EARLIEST),
        *_AUDIT,
    ),
    references=_references(parent_id="work_item"),
    immutable=frozenset({"item_type"}),
)

WORK_ITEM_DEPENDENCY = Entity(
    "work_item_dependency",
    "work_item_dependencies",
    (
        _id(),
        Column("work_item_id", Kind.UUID),
        Column("depends_on_id", Kind.UUID),
        Column("dependency_type", Kind.TEXT),
        *_AUDIT,
    ),
    natural_key=("work_item_id", "depends_on_id", "dependency_type"),
    references=_references(work_item_id="work_item", depends_on_id="work_item"),
    immutable=frozenset({"work_item_id", "depends_on_id", "dependency_type"}),
)

WORK_ITEM_COMMENT = Entity(
    "work_item_comment",
    "work_item_comments",
    (_id(), Column("work_item_id", Kind.UUID), Column("body", Kind.TEXT), *_AUDIT),
    references=_references(work_item_id="work_item"),
    immutable=frozenset({"work_item_id", "body"}),
)

WORK_ITEM_CLAIM = Entity(
    "work_item_claim",
    "work_item_claims",
    (
        _id(),
        Column("work_item_id", Kind.UUID),
        Column("claimed_by", Kind.TEXT),
        Column("claimed_until", Kind.TIMESTAMP, Role.LATEST),
        *_AUDIT,
    ),
    natural_key=("work_item_id",),
    references=_references(work_item_id="work_item"),
    immutable=frozenset({"work_item_id"}),
    is_lease=True,
)

VENDOR = Entity(
    "vendor",
    "vendor_extractors",
    (
        _id(),
        Column("name", Kind.TEXT),
        Column("operational", Kind.BOOLEAN),
        Column("status", Kind.TEXT, Role.DERIVED),
        Column("metadata", Kind.JSON),
        *_AUDIT,
    ),
    natural_key=("name",),
    immutable=frozenset({"name"}),
)

DEPLOYMENT = Entity(
    "deployment",
    "deployment_events",
    (_id(), Column("deployed_at", Kind.TIMESTAMP), Column("metadata", Kind.JSON), *_AUDIT),
)

VENDOR_DEPLOYMENT_LINK = Entity(
    "vendor_deployment_link",
    "vendor_deployment_links",
    (_id(), Column("deployment_id", Kind.UUID), Column("vendor_id", Kind.UUID), *_AUDIT),
    natural_key=("deployment_id", "vendor_id"),
    references=_references(deployment_id="deployment", vendor_id="vendor"),
    immutable=frozenset({"deployment_id", "vendor_id"}),
)

WORK_ITEM_DEPLOYMENT_LINK = Entity(
    "work_item_deployment_link",
    "work_item_deployment_links",
    (_id(), Column("deployment_id", Kind.UUID), Column("work_item_id", Kind.UUID), *_AUDIT),
    natural_key=("deployment_id", "work_item_id"),
    references=_references(deployment_id="deployment", work_item_id="work_item"),
    immutable=frozenset({"deployment_id", "work_item_id"}),
)

ENHANCEMENT = Entity(
    "enhancement",
    "future_enhancements",
    (
        _id(),
        Column("title", Kind.TEXT),
        Column("description", Kind.TEXT),
        Column("priority", Kind.TEXT),
        Column("status", Kind.TEXT),
        Column("target_quarter", Kind.TEXT),
        Column("requires_constitutional_principles", Kind.JSON),
        *_AUDIT,
    ),
)

CONFIGURATION = Entity(
    "configuration",
    "project_configuration",
    (
        _id(),
        Column("active_context_type", Kind.TEXT),
        Column("current_session_id", Kind.UUID),
        Column("git_branch", Kind.TEXT),
        Column("git_head_commit", Kind.TEXT),
        Column("default_token_budget", Kind.INTEGER),
        *_AUDIT,
    ),
    natural_key=("singleton",),
)

PART_OF: dict[str, tuple[Entity, str]] = {
    WORK_ITEM_COMMENT.name: (WORK_ITEM, "work_item_id"),
    VENDOR_DEPLOYMENT_LINK.name: (DEPLOYMENT, "deployment_id"),
    WORK_ITEM_DEPLOYMENT_LINK.name: (DEPLOYMENT, "deployment_id"),
}
"""Entities that users know as a part of another one, and the column that names it."""

ENTITIES: tuple[Entity, ...] = (
    WORK_ITEM,
    WORK_ITEM_DEPENDENCY,
    WORK_ITEM_COMMENT,
    WORK_ITEM_CLAIM,
    VENDOR,
    DEPLOYMENT,
    VENDOR_DEPLOYMENT_LINK,
    WORK_ITEM_DEPLOYMENT_LINK,
    ENHANCEMENT,
    CONFIGURATION,
)
"""Every entity, referenced ones before those that reference them: the order in which rows are locked and written."""

ENTITY: dict[str, Entity] = {entity.name: entity for entity in ENTITIES}
"""Entities by name."""
