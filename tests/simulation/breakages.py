"""Rules of the engine, each broken on purpose: the simulator has to notice, or it looks at the wrong things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
from localfirst_schema.errors import UnavailableError
from localfirst_schema.json_merge import ABSENT, Clash, merge_patch
from localfirst_schema.wire import Fields, Row, Verdict, decode_fields, encode_json
from localfirst_sync import batch, conflict_recording, decision, divergence, lease, recovery, round
from localfirst_sync.batch import Batch
from localfirst_sync.conflict import Draft, record
from localfirst_sync.ports import Cursor, Push, Pushed, Restored
from localfirst_sync.postgres import held, log, pull, restore, transaction
from localfirst_sync.receipts import Known, _decode

from localfirst.operations import changing, history, undo, work_item_queries
from localfirst.operations.inverse import inverse
from localfirst.replica import act, fulltext, local_store, outbox, postponing, set_aside, settlement
from localfirst.replica.connection import immediate
from localfirst.replica.local_store import ReplicaStore
from simulation import direct_sql, plan, world
from simulation.cases import CASES
from simulation.network import Weather
from simulation.plan import plan_of
from simulation.stage import run_case
from simulation.world import Result, run

SEEDS_MAX = 60


class Breakage(NamedTuple):
    """One rule, broken.

    Attributes:
        name: what is done instead of the rule, in words.
        broken: breaks the rule while it is entered.
        seed: one that noticed; when the engine or the plans change it may be another.
        case: the name of one of `CASES` that notices; it is asked instead of any seed.
    """

    name: str
    broken: Callable[[], AbstractContextManager[object]]
    seed: int = 0
    case: str = ""


class Catch(NamedTuple):
    """How a breakage was noticed: by which seed or case, after how many were run, and which promise was broken."""

    seed: int | str
    runs: int
    result: Result


def caught(breakage: Breakage, seeds_max: int = SEEDS_MAX) -> Catch | None:
    """The case of the breakage, or the first seed that notices it, the known one before all others; None if none does."""
    if breakage.case:
        with breakage.broken():
            result = run_case(CASES[breakage.case])
        return None if result.violation is None else Catch(breakage.case, 1, result)
    others = (seed for seed in range(seeds_max) if seed != breakage.seed)
    for runs, seed in enumerate([breakage.seed, *others], 1):
        with breakage.broken():
            result = run(plan_of(seed))
        if result.violation is not None:
            return Catch(seed, runs, result)
    return None


def _instead(where: Any, name: str, other: Any) -> Callable[[], AbstractContextManager[object]]:
    return lambda: patch.object(where, name, other)


def _all(*broken: Callable[[], AbstractContextManager[object]]) -> Callable[[], AbstractContextManager[object]]:
    @contextmanager
    def entered() -> Iterator[None]:
        with ExitStack() as stack:
            for one in broken:
                stack.enter_context(one())
            yield

    return entered


# Exactly once


def _by_number_alone(push: Push, known: Known) -> list[Verdict]:
    verdicts = {verdict.number: verdict for past in known.receipts for verdict in _decode(past.verdicts)}
    found = []
    for mutation in push.mutations:
        if mutation.number > known.last_number or mutation.number not in verdicts:
            break
        found.append(verdicts[mutation.number])
    return found


def _never_answered(push: Push, known: Known) -> list[Verdict]:
    return []


_original_known = log.known_replica


def _epoch_unknown(asked: Any) -> Known:
    return _original_known(asked)._replace(epoch=0)


_original_push = round._push_as_somebody


def _unheard_is_accepted(local: Any, remote: Any, identity: Any, push: Push) -> tuple[Push, Pushed]:
    try:
        return _original_push(local, remote, identity, push)
    except UnavailableError:
        verdicts = [Verdict(m.number, "accepted", m.version) for m in push.mutations]
        return push, Pushed(verdicts, None, local.cursor())


# The decision


_original_applied = decision._applied


def _overwrites(entity: Any, mutation: Any, fields: Any, current: Row, clashes: list[Any], *, overwrite: bool) -> Row:
    return _original_applied(entity, mutation, fields, current, clashes, overwrite=True)


_original_decide = decision.decide


def _not_deleted(entity: Any, mutation: Any, fields: Any, current: Row | None, *versions: int) -> Any:
    if current is not None and mutation.base_version > 0 and "deleted_at" not in fields:
        return _with_deletion(_original_decide(entity, mutation, fields, current | {"deleted_at": None}, *versions), current)
    return _original_decide(entity, mutation, fields, current, *versions)


def _with_deletion(decided: decision.Decision, current: Row) -> decision.Decision:
    row = None if decided.row is None else decided.row | {"deleted_at": current["deleted_at"]}
    return decision.Decision(decided.outcome, row, decided.reason, decided.clashes)


def _deletion_alone(*change: Any) -> Any:
    decided = _original_decide(*change)
    kept = [clash for clash in decided.clashes if clash.path == ("deleted_at",)]
    return decision.Decision(decided.outcome, decided.row, decided.reason, kept or decided.clashes)


def _creates_anew(entity: Any, mutation: Any, fields: Any, current: Row | None, *versions: int) -> Any:
    if current is not None and mutation.base_version == 0:
        row = decision._revived(entity, mutation, fields, current)
        return decision.Decision("merged", row)
    return _original_decide(entity, mutation, fields, current, *versions)


def _never_displayed(
    entity: Any, mutation: Any, fields: Any, current: Row | None, displayed: int, logged: int, version_floor: int
) -> Any:
    return _original_decide(entity, mutation, fields, current, 0, logged, version_floor)


def _never_logged(
    entity: Any, mutation: Any, fields: Any, current: Row | None, displayed: int, logged: int, version_floor: int
) -> Any:
    return _original_decide(entity, mutation, fields, current, displayed, 0, version_floor)


def _past_the_row(mutation: Any, current: Row, displayed: int = 0) -> int:
    return int(current["version"]) + 1


# Acts, structure and conflicts


_original_batch_decide = Batch.decide


def _each_alone(self: Batch, some: Sequence[Any], forced_reason: str | None = None) -> Any:
    return [settled for change in some for settled in _original_batch_decide(self, (change,), forced_reason)]


def _newest_alone(earlier: Row, draft: Draft, act_id: str) -> Row:
    kept = {name: earlier[name] for name in ("id", "base_version", "created_at")}
    return record("", earlier["replica_id"], draft, act_id) | kept


def _newest_columns(earlier: Row, draft: Draft, act_id: str) -> Row:
    base, mine = {**draft.base, **earlier["base"]}, {**earlier["mine"], **draft.mine}
    return _newest_alone(earlier, draft._replace(base=base, mine=mine), act_id)


def _settles_again(self: Batch, change: Any) -> Any:
    known = self.conflicts.get(change.mutation.id)
    if known is not None:
        self.conflicts[change.mutation.id] = known._replace(row=known.row | {"resolved_at": None})
    return _original_settle(self, change)


_original_settle = Batch._settle_conflict


# The replica


_original_acknowledge = ReplicaStore.acknowledge


def _takes_all_as_accepted(self: ReplicaStore, push: Push, pushed: Pushed) -> None:
    verdicts = [msgspec.structs.replace(verdict, outcome="accepted") for verdict in pushed.verdicts]
    _original_acknowledge(self, push, msgspec.structs.replace(pushed, verdicts=verdicts))


_original_finish_pull = ReplicaStore.finish_pull


def _cursor_first(self: ReplicaStore, sink: Any, reached: Cursor) -> int:
    with immediate(self._connection):
        self._check_fence()
        self._set_cursor(reached)
    return _original_finish_pull(self, sink, reached)


_more_power_cuts = partial(Weather, crash_within=0.3)

_original_pull = round._pull


class _LaterHead:
    """A server that says a later head than the one which it has read up to."""

    def __init__(self, remote: Any) -> None:
        self._remote = remote

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)

    def pull(self, cursor: Cursor, sink: Any, again: Any = None, known: Any = ()) -> Cursor:
        """Others may commit between the two."""
        self._remote.pull(cursor, sink, again, known)
        head: Cursor = self._remote.head()
        return head


def _pulls_to_a_later_head(local: Any, remote: Any, progress: Any) -> Any:
    return _original_pull(local, _LaterHead(remote), progress)


def _only_the_id(self: Any, replica_id: str | None, number: int | None) -> bool:
    return number is not None and replica_id in self.acked


def _shows_the_servers(entity: Any, pending: Any, server_row: Row) -> Row:
    return server_row


_original_rebase = decision.rebase


def _own_times(entity: Any, pending: Any, server_row: Row) -> Row:
    row = _original_rebase(entity, pending, server_row)
    for _, fields in pending:
        row |= {name: fields[name]["new"] for name in ("archived_at", "deleted_at") if name in fields}
    return row


_NUMBER_AGAIN = f"""
    SELECT coalesce((SELECT number + 1 FROM outbox ORDER BY history_id DESC LIMIT 1), max(acked_number, 1)),
        ({set_aside.IS_ANY}), access
    FROM replica
