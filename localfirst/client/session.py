"""One client's work on one project: its settings, its replica, and its link to the server, if there is one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, cast

from localfirst_schema.author import fitting_author
from localfirst_schema.errors import CallerError, InvalidStateError, LocalfirstError, StateError, UnavailableError

from localfirst.client import claimant
from localfirst.client.binding import REMOTE_CHANGED, bind, note_name, words_of_other_name, words_of_remote
from localfirst.client.follow_up import tried
from localfirst.client.freshness import Freshness
from localfirst.client.server_link import ServerLink
from localfirst.client.services import Services
from localfirst.client.where import place, words_of_new
from localfirst.replica import last_act, leases, outbox, sessions
from localfirst.replica.act import Act, act
from localfirst.replica.connection import BUSY_TIMEOUT_MS, ReplicaUnreadableError, be_patient, connect, sqlite_errors
from localfirst.replica.last_act import Step
from localfirst.replica.opening import open_replica
from localfirst.replica.place import Place
from localfirst.replica.recovery.loss import words_of_loss
from localfirst.settings import Settings
from localfirst.settings.untrusted import first_warnings, words_of_untrusted

if TYPE_CHECKING:
    from localfirst.client.layer_session import LayerSession
    from localfirst.client.without_replica import SessionWithoutReplica
    from localfirst.fallback.layers import Layers
    from localfirst.markdown.mirror import Mirror

logger = logging.getLogger("localfirst.client.session")

EXIT_PUSH_S = 1.0

OPEN_PATIENCE_MS = 3_000
"""How long opening waits for a replica that another process keeps locked; then other layers answer."""

READ_PATIENCE_MS = 2_000
"""The same for a read: in health it never waits, since writers do not lock readers out."""

RETRY_PATIENCE_MS = 100
"""The same for one that has just failed a read."""

ACCESS_BUDGET_S = 1.5
"""How long a write of somebody who may only read waits for the server to be asked whether that is still so."""

STAND_IN_S = 5.0
"""How long reads do without a replica that has failed one, before they try it again."""


_UNKNOWN = object()


class Session:
    """Open from construction to `close`; belongs to the thread that made it.

    Attributes:
        replica: the connection to the replica.
        link: the link to the server; None without one configured.
        client_name: what the MCP client calls itself; the name that changes carry where a call gives none.
        acts: how many acts were carried out.
        committed: the last of them; None where the server has decided against it.
        is_command: whether this session is one command of the command line: its last act is kept in the replica, so that a
            later command can take it back.
    """

    acts = 0
    committed: Act | None = None
    link: ServerLink | None = None
    is_command = False
    _last_steps: Sequence[Step] = ()
    _is_open = True
    _is_reading = False
    _is_unmirrored = False
    _is_placed = False
    _away_since: object = _UNKNOWN
    _announcement: str | None = None
    _layers: Layers | None = None
    _stand_in: SessionWithoutReplica[Session] | None = None
    _stand_in_until = float("-inf")
    _stand_in_for: object = None

    def __init__(self, settings: Settings, *, patience_ms: int = OPEN_PATIENCE_MS) -> None:
        bound = bind(settings)
        self.settings = settings = bound.settings
        self.client_name: str | None = None
        self.services = Services()
        self._mirror: Mirror | None = None
        self._warnings = first_warnings(settings)
        for said in bound.words:
            self._announce(said)
        self._open(patience_ms)
        try:
            if (changed := words_of_remote(self.settings)) is not None:
                self._warnings.append(REMOTE_CHANGED)
                self._announce(changed)
            words = self._first_words_of_any()
        except BaseException:
            self._let_go()
            raise
        if words is not None:
            self._announce(words)

    def _first_words_of_any(self) -> str | None:
        """The first words, of a new replica where the present one turns out to be damaged."""
        try:
            return self._first_words()
        except ReplicaUnreadableError:
            self.rebuild()
            return self._first_words()

    def _open(self, patience_ms: int = OPEN_PATIENCE_MS) -> None:
        self.replica = open_replica(
            self.settings.replica, self.settings.project, busy_timeout_ms=patience_ms, on_rebuilt=self._announce
        )
        self.link = None  # one of before is stopped
        try:
            self._place = Place(self.settings.replica)
            with sqlite_errors():
                self._take_name(self.replica.execute("SELECT project_name FROM replica").get)
            self.link = ServerLink(self.settings) if self.settings.has_server else None
            self._freshness = Freshness(self.replica, self.link, self.settings.read_from)
            self._freshness.keeps_snapshot = self._is_reading
            self._is_open = True
            if self.link is not None:
                self.link.on_away = self._mirror_late
                self.link.start()
        except BaseException:
            self._let_go()
            raise

    @property
    def project_id(self) -> str:
        """The project's id; the first meeting with its server may give it another one than it had here."""
        with sqlite_errors():
            return str(self.replica.execute("SELECT project_id FROM replica").get)

    def _take_name(self, name: str | None) -> None:
        """The replica's own name counts: a project keeps its replica whatever the git remote says."""
        if name is None or name == self.settings.project:
            return
        if (words := words_of_other_name(self.settings, name, self.project_id)) is not None:
            if not self.settings.named_by_user:
                self._warnings.append(REMOTE_CHANGED)
            self._announce(words)
        note_name(self.settings, name)
        self.settings = self.settings._replace(project=name)

    def _keep_in_place(self) -> None:
        """A replica whose file was moved or deleted while it was open is written again: nothing of it is lost."""
        if not self._is_open:  # it could not be opened again; perhaps it can now
            self._open()
        if self._is_in_place():
            return
        logger.warning("the replica's file was taken away while it was open; it is written again")
        self._place.put_back(self.replica)
        self._reopen()

    def _is_in_place(self) -> bool:
        return self._place.is_kept()

    def _reopen(self) -> None:
        self._let_go()
        self._open()

    def _let_go(self) -> None:
        self._is_open = False
        try:
            if self.link is not None:
                self.link.stop(0.0)
        finally:
            self.replica.close()

    def rebuild(self) -> None:
        """The replica turned out to be damaged: it is set aside, a new one begun, and what can be read of the old one saved."""
        from localfirst.replica.recovery.rebuild import rebuild

        self._let_go()
        words = rebuild(self.settings.replica, self.settings.project, damaged=self._place.file)
        if words is not None:
            self._announce(words)
        self._open()

    def close(self, on_wait: Callable[[], None] | None = None) -> None:
        """Pushes what can be pushed within a second, and lets go of everything.

        With `on_wait` the sending is waited for as long as it moves, which may be seconds on a long line; it is called
        then.
        """
        with ExitStack() as rest:  # each of them, whatever the one before has met
            rest.callback(self.replica.close)
            rest.callback(tried, self._end_of_session, None, [])
            rest.callback(self._end_link, on_wait)
            if self._layers is not None:
                rest.callback(self._layers.close)
            rest.callback(self._dismiss_stand_in)
            rest.callback(self.services.close)

    def _end_link(self, on_wait: Callable[[], None] | None) -> None:
        if self.link is None:
            return
        if on_wait is not None:
            self.link.await_sent(lambda: not self._is_anything_unsent(), on_wait, patience_s=EXIT_PUSH_S)
        is_there = self.link.stop(EXIT_PUSH_S if self._is_anything_unsent() else 0.0, has_waited=on_wait is not None)
        if self._is_unmirrored and not is_there and self._is_anything_unsent():
            self._is_unmirrored = not tried(self._mirror_store, False, [])

    def _is_anything_unsent(self) -> bool:
        try:
            with sqlite_errors():
                return not outbox.is_empty(self.replica)
        except LocalfirstError as error:
            logger.warning("it cannot be said whether anything waits to be sent: %s", error.message)
            return True

    def who(self, *given: str | None) -> str | None:
        """Who writes: what the call says, else the setting, else the client's own name."""
        return next((name for name in given if name), self.settings.client or fitting_author(self.client_name))

    @contextmanager
    def act(self, *by: str | None, is_shared: bool = True) -> Iterator[Act]:
        """One act on the replica, on its way to the server as soon as it is on disk.

        Without `is_shared` it is about what is this replica's alone, such as a job: no right on the server is needed for it.

        Raises InvalidStateError (cause ``read_only``) for who may only read what is on the server.
        """
        has_asked = False
        while True:
            self._keep_in_place()
            self._freshness.end_snapshot()
            be_patient(self.replica, BUSY_TIMEOUT_MS)
            with act(self.replica, self.who(*by)) as open_act:
                if is_shared and self._is_refused(open_act):
                    if has_asked:
                        raise _read_only()
                elif self._is_in_place():  # once more, now that nobody else can write: it may have been set aside meanwhile
                    yield open_act
                    if self.is_command and open_act.steps:
                        last_act.keep(open_act.connection, self.who(), open_act.at, open_act.steps)
                    break
            if is_shared and self._is_refused(open_act):
                has_asked = True
                self._ask_for_access()
        if open_act.steps:
            self._last_steps = open_act.steps
        self.acts += 1
        self.committed = open_act
        if self.link is not None:
            tried(self.link.wake, None, [])

    def beside(self, work: Callable[[Act], None]) -> None:
        """Does what no call has asked for, such as the renewal of a claim: nobody takes it back, and no answer is about it."""
        self._freshness.end_snapshot()
        be_patient(self.replica, BUSY_TIMEOUT_MS)
        with act(self.replica, self.who()) as open_act:
            if not self._is_refused(open_act) and self._is_in_place():
                work(open_act)
        if self.link is not None:
            self.link.wake()

    def _is_refused(self, open_act: Act) -> bool:
        return self.link is not None and open_act.access == "read"

    def _ask_for_access(self) -> None:
        """Whoever may only read may have been given the right to write since, or have another user's address by now."""
        if self.link is not None and not self.link.is_known_away():
            self.link.sync(ACCESS_BUDGET_S)

    def claimant(self, given: str | None = None) -> str:
        """Who claims: what the call says, else this session."""
        return given or claimant.of_session(self.who(), is_command=self.is_command)

    def claimants(self, *given: str | None) -> set[str]:
        """The names under which a call holds what it holds: the session's own, and those that the call gives."""
        return {self.claimant(), *(name for name in given if name)}

    def away_since(self) -> str | None:
        """When the last session of this client name ended here; the same for as long as this one lasts."""
        if self._away_since is _UNKNOWN:
            who = self.who() or claimant.NAMELESS
            self._away_since = tried(lambda: sessions.begin(self.replica, who, self.claimant()), None, [])
        return cast("str | None", self._away_since)

    def _end_of_session(self) -> None:
        """What happens from now on is news for the next session of this client name; commands are no sessions."""
        if not self.is_command and self.client_name is not None:
            self.away_since()
        if self._away_since is not _UNKNOWN:
            sessions.end(self.replica, self.claimant())

    def server_now(self, later_s: float = 0.0) -> str:
        """The server's time, by its clock as it was last seen; by this machine's where no server was ever seen."""
        measured = None if self.link is None else self.link.clock_offset_s()
        return leases.moment(leases.offset_s(self.replica) if measured is None else measured, later_s)

    def last_steps(self) -> Sequence[Step]:
        """What the last act did that changed anything, in order: this session's, or that of this client's commands."""
        return last_act.kept(self.replica, self.who()) if self.is_command else self._last_steps

    @contextmanager
    def verdict(self) -> Iterator[None]:
        """What the server has made of the last act is looked at: an error in here is the act's own answer."""
        try:
            yield
        except (CallerError, StateError):
            self.committed = None
            raise

    def read(self, row_id: str | None = None) -> dict[str, Any]:
        """To be called before a read: makes the replica as fresh as the server allows, and says where the answer is from.

        Args:
            row_id: the one row that is read; None for lists, search and status.

        Returns the fields that every result of a read has.
        """
        self._keep_in_place()
        be_patient(self.replica, READ_PATIENCE_MS if self._stand_in is None else RETRY_PATIENCE_MS)
        return self._warned(self._freshness.before_read(row_id))

    @contextmanager
    def one_read(self) -> Iterator[None]:
        """All queries of one answer see one state of the replica: that for which `read` has found out how fresh it is."""
        self._is_reading = True
        self._freshness.begin_snapshot()
        try:
            yield
        finally:
            self._is_reading = False
            if self._is_open:
                self._freshness.keeps_snapshot = False
                self._freshness.end_snapshot()

    def end_snapshot(self) -> None:
        """What follows in this read sees what is there by then, and may write."""
        self._freshness.keeps_snapshot = False
        self._freshness.end_snapshot()

    def of_replica(self) -> dict[str, Any]:
        """The same fields for an answer about the replica itself: nobody is asked."""
        return self._warned(self._freshness.of_replica())

    def _warned(self, result: dict[str, Any]) -> dict[str, Any]:
        """The fields with what has to be said once."""
        if self._warnings:
            result["warnings"].extend(self._warnings)
            self._warnings = []
        return result

    def catch_up(self) -> bool:
        """Pulls what the server has beyond this replica; False if there is no server or it is away."""
        return self._freshness.catch_up()

    @property
    def is_replica_away(self) -> bool:
        """Never: see `SessionWithoutReplica`."""
        return False

    def require_index(self) -> None:
        """What only a replica holds is here."""

    def has_index(self) -> bool:
        """What only a replica holds is here."""
        return True

    def has_answers(self) -> bool:
        """Its rows are the project's."""
        return True

    def present(self, *, now: bool) -> Session:
        """Itself: see `SessionWithoutReplica.present`."""
        return self

    def is_final(self) -> bool:
        """Whether what this replica lacks is nowhere: there is no server, or the replica is level with it."""
        return self.link is None or self.catch_up()

    def lower(self) -> Iterator[LayerSession]:
        """The layers below the replica, in order, for what it lacks while the server is away."""
        from localfirst.client.layer_session import LayerSession  # reading YAML and git is not needed before it is
        from localfirst.fallback.layers import Layers

        project_id = self.project_id
        if self._layers is not None and self._layers.project_id != project_id:
            self._layers.close()
            self._layers = None
        if self._layers is None:
            self._layers = Layers(self.settings, project_id)
        for layer in self._layers:
            yield LayerSession(self.settings, layer, is_server_away=True)

    def stand_in(self, failure: LocalfirstError | None = None) -> SessionWithoutReplica[Session] | None:
        """What reads are answered from while the replica cannot be used; None while it can.

        That is so for `STAND_IN_S` after it has failed a read, and as long as the sync loop cannot write to it (a full disk):
        it is readable then, and PostgreSQL may have more.
        """
        now = time.monotonic()
        if failure is not None:
            self._stand_in_until = now + STAND_IN_S
        state: object = "failed"
        if failure is None and now >= self._stand_in_until:
            if self.link is None or not self.link.is_replica_in_the_way():
                if now >= self._stand_in_until + STAND_IN_S:
                    self._dismiss_stand_in()
                return None
            state = (self.acts, self.replica.pragma("data_version"))
        if self._stand_in is None or self._stand_in_for != state:
            from localfirst.client.without_replica import SessionWithoutReplica

            self._dismiss_stand_in()
            cause = failure or UnavailableError("the replica cannot be written; run `localfirst doctor`.", cause="replica")
            self._stand_in = SessionWithoutReplica(self.settings, cause, self._as_it_is)
            self._stand_in_for = state
        return self._stand_in

    def _as_it_is(self, patience_ms: int | None) -> Session:
        return self

    def _dismiss_stand_in(self) -> None:
        if self._stand_in is not None:
            self._stand_in.close()
            self._stand_in = None

    def written(self, row_id: str | None = None) -> dict[str, Any]:
        """The fields that every result of a write has. While the server is away the status file is refreshed too."""
        warnings: list[str] = []
        self._is_unmirrored = self.link is not None  # said before the link is asked: one of both threads sees the outage
        is_away = self.link is not None and tried(self.link.is_known_away, False, warnings)
        if is_away:
            warnings.append("database_unavailable")
        if self.link is not None and self.committed is not None and self.committed.access == "standby":
            warnings.append("read_only")
        if row_id is not None and tried(lambda: self._freshness.has_conflict(row_id), False, warnings):
            warnings.append("conflict_pending")
        wrote_to_markdown = is_away and tried(self._mirror_store, False, warnings)
        if wrote_to_markdown:
            self._is_unmirrored = False
        return self._warned(
            {
                "success": True,
                "warnings": warnings,
                "wrote_to_cache": True,
                "wrote_to_markdown": wrote_to_markdown,
                "pending_sync": self.link is not None,
            }
        )

    def _mirror_store(self) -> bool:
        if self.replica.in_transaction:
            return False  # nothing that is not yet on disk may be in the file
        if self._mirror is None:
            self._mirror = self._open_mirror()
        return self._mirror.refresh(self.replica)

    def _open_mirror(self) -> Mirror:
        from localfirst.checkout import file_of_checkout
        from localfirst.markdown.mirror import Mirror  # parsing YAML is not needed before a server is away

        file = file_of_checkout(self.settings.root, self.settings.markdown)
        return Mirror(file, self.settings.replica.with_name(f"{self.settings.replica.name}.markdown.lock"))

    def _mirror_late(self) -> None:
        """Called, in the link's thread, when the server is away: what was written before this was known goes into the file."""
        if not self._is_unmirrored:
            return
        self._is_unmirrored = False
        is_done = False
        try:
            with closing(connect(self.settings.replica)) as replica:
                is_done = outbox.is_empty(replica) or self._open_mirror().refresh(replica)
        finally:
            self._is_unmirrored = self._is_unmirrored or not is_done

    def take_announcement(self) -> str | None:
        """Once: what a user should know before anything else (unsent changes, open conflicts)."""
        words, self._announcement = self._announcement, None
        return words

    def take_place(self) -> dict[str, Any]:
        """Once: the project and the root, for the first answer."""
        if self._is_placed:
            return {}
        self._is_placed = True
        return place(self.settings, self.replica)

    def _announce(self, words: str) -> None:
        self._announcement = f"{self._announcement} {words}" if self._announcement else words

    def _first_words(self) -> str | None:
        with sqlite_errors():
            unsent = outbox.count(self.replica) if self.link is not None else 0
            lost = words_of_loss(self.replica, self.settings.replica) if self.link is None else None
            open_conflicts = self.replica.execute("SELECT count(*) FROM conflicts WHERE resolved_at IS NULL").get
        words = [] if (untrusted := words_of_untrusted(self.settings)) is None else [untrusted]
        words += [new] if (new := words_of_new(self.settings, self.replica)) is not None else []
        words += [lost] if lost is not None else []
        if unsent:
            words.append(
                f"{unsent} change{'s' if unsent > 1 else ''} of an earlier session"
                f" {'are' if unsent > 1 else 'is'} not on the server yet; they are kept and on their way."
            )
        if open_conflicts:
            words.append(f"{open_conflicts} conflict{'s are' if open_conflicts > 1 else ' is'} open: see list_conflicts.")
        return " ".join(words) or None


def _read_only() -> InvalidStateError:
    return InvalidStateError(
        "you may only read this project on its server, so nothing can be changed here; `localfirst doctor` prints the statement"
        " by which an administrator gives you the right to write.",
        cause="read_only",
    )
