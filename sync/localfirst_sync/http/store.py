"""A daemon as a `RemoteStore`: one connection for questions, and the stream of events while somebody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, Self, TypeVar

import msgspec
from localfirst_schema.errors import UnavailableError

from localfirst_sync.http import packet
from localfirst_sync.http.address import Address, parse
from localfirst_sync.http.events import Events
from localfirst_sync.http.failure import MeetAgain, raise_it
from localfirst_sync.http.line import Answer, Line, in_words, lost
from localfirst_sync.http.messages import (
    PROJECT_HEADER,
    SERVER_HEADER,
    Again,
    Begins,
    Breaks,
    Confirm,
    Counts,
    Ends,
    Expects,
    Fence,
    Frame,
    Head,
    History,
    Meet,
    Met,
    Nothing,
    PullQuestion,
    PushQuestion,
    RestoredAnswer,
    RestoreQuestion,
    Rows,
    SnapshotQuestion,
)
from localfirst_sync.known_server import Acquaintance, Known, remember
from localfirst_sync.ports import (
    BEGINNING,
    Access,
    Cursor,
    HistoryCount,
    Identity,
    PullSink,
    Push,
    Pushed,
    RecoveryPart,
    Remembered,
    Restored,
    Staging,
)
from localfirst_sync.ports import Again as WantedAgain
from localfirst_sync.pulse import Pulse
from localfirst_sync.readable import readable
from localfirst_sync.wake import Wake

HEAD_BUDGET_S = 3.0
HEAD_TRIPS = 6
"""How long the question for the head may take."""

RESTORE_BYTES = 4 * 1024 * 1024
"""About so much of a recovery goes into one request: it makes no difference in which parts it is brought."""

_Result = TypeVar("_Result")


class HttpStore:
    """The server of one project, reached by a daemon. For one thread. The first call meets the server.

    `known` is what the replica keeps of its server: another one is refused. Without it any is taken. `pulse` is informed of the
    server's signs of life.
    """

    def __init__(
        self, url: str, token: str, identity: Identity, known: Acquaintance | None = None, pulse: Pulse | None = None
    ) -> None:
        self._address: Address = parse(url)
        self._token = token
        self._pulse = pulse or Pulse()
        self._known = known
        self._project_id = identity.project_id
        self._project_name = identity.project_name
        self._line = Line(self._address, token, self._pulse)
        self._met: Met | None = None
        self._first_head: Cursor | None = None
        self._access: Access = "write"
        self._last_head = BEGINNING
        self._events: Events | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    def head(self) -> Cursor:
        """See `RemoteStore.head`. A new acquaintance has it already."""
        return self._on_server(self._asked_head)

    def access(self) -> Access:
        """See `RemoteStore.access`."""
        if self._met is not None and self._access != "write":
            self._met = None
        self._on_server(lambda: None)
        return self._access

    def push(self, identity: Identity, pushed: Push) -> Pushed:
        """See `RemoteStore.push`."""
        done = self._on_server(lambda: self._ask("push", PushQuestion(identity, pushed)).message(Pushed))
        self._last_head = done.after
        return done

    def pull(self, cursor: Cursor, sink: PullSink, again: WantedAgain | None = None, known: Sequence[Cursor] = ()) -> Cursor:
        """See `RemoteStore.pull`."""
        wanted = None if again is None else Again(dict(again.rows), list(again.lines))
        question = PullQuestion(cursor, wanted, list(known))
        reached = self._on_server(lambda: self._streamed("pull", question, sink))
        self._last_head = reached
        return reached

    def snapshot(self, staging: Staging) -> None:
        """See `RemoteStore.snapshot`."""
        self._on_server(lambda: self._snapshot(staging))

    def confirm(self, cursor: Cursor) -> None:
        """See `RemoteStore.confirm`."""
        if cursor.seq:
            self._on_server(lambda: self._ask("confirm", Confirm(cursor)).message(Nothing))

    def fence(self, identity: Identity) -> None:
        """See `RemoteStore.fence`."""
        self._on_server(lambda: self._ask("fence", Fence(identity)).message(Nothing))

    def history_counts(self) -> dict[tuple[str, str], HistoryCount]:
        """See `RemoteStore.history_counts`."""
        return self._on_server(self._counted)

    def restore(self, identity: Identity, part: RecoveryPart, known: Cursor) -> Restored:
        """See `RemoteStore.restore`. What is too large for one request goes in several, in its order."""
        changes = 0
        for rows, conflicts in _in_parts(part):
            question = RestoreQuestion(identity, rows, conflicts, known)
            done = self._on_server(partial(self._asked_to_restore, question))
            changes, known = changes + done.changes, done.head
        return Restored(changes, known)

    def _asked_to_restore(self, question: RestoreQuestion) -> RestoredAnswer:
        return self._ask("restore", question).message(RestoredAnswer)

    def ask_code(self, question: object, kind: Any) -> Any:
        """A question about the team's code index (`http.code`); the answer is of this kind."""
        return self._on_server(lambda: self._ask("code", question).message(kind))

    def wait(self, wake: Wake, timeout_s: float) -> bool:
        """See `RemoteStore.wait`. Events that were cut off are worth a look at the server."""
        if self._met is None:
            return True
        if self._events is None:
            self._events = Events(Line(self._address, self._token, self._pulse), self._headers())
        events = self._events
        until = time.monotonic() + timeout_s
        while True:
            events.news.clear()
            if events.is_renamed:
                self.close()  # what the project is called is asked at the next meeting
                return True
            if events.was_cut():
                return True
            if events.head is not None and _is_news(events.head, self._last_head):
                self._last_head = events.head
                return True
            left_s = until - time.monotonic()
            if left_s <= 0:
                return False
            if wake.fileno() in readable([events.news.fileno(), wake.fileno()], left_s):
                return False

    def close(self) -> None:
        """Lets go of the connections; the next call makes others, and meets the server again."""
        self._met = None
        self._line.close()
        if self._events is not None:
            self._events.close()
            self._events = None

    def _asked_head(self) -> Cursor:
        first, self._first_head = self._first_head, None
        if first is None:
            first = ask_head(self._line, self._headers(), max(HEAD_BUDGET_S, HEAD_TRIPS * self._pulse.trip_s), self._pulse)
        self._last_head = first
        return first

    def _on_server(self, work: Callable[[], _Result]) -> _Result:
        """Work on the server that was met; one that turns out to be another is met once more."""
        for is_last in (False, True):
            with self._let_go_on_failure():
                if self._met is None:
                    self._meet()
                try:
                    with in_words():
                        return work()
                except MeetAgain:
                    if is_last:
                        raise lost("it changes all the time") from None
                    self._met = None
        raise AssertionError("the second try returns or raises")

    @contextmanager
    def _let_go_on_failure(self) -> Iterator[None]:
        try:
            yield
        except UnavailableError:
            self.close()
            raise
        except BaseException:
            self._line.close()  # the rest of an answer may be on it
            raise

    def _meet(self) -> None:
        known = None if self._known is None else self._known.known()
        seen = BEGINNING if self._known is None else self._known.seen()
        here = f"{self._address.host}:{self._address.port}{self._address.path}/"
        question = Meet(
            self._project_id,
            self._project_name,
            here,
            seen,
            takes_any=self._known is None,
            known=None if known is None else (known.id, known.system_identifier),
            knows_address=known is not None and here in known.addresses,
        )
        with in_words():
            met = self._ask("meet", question, {}).message(Met)
        if self._known is not None:
            remember(self._known, known, Known(met.server_id, met.system_identifier, frozenset({here})))
            if (met.project_id, met.project_name) != (self._project_id, self._project_name):
                self._known.take_project(met.project_id, met.project_name)
        self._project_id, self._project_name = met.project_id, met.project_name
        self._met, self._access, self._first_head = met, met.access, met.head

    def _headers(self) -> dict[str, str]:
        assert self._met is not None
        return {PROJECT_HEADER: self._met.project_id, SERVER_HEADER: self._met.server_id}

    def _ask(self, endpoint: str, question: object, headers: dict[str, str] | None = None) -> Answer:
        if endpoint != "meet":
            self._first_head = None
        body = packet.packed(question, compressed=self._line.compresses)
        return self._line.ask("POST", f"/v1/{endpoint}", body, self._headers() if headers is None else headers)

    def _streamed(self, endpoint: str, question: object, sink: PullSink) -> Cursor:
        for frame in self._ask(endpoint, question).frames(Frame):
            match frame:
                case Expects():
                    sink.expects(frame.changes)
                case Rows():
                    sink.rows(frame.table, frame.rows)
                case History():
                    sink.history(frame.rows)
                case Ends():
                    return frame.head
                case Breaks():
                    raise_it(frame.failed)
        raise lost("the answer was cut off")

    def _snapshot(self, staging: Staging) -> None:
        question = SnapshotQuestion(staging.cursor, staging.read_at, staging.place)
        for frame in self._ask("snapshot", question).frames(Frame):
            match frame:
                case Begins(head, True):
                    staging.begin(head)
                case Begins(head, False):
                    staging.go_on(head)
                case Rows():
                    staging.rows(frame.table, frame.rows)
                case History():
                    staging.history(frame.rows)
                case Ends():
                    return
                case Breaks():
                    raise_it(frame.failed)
        raise lost("the answer was cut off")

    def _counted(self) -> dict[tuple[str, str], HistoryCount]:
        found: dict[tuple[str, str], HistoryCount] = {}
        for frame in self._ask("history-counts", Nothing()).frames(Frame):
            match frame:
                case Counts():
                    found.update({(entity, row_id): count for entity, row_id, count in frame.counts})
                case Ends():
                    return found
                case Breaks():
                    raise_it(frame.failed)
        raise lost("the answer was cut off")


