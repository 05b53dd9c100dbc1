"""What becomes of a batch of mutations: each is decided in order, on rows that follow the batch; an act stands or falls whole.

Pure: the rows and the structure are loaded by the caller, who also writes what comes out. The rules for one row are in
`decision`, those for the whole in `structure`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import msgspec
from localfirst_schema import timestamps
from localfirst_schema.change_fields import fields_of
from localfirst_schema.entities import ENTITIES, ENTITY, Entity
from localfirst_schema.identifiers import natural_id
from localfirst_schema.limits import FIELDS_BYTES_MAX, NAME_CHARS_MAX, VERSION_GIVEN_MAX, VERSION_MAX
from localfirst_schema.wire import Fields, Mutation, Row, decode_fields, encode_json

from localfirst_sync import sieve
from localfirst_sync.conflict import CONFLICT, Draft, Record, settles, trees
from localfirst_sync.decision import Outcome, decide, raised, refused
from localfirst_sync.divergence import changes
from localfirst_sync.structure import Key, Structure

PAYLOAD_CHARS_MAX = FIELDS_BYTES_MAX // 8
"""So much of what cannot be read is kept: what the tools write is below it by far."""

SET_ASIDE = "set_aside"
"""The reason of a conflict about a row that no client can take."""

_is_id = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


class Change(NamedTuple):
    """A mutation with what it says, read once.

    Attributes:
        entity: None for changes of conflicts, and for entities that this server's engine does not know.
        invalid: why it can be no change of a row, or None; such a one becomes a conflict with its payload.
    """

    mutation: Mutation
    entity: Entity | None
    fields: Fields
    invalid_reason: str | None

    @property
    def key(self) -> Key:
        """The row that it is about."""
        return self.mutation.entity, self.mutation.id


Act: TypeAlias = Sequence[Change]

_SENDABLE = {entity.name: frozenset(entity.sent_columns) for entity in ENTITIES}


_NO_VERSIONS: Mapping[Any, int] = MappingProxyType({})


class Settled(NamedTuple):
    """What became of one change; `version` is the row's version after it, `draft` what a conflict keeps.

    Attributes:
        part: of a change that clashes in some places, what went into the row in the others.
    """

    change: Change
    outcome: Outcome
    version: int
    draft: Draft | None
    part: Fields = MappingProxyType({})  # type: ignore[assignment]  # nobody writes to it


class Savepoint(NamedTuple):
    """Rows (None: not there) and conflicts as they stood at some moment."""

    rows: dict[Key, Row | None]
    conflicts: dict[str, Record]


def read(mutations: Iterable[Mutation]) -> list[Change]:
    """Decodes mutations. One that makes no sense is marked `invalid_reason`, not refused: it must not block the queue."""
    return [_read(mutation) for mutation in mutations]


def acts(changes: Iterable[Change]) -> list[Act]:
    """The changes in groups that were one act each."""
    return [tuple(group) for _, group in groupby(changes, key=lambda change: change.mutation.txn)]


class Batch:
    """Decides acts one after the other, and holds the rows as they stand after those decided so far.

    Args:
        rows: the server's rows that the changes name, as far as they exist.
        conflicts: the server's conflicts that the changes name, as far as they exist.
        structure: what may stand against the changes, or None when none of them can touch the structure.
        displayed: mutation number → the version at which its replica shows the row by now.
        logged: of rows that are not there, the highest version that the history tells.
        version_floors: mutation number → a version that the row has to come to stand past in any case (`Push.version_floors`).
        aside: rows in a state that no client can take; nothing is decided on them, and they stay as they are.
    """

    def __init__(
        self,
        rows: Mapping[Key, Row],
        conflicts: Mapping[str, Record],
        structure: Structure | None,
        displayed: Mapping[int, int] = _NO_VERSIONS,
        logged: Mapping[Key, int] = _NO_VERSIONS,
        version_floors: Mapping[int, int] = _NO_VERSIONS,
        aside: Set[Key] = frozenset(),
    ) -> None:
        self._aside = aside
        self._displayed = displayed
        self._version_floors = version_floors
        self._logged: dict[Key, int] = dict(logged)
        self.rows: dict[Key, Row] = dict(rows)
        self.conflicts: dict[str, Record] = dict(conflicts)
        self._structure = structure
        if structure is not None:
            for (name, row_id), row in rows.items():
                structure.note(ENTITY[name], row_id, row)

    def decide(self, act: Act, forced_reason: str | None = None) -> list[Settled]:
        """Decides one act. `forced_reason` says why it must become a conflict although nothing else stands against it."""
        if forced_reason is not None:
            return [self._conflicted(_made_storable(change), forced_reason) for change in act]
        if len(act) == 1:
            return [self._alone(act[0])]
        return self._together(act)

    def ancestry(self, work_item_id: str) -> list[str]:
        """The ids from the root down to a work item."""
        return [work_item_id] if self._structure is None else self._structure.ancestry(work_item_id)

    def savepoint(self, act: Act) -> Savepoint:
        """How the rows and conflicts that an act names stand now."""
        return Savepoint(
            {change.key: self.rows.get(change.key) for change in act},
            {c.mutation.id: self.conflicts[c.mutation.id] for c in act if c.mutation.id in self.conflicts},
        )

    def restore(self, savepoint: Savepoint) -> None:
        """Lets rows and conflicts stand as they did."""
        for key, row in savepoint.rows.items():
            self._set(key, row)
        self.conflicts |= savepoint.conflicts

    def _alone(self, change: Change) -> Settled:
        mutation, entity, fields, invalid_reason = change
        if invalid_reason is not None:
            return self._conflicted(change, invalid_reason)
        if entity is None:
            return self._settle_conflict(change)
        key = change.key
        if key in self._aside:
            return self._conflicted(change, SET_ASIDE)
        current = self.rows.get(key)
        displayed, version_floor = self._displayed.get(mutation.number, 0), self._version_floors.get(mutation.number, 0)
        decision = decide(entity, mutation, fields, current, displayed, self._logged.get(key, 0), version_floor)
        row = decision.row
        if self._structure is not None and row is not None and row is not current:
            objection = self._structure.objection(entity, current, row)
            if objection is not None:
                return self._conflicted(change, objection)
            self._structure.note(entity, mutation.id, row)
        if row is not None:
            self.rows[key] = row
        version = self._tells(change) if row is None else row["version"]
        if decision.outcome != "conflict":
            return Settled(change, decision.outcome, version, None)
        draft = Draft(mutation, entity, *trees(decision.clashes), current, decision.reason or "fields")
        part = {} if row is None or current is None else changes(entity, current, row)
        return Settled(change, "conflict", version, draft, part)

    def _together(self, act: Act) -> list[Settled]:
        before = self.savepoint(act)
        done = []
        for change in act:
            settled = self._alone(change)
            done.append(settled)
            if settled.outcome in ("conflict", "lost") and (change.fields or change.invalid_reason) and not _is_lease(change):
                self.restore(before)
                reason = settled.draft.reason if settled.draft else "claimed"
                return [self._conflicted(one, reason if one is change else "act") for one in act]
        return done

    def _conflicted(self, change: Change, reason: str) -> Settled:
        """The change as a conflict, whatever it is: all of it clashes, and the row, if there is one, is only raised.

        What the row says already is nothing to settle: a change of which nothing else is left is lost, without a conflict.
        """
        mutation, entity, fields, invalid_reason = change
        if mutation.entity == CONFLICT:
            return Settled(change, "lost", mutation.version, None)
        current = None if change.key in self._aside else self.rows.get(change.key)
        if _is_lease(change):
            if current is not None:
                self._set(change.key, raised(mutation, current, self._displayed.get(mutation.number, 0)))
            return Settled(change, "lost", self._tells(change) if current is None else self.rows[change.key]["version"], None)
        if invalid_reason is None and entity is not None:
            base, mine = trees(refused(entity, mutation, fields, current, reason).clashes)
        else:
            base, mine = ({name: sides.get(side) for name, sides in fields.items()} for side in ("old", "new"))
        if current is not None:
            self._set(change.key, raised(mutation, current, self._displayed.get(mutation.number, 0)))
        version = self._tells(change) if current is None else self.rows[change.key]["version"]
        if not (base or mine):
            return Settled(change, "lost", version, None)
        return Settled(change, "conflict", version, Draft(mutation, entity, base, mine, current, reason))

    def _tells(self, change: Change) -> int:
        """The version of a change of a row that is not there; the history tells it from now on."""
        version = change.mutation.version
        self._logged[change.key] = max(version, self._logged.get(change.key, 0))
        return version

    def _settle_conflict(self, change: Change) -> Settled:
        """A conflict is settled once; who comes later has lost, without a conflict about the conflict."""
        known = self.conflicts.get(change.mutation.id)
        if known is None or known.row["resolved_at"] is not None:
            return Settled(change, "lost", change.mutation.version if known is None else known.version, None)
        settled = {name: sides["new"] for name, sides in change.fields.items()}
        self.conflicts[change.mutation.id] = Record(known.row | settled, known.version + 1)
        return Settled(change, "accepted", known.version + 1, None)

    def _set(self, key: Key, row: Row | None) -> None:
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row
        if self._structure is not None and key[0] in ENTITY:
            self._structure.note(ENTITY[key[0]], key[1], row)


def _is_lease(change: Change) -> bool:
    """Whether it is about who holds something: what is lost of that makes nothing else of its act fail, and is no conflict."""
    return change.entity is not None and change.entity.is_lease


def _read(mutation: Mutation) -> Change:
    entity = ENTITY.get(mutation.entity)
    try:
        fields = decode_fields(mutation.fields) if entity is None else fields_of(entity, mutation.fields)
    except msgspec.DecodeError:
        return _unreadable(mutation, entity, "unreadable")
    if not _is_id(mutation.id):
        return _unreadable(mutation, entity, "invalid_id")
    if not (0 <= mutation.base_version <= VERSION_MAX and 1 <= mutation.version <= VERSION_MAX):
        # A row is raised past the versions of what clashes with it: never past all versions.
        return Change(_with_versions_clipped(mutation), entity, fields, "invalid_version")
    return Change(mutation, entity, fields, _invalid_reason(mutation, entity, fields))


def _with_versions_clipped(mutation: Mutation) -> Mutation:
    base, version = (min(max(n, low), VERSION_GIVEN_MAX) for n, low in ((mutation.base_version, 0), (mutation.version, 1)))
    return msgspec.structs.replace(mutation, base_version=base, version=version)


def _invalid_reason(mutation: Mutation, entity: Entity | None, fields: Fields) -> str | None:
    for sides in fields.values():
        if "old" not in sides or "new" not in sides:
            return "unreadable"
    if entity is None:
        return None if settles(mutation, fields) else "unknown_entity"
    if not fields.keys() <= _SENDABLE[entity.name]:
        return "unknown_field"
    return None if not entity.references or _references_are_ids(entity, fields) else "invalid_reference"


def _references_are_ids(entity: Entity, fields: Fields) -> bool:
    named = (fields[column]["new"] for column in entity.references if column in fields)
    return all(value is None or (isinstance(value, str) and _is_id(value)) for value in named)


def _unreadable(mutation: Mutation, entity: Entity | None, reason: str) -> Change:
    """What cannot be stored as it is, is stored as text."""
    if not _is_id(mutation.id):
        mutation = msgspec.structs.replace(mutation, id=natural_id("", mutation.entity, _plain(mutation.id)))
    payload: dict[str, Any] = {"payload": {"old": None, "new": _plain(mutation.fields)[:PAYLOAD_CHARS_MAX]}}
    return Change(msgspec.structs.replace(mutation, fields=encode_json(payload)), entity, payload, reason)


def _made_storable(change: Change) -> Change:
    """A change that the server refused for its values, as something that it cannot refuse."""
    mutation = change.mutation
    try:
        at = timestamps.canonical(mutation.at)
    except ValueError:
        at = timestamps.now()
    by = None if mutation.by is None else _plain(mutation.by)[:NAME_CHARS_MAX]
    mutation = msgspec.structs.replace(mutation, at=at, by=by, entity=_plain(mutation.entity)[:NAME_CHARS_MAX])
    if "\\u" in mutation.fields or _plain(mutation.fields) != mutation.fields or not sieve.fields_fit(mutation.fields):
        return _unreadable(mutation, change.entity, change.invalid_reason or "unreadable")
    return change._replace(mutation=mutation)


def _plain(text: str) -> str:
    """Text without what PostgreSQL cannot hold: U+0000 and lone surrogates become escapes."""
    return text.replace("\x00", "\\u0000").encode(errors="backslashreplace").decode()
