"""From a document to the rows that hold it. Nothing is read or written here.

Every row has an id that follows from the project and from what the file says, so that a second migration, also one on
another laptop, means the same rows: vendors are known by their name, sessions by their `session_id` and date (else date
and text), deployments by day, PR and commit, enhancements and work items by their title; the second of the same is
counted. A work item or session of which the file gives the id keeps it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from localfirst_schema.entities import DEPLOYMENT, ENHANCEMENT, VENDOR, WORK_ITEM, Entity
from localfirst_schema.errors import ValidationError
from localfirst_schema.identifiers import canonical_uuid, is_uuid, natural_id

from localfirst.markdown.document import Deployment, Enhancement, Entry, Kept, Session, StatusDocument, Vendor, WorkItem
from localfirst.markdown.stored.as_written import SUFFIX, Mapped, Stored, cut
from localfirst.markdown.stored.deployment import deployment_columns
from localfirst.markdown.stored.enhancement import enhancement_columns
from localfirst.markdown.stored.session import session_columns
from localfirst.markdown.stored.vendor import vendor_columns
from localfirst.markdown.stored.work_item import work_item_columns
from localfirst.status_rows.notes import note_text, share_notes, telling_headings
from localfirst.status_rows.planned import Plan, PlannedRow
from localfirst.status_rows.sources import Sources

MIGRATION = "migration"

WORDS_LIMIT = 120
"""How much of a value a warning repeats."""

_AFTERWARDS = {"front_matter": "; it is kept word for word", "duplicate": "; the other is kept word for word"}


class Surroundings(NamedTuple):
    """What a plan has to know of the store: its project, its living vendors by id, its items by id and by title."""

    project_id: str
    vendors: frozenset[str] = frozenset()
    items: Mapping[str, str] = {}


def plan(document: StatusDocument, surroundings: Surroundings, sources: Sources | None = None) -> Plan:
    """The rows that hold a document; `sources` say where its lines stand, if that is not one file."""
    planning = _Planning(document, surroundings, (sources or Sources([])).where)
    for vendor in document.vendors:
        planning.vendor(vendor)
    planning.items()
    for deployment in document.deployments:
        planning.deployment(deployment)
    for enhancement in document.enhancements:
        planning.enhancement(enhancement)
    problems = [
        f"{planning.where(problem.line)}: {problem.message}{_AFTERWARDS.get(problem.code, '')}."
        for problem in document.problems
    ]
    return Plan(
        rows=tuple(planning.rows),
        kept=planning.kept,
        warnings=(*problems, *planning.warnings),
        refused=tuple(planning.refused),
    )


class _Planning:
    """The rows so far."""

    def __init__(self, document: StatusDocument, surroundings: Surroundings, where: Callable[[int], str]) -> None:
        self.document = document
        self.where = where
        self.around = surroundings
        self.notes, kept = share_notes(document)
        self.kept = (*telling_headings(document), *kept)
        self.rows: list[PlannedRow] = []
        self.warnings: list[str] = []
        self.refused: list[str] = []
        self._vendors = set(surroundings.vendors)
        self._items = dict(surroundings.items)
        self._seen: Counter[str] = Counter()
        self._taken: set[str] = set()

    def vendor(self, vendor: Vendor) -> None:
        """One vendor."""
        row_id = self._vendor_id(vendor.name)
        if self._add(VENDOR, row_id, vendor, lambda notes: vendor_columns(vendor, notes)):
            self._vendors.add(row_id)

    def items(self) -> None:
        """Sessions and work items, parents before what hangs below them."""
        entries: list[Session | WorkItem] = [*self.document.sessions, *self.document.work_items]
        ids = [self._item_id(entry) for entry in entries]
        waiting = dict(zip(ids, entries, strict=True))
        for row_id, entry in waiting.items():
            self._items.setdefault(row_id, row_id)
            if isinstance(entry, WorkItem):
                self._items.setdefault(entry.title, row_id)
        parents = self._parents(waiting)
        while waiting:
            ready = {row_id: entry for row_id, entry in waiting.items() if parents[row_id] not in waiting}
            for row_id, entry in (ready or waiting).items():
                self._item(row_id, entry, parents[row_id])
            waiting = {row_id: entry for row_id, entry in waiting.items() if row_id not in ready} if ready else {}

    def _parents(self, entries: Mapping[str, Session | WorkItem]) -> dict[str, str | None]:
        """The parents' ids: given, or found by the title, first among the items above, then in the file, then in the store."""
        parents: dict[str, str | None] = {}
        above: dict[str, str] = {}
        for row_id, entry in entries.items():
            parents[row_id] = _parent(entry)
            if isinstance(entry, WorkItem):
                if entry.parent_id is None and entry.parent_title is not None:
                    found = above.get(entry.parent_title) or self._items.get(entry.parent_title)
                    parents[row_id] = None if found == row_id else found
                    if parents[row_id] is None:
                        words = f"there is no work item {cut(repr(entry.parent_title), WORDS_LIMIT)} to be below"
                        self.warnings.append(f"{self.where(entry.line)}: {words}; the title is kept in the metadata.")
                above[entry.title] = row_id
        return parents

    def _item(self, row_id: str, entry: Session | WorkItem, parent_id: str | None) -> None:
        if isinstance(entry, Session):
            self._add(WORK_ITEM, row_id, entry, lambda notes: _under(session_columns(entry, notes), parent_id))
        else:
            is_lost = parent_id is None and entry.parent_title is not None
            notes_key = {f"parent_title{SUFFIX}": entry.parent_title} if is_lost else {}
            item = replace(entry, metadata={**entry.metadata, **notes_key}) if notes_key else entry
            self._add(WORK_ITEM, row_id, entry, lambda notes: _under(work_item_columns(item, notes), parent_id))

    def deployment(self, deployment: Deployment) -> None:
        """One deployment and its links."""
        day = str(deployment.deployed_on or deployment.date_text)
        row_id = self._natural(DEPLOYMENT.name, day, str(deployment.pr_number), (deployment.commit_hash or "").lower())
        links: list[tuple[Entity, str]] = []
        unknown_vendors, unknown_refs = [], []
        for name in dict.fromkeys(deployment.vendor_names):
            vendor_id = self._vendor_id(name)
            if vendor_id in self._vendors:
                links.append((VENDOR, vendor_id))
            else:
                unknown_vendors.append(name)
                self.warnings.append(
                    f"{self.where(deployment.line)}: there is no vendor {name!r}; the name is kept in the metadata."
                )
        for ref in dict.fromkeys(deployment.work_item_refs):
            item_id = self._items.get(canonical_uuid(ref) if is_uuid(ref) else ref)
            if item_id is not None:
                links.append((WORK_ITEM, item_id))
            else:
                unknown_refs.append(ref)
        self._add(
            DEPLOYMENT,
            row_id,
            deployment,
            lambda notes: deployment_columns(deployment, notes, unknown_vendors, unknown_refs),
            links=tuple(dict.fromkeys(links)),
        )

    def enhancement(self, enhancement: Enhancement) -> None:
        """One enhancement."""
        row_id = self._natural(ENHANCEMENT.name, enhancement.title)
        self._add(ENHANCEMENT, row_id, enhancement, lambda notes: enhancement_columns(enhancement))

    def _item_id(self, entry: Session | WorkItem) -> str:
        given = entry.record.get("id") if isinstance(entry, Session) else entry.id
        if isinstance(given, str) and is_uuid(given) and (row_id := canonical_uuid(given)) not in self._taken:
            self._taken.add(row_id)
            return row_id
        if isinstance(entry, WorkItem):
            return self._natural(WORK_ITEM.name, entry.item_type, given or "", entry.title)
        day = str(entry.date or entry.date_text)
        if entry.session_id:
            return self._natural("session", day, "id", entry.session_id)
        text = f"{entry.malformed_text}\x1e{entry.front_matter_text}\x1e{entry.prompt}"
        return self._natural("session", day, "text", hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())

    def _vendor_id(self, name: str) -> str:
        return natural_id(self.around.project_id, VENDOR.name, _without_surrogates(name))

    def _natural(self, kind: str, *key: str) -> str:
        """An id from a key, another one each time that the key comes again."""
        safe = [_without_surrogates(part) for part in key]
        row_id = natural_id(self.around.project_id, MIGRATION, kind, *safe)
        self._seen[row_id] += 1
        if self._seen[row_id] > 1:
            row_id = natural_id(self.around.project_id, MIGRATION, kind, *safe, str(self._seen[row_id]))
        return row_id

    def _add(self, entity: Entity, row_id: str, entry: Entry, columns: Any, links: tuple[tuple[Entity, str], ...] = ()) -> bool:
        own = self.notes.get(id(entry), [])
        try:
            stored: Stored = columns([note_text(kept) for kept in own])
        except ValidationError as error:
            self.refused.append(f"{self.where(entry.line)}: {error.message}")
            return False
        spans = (*entry.lines, *(span_of(kept) for kept in own))
        self.rows.append(
            PlannedRow(
                entity=entity, id=row_id, values={"id": row_id, **stored.columns}, entry=entry,
                mapped=stored.mapped, lines=spans, links=links,
            )
        )  # fmt: skip
        self.warnings += [_mapped_words(self.where(entry.line), mapped) for mapped in stored.mapped]
        return True


def span_of(kept: Kept) -> tuple[int, int]:
    """The lines of a kept text."""
    return kept.line, kept.line + kept.text.count("\n")


def _without_surrogates(text: str) -> str:
    """The text as an id can be made of it; one that holds surrogates is refused later, with its line."""
    return text.encode("utf-8", "replace").decode()


def _parent(entry: Session | WorkItem) -> str | None:
    given = entry.record.get("parent_id") if isinstance(entry, Session) else entry.parent_id
    return canonical_uuid(given) if isinstance(given, str) and is_uuid(given) else None


def _under(stored: Stored, parent_id: str | None) -> Stored:
    return Stored({**stored.columns, "parent_id": parent_id}, stored.mapped)


def _mapped_words(where: str, mapped: Mapped) -> str:
    stored = "" if mapped.stored is None else f"; stored as {mapped.stored!r}"
    if mapped.as_written is None:
        return f"{where}: no {mapped.field} is given{stored}."
    words = cut(repr(mapped.as_written), WORDS_LIMIT)
    return f"{where}: {mapped.field} {words} breaks the store's rule{stored}; it is kept as written."
