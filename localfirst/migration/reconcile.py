"""The five checks: what was written is read back from the store and compared with the file, entry by entry.

An entry has arrived when its row has every planned value and, read as a status file would show it, says what the file
says. Rows that the store had before, with other content, count by their existence: people's changes stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apsw
from localfirst_schema.entities import DEPLOYMENT, VENDOR, VENDOR_DEPLOYMENT_LINK, WORK_ITEM_DEPLOYMENT_LINK
from localfirst_schema.identifiers import natural_id
from localfirst_schema.wire import Row

from localfirst.markdown.document import Deployment, Enhancement, Entry, Session, Span, StatusDocument, Vendor
from localfirst.markdown.store import deployments_of
from localfirst.migration.agreement import (
    VENDOR_FIELDS,
    deployment_agrees,
    enhancement_agrees,
    session_agrees,
    vendor_agreement,
)
from localfirst.replica.rows import find
from localfirst.status_rows.plan import span_of
from localfirst.status_rows.planned import Plan, PlannedRow
from localfirst.status_rows.write import Written, says, text_of


class Reconciliation(NamedTuple):
    """The outcome: the contract's `reconciliation`, the share of lines that arrived, and the checks that failed, in words."""

    checks: dict[str, Any]
    preserved_percentage: float
    failures: tuple[str, ...]


def reconcile(
    connection: apsw.Connection, project_id: str, document: StatusDocument, plan: Plan, written: Written, lines: Sequence[str]
) -> Reconciliation:
    """Compares the store with the file. To be called within the transaction that wrote."""
    reading = _Reading(connection, project_id, written)
    checks: dict[str, Any] = {
        "vendor_count": _count(document.vendors, reading.existing),
        "deployment_history": _count(document.deployments, reading.arrived),
        "enhancements": _count(document.enhancements, reading.arrived),
        "session_prompts": _count(document.sessions, reading.arrived),
    }
    complete = reading.vendor_completeness(document.vendors)
    checks["vendor_metadata"] = {
        "fields_validated": list(VENDOR_FIELDS),
        "completeness_percentage": complete,
        "match": complete == 100.0,
    }
    failures = [_failure(name, check) for name, check in checks.items() if not check["match"]]
    filled = {number for number, line in enumerate(lines, 1) if line.strip()}
    held = filled & reading.held_lines(document, plan, lines)
    preserved = _percentage(len(held), len(filled))
    if preserved < 100.0:
        failures.append(f"data_preservation: {preserved:g} % of the lines that are not blank are in the store.")
    return Reconciliation(checks, preserved, tuple(failures))


def _count(entries: Sequence[Entry], arrived: set[int]) -> dict[str, Any]:
    migrated = sum(1 for entry in entries if id(entry) in arrived)
    return {"source": len(entries), "migrated": migrated, "match": migrated == len(entries)}


def _failure(name: str, check: dict[str, Any]) -> str:
    if "source" in check:
        return f"{name}: the file has {check['source']}, {check['migrated']} of them are in the store as the file says them."
    return f"{name}: {check['completeness_percentage']:g} % of the vendors' fields are in the store as the file says them."


def _percentage(part: int, whole: int) -> float:
    """Rounded to two places, but 100 only where nothing is missing."""
    return 100.0 if part == whole else min(round(100 * part / whole, 2), 99.99)


class _Reading:
    """The rows as the store has them now.

    Attributes:
        existing: the entries (by `id()`) of which there is a row at all.
        arrived: those whose row says what they say, or was left as people have changed it.
    """

    def __init__(self, connection: apsw.Connection, project_id: str, written: Written) -> None:
        self._connection = connection
        self._project_id = project_id
        self._written = written
        self._found = {row.id: find(connection, row.entity, row.id) for row in (*written.rows, *written.left)}
        deployments = [found for row in written.rows if row.entity is DEPLOYMENT and (found := self._found[row.id])]
        self._deployments = dict(zip((row["id"] for row in deployments), deployments_of(connection, deployments), strict=True))
        self._holding = {id(row) for row in written.rows if self._holds(row)}
        there = [row for row in (*written.rows, *written.left) if self._found[row.id] is not None]
        self.existing = {id(row.entry) for row in there}
        left = {id(row.entry) for row in written.left}
        self.arrived = {id(row.entry) for row in there if id(row) in self._holding or id(row.entry) in left}

    def _holds(self, row: PlannedRow) -> bool:
        """Whether the store has what the row's entry says."""
        found = self._found[row.id]
        return found is not None and found["deleted_at"] is None and says(found, row) and self._agrees(row, found)

    def _agrees(self, row: PlannedRow, found: Row) -> bool:
        match row.entry:
            case Vendor():
                return all(vendor_agreement(row.entry, found))
            case Deployment():
                stored = self._deployments[row.id]
                return deployment_agrees(row.entry, stored, found["deployed_at"]) and self._has_links(row)
            case Enhancement():
                return enhancement_agrees(row.entry, found)
            case Session():
                return session_agrees(row.entry, found)
            case _:
                return True

    def _has_links(self, row: PlannedRow) -> bool:
        """Whether every link of a deployment is there, where this migration was to write them."""
        if row not in self._written.created:
            return True
        for entity, end in row.links:
            link = VENDOR_DEPLOYMENT_LINK if entity is VENDOR else WORK_ITEM_DEPLOYMENT_LINK
            found = find(self._connection, link, natural_id(self._project_id, link.name, row.id, end))
            if found is None or found["deleted_at"] is not None:
                return False
        return True

    def vendor_completeness(self, vendors: Sequence[Vendor]) -> float:
        """How many of the vendors' four fields the store has as the file says them, in percent."""
        whole = len(vendors) * len(VENDOR_FIELDS)
        right = sum(len(VENDOR_FIELDS) for row in self._written.left if row.entity is VENDOR)
        for row in self._written.rows:
            if isinstance(row.entry, Vendor) and (found := self._found[row.id]) is not None:
                right += sum(vendor_agreement(row.entry, found))
        return _percentage(right, whole)

    def held_lines(self, document: StatusDocument, plan: Plan, lines: Sequence[str]) -> set[int]:
        """The lines that are a heading of the format or that the store holds, and no row has lost.

        Lines of a row that was left as it is are held by a record, this migration's or an earlier one's.
        """
        reported = {kept.line for kept in plan.kept}
        held: set[int] = set()
        _add(held, [(one.line, one.line + one.height - 1) for one in document.headings if one.line not in reported])
        lost: set[int] = set()
        for row in self._written.rows:
            _add(held if id(row) in self._holding else lost, row.lines)
        for row in self._written.left:
            _add(held, [span for span in row.lines if self._written.known or text_of(span, lines) in self._written.earlier])
        _add(held, [span_of(kept) for kept in plan.kept if self._written.known or kept.text in self._written.earlier])
        return held - lost


def _add(numbers: set[int], spans: Iterable[Span]) -> None:
    for first, last in spans:
        numbers.update(range(first, last + 1))
