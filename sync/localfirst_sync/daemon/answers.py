"""What the daemon answers, over one connection to PostgreSQL: the engine's own side, behind the token's rights.

Nothing here decides anything that the engine decides. A project's id in a question is the one that the token may see: what the
question itself says of it is not looked at.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import psycopg
from localfirst_schema.errors import UnavailableError
from localfirst_schema.project_key import is_one_project, project_key
from localfirst_schema.wire import HASH_BYTES

from localfirst_sync.daemon.access import Bearer, other_project
from localfirst_sync.daemon.outgoing import Outgoing, OutgoingFill
from localfirst_sync.daemon.pool import Lent, server_identity
from localfirst_sync.http.code import CodeQuestion, answered
from localfirst_sync.http.messages import (
    Confirm,
    Counts,
    Ends,
    Fence,
    Head,
    Meet,
    Met,
    Nothing,
    PullQuestion,
    PushQuestion,
    RestoredAnswer,
    RestoreQuestion,
    SnapshotQuestion,
)
from localfirst_sync.http.packet import MalformedError
from localfirst_sync.known_server import Known
from localfirst_sync.ports import BEGINNING, Access, Again, Cursor, HistoryCount, Identity, Pushed, RecoveryPart
from localfirst_sync.postgres import acquaintance, migrate, pull, push, restore, rights, snapshot, tokens
from localfirst_sync.postgres import head as head_of
from localfirst_sync.postgres.code_server import PostgresCodeServer
from localfirst_sync.postgres.failure import unavailable

HEAD_BUDGET_MS = 5_000
COUNTS_OF_A_FRAME = 5_000
NUMBER_MAX = 2**63 - 1


class _OfQuestion:
    """What a replica knows of its server, as its question says; what it is to keep of it goes back with the answer."""

    def __init__(self, question: Meet) -> None:
        self._question = question
        self.remembered: Known | None = None
        self.project: tuple[str, str] | None = None

    def known(self) -> Known | None:
        if self._question.known is None:
            return None
        addresses = frozenset({self._question.address} if self._question.knows_address else ())
        return Known(*self._question.known, addresses)

    def seen(self) -> Cursor:
        return self._question.seen

    def remember(self, known: Known) -> None:
        self.remembered = known

    def take_project(self, project_id: str, name: str) -> None:
        self.project = project_id, name


def meet(lent: Lent, bearer: Bearer, question: Meet) -> Met:
    """Which server this is, and the project; it is started if nobody has and the token may."""
    _check_id(question.project_id)
    _check_cursor(question.seen)
    if not 1 <= len(question.project_name) <= 200 or "\0" in question.project_name:
        raise MalformedError("the project's name is none")
    if question.known is not None:
        _check_id(question.known[0])
    connection = lent.connection
    _check_project(lent, bearer, question)
    its_id, its_name = question.project_id, question.project_name
    if question.takes_any:
        found = migrate.ensure_project(connection, its_id, its_name)
        if found.id != its_id:
            raise UnavailableError("PostgreSQL has a project of this name, with another id.", cause="project")
        project, access = found, rights.access(connection)
        server_id, system_identifier = server_identity(connection), None
    else:
        of_replica = _OfQuestion(question)
        way = acquaintance.Way(question.address, frozenset(), question.address)
        try:
            asked = acquaintance.send_question(connection, its_id, its_name, of_replica)
        except psycopg.Error as error:
            raise unavailable(error) from None
        project, access = acquaintance.met(connection, asked, way, its_id, its_name, of_replica)
        known = of_replica.remembered or of_replica.known()
        assert known is not None
        server_id, system_identifier = known.id, known.system_identifier
    if not bearer.may_see(project.id):
        tokens.bind(connection, bearer.id, project.id, project_key(its_name))
    if server_id is None:
        raise UnavailableError("PostgreSQL has no identity; `localfirst server migrate` gives it one.", cause="schema")
    return Met(server_id, system_identifier, project.id, project.name, allowed(bearer, access), _head(lent, project.id))


def _check_project(lent: Lent, bearer: Bearer, question: Meet) -> None:
    wanted = migrate.sought(question.project_id, question.project_name)
    try:
        row: Any = lent.connection.execute(migrate.FIND_PROJECT, wanted).fetchone()
    except psycopg.Error as error:
        raise unavailable(error) from None
    # An id that is made from a name may be that of a project which had the name once.
    is_new = row is None or (
        row[0] == question.project_id and question.seen == BEGINNING and not is_one_project(row[1], question.project_name)
    )
    if not is_new and (bearer.may_see(row[0]) or bearer.may_start(row[1])):
        return
    if not is_new or not bearer.may_start(question.project_name):
        raise other_project(bearer, question.project_name)
    if bearer.access == "read":
        raise UnavailableError(
            f"Nobody has started the project {question.project_name} on the server yet, and the token {bearer.id} may only"
            " read. Changes are kept in the replica.",
            cause="project",
        )


def allowed(bearer: Bearer, access: Access) -> Access:
    """What a token may do, where the daemon itself may do that."""
    return "read" if access == "write" and bearer.access == "read" else access


def ask_head(lent: Lent, project_id: str) -> Head:
    """The project's head."""
    return Head(_head(lent, project_id))


