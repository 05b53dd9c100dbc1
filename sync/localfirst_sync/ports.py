"""The two stores as the engine sees them.

The client hands the engine its replica as a `LocalStore`; `localfirst_sync.postgres` is the `RemoteStore`. A third store
needs nothing but these methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec
from localfirst_schema.wire import Mutation, Row, Verdict

from localfirst_sync.structure import Key
from localfirst_sync.wake import Wake


class Cursor(NamedTuple):
    """How far a replica has read the log: the number of the last change, and the random tag which that number carried.

    A server that was restored from an older backup gives the same number another tag. (0, 0) is the beginning.
    """

    seq: int
    tag: int


BEGINNING = Cursor(0, 0)


Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with (done, total, phase), phase being ``push`` or ``pull``."""

Access: TypeAlias = Literal["write", "read", "standby"]
"""What the server allows: everything; to read and no more, since whoever this is lacks the right to write; to read for the
time being, since only a standby answers."""


class Identity(NamedTuple):
    """Who a replica is: the project it belongs to, its own random id, and the fencing epoch of the present round.

    Attributes:
        via: the name of the token by which it comes. The daemon says it; what a replica says of it does not count.
    """

    project_id: str
    project_name: str
    replica_id: str
    epoch: int
    via: str | None = None


class Push(msgspec.Struct, frozen=True):
    """Mutations on their way to the server, in the order of their numbers, without a gap.

    Attributes:
        acked_number: the last mutation whose verdict the replica has on its disk; 0 if none.
        acked_hash: the chained hash at `acked_number` (16 bytes; `wire.EMPTY_HASH` at 0).
        hashes: the chained hash of each mutation, 16 bytes each, in order.
        cursor: how far the replica has read, or the head after its last push if that is later; a server that does not know it
            has another past.
        maybe_applied: up to this number the mutations may have been pushed before: under an id that the replica gave up, or to
            a server that has been set back since and got them from another replica. Where it has no receipt the server
            recognises those by what they say.
        displayed: for each mutation, the version at which the replica shows its row now (0: no row). It can be higher than the
            mutation's own, since pulls rebase what waits; a conflict raises the row past it too.
        version_floors: for each mutation, the version that its row has to come to stand past whatever is decided: the one that
            is displayed, if a rebase has raised it above all that waits of the row, and this is the last of that; else 0.
            Without it the version would fall when the server, which may have been set back since, accepts the change.
    """

    acked_number: int
    acked_hash: bytes
    mutations: Sequence[Mutation]
    hashes: Sequence[bytes]
    cursor: Cursor = BEGINNING
    maybe_applied: int = 0
    displayed: Sequence[int] = ()
    version_floors: Sequence[int] = ()


class Pushed(msgspec.Struct, frozen=True):
    """The server's answer to a `Push`: one verdict a mutation, in order.

    Attributes:
        before: the server's head just before this push was numbered, and between it and `after` there is nothing but this push;
            None when a part of the answer is a repeated one, from the receipts.
        after: a head that has all of this push.
        via: the name of the token by which it came.
    """

    verdicts: Sequence[Verdict]
    before: Cursor | None
    after: Cursor
    via: str | None = None


class HistoryRow(NamedTuple):
    """One numbered change as it is pulled; `fields` is JSON text, `at` canonical text, ids canonical text."""

    seq: int
    entity: str
    entity_id: str
    version: int
    by: str | None
    at: str
    outcome: str
    fields: str
    replica_id: str | None
    number: int | None
    via: str | None = None


class Line(NamedTuple):
    """One change of one row as the history tells it, wherever it stands in the order; `fields` is JSON text."""

    version: int
    by: str | None
    at: str
    outcome: str
    fields: str


class Remembered(NamedTuple):
    """What a replica knows of one row from the server: the row without its own waiting changes, and its history.

    Attributes:
        row: None when the row is known by its history alone (its creation was refused).
        lines: by rising version; the oldest may be missing.
        displayed: the version at which the replica shows the row, unless a change of it still waits that the server does not
            tell (then the push says it); 0 if it shows none.
    """

    entity: str
    id: str
    row: Row | None
    lines: Sequence[Line]
    displayed: int = 0


class RecoveryPart(NamedTuple):
    """A part of what a server that was restored may lack. Conflicts are rows of `CONFLICT_COLUMNS`."""

    rows: Sequence[Remembered]
    conflicts: Sequence[tuple[object, ...]]


class HistoryCount(NamedTuple):
    """How much a history tells of one row: lines in all, those that were accepted as they were, and the sum of their versions.

    Of a row that is equal two histories tell the same if all three are equal: a change that was brought back to a server may
    have come to stand at another version there.
    """

    lines: int
    accepted: int
    versions: int


class Restored(NamedTuple):
    """What a server has written of a `RecoveryPart`: how many changes, and the head that has all of them."""

    changes: int
    head: Cursor


class Again(NamedTuple):
    """What was set aside and is to be pulled once more, whether it has changed or not: ids by table, and numbers of lines."""

    rows: Mapping[str, Sequence[str]]
    lines: Sequence[int]