def _is_news(head: Cursor, known: Cursor) -> bool:
    """Whether a head that came is beyond what is known. An event may be older than an answer that has overtaken it; a
    server that was set back has cut its streams, which is looked into anyway."""
    return head.seq > known.seq or (head.seq == known.seq and head.tag != known.tag)


def ask_head(line: Line, headers: dict[str, str], budget_s: float, pulse: Pulse) -> Cursor:
    """The head, over this line, within so many seconds. Raises `UnavailableError`, or `MeetAgain`."""
    began = time.monotonic()
    with in_words():
        found = line.ask("GET", "/v1/head", None, headers, budget_s=budget_s).message(Head).head
    pulse.measured(time.monotonic() - began)
    return found


def _in_parts(part: RecoveryPart) -> Iterator[tuple[list[Remembered], list[tuple[Any, ...]]]]:
    """Rows first, in their order; conflicts last."""
    rows: list[Remembered] = []
    size = 0
    for one in part.rows:
        own = len(msgspec.msgpack.encode(one))
        if rows and size + own > RESTORE_BYTES:
            yield rows, []
            rows, size = [], 0
        rows.append(one)
        size += own
    conflicts: list[tuple[Any, ...]] = []
    for conflict in part.conflicts:
        own = len(msgspec.msgpack.encode(conflict))
        if (rows or conflicts) and size + own > RESTORE_BYTES:
            yield rows, conflicts
            rows, conflicts, size = [], [], 0
        conflicts.append(conflict)
        size += own
    yield rows, conflicts
