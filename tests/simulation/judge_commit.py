"""What must be true of every transaction that the server commits, looked at from outside the engine's own rules.

For each mutation the row just before and just after it is known (`watched`), the write as the person saw it (`Model`), and the
tables before and after the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from localfirst_schema.entities import ENTITIES, ENTITY, Role
from localfirst_schema.identifiers import natural_id, project_id
from localfirst_schema.json_merge import ABSENT, apply
from localfirst_schema.wire import Mutation, Row
from localfirst_sync.batch import Act, Batch, Settled
from localfirst_sync.conflict import CONFLICT, Draft

from simulation.album import Album
from simulation.content import Path, at, content, equal, parsed, places, spelled_alike
from simulation.direct_sql import broken_structure
from simulation.judge_leases import judge_lease
from simulation.machine import PROJECT
from simulation.model import Model, key_of
from simulation.tables import TITLE_MAX, Entry, Tables
from simulation.violation import hold


class Decided(NamedTuple):
    """One mutation, decided: the row before its act and after it."""

    settled: Settled
    before: Row | None
    after: Row | None
    is_alone: bool


@contextmanager
def watched(seen: dict[int, Decided]) -> Iterator[None]:
    """Notes in `seen`, by number, what the engine decides; what is decided again replaces what was."""
    original: Callable[..., list[Settled]] = Batch.decide

    def decide(self: Batch, act: Act, forced_reason: str | None = None) -> list[Settled]:
        keys = [change.key for change in act]
        before = [self.rows.get(key) for key in keys]
        settled = original(self, act, forced_reason)
        for one, row in zip(settled, before, strict=True):
            key = one.change.key
            seen[one.change.mutation.number] = Decided(one, row, self.rows.get(key), keys.count(key) == 1)
        return settled

    with patch.object(Batch, "decide", decide):
        yield


class CommitJudge:
    """Looks at each commit in turn.

    Attributes:
        contents: (entity, id, version) → what the server's row said at that version.
        album: what was displayed as which version, here or on a machine (`Machine.album`).
        was_set_back: whether the server was ever restored to an older state. From then on it gives numbers and versions anew
            that replicas know with another meaning, until they have noticed.
    """

    def __init__(self, model: Model) -> None:
        self.decided: dict[int, Decided] = {}
        self.contents: dict[tuple[str, str, int], Row | None] = {}
        self.album = Album()
        self._model = model
        self._numbers: set[tuple[str, int]] = set()
        self._settled: set[str] = set()
        self.was_set_back = False

    def set_back(self, tables: Tables) -> None:
        """The server holds these tables from now on, and knows nothing of what came after them."""
        self.was_set_back = self.album.was_set_back = True
        self._numbers = {(e.replica_id or "", e.number) for e in tables.history if e.number is not None}
        settled = [e for e in tables.history if e.entity == CONFLICT and e.number is not None and e.outcome == "accepted"]
        self._settled = {e.entity_id for e in settled}
        for entity in ENTITIES:
            for row_id, row in tables.rows[entity.name].items():
                self.contents[entity.name, row_id, row["version"]] = content(entity, row)

    def __call__(self, before: Tables, after: Tables) -> None:
        """Judges one transaction."""
        new = after.history[len(before.history) :]
        hold(after.head == len(after.history), "the head is not the last number", after.head, len(after.history))
        hold([e.seq for e in new] == list(range(before.head + 1, after.head + 1)), "the log has a gap")
        hold(before.conflicts.keys() <= after.conflicts.keys(), "a conflict is gone")
        self._judge_versions(before, after)
        if any(e.entity == "work_item_dependency" or '"parent_id"' in e.fields or '"deleted_at"' in e.fields for e in new):
            objection = broken_structure(after)
            hold(objection is None, "the structure is broken", objection)
        pushed = [(place, entry) for place, entry in enumerate(new) if entry.number is not None]
        if not pushed:
            return
        keys = {key_of(e.entity, e.entity_id, e.by, e.at, e.fields): e for _, e in pushed}
        for key, entry in keys.items():
            self._judge_number(entry)
            if entry.entity == CONFLICT and entry.outcome == "lost":
                self._model.settled_in_vain.add(key)
        self._judge_acts(keys, self._brought_back(before))
        joined: dict[str, list[Decided]] = {}
        withdrawn: set[int] = set()
        for place, entry in pushed:
            decided = self.decided[entry.number or 0]
            is_logged = _is_logged(new, place)
            if decided.settled.draft is not None and not is_logged:
                later = [e for p, e in pushed if p > place and (e.entity, e.entity_id) == (entry.entity, entry.entity_id)]
                # What was logged before has settled what clashed until then: from there on another conflict would begin.
                logged = max(
                    (p for p, e in pushed if p < place and e.entity_id == entry.entity_id and _is_logged(new, p)), default=-1
                )
                drafts = [
                    self.decided[e.number or 0].settled.draft
                    for p, e in pushed
                    if logged < p <= place and e.entity_id == entry.entity_id
                ]
                may_be = _is_taken_back(decided.settled.draft, later) or _comes_to_nothing(drafts) or _is_settled(entry, before)
                hold(may_be, "a conflict is not in the log", entry)
                withdrawn.add(id(decided))
            elif is_logged:
                joined.setdefault(new[place + 1].entity_id, []).append(decided)
        conflict_of = {id(some[-1]): after.conflicts.get(name) for name, some in joined.items()}
        for _, entry in pushed:
            decided = self.decided[entry.number or 0]
            if entry.entity in ENTITY and decided.is_alone:
                is_earlier = decided.settled.draft is not None and id(decided) not in conflict_of
                if id(decided) in withdrawn and entry.entity_id not in after.rows[entry.entity]:
                    continue
                self._judge_decision(entry, decided, conflict_of.get(id(decided)), is_earlier=is_earlier)
        self._judge_settlements(keys, before, after)
        for name, row in after.conflicts.items():
            if row is not before.conflicts.get(name) and row["resolved_at"] is None:
                hold(_is_about_something(row), "a conflict is about nothing", name, row)
        for name, some in joined.items():
            _judge_conflict(name, some, before.conflicts.get(name), after.conflicts.get(name))

    def _judge_versions(self, before: Tables, after: Tables) -> None:
        for entity in ENTITIES:
            old, new = before.rows[entity.name], after.rows[entity.name]
            hold(old.keys() <= new.keys(), "a row is gone from the server", entity.name)
            for row_id, row in new.items():
                was = old.get(row_id)
                if was is row:
                    continue
                now = content(entity, row)
                if was is not None:
                    hold(row["version"] >= was["version"], "a version fell", entity.name, row_id)
                    if row["version"] == was["version"]:
                        hold(content(entity, was) == now, "a row changed and its version did not", entity.name, row_id)
                self.contents[entity.name, row_id, row["version"]] = now
                self.album.stands(entity, row)

    def _judge_number(self, entry: Entry) -> None:
        name = (entry.replica_id or "", entry.number or 0)
        hold(name not in self._numbers, "a mutation was applied twice", *name)
        self._numbers.add(name)
        if entry.entity == CONFLICT and entry.outcome == "accepted":
            hold(entry.entity_id not in self._settled, "a conflict was settled twice", entry.entity_id)
            self._settled.add(entry.entity_id)

    def _brought_back(self, tables: Tables) -> set[Any]:
        """What a recovery has logged: lines without a number.

        A recovery sends rows and conflicts in transactions of their own, and with them changes that another replica, which was
        not answered that they had arrived, still has waiting. That one then brings only the part of its act that is missing.
        """
        if not self.was_set_back:
            return set()
        return {key_of(e.entity, e.entity_id, e.by, e.at, e.fields) for e in tables.history if e.number is None}

    def _judge_acts(self, keys: dict[Any, Entry], brought: set[Any]) -> None:
        for key, entry in keys.items():
            write = self._model.writes.get(key)
            hold(write is not None, "the server has a change that nobody made", entry)
            assert write is not None
            hold(write.act - brought <= keys.keys(), "an act arrived in parts", entry.entity, entry.entity_id)
            # (What says nothing is in no row, whatever becomes of it: of a row that is not there it is lost.)
            # Nor does what became of a claim say anything of the rest of its act.
            logged = [keys[one] for one in write.act if one in keys and parsed(keys[one].fields)]
            lost = {one.outcome == "lost" for one in logged if not (one.entity in ENTITY and ENTITY[one.entity].is_lease)}
            hold(len(lost) <= 1, "an act is in the rows in part", entry.entity, entry.entity_id)

    def _judge_settlements(self, keys: dict[Any, Entry], before: Tables, after: Tables) -> None:
        """A settlement settles, unless the conflict is settled already, or another one of its act, or what settles it clashes
        itself: an act stands or falls whole."""
        for key, entry in keys.items():
            if entry.entity != CONFLICT or entry.outcome != "lost":
                continue
            known = after.conflicts.get(entry.entity_id)
            if known is None or known["resolved_at"] is not None:
                continue
            act = [keys[one] for one in self._model.writes[key].act if one in keys]
            clashes = any(one.entity != CONFLICT and parsed(one.fields) for one in act)
            known_ones = [after.conflicts.get(one.entity_id) for one in act if one.entity == CONFLICT]
            is_late = any(one is not None and one["resolved_at"] is not None for one in known_ones)
            hold(clashes or is_late, "settling did not settle", entry.entity_id, parsed(entry.fields))

    def _judge_decision(self, entry: Entry, decided: Decided, conflict: Row | None, *, is_earlier: bool) -> None:
        entity = ENTITY[entry.entity]
        one, before, after = decided.settled, content(entity, decided.before), content(entity, decided.after)
        mutation, fields = one.change.mutation, one.change.fields
        row_before, row_after = decided.before, decided.after
        if one.draft is not None and one.draft.reason.startswith("constraint"):
            # An act that brings a title that is too long (a conflict of one, settled as mine) is refused as a whole.
            write = self._model.writes[key_of(entry.entity, entry.entity_id, entry.by, entry.at, entry.fields)]
            titles = [parsed(key[4]).get("title") or {} for key in write.act]
            is_too_long = any(len(title.get("new") or "") > TITLE_MAX for title in titles)
            hold(is_too_long, "the server's constraints refuse what the engine decided", entry.entity_id, one.draft.reason)
        about = (entry.entity, entry.entity_id, f"seq {entry.seq}", one.outcome)
        if row_before is not None:
            assert row_after is not None
            past = max(row_before["version"], mutation.version)
            if one.outcome == "accepted":
                hold(row_after["version"] == row_before["version"] + 1, "an accepted change skips a version", *about)
            else:
                hold(row_after["version"] > past, "the version is not past both sides", *about)
        if one.outcome == "accepted":
            write = self._model.writes[key_of(entry.entity, entry.entity_id, entry.by, entry.at, entry.fields)]
            if mutation.base_version == 0:
                hold(before is None, "a creation replaced what was there", *about)
            elif write.base is not None and not any(change.get("blind") for change in fields.values()):
                unlike = _unlike(write.base, before)
                is_copied = any(copied[:2] == (entry.entity, entry.entity_id) for copied in self._model.copies)
                if self.was_set_back or write.follows_blind or is_copied:
                    # A server that was set back may give a version again, with other content, before the writer's replica
                    # learns of it: then the base values alone decide, and what the change does not touch may differ.
                    # So it may where a change follows a waiting one of somebody who knew of a later version than this
                    # replica: what is displayed is an older row with that change, at the version that it will have.
                    # And of a change that waited in two copies of a file the server decides one alone, not knowing at which
                    # version the other copy has come to show it: that may be the row's by then.
                    unlike = {
                        name: sides for name, sides in unlike.items() if name in fields and name not in entity.json_columns
                    }
                hold(not unlike, "accepted on content that its writer never saw", *about, unlike)
        was_deleted = row_before is not None and row_before["deleted_at"] is not None
        if was_deleted and mutation.base_version > 0 and "deleted_at" not in fields and before != after:
            hold(one.outcome in ("conflict", "lost"), "an update went into a row that was deleted", *about)
        if entity.is_lease:
            hold(one.draft is None, "a claim has become a conflict", *about)
            judge_lease(fields, row_before, row_after, one.outcome, *about)
            return
        if one.outcome == "lost":
            hold(before == after, "a lost change left something in the row", *about)
            return
        is_nowhere = before is None and after is None
        if is_nowhere:
            before = after = dict.fromkeys(content(entity, dict.fromkeys(entity.column_names)) or {})
        assert after is not None
        is_new = before is None or (mutation.base_version == 0 and decided.before and decided.before["deleted_at"])
        kept = dict(before or dict.fromkeys(after))
        for path, old, new, theirs in places(entry.entity, fields, kept):
            if path[0] not in after or spelled_alike(entity, path[0], new, after[path[0]]):
                continue  # created_at
            now = at(after, path)
            _put(kept, path, now)
            if fields[path[0]].get("blind") and path[0] in entity.json_columns:
                for leaf in _leaves(new) if new else ():  # a merge patch, not a difference
                    is_there = _says(now, leaf, at(new, leaf)) or is_earlier
                    mine = None if conflict is None else parsed(conflict["mine"]).get(path[0])
                    hold(is_there or _says(mine, leaf, at(new, leaf)), "a blind value is nowhere", *about, path, new, mine)
                continue
            role = entity.by_name[path[0]].role
            if role is Role.EARLIEST or (path == ("deleted_at",) and None not in (new, now)):
                continue
            stands = conflict is not None and _stands(conflict, path, old, new, mutation)
            hold(is_earlier or stands or equal(now, new), "a value is neither in the row nor in a conflict", *about, path, new)
            if fields[path[0]].get("blind") and row_before is not None and row_before["version"] == mutation.base_version:
                continue  # it named the version, without knowing the values
            if not is_new and not equal(theirs, old) and not equal(theirs, new):
                hold(equal(now, theirs), "a value was silently overwritten", *about, path, theirs, new)
        if not is_new and not is_nowhere:
            hold(kept == after, "a change touched what it does not name", *about, _unlike(kept, after))


def _is_logged(new: list[Entry], place: int) -> bool:
    """Whether the change at this place of the log opened a conflict, joined one, or settled one by what it came to."""
    return place + 1 < len(new) and new[place + 1].entity == CONFLICT and new[place + 1].number is None


def _is_taken_back(draft: Draft, later: list[Entry]) -> bool:
    """Whether later changes of the same row touch all that clashed."""
    touched = {name for one in later for name in parsed(one.fields)}
    return {*draft.base, *draft.mine} <= touched


def _comes_to_nothing(drafts: list[Draft | None]) -> bool:
    """Whether what clashed of a row, one after the other, ends where it began, or at what the row has."""
    some = [draft for draft in drafts if draft is not None]
    for path in {path for draft in some for path in (*_leaves(draft.base), *_leaves(draft.mine))}:
        about = [draft for draft in some if path[0] in draft.base or path[0] in draft.mine]
        began, now = at(about[0].base, path), at(about[-1].mine, path)
        if not equal(began, now) and not equal(now, at(content(ENTITY[some[-1].mutation.entity], some[-1].current), path)):
            return False
    return True


def _is_settled(entry: Entry, before: Tables) -> bool:
    """Whether the conflict that the change would open was there, and settled: it is logged once more."""
    opened = natural_id(project_id(PROJECT), CONFLICT, entry.replica_id or "", str(entry.number), entry.at)
    return opened in before.conflicts and before.conflicts[opened]["resolved_at"] is not None


def _says(document: Any, path: Path, value: Any) -> bool:
    """Whether a document says at a path what a merge patch wants there."""
    there = at(document, path)
    return there is ABSENT if value is None else equal(there, value)


def _is_about_something(conflict: Row) -> bool:
    """Whether mine differs from theirs in some place."""
    base, mine, theirs = (parsed(conflict[side]) for side in ("base", "mine", "theirs"))
    if conflict["their_version"] is None:
        return bool(base or mine)
    return any(not equal(at(mine, path), at(theirs, path)) for path in {*_leaves(base), *_leaves(mine)} if path)


def _stands(conflict: Row, path: Path, old: Any, new: Any, mutation: Mutation) -> bool:
    opened = natural_id(project_id(PROJECT), CONFLICT, conflict["replica_id"], str(mutation.number), mutation.at)
    is_joined = conflict["id"] != opened
    mine = at(parsed(conflict["mine"]), path)
    if new is ABSENT:
        # In a conflict that was joined, what came and went again was never there.
        there = at(parsed(conflict["base"]), path) is not ABSENT or is_joined
        return there and mine is ABSENT
    if is_joined and mine is ABSENT and isinstance(new, dict):
        mine = {}  # all that was changed in the object was taken back
    if is_joined and all(isinstance(side, dict) for side in (old, new, mine)):
        # The row has no object here any more, so that all of the object clashes, of which the change names only some keys; the
        # others are there from the changes that it joined. Carried out once more, it must change nothing.
        return equal(apply(old, new, mine), mine)
    return equal(mine, new)


def _judge_conflict(name: str, some: list[Decided], earlier: Row | None, later: Row | None) -> None:
    hold(later is not None, "a conflict that the log names is not there", name)
    assert later is not None
    entity = ENTITY[later["entity"]]
    last = some[-1]
    # What clashes leaves the row as it was there; what goes on from mine is in the row.
    row = content(entity, last.after if last.settled.draft is None else last.before)
    for column, theirs in parsed(later["theirs"]).items() if row is not None else ():
        assert row is not None
        if column in row and column not in entity.json_columns:
            hold(equal(theirs, row[column]), "theirs of a conflict is not what the row had", name, column)
    if earlier is None:
        return
    hold(earlier["resolved_at"] is None, "a settled conflict was joined", name)
    hold(earlier["base_version"] == later["base_version"], "a joined conflict forgot its base version", name)
    touched = {column for one in some for column in one.settled.change.fields}
    base, mine = parsed(earlier["base"]), parsed(earlier["mine"])
    changed = {path for one in some for path in _touched(one)}
    for path in {*_leaves(base), *_leaves(mine)}:
        before, now = at(base, path), at(parsed(later["base"]), path)
        if path[0] not in touched or not any(_is_within(path, other) or _is_within(other, path) for other in changed):
            hold(equal(now, before), "a joined conflict forgot its base", name, path)
            hold(equal(at(parsed(later["mine"]), path), at(mine, path)), "a joined conflict forgot mine", name, path)
        elif now is not ABSENT and before is not ABSENT:
            is_kept = isinstance(now, dict) or equal(now, before) or _meets(some, path, now)
            hold(is_kept, "a joined conflict forgot its base", name, path)


def _meets(some: list[Decided], path: Path, value: Any) -> bool:
    """Whether the branch came to what the row has there on its way: what clashes after that begins with it."""
    follows = [one.settled.change.fields for one in some if one.settled.draft is None]
    return any(equal(at({name: sides["new"] for name, sides in fields.items()}, path), value) for fields in follows)


def _touched(decided: Decided) -> set[Path]:
    """The places of a clash, or of a change that goes on from what clashed."""
    if decided.settled.draft is not None:
        return {*_leaves(decided.settled.draft.base), *_leaves(decided.settled.draft.mine)}
    return {
        (name, *rest)
        for name, sides in decided.settled.change.fields.items()
        for side in sides.values()
        for rest in _leaves(side)
    }


def _is_within(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


def _leaves(tree: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(tree, dict) and (tree or not path):
        for key, value in tree.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path


def _put(tree: Row, path: Path, value: Any) -> None:
    for key in path[:-1]:
        inner = tree.get(key)
        tree[key] = tree = dict(inner) if isinstance(inner, dict) else {}
    if value is ABSENT:
        tree.pop(path[-1], None)
    else:
        tree[path[-1]] = value


def _unlike(one: Row | None, other: Row | None) -> dict[str, Any]:
    one, other = one or {}, other or {}
    return {name: (one.get(name), other.get(name)) for name in one | other if one.get(name) != other.get(name)}
