"""A work item's line and its row. Sessions have a form of their own, see `session`."""

from __future__ import annotations

import re
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.metadata import OF_ITEM_TYPE
from localfirst_schema.wire import Row, decode_json

from localfirst.markdown.document import WorkItem
from localfirst.markdown.stored.as_written import SUFFIX, Mapped, Stored, checked, fit, fitting_title, put_notes

TITLE_LIMIT = 200
STATUSES = ("active", "completed", "blocked")
PLAIN_COLUMNS = ("branch_name", "commit_hash", "pr_number", "claimed_by")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def work_item_of(row: Row) -> WorkItem:
    """The line's content of a row."""
    record: dict[str, Any] = {"created_at": row["created_at"]}
    if row["claimed_by"] is not None:
        record["claimed_by"] = row["claimed_by"]
    return WorkItem(
        title=row["title"],
        item_type=row["item_type"],
        status=row["status"],
        id=row["id"],
        parent_id=row["parent_id"],
        version=row["version"],
        branch_name=row["branch_name"],
        commit_hash=row["commit_hash"],
        pr_number=row["pr_number"],
        metadata=decode_json(row["metadata"]),
        record=record,
    )


def work_item_columns(item: WorkItem, notes: list[str]) -> Stored:
    """The columns that a line stands for, `parent_id` as the file has it."""
    metadata = dict(item.metadata)
    mapped: list[Mapped] = []
    columns: dict[str, Any] = {
        "item_type": _one_of(item.item_type, tuple(OF_ITEM_TYPE), "task", "item_type", metadata, mapped),
        "title": _title(item.title, metadata, mapped),
        "status": _one_of(item.status, STATUSES, "active", "status", metadata, mapped),
    }
    record = dict(item.record)
    created_at = record.pop("created_at", None)
    said = {"branch_name": item.branch_name, "commit_hash": item.commit_hash, "pr_number": item.pr_number}
    columns |= plain_columns({**said, "claimed_by": record.pop("claimed_by", None)}, metadata, mapped)
    put_created_at(columns, created_at, record)
    if record:
        metadata["record"] = record
    put_notes(metadata, notes)
    fitted, moved = fit(OF_ITEM_TYPE[columns["item_type"]], metadata)
    return Stored({**columns, "metadata": fitted}, (*mapped, *moved))


def plain_columns(said: dict[str, Any], metadata: dict[str, Any], mapped: list[Mapped]) -> dict[str, Any]:
    """Branch, commit, PR and claim; one that its column cannot hold goes to the metadata."""
    columns: dict[str, Any] = {}
    for name in PLAIN_COLUMNS:
        value = said.get(name)
        if name == "commit_hash" and isinstance(value, str) and len(value) == 40:
            value = value.lower()
        if value is None or _fits(name, value):
            columns[name] = value
        else:
            columns[name] = None
            metadata[f"{name}{SUFFIX}"] = value
            mapped.append(Mapped(name, value, None))
    return columns


def _fits(name: str, value: Any) -> bool:
    match name:
        case "pr_number":
            return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**63
        case "commit_hash":
            return isinstance(value, str) and _COMMIT.fullmatch(value) is not None
        case _:
            return isinstance(value, str) and 1 <= len(checked(name, value)) <= 100


def put_created_at(columns: dict[str, Any], text: Any, record: dict[str, Any]) -> None:
    """Sets `created_at` where `text` is a time; anything else stays in the record."""
    if text is None:
        return
    try:
        columns["created_at"] = timestamps.canonical(text)
    except (ValueError, OverflowError, AttributeError, TypeError):
        record["created_at"] = text


def _title(text: str, metadata: dict[str, Any], mapped: list[Mapped]) -> str:
    title = fitting_title(text, TITLE_LIMIT)
    if title != text:
        metadata[f"title{SUFFIX}"] = text
        mapped.append(Mapped("title", text, title))
    return title


def _one_of(
    word: str, allowed: tuple[str, ...], default: str, field: str, metadata: dict[str, Any], mapped: list[Mapped]
) -> str:
    if word in allowed:
        return word
    metadata[f"{field}{SUFFIX}"] = word
    mapped.append(Mapped(field, word, default))
    return default
