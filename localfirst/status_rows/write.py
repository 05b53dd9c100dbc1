"""Writes a plan within one act. What stands in the store already is never overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from localfirst_schema.entities import (
    DEPLOYMENT,
    VENDOR,
    VENDOR_DEPLOYMENT_LINK,
    WORK_ITEM,
    WORK_ITEM_DEPLOYMENT_LINK,
)
from localfirst_schema.errors import LocalfirstError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.json_merge import same
from localfirst_schema.wire import Row, decode_json

from localfirst.markdown.document import Kept, Span
from localfirst.markdown.stored.as_written import SUFFIX
from localfirst.replica.act import Act
from localfirst.replica.rows import find
from localfirst.replica.structure import place_under
from localfirst.status_rows.planned import Plan, PlannedRow
from localfirst.status_rows.record import SourceFile, earlier_records, record_row

_DIFFERS = "the store has this row with other content, which stands"


@dataclass(slots=True)
class Written:
    """What became of a plan.

    Attributes:
        rows: rows that are in the store as planned: created now, or equal already.
        created: those of them that were created now, the record included.
        left: rows that the store has with other content.
        earlier: texts that an earlier migration has kept.
        known: whether this very file was brought in before.
        record_id: the record that was written, if one was.
    """

    rows: list[PlannedRow] = field(default_factory=list)
    created: list[PlannedRow] = field(default_factory=list)
    left: list[PlannedRow] = field(default_factory=list)
    earlier: frozenset[str] = frozenset()
    known: bool = False
    record_id: str | None = None
    warnings: list[str] = field(default_factory=list)


def write_plan(act: Act, plan: Plan, source: SourceFile, lines: Sequence[str], project_id: str) -> Written:
    """Creates the rows that are missing, and the record where there is something to record.

    Args:
        lines: the lines of the file, for the entries that a row in the store stands against.
    """
    earlier = earlier_records(act.connection)
    written = Written(earlier=earlier.texts, known=source.sha256 in earlier.files)
    for row in plan.rows:
        _write_row(act, row, written, project_id, source)
    kept: list[tuple[Kept, str | None]] = [(kept, None) for kept in plan.kept]
    if not written.known:
        kept += [(block, _DIFFERS) for row in written.left for block in _source_text(row, lines)]
    new = [(block, reason) for block, reason in kept if block.text not in earlier.texts]
    if not written.known and (new or written.created):
        record = record_row(project_id, source, new, written.created)
        _create(act, record, {}, written)
        written.record_id = record.id
    return written


def _write_row(act: Act, row: PlannedRow, written: Written, project_id: str, source: SourceFile) -> None:
    found = find(act.connection, row.entity, row.id)
    if found is not None:
        if found["deleted_at"] is None and says(found, row):
            written.rows.append(row)
        else:
            written.left.append(row)
            how = "deleted it" if found["deleted_at"] is not None else "has it with other content"
            written.warnings.append(
                f"{source.where(row.line)}: the store {how} ({row.entity.name} {row.id}); it was left as it is."
            )
        return
    derived: dict[str, Any] = {}
    if row.entity is WORK_ITEM:
        row, derived = _placed(act, row, written, source)
    if row.entity is VENDOR:
        derived = {"status": "operational" if row.values["operational"] else "broken"}
    if row.entity is DEPLOYMENT and "deployed_at" not in row.values:
        row = replace(row, values={**row.values, "deployed_at": act.at})
    _create(act, row, derived, written)
    for entity, end in row.links:
        link, column = (
            (VENDOR_DEPLOYMENT_LINK, "vendor_id") if entity is VENDOR else (WORK_ITEM_DEPLOYMENT_LINK, "work_item_id")
        )
        link_id = natural_id(project_id, link.name, row.id, end)
        act.change(link, None, {"id": link_id, "deployment_id": row.id, column: end})


def _create(act: Act, row: PlannedRow, derived: dict[str, Any], written: Written) -> None:
    if row.entity is WORK_ITEM and not derived:
        derived = place_under(act.connection, row.id, None)
    act.change(row.entity, None, row.values, **derived)
    written.rows.append(row)
    written.created.append(row)


def _placed(act: Act, row: PlannedRow, written: Written, source: SourceFile) -> tuple[PlannedRow, dict[str, Any]]:
    """The item with its place; one whose parent cannot take it becomes a root and says so."""
    parent_id = row.values["parent_id"]
    if parent_id is None:
        return row, place_under(act.connection, row.id, None)
    parent = find(act.connection, WORK_ITEM, parent_id)
    try:
        if parent is not None:
            return row, place_under(act.connection, row.id, parent)
        reason = "there is no such item"
    except LocalfirstError as error:
        reason = error.message.rstrip(".")
    written.warnings.append(
        f"{source.where(row.line)}: the parent {parent_id} cannot be set: {reason}; it is kept in the metadata."
    )
    metadata = {**row.values["metadata"], f"parent_id{SUFFIX}": parent_id}
    row = replace(row, values={**row.values, "parent_id": None, "metadata": metadata})
    return row, place_under(act.connection, row.id, None)


def _source_text(row: PlannedRow, lines: Sequence[str]) -> list[Kept]:
    """The lines of a row, for the record."""
    return [Kept(text=text_of(span, lines), place="outside", line=span[0]) for span in dict.fromkeys(row.lines)]


def text_of(span: Span, lines: Sequence[str]) -> str:
    """The text of some lines."""
    return "\n".join(lines[span[0] - 1 : span[1]])


def says(found: Row, row: PlannedRow) -> bool:
    """Whether a row of the store has what is planned."""
    for name, value in row.values.items():
        present = found[name]
        if name in row.entity.json_columns and present is not None:
            present = decode_json(present)
        elif name in row.entity.boolean_columns:
            present = bool(present)
        if name == "parent_id" and present is None and isinstance(value, str):
            return _parent_was_refused(found, row)
        if not same(present, value):
            return False
    return True


def _parent_was_refused(found: Row, row: PlannedRow) -> bool:
    """Whether an earlier migration has put the parent into the metadata and left the rest as planned."""
    metadata = decode_json(found["metadata"])
    parent_id = metadata.pop(f"parent_id{SUFFIX}", None)
    rest = {name: value for name, value in row.values.items() if name not in ("parent_id", "metadata")}
    plain = all(same(found[name], value) for name, value in rest.items())
    return plain and same(parent_id, row.values["parent_id"]) and same(metadata, row.values["metadata"])
