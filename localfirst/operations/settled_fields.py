"""The values that settle a conflict: of all fields that clash, under the rules of the tools that write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pydantic
from localfirst_schema.entities import (
    CONFIGURATION,
    DEPLOYMENT,
    ENHANCEMENT,
    VENDOR,
    VENDOR_DEPLOYMENT_LINK,
    WORK_ITEM,
    WORK_ITEM_COMMENT,
    WORK_ITEM_DEPENDENCY,
    WORK_ITEM_DEPLOYMENT_LINK,
    Entity,
)
from localfirst_schema.errors import ValidationError
from localfirst_schema.types import (
    Arguments,
    Body,
    BranchName,
    CommitHash,
    ContextType,
    DependencyType,
    Description,
    EnhancementStatus,
    GitBranch,
    Id,
    ItemType,
    Json,
    Moment,
    Priority,
    PrNumber,
    Quarter,
    Status,
    Text,
    Title,
    TokenBudget,
    VendorName,
)
from localfirst_schema.validation import as_validation_error
from localfirst_schema.wire import Row


class _Columns(Arguments):
    """The columns that a settlement may write, and what each may hold."""

    clearable: ClassVar[frozenset[str]] = frozenset({"deleted_at"})
    """The columns that a null may empty."""

    deleted_at: Moment | None = None


class _WorkItem(_Columns):
    clearable: ClassVar[frozenset[str]] = frozenset({"deleted_at", "parent_id", "branch_name", "commit_hash", "pr_number"})

    item_type: ItemType | None = None
    title: Title | None = None
    status: Status | None = None
    parent_id: Id | None = None
    branch_name: BranchName | None = None
    commit_hash: CommitHash | None = None
    pr_number: PrNumber | None = None
    metadata: Json | None = None


class _Dependency(_Columns):
    work_item_id: Id | None = None
    depends_on_id: Id | None = None
    dependency_type: DependencyType | None = None


class _Comment(_Columns):
    work_item_id: Id | None = None
    body: Body | None = None


class _Vendor(_Columns):
    name: VendorName | None = None
    operational: bool | None = None
    metadata: Json | None = None


class _Deployment(_Columns):
    deployed_at: Moment | None = None
    metadata: Json | None = None


class _DeploymentLink(_Columns):
    deployment_id: Id | None = None
    vendor_id: Id | None = None
    work_item_id: Id | None = None


class _Enhancement(_Columns):
    clearable: ClassVar[frozenset[str]] = frozenset(
        {"deleted_at", "description", "target_quarter", "requires_constitutional_principles"}
    )

    title: Title | None = None
    description: Description | None = None
    priority: Priority | None = None
    status: EnhancementStatus | None = None
    target_quarter: Quarter | None = None
    requires_constitutional_principles: list[Text] | None = None


class _Configuration(_Columns):
    clearable: ClassVar[frozenset[str]] = frozenset({"current_session_id", "git_branch", "git_head_commit"})

    active_context_type: ContextType | None = None
    current_session_id: Id | None = None
    git_branch: GitBranch | None = None
    git_head_commit: CommitHash | None = None
    default_token_budget: TokenBudget | None = None


_RULES: dict[str, type[_Columns]] = {
    WORK_ITEM.name: _WorkItem,
    WORK_ITEM_DEPENDENCY.name: _Dependency,
    WORK_ITEM_COMMENT.name: _Comment,
    VENDOR.name: _Vendor,
    DEPLOYMENT.name: _Deployment,
    VENDOR_DEPLOYMENT_LINK.name: _DeploymentLink,
    WORK_ITEM_DEPLOYMENT_LINK.name: _DeploymentLink,
    ENHANCEMENT.name: _Enhancement,
    CONFIGURATION.name: _Configuration,
}


def checked_given(entity: Entity, row: Row | None, conflict: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The given values as they are to be written.

    Raises ValidationError for a field that does not clash or cannot be changed, for a value that the tools would not take, and
    for a clashing field of a row that is left out: nobody would have decided it.
    """
    clashing = sorted({name.partition(".")[0] for name in (*conflict["fields"], *conflict["mine"])} - {"id"})
    rules = _RULES[entity.name]
    fixed = entity.immutable if row is not None else frozenset(entity.natural_key)
    for name, value in given.items():
        if name not in clashing:
            raise ValidationError(
                f"fields.{name}",
                "must be a field that clashes",
                f"fields.{name} does not clash here; give {', '.join(clashing)}.",
            )
        if name not in rules.model_fields or name in fixed:
            raise ValidationError(f"fields.{name}", f"is not a field of a {entity.name} that can be changed")
        if value is None and name not in rules.clearable:
            raise ValidationError(f"fields.{name}", "must not be null")
    checked = _checked(rules, given, "fields")
    if row is not None:
        changeable = rules.model_fields.keys() - fixed
        _require_all(conflict, given, changeable)
    return checked


def checked_mine(entity: Entity, mine: dict[str, Any]) -> dict[str, Any]:
    """My values as they are to be written; raises ValidationError for one that the server has refused, or would."""
    known = {name: value for name, value in mine.items() if name in _RULES[entity.name].model_fields and name != "metadata"}
    return mine | _checked(_RULES[entity.name], known, "mine")


def _checked(rules: type[_Columns], values: dict[str, Any], prefix: str) -> dict[str, Any]:
    try:
        return rules.model_validate(values).given(*values)
    except pydantic.ValidationError as error:
        advice = "correct this and try again" if prefix == "fields" else "settle this with theirs, or merge with another value"
        raise as_validation_error(error, values, prefix=prefix, advice=advice) from None


def _require_all(conflict: dict[str, Any], given: dict[str, Any], changeable: set[str]) -> None:
    base, mine = ({name: side[name] for name in side if name in changeable} for side in (conflict["base"], conflict["mine"]))
    missing = sorted(".".join(path) for path in _left_out(base, mine, given))
    if missing:
        named = ", ".join(missing)
        raise ValidationError(
            "fields",
            f"must hold every field that clashes, and lacks {named}",
            f"fields lacks {named}, which clash too: give each its value (that of `theirs` leaves it as it stands).",
            missing=missing,
        )


def _left_out(base: dict[str, Any], mine: dict[str, Any], given: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places that clash of which `given`, a merge patch, says nothing."""
    if not isinstance(given, dict):
        return  # what holds these places is replaced as a whole
    for key in {**base, **mine}:
        one, other = base.get(key), mine.get(key)
        if isinstance(one, dict) and isinstance(other, dict) and (one or other):
            yield from _left_out(one, other, given.get(key, {}), (*path, key))
        elif key not in given:
            yield (*path, key)