"""


def _brings_nothing(local: Any, remote: Any) -> int:
    return _original_recover(local, _Forgetful(remote))


class _Forgetful:
    """A server to which nothing is brought back."""

    def __init__(self, remote: Any) -> None:
        self._remote = remote

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)

    def restore(self, _: object, __: object, known: Cursor) -> Restored:
        """As if it had everything."""
        return Restored(0, known)


_original_recover = recovery.recover
_original_checked = pull._checked


def _any_past_will_do(found: Any, cursor: Cursor, _: object) -> Cursor:
    return _original_checked((*found[:2], True), cursor, ())


def _writes_no_text(_: object, rows: Iterable[object]) -> None:
    list(rows)


def _nothing(*_: object, **__: object) -> None:
    return None


# Settling, merging, going back


def _clashes_with_nothing(entity: Any, mutation: Any, fields: Any, current: Row | None, *versions: int) -> Any:
    if current is not None and current["deleted_at"] is not None and not fields:
        return decision.Decision(
            "conflict", decision.raised(mutation, current), "deleted", [Clash(("deleted_at",), None, None, None)]
        )
    return _original_decide(entity, mutation, fields, current, *versions)


def _whole_document(patch: Any, theirs: Any, path: tuple[str, ...]) -> list[Clash]:
    return [Clash(path, ABSENT, encode_json(merge_patch(theirs, patch)), theirs)]


def _all_of_it(entity: Any, mutation: Any, fields: Any, current: Row | None, reason: str, displayed: int = 0) -> Any:
    row = None if current is None else decision.raised(mutation, current, displayed)
    clashes = [Clash((name,), change["old"], change["new"], None) for name, change in fields.items()]
    return decision.Decision("conflict", row, reason, clashes)


def _back_from_the_present(entity: Any, lines: Any, begin: Any) -> Iterator[Any]:
    yield from [None] * len(lines)


def _as_it_was_settled(theirs: Any, mine: Any) -> Any:
    return theirs if mine is None else mine


def _first_field_alone(*act_and_row: Any) -> dict[str, Any]:
    return dict([*inverse(*act_and_row).items()][:1])


_AS_FOUND = work_item_queries._DEPENDENCIES.partition("ORDER BY")[0]


def _no_version_floors(self: direct_sql.Psql) -> Any:
    return self._pending


_MORE = {"set back": 6, "hold": 6, "dump": 6, "letter": 12, "quiesce": 2}
_set_back_often = _instead(plan, "_FAULTS", tuple((name, _MORE.get(name, weight)) for name, weight in plan._FAULTS))
"""What is seen where a server is set back, and rows are held, needs worlds in which that happens often."""

_in_decide = partial(_instead, batch, "decide")

# Claims


def _last_comer_holds(fields: Fields, current: Row) -> lease.Held:
    return lease._side(fields, "claimed_by", "new", current), lease._side(fields, "claimed_until", "new", current)


_outcome = lease.outcome


def _given_back_by_anybody(fields: Fields, current: Row) -> lease.Held | None:
    is_given_back = fields.get("claimed_by", {}).get("new", "") is None
    return lease.FREE if is_given_back else _outcome(fields, current)


BREAKAGES: tuple[Breakage, ...] = (
    Breakage("a lease that was renewed is taken over", _instead(lease, "outcome", _last_comer_holds)),
    Breakage("who has lost a claim gives the other's back", _instead(lease, "outcome", _given_back_by_anybody)),
    Breakage("a claim that is lost makes its act fail", _instead(batch, "_is_lease", lambda _: False), 3),
    # Exactly once
    Breakage("a repeated push is known by its numbers, not its hashes", _instead(transaction, "repeated", _by_number_alone), 8),
    Breakage("receipts are not looked at, nor what the history tells", _all(
        _instead(transaction, "repeated", _never_answered), _instead(transaction, "_logged", lambda *_: {}),
    )),
    Breakage("a push that nobody answered counts as accepted", _instead(round, "_push_as_somebody", _unheard_is_accepted), 1),
    # With the hashes compared it heals: the replica takes a new id, and what it sends is known by what it says.
    Breakage("a number is used again, and hashes are not compared", _all(
        _instead(act, "_BEGIN", _NUMBER_AGAIN), _instead(transaction, "repeated", _by_number_alone),
    )),
    Breakage("neither the server nor the replica compares epochs", _all(
        _instead(log, "known_replica", _epoch_unknown), _instead(ReplicaStore, "_check_fence", _nothing),
    )),
    # The order
    Breakage("the cursor moves before the changes are applied", _all(
        _instead(ReplicaStore, "finish_pull", _cursor_first), _instead(world, "Weather", _more_power_cuts),
    ), 23),
    Breakage("the cursor moves to a head that was asked for later", _instead(round, "_pull", _pulls_to_a_later_head), 19),
    Breakage("a row that somebody holds stops all that waits behind it", _instead(ReplicaStore, "postpone", lambda *_: 0)),
    Breakage("what is below an item that a creation moves is not looked at",
        _instead(held, "_moves", lambda change: "parent_id" in change.fields and change.mutation.base_version > 0),
        case="what is below a creation of what is there is held"),
    Breakage("paths stay as the statements of an open transaction saw them",
        _instead(direct_sql.Psql, "_derive_again", _nothing),
        case="what is moved in an open transaction hangs where others have moved it"),
    Breakage("what must follow a held act goes before it", _instead(postponing, "postponed", lambda _, held: sorted(held)), 2),
    # The decision
    Breakage("the last writer wins", _instead(decision, "_applied", _overwrites)),
    Breakage("an update goes into a row that was deleted", _in_decide(_not_deleted)),
    Breakage("of a deletion that clashes the rest is dropped", _in_decide(_deletion_alone),
        case="a deletion that clashes keeps what came with it"),
    Breakage("a creation replaces what is there", _in_decide(_creates_anew)),
    Breakage("a loser's version is given again", _instead(decision, "_past_both", _past_the_row)),
    Breakage("a conflict may get the version that shows the loser's values", _in_decide(_never_displayed),
        case="a version that showed the loser is not given to the winner"),
    Breakage("a row begins at 1 after a creation that was refused", _in_decide(_never_logged),
        case="a creation that was refused has displayed versions"),
    # Acts, structure, conflicts
    Breakage("an act is decided piece by piece", _instead(Batch, "decide", _each_alone), 6),
    Breakage("nobody looks for cycles, depth and missing parents", _instead(transaction, "load_structure", _nothing)),
    Breakage("a joined conflict forgets what was in it", _instead(conflict_recording, "joined", _newest_alone)),
    Breakage("a joined conflict forgets other keys of an object", _instead(conflict_recording, "joined", _newest_columns), 8),
    Breakage("a conflict is settled again and again", _instead(Batch, "_settle_conflict", _settles_again), 36),
    # The replica
    Breakage("every verdict is taken as accepted", _instead(ReplicaStore, "acknowledge", _takes_all_as_accepted)),
    Breakage("waiting changes are not rebased", _instead(local_store, "rebase", _shows_the_servers)),
    Breakage("what a pull tells of waiting changes is not noted", _instead(outbox, "mark_echoed", _nothing),
        case="what waits for its verdict alone is logged once"),
    Breakage("own changes are known by the id alone", _instead(local_store._OwnNumbers, "include", _only_the_id), 9),
    Breakage("what is below a moved item stays where it was", _instead(local_store, "derive_paths", _nothing), 7),
    Breakage("full text is not written for what is pulled", _instead(fulltext, "index_many", _writes_no_text)),
    # A server that was set back
    Breakage("a server that was set back is not noticed", _all(
        _instead(log, "check_cursor", _nothing), _instead(pull, "_checked", _any_past_will_do),
    ), 10),
    Breakage("a push that comes late is not compared with what others have brought back",
        _instead(log, "send_brought", lambda *_: None), case="a late push was brought back by another"),
    Breakage("nothing is brought back to it", _instead(round, "recover", _brings_nothing)),
    Breakage("the versions that a replica has displayed are given again", _all(
        _instead(restore._Restoration, "_raise", _nothing), _set_back_often,
    ), 3),
    Breakage("a row that was refused once is made again without its creation",
        _instead(divergence, "_from_the_creation", lambda _, __, missing: missing),
        case="a creation that was refused is brought by another"),
    Breakage("a time that SQL has changed is compared as the log writes it",
        _instead(divergence, "fields_of", lambda _, text: decode_fields(text)),
        case="a corrected time of deletion is forgotten"),
    Breakage("what a rebase has raised is accepted at its old version",
        _instead(ReplicaStore, "_version_floors", lambda _, mutations, __: [0] * len(mutations)),
        case="a name that waits meets a server that has lost it"),
    Breakage("what waits when an id is used first is not maybe applied", _instead(outbox, "last_number", lambda _: 0),
        case="a copy that waits for what was brought back"),
    # Settling, merging, going back
    Breakage("settling a deleted row with theirs clashes with it", _in_decide(_clashes_with_nothing),
        case="a deleted row is settled with theirs"),
    Breakage("a version is what is left when later changes are undone", _instead(history, "replayed", _back_from_the_present),
        case="both set a field alike and go back"),
    Breakage("an item goes back to a version before what lies before that has come",
        _instead(history, "_is_unknown", lambda *_: False),
        case="a version that was answered and not pulled is not gone back to"),
    Breakage("an item goes back to what nobody was displayed of changes that wait",
        _instead(history, "is_undecided", lambda *_: False),
        case="a version that a waiting blind change names was displayed to nobody"),
    Breakage("a time that waits is displayed although another's will stand", _instead(local_store, "rebase", _own_times),
        case="where two times meet the one that will stand is displayed"),
    Breakage("what waits for its verdict alone is logged besides the server's line",
        _instead(history, "_LINES", history._LINES.replace(f"o.echoed IS NOT {outbox.ECHOED_CHANGED}", "1")),
        case="what waits for its verdict alone is logged once"),
    Breakage("of a row that is nowhere no history is logged", _instead(history, "_row_or_nothing", changing.require),
        case="a blind change of what is nowhere can be read"),
    Breakage("of a blind change the newest alone is kept", _instead(conflict_recording, "joined", _newest_alone),
        case="two blind changes are both kept"),
    Breakage("a blind patch that clashes is taken for a document", _instead(decision, "unlike_patch", _whole_document),
        case="a blind patch clashes by its places"),
    Breakage("a settlement that is too late clashes in what the row says", _instead(batch, "refused", _all_of_it),
        case="two settle alike"),
    Breakage("a conflict that was settled here stays what it was then", _instead(settlement, "rebased", _as_it_was_settled),
        case="a conflict grows while its settlement waits"),
    Breakage("a branch that goes on leaves its conflict as it was", _instead(conflict_recording, "followed", _nothing),
        case="deleted and undeleted"),
    Breakage("a branch that takes back what clashed leaves it open",
        _instead(conflict_recording, "is_about_something", lambda _: True), case="a branch takes back what clashed"),
    Breakage("one name in two normal forms is two names", _instead(decision, "_is_spelled_otherwise", lambda *_: False),
        case="a name in two normal forms"),
    Breakage("what the tombstone says already clashes with it", _instead(decision, "_says", lambda *_: False),
        case="a change of nothing against a deletion"),
    Breakage("an undo takes back one field of those that were changed", _instead(undo, "inverse", _first_field_alone), 3),
    Breakage("an undo takes back what somebody has changed since", _instead(undo, "_require_at", _nothing),
        case="what others have touched is not undone"),
    Breakage("dependencies are listed as they came", _instead(work_item_queries, "_DEPENDENCIES", _AS_FOUND),
        case="dependencies have one order"),
    Breakage("a row made by SQL begins at version 1", _instead(direct_sql.Psql, "_version_floors", _no_version_floors),
        case="a row that the log tells already"),
    Breakage("what was acknowledged and not pulled does not wait again", _instead(local_store, "_WAIT_AGAIN", "SELECT 1"),
        case="an accepted blind change is forgotten"),
)  # fmt: skip