class PullSink(Protocol):
    """Takes a pull in batches; nothing is visible to readers until `LocalStore.finish_pull`."""

    def expects(self, changes: int) -> None:
        """So many changes of the log are to come. Said before anything comes."""

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Current rows of one table, columns in the order of `Entity.column_names` (or `CONFLICT_COLUMNS`)."""

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """History rows, by rising `seq`."""


class Staging(Protocol):
    """A bootstrap in the replica, page by page, each on its own; nothing is visible to readers until it is swapped in.

    Attributes:
        cursor: the server's head when it began; `BEGINNING` when nothing is staged yet.
        read_at: the server's head at which the last pages were read. A server that does not know it has another past than
            what is staged, even if it knows `cursor`.
        place: the table whose pages were taken last, and the last id (of the history: `seq`) that is there; None at first.
    """

    @property
    def cursor(self) -> Cursor: ...

    @property
    def read_at(self) -> Cursor: ...

    @property
    def place(self) -> tuple[str, str | int] | None: ...

    def begin(self, head: Cursor) -> None:
        """Begins anew, at this head."""

    def go_on(self, head: Cursor) -> None:
        """The pages that follow are read at this head."""

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Takes a page of current rows by rising id; columns as in `PullSink.rows`. Tables come in the order of `ENTITIES`,
        then the conflicts, then the history."""

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """Takes a page of the history, by rising `seq`, none beyond `cursor`."""


class LocalStore(Protocol):
    """The replica, as far as the engine needs it. Every method is one transaction or none."""

    def identity(self) -> Identity:
        """Who this replica is, with the epoch that `begin_round` set."""

    def begin_round(self) -> None:
        """Raises the epoch: from now on the writes of an earlier round, should one still be alive, are refused."""

    def pending_count(self) -> int:
        """How many mutations wait in the outbox."""

    def next_push(self, limit: int) -> Push | None:
        """The next mutations (never cutting an act in two, so possibly a few more than `limit`), or None. From the next call on
        they are `Push.maybe_applied`, whatever becomes of this one. Raises `Fenced`."""

    def acknowledge(self, push: Push, pushed: Pushed) -> None:
        """Takes the verdicts: accepted mutations leave the outbox for good; the others leave it too, and the pull that
        follows brings the row and the history as the server decided. Moves the cursor to `pushed.after` when
        `pushed.before` is the present cursor and every verdict is `accepted`."""

    def postpone(self, held: Sequence[int], after: int, allowed: int | None) -> int:
        """Puts the acts of the mutations with these numbers behind all others that come after the number `after` and need not
        follow them (`postponement`), and numbers the queue again from there. What waits is `Push.maybe_applied` from then on.
        Of an earlier call in this round `allowed` are left that may go; the others go on waiting (None: there was none).
        Returns how many mutations after `after` may go now. Raises `Fenced`."""

    def cursor(self) -> Cursor:
        """How far this replica has read."""

    def begin_pull(self) -> PullSink:
        """A sink for one pull; it keeps what it is given aside (memory, then a temporary file)."""

    def finish_pull(self, sink: PullSink, reached: Cursor) -> int:
        """Applies everything in the sink and moves the cursor to `reached`, in one transaction; returns how many
        changes were not this replica's own. Rows with pending mutations are rebased."""

    def begin_bootstrap(self) -> Staging:
        """The first fill of a replica: a new one, or the one that was interrupted."""

    def discard_bootstrap(self) -> None:
        """Gives up what is staged: it is of another past."""

    def finish_bootstrap(self, staging: Staging, sink: PullSink, reached: Cursor) -> int:
        """Swaps in what is staged, applies what came after it, and moves the cursor, in one transaction; rows with pending
        mutations are kept and rebased. Returns how many changes were not this replica's own."""

    def is_level(self, head: Cursor, access: Access = "write") -> bool:
        """Whether there is nothing to do while the server's head is this and it allows that: all is read and sent, nothing is
        to be asked for again, and what it allows is noted. An idle round asks no more than that."""

    def note_access(self, access: Access) -> None:
        """Keeps what the server allows, so that it is known without it too."""

    def lacks_text(self) -> bool:
        """Whether full text is left to be written after a bootstrap."""

    def index_text(self, budget_s: float) -> bool:
        """Writes such text for about so long, in short transactions; returns whether all of it is there."""

    def last_push(self) -> Cursor:
        """The server's head after the last push that was acknowledged, if the cursor is not yet past it; else (0, 0). A
        server that does not know it has forgotten what it had acknowledged."""

    def begin_recovery(self) -> PullSink:
        """A sink for everything that a server of another past holds, and for what is added to it meanwhile."""

    def recovery_parts(self, sink: PullSink, history_counts: Mapping[Key, HistoryCount], limit: int) -> Iterator[RecoveryPart]:
        """Compares the snapshot in `sink` with the replica, and yields what the server lacks or has otherwise, about
        `limit` rows at a time: parents before children, what is referenced before what references it, deletions last.
        Nothing of the replica is locked while the caller works on one."""

    def finish_recovery(self, sink: PullSink, reached: Cursor, restored: int) -> int:
        """Applies what the server has otherwise and moves the cursor to `reached`, takes a new id, and notes that
        `restored` changes were sent again: one transaction. Returns how many changes came. Waiting changes that the
        server turns out to have are taken off; rows with others are rebased."""

    def set_aside_again(self) -> Again | None:
        """What an older program could not take and this one is to try once more; None (nearly always): nothing."""

    def mark_synced(self) -> None:
        """Notes that the replica is level with the server at this moment."""

    def take_new_identity(self) -> None:
        """The server knows another replica by this one's id (a copied or restored file): takes a new random id, numbers
        the queue again from 1 and keeps it. What waits now is from then on `Push.maybe_applied`."""

    def close(self) -> None:
        """Lets go of the replica."""


