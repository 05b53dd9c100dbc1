"""People's writes come before those of the code index."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from pathlib import Path

import apsw
import pytest
from localfirst_schema.errors import UnavailableError

from localfirst.code_index.store.transaction import prepare, writing
from localfirst.replica.connection import be_patient, immediate
from localfirst.replica.opening import open_replica
from localfirst.replica.turn import Turn

LONG_S = 20.0


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    path = tmp_path / "r.sqlite3"
    open_replica(path, "a project").close()
    return path


def test_the_index_waits_while_somebody_asks_and_goes_on_when_the_turn_was_taken(replica: Path) -> None:
    index, person = Turn(replica), Turn(replica)
    index.give_way(LONG_S)  # makes the file
    person.ask()
    passed = threading.Event()

    def give_way() -> None:
        index.give_way(LONG_S)
        passed.set()

    waiting = threading.Thread(target=give_way)
    waiting.start()
    assert not passed.wait(0.2)
    person.take()
    assert passed.wait(LONG_S)
    waiting.join()
    index.close()
    person.close()


def test_it_gives_way_for_a_limited_time(replica: Path) -> None:
    index, person = Turn(replica), Turn(replica)
    index.give_way(LONG_S)
    person.ask()
    began = time.monotonic()
    index.give_way(0.05)
    assert 0.05 <= time.monotonic() - began < LONG_S
    person.close()  # as when its process dies
    began = time.monotonic()
    index.give_way(LONG_S)
    assert time.monotonic() - began < LONG_S / 2
    index.close()


def test_several_may_ask_at_once(replica: Path) -> None:
    index, one, other = Turn(replica), Turn(replica), Turn(replica)
    index.give_way(LONG_S)
    one.ask()
    other.ask()
    one.take()
    began = time.monotonic()
    index.give_way(0.05)
    assert time.monotonic() - began >= 0.05
    other.take()
    index.give_way(LONG_S)
    for turn in (index, one, other):
        turn.close()


def test_a_write_asks_until_it_has_begun(replica: Path) -> None:
    index = open_replica(replica, None)
    prepare(index)
    with writing(index):  # its file is there from the first turn on
        pass
    order: list[str] = []
    asked = threading.Event()

    def write() -> None:
        connection = open_replica(replica, None)
        be_patient(connection, int(LONG_S * 1000))
        asked.set()
        with immediate(connection):
            order.append("person")
        connection.close()

    with writing(index):
        order.append("index")
        thread = threading.Thread(target=write)
        thread.start()
        assert asked.wait(LONG_S)
        _until_somebody_asks(replica)
    for _ in range(3):
        with writing(index):
            order.append("index")
    thread.join()
    assert order == ["index", "person", "index", "index", "index"]
    index.close()


def _until_somebody_asks(replica: Path) -> None:
    looking = Turn(replica)
    deadline = time.monotonic() + LONG_S
    while time.monotonic() < deadline:
        began = time.monotonic()
        looking.give_way(0.01)
        if time.monotonic() - began >= 0.01:
            looking.close()
            return
    raise TimeoutError("nobody asked")


def test_a_write_that_gives_up_asks_no_more(replica: Path) -> None:
    holder, person, index = open_replica(replica, None), open_replica(replica, None), Turn(replica)
    index.give_way(LONG_S)
    be_patient(person, 10)
    with immediate(holder), pytest.raises(UnavailableError, match="locked by another process"), immediate(person):
        pass
    began = time.monotonic()
    index.give_way(LONG_S)
    assert time.monotonic() - began < LONG_S / 2
    for connection in (holder, person):
        connection.close()
    index.close()


def test_patience_is_for_each_wait_and_ends(replica: Path) -> None:
    holder, person = open_replica(replica, None), open_replica(replica, None)
    be_patient(person, 100)
    with immediate(holder):
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(UnavailableError, match="locked by another process"), immediate(person):
                pass
            assert 0.1 <= time.monotonic() - began < LONG_S
        be_patient(person, 0)
        with pytest.raises(UnavailableError, match="locked by another process"), immediate(person):
            pass
    with immediate(person):
        pass
    holder.close()
    person.close()


def test_without_its_file_the_index_pauses_and_people_write(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite3"
    connection = open_replica(path, "a project")
    path.with_name("r.sqlite3.turn").mkdir()  # so the file can be neither made nor opened
    prepare(connection)
    with writing(connection):
        pass
    with immediate(connection):
        pass
    connection.close()


def test_the_file_is_private_and_only_there_when_there_is_an_index(replica: Path) -> None:
    connection = open_replica(replica, None)
    with immediate(connection):
        pass
    turn = replica.with_name("r.sqlite3.turn")
    assert not turn.exists()
    prepare(connection)
    with writing(connection):
        pass
    assert stat.S_IMODE(turn.stat().st_mode) == 0o600
    connection.close()


def test_a_replica_in_memory_has_no_turns() -> None:
    connection = apsw.Connection(":memory:")
    with immediate(connection):
        connection.execute("CREATE TABLE t (x)")
    assert connection.execute("SELECT count(*) FROM t").get == 0


def test_who_was_not_heard_in_the_moment_of_a_look_says_so_again(tmp_path: Path) -> None:
    index, person = Turn(tmp_path / "r.sqlite3"), Turn(tmp_path / "r.sqlite3")
    index.give_way(LONG_S)  # makes the file
    looking = os.open(tmp_path / "r.sqlite3.turn", os.O_RDWR)
    fcntl.flock(looking, fcntl.LOCK_EX)
    person.ask()
    os.close(looking)
    began = time.monotonic()
    index.give_way(LONG_S)
    assert time.monotonic() - began < LONG_S  # nobody was heard
    person.insist()
    began = time.monotonic()
    index.give_way(0.05)
    assert time.monotonic() - began >= 0.05
    person.take()
    person.insist()  # it does not wait any more
    began = time.monotonic()
    index.give_way(LONG_S)
    assert time.monotonic() - began < LONG_S
    index.close()
    person.close()
