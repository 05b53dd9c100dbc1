"""A push that was left open by an earlier round of a replica (its process was stopped) is ended by a later one."""

from __future__ import annotations

import copy

import psycopg
import pytest
from localfirst_sync.batch import read
from localfirst_sync.ports import Busy, Identity
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.transaction import Transaction
from sync_looking import assert_gapless, history
from sync_sender import Sender, task
from waiting import until

WAITS = """
    SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
    WHERE application_name = %s AND state = 'active' AND wait_event = 'ClientRead'
"""


def opened(sender: Sender, connection: Connection) -> Transaction:
    """A push of the sender's queue that has locked the head and goes no further."""
    transaction = Transaction(connection, Identity(sender.project_id, "", sender.replica_id, sender.epoch))
    push = sender.prepared()
    transaction.open(push, read(push.mutations))
    return transaction


def test_a_later_round_ends_what_an_earlier_one_of_the_same_replica_has_left_open(ann: Sender, database_url: str) -> None:
    item = ann.create("work_item", task())
    with connect(database_url) as left_open:
        opened(ann, left_open)
        later = copy.copy(ann)
        later.epoch = 2
        assert [verdict.outcome for verdict in later.push()] == ["accepted"]
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("COMMIT")
    assert len(history(ann.server, item)) == 1
    assert_gapless(ann.server)


def test_a_push_in_the_middle_of_a_pipeline_is_ended_too(ann: Sender, database_url: str) -> None:
    ann.create("work_item", task())
    with connect(database_url) as left_open:
        pgconn = left_open.pgconn
        pgconn.enter_pipeline_mode()
        name = f"localfirst {ann.replica_id} {ann.epoch}".encode()
        pgconn.send_query_params(b"BEGIN", None)
        pgconn.send_query_params(b"SELECT pg_catalog.set_config('application_name', $1, true)", [name])
        pgconn.send_query_params(b"SELECT head FROM localfirst.project_heads FOR UPDATE", None)
        pgconn.send_flush_request()  # and no more: PostgreSQL waits for the rest, without a limit
        pgconn.flush()
        until(lambda: ann.server.execute(WAITS, (name.decode(),)).fetchone() == (1,), 10)
        later = copy.copy(ann)
        later.epoch = 2
        assert [verdict.outcome for verdict in later.push()] == ["accepted"]
        pgconn.finish()


def test_nobody_elses_push_is_ended_nor_one_of_the_same_round(ann: Sender, bob: Sender, database_url: str) -> None:
    ann.create("work_item", task())
    bob.create("work_item", task())
    bob.epoch = 9
    for waiting in (bob, copy.copy(ann)):
        with connect(database_url) as left_open:
            opened(ann, left_open)
            with pytest.raises(Busy):
                waiting.push()
            left_open.execute("COMMIT")
    assert [verdict.outcome for verdict in ann.push()] == ["accepted"]