class RemoteStore(Protocol):
    """The server. Methods raise `localfirst_schema.errors.UnavailableError` when it does not answer in time."""

    def head(self) -> Cursor:
        """The number and the tag of the project's last committed change. One round trip."""

    def access(self) -> Access:
        """What the server allows. It is known from the connection; while it is not everything, it is asked again."""

    def push(self, identity: Identity, push: Push) -> Pushed:
        """Decides, writes and numbers a batch in one transaction. Raises `IdentityTaken` when the numbers or the chain
        say that another replica uses this id, `Fenced` when a later epoch has been seen, `Busy` when rows are locked, and
        `ServerWasRestored` when the server does not know the cursor, or fewer numbers than it once acknowledged."""

    def pull(self, cursor: Cursor, sink: PullSink, again: Again | None = None, known: Sequence[Cursor] = ()) -> Cursor:
        """Streams everything after `cursor` into `sink`, and `again`, from one snapshot; returns that snapshot's head. Raises
        `ServerWasRestored` when the log does not hold (cursor.seq, cursor.tag) in that snapshot, or one of `known`."""

    def snapshot(self, staging: Staging) -> None:
        """Streams all current rows and the recent history into `staging`, from one snapshot, beginning behind its place.
        Raises `ServerWasRestored` when the server does not know `staging.read_at`."""

    def confirm(self, cursor: Cursor) -> None:
        """Raises `ServerWasRestored` when the server's log does not hold (cursor.seq, cursor.tag). All hold the beginning."""

    def fence(self, identity: Identity) -> None:
        """From now on pushes of earlier rounds of this replica, which may still be on their way, are refused as `Fenced`."""

    def history_counts(self) -> dict[Key, HistoryCount]:
        """How much the server's history tells of each row."""

    def restore(self, identity: Identity, recovery_part: RecoveryPart, known: Cursor) -> Restored:
        """Writes what the server lacks of a recovery part, in one transaction. What it has is recognised by its content,
        whoever brought it: to repeat this, or to do it from several replicas, changes nothing more. Raises `Busy` when rows are
        locked, and `ServerWasRestored` when the server's log does not hold `known`, the head that was reached so far."""

    def wait(self, wake: Wake, timeout_s: float) -> bool:
        """Waits for news of the project (True), for `wake`, or for the time to pass (False)."""

    def close(self) -> None:
        """Lets go of the connection; the next call makes another."""


class SyncError(Exception):
    """What the engine handles by itself; users see only what becomes of it.

    SyncError
    ├── IdentityTaken       take a new replica id, push again
    ├── Fenced              another process syncs this replica: stop this round
    ├── Busy                rows are held by somebody else: push what can be pushed, pull, try again later
    └── ServerWasRestored   the server has another past than the replica: recover
    """


class IdentityTaken(SyncError):
    """The server has other mutations under this replica's id. The first `agreed` ones of the push are in both: the copy was
    made after they had been queued, and they have their verdicts."""

    def __init__(self, agreed: int) -> None:
        super().__init__("another replica uses this replica's id")
        self.agreed = agreed


class Busy(SyncError):
    """Somebody else holds rows that the push needs, and kept them.

    Attributes:
        held: the numbers of the mutations whose acts need such rows; none of them where the head itself is in the way.
        last_number: the last of this replica's numbers that the server has: of what comes after it nothing was applied.
    """

    def __init__(self, held: Sequence[int] = (), last_number: int = 0) -> None:
        super().__init__("somebody else holds the rows")
        self.held = held
        self.last_number = last_number


class Fenced(SyncError):
    """A later round of this replica has already written."""


class ServerWasRestored(SyncError):
    """The server's log does not hold the change that the cursor names."""


CONFLICT_TABLE = "conflicts"
CONFLICT_COLUMNS = (
    "id", "entity", "entity_id", "fields", "base", "mine", "theirs", "base_version", "my_version", "their_version",
    "my_by", "their_by", "reason", "act_id", "replica_id", "created_at", "resolved_at", "resolved_by", "resolution",
)  # fmt: skip
"""The columns of `conflicts` in both stores. A change of a conflict is logged in the history as entity `conflict`."""