def carry_out_push(lent: Lent, project_id: str, via: str, question: PushQuestion) -> Pushed:
    """A push; `via` is the token's name."""
    given = question.push
    numbers = [mutation.number for mutation in given.mutations]
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise MalformedError("the mutations' numbers have a gap")
    if len(given.hashes) != len(numbers) or any(len(one) != HASH_BYTES for one in (*given.hashes, given.acked_hash)):
        raise MalformedError("the hashes are not those of the mutations")
    _check_numbers(given.acked_number, given.maybe_applied, numbers[0], numbers[-1], *given.displayed, *given.version_floors)
    _check_cursor(given.cursor)
    done = push.push(lent.connection, _whose(question.identity, project_id, via), given)
    return msgspec.structs.replace(done, via=via)


def stream_pull(lent: Lent, project_id: str, question: PullQuestion, out: Outgoing) -> None:
    """What came after a cursor."""
    for cursor in (question.cursor, *question.known):
        _check_cursor(cursor)
    again = None
    if question.again is not None:
        for row_id in (row_id for ids in question.again.rows.values() for row_id in ids):
            _check_id(row_id)
        _check_numbers(*question.again.lines)
        again = Again(question.again.rows, question.again.lines)
    out.frame(Ends(pull.pull(lent.connection, project_id, question.cursor, out, again, question.known)))


def stream_snapshot(lent: Lent, project_id: str, question: SnapshotQuestion, out: OutgoingFill) -> None:
    """The first fill."""
    _check_cursor(question.cursor)
    _check_cursor(question.read_at)
    if question.place is not None:
        table, key = question.place
        if table == "history":
            if not isinstance(key, int):
                raise MalformedError("the place is none")
            _check_numbers(key)
        else:
            if table not in {query.table for query in snapshot.queries()}:
                raise MalformedError("the place is none")
            _check_id(key)
    snapshot.snapshot(lent.connection, project_id, out)
    out.frame(Ends(out.cursor))


def carry_out_confirm(lent: Lent, project_id: str, _: str, question: Confirm) -> Nothing:
    """Whether the log holds a cursor."""
    _check_cursor(question.cursor)
    restore.confirm(lent.connection, project_id, question.cursor)
    return Nothing()


def carry_out_fence(lent: Lent, project_id: str, via: str, question: Fence) -> Nothing:
    """A fence."""
    restore.fence(lent.connection, _whose(question.identity, project_id, via))
    return Nothing()


def stream_counts(lent: Lent, project_id: str, out: Outgoing) -> None:
    """How much the history tells of each row."""
    counts: list[tuple[str, str, HistoryCount]] = []
    for (entity, row_id), count in restore.history_counts(lent.connection, project_id).items():
        counts.append((entity, row_id, count))
        if len(counts) >= COUNTS_OF_A_FRAME:
            out.frame(Counts(counts))
            counts = []
    out.frame(Counts(counts))
    out.frame(Ends(BEGINNING))


def carry_out_restore(lent: Lent, project_id: str, via: str, question: RestoreQuestion) -> RestoredAnswer:
    """A part of what the server lacks."""
    _check_cursor(question.known)
    part = RecoveryPart(question.rows, question.conflicts)
    whose = _whose(question.identity, project_id, via)
    return RestoredAnswer(*restore.restore(lent.connection, whose, part, question.known))


def carry_out_code(lent: Lent, project_id: str, _: str, question: CodeQuestion) -> object:
    """A question about the team's code index."""
    return answered(PostgresCodeServer(lent.connection, project_id), question)


def _head(lent: Lent, project_id: str) -> Cursor:
    return head_of.ask(lent.connection, project_id, HEAD_BUDGET_MS)


def _whose(identity: Identity, project_id: str, via: str) -> Identity:
    _check_id(identity.replica_id)
    _check_numbers(identity.epoch)
    return identity._replace(project_id=project_id, via=via)


def _check_id(text: object) -> None:
    try:
        is_id = isinstance(text, str) and str(uuid.UUID(text)) == text
    except ValueError:
        is_id = False
    if not is_id:
        raise MalformedError("an id is none")


def _check_numbers(*numbers: int) -> None:
    if any(not 0 <= number <= NUMBER_MAX for number in numbers):
        raise MalformedError("a number is out of range")


def _check_cursor(cursor: Cursor) -> None:
    _check_numbers(*cursor)
