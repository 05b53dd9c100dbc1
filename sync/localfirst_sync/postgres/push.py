"""A push: one transaction that decides, writes, numbers and remembers a batch of mutations.

Two round trips for plain updates: the first locks the rows and then the head and reads what is needed, the second writes and
commits. Everybody locks in this order (rows by entity and id, then the head), and gives way rather than wait long. When the
server refuses a value, the batch is written again in ever smaller parts until the offender is alone; it becomes a conflict.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence

import psycopg
from localfirst_schema.wire import Verdict
from psycopg.errors import LockNotAvailable

from localfirst_sync.batch import Act, Change, acts, read
from localfirst_sync.ports import Busy, Identity, Push, Pushed
from localfirst_sync.postgres import held
from localfirst_sync.postgres.bulk import BULK_ROWS
from localfirst_sync.postgres.connection import Connection, roll_back, roll_back_quietly
from localfirst_sync.postgres.earlier_rounds import end_earlier_rounds
from localfirst_sync.postgres.failure import blames_the_data, is_temporary, name_of_refusal, unavailable
from localfirst_sync.postgres.transaction import Transaction

logger = logging.getLogger("localfirst.sync")

ATTEMPTS = 3
_LONGEST_PAUSE_S = 0.2


def push(connection: Connection, identity: Identity, pushed: Push) -> Pushed:
    """Carries out a push.

    Raises `IdentityTaken`, `Fenced`, `Busy`, `ServerWasRestored` or `UnavailableError`; nothing is written then.
    """
    changes = read(pushed.mutations)
    careful = False
    for attempt in range(ATTEMPTS):
        try:
            return _attempt(connection, identity, pushed, changes, careful=careful)
        except psycopg.Error as error:
            roll_back_quietly(connection)
            if blames_the_data(error) and not careful:
                careful = True
            elif not is_temporary(error):
                raise unavailable(error) from None
            else:
                logger.debug("push gives way (attempt %d): %s", attempt + 1, type(error).__name__)
                if end_earlier_rounds(connection, identity):
                    continue
                if isinstance(error, LockNotAvailable):
                    answer = held.look(connection, identity, pushed, changes)
                    if answer is not None:
                        return answer
                time.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311 - it spreads clients, it hides nothing
        except BaseException:
            roll_back_quietly(connection)
            raise
    raise Busy  # not rows but the head is in the way


def _attempt(connection: Connection, identity: Identity, pushed: Push, changes: Sequence[Change], *, careful: bool) -> Pushed:
    transaction = Transaction(connection, identity)
    known = transaction.open(pushed, changes)
    new = changes[len(known) :]
    if not new:
        connection.execute("COMMIT")
        return Pushed(known, None, transaction.before)
    transaction.load(new)
    if careful:
        answers = _write_in_parts(connection, transaction, acts(new), None)
        with connection.pipeline():
            after = transaction.finish(pushed, answers)
            connection.execute("COMMIT")
    else:
        part = transaction.decide(acts(new))
        answers = part.verdicts
        in_bulk = len(part.history) >= BULK_ROWS and not transaction.is_row_secured
        if in_bulk:
            transaction.write_in_bulk(part)
        with connection.pipeline():
            if not in_bulk:
                transaction.write(part)
            after = transaction.finish(pushed, answers)
            connection.execute("COMMIT")
    if known:
        return Pushed([*known, *answers], None, after)
    return Pushed(answers, transaction.before, after)


def _write_in_parts(
    connection: Connection, transaction: Transaction, some: Sequence[Act], forced_reason: str | None
) -> list[Verdict]:
    """Writes acts at once if the server takes them, else each half by itself, down to the one that it refuses."""
    part = transaction.decide(some, forced_reason)
    try:
        with connection.pipeline():
            connection.execute("SAVEPOINT part")
            transaction.write(part)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            connection.execute("RELEASE SAVEPOINT part")
        return part.verdicts
    except psycopg.Error as error:
        if forced_reason is not None or not blames_the_data(error):
            raise
        roll_back(connection, to_savepoint="part")
        connection.execute("RELEASE SAVEPOINT part")
        transaction.forget(part)
        refusal = name_of_refusal(error)
    if len(some) == 1:
        return _write_in_parts(connection, transaction, some, f"constraint: {refusal}")
    middle = len(some) // 2
    first = _write_in_parts(connection, transaction, some[:middle], None)
    return first + _write_in_parts(connection, transaction, some[middle:], None)
