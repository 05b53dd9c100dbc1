"""A server that accepts and says nothing is named as that, soon, whatever is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gateway import Gateway
from localfirst_schema.errors import UnavailableError

from reading.world import PROJECT, Reader, World

CONNECT_S = 3.0
SILENCE_S = 3.0
BUSY_MACHINE_S = 1.5


@pytest.fixture
def silent(gateway: Gateway) -> Gateway:
    gateway.flowing.clear()
    return gateway


def test_sync_status_says_that_it_does_not_answer(world: World, silent: Gateway, tmp_path: Path) -> None:
    with Reader(world, world.place(tmp_path / "place", ("replica",), url=silent.url)) as reader:
        status = reader.ask("sync_status")
        assert (status["online"], status["server_head"]) == (False, None)
        assert "does not answer" in status["last_error"]


def test_sync_now_gives_up_with_the_connection(world: World, silent: Gateway, tmp_path: Path) -> None:
    with Reader(world, world.place(tmp_path / "place", ("replica",), url=silent.url)) as reader:
        for bound in (CONNECT_S, CONNECT_S + 0.5):  # the second one begins a try of its own, after a short pause
            began = time.monotonic()
            with pytest.raises(UnavailableError, match="did not answer in time"):
                reader.ask("sync_now")
            assert time.monotonic() - began < bound + BUSY_MACHINE_S


def test_one_that_falls_silent_later_is_noticed_as_soon(world: World, gateway: Gateway, tmp_path: Path) -> None:
    with Reader(world, world.place(tmp_path / "place", ("replica",), url=gateway.url)) as reader:
        assert reader.ask("sync_status")["online"] is True
        gateway.flowing.clear()
        status = reader.ask("sync_status")
        assert (status["online"], "does not answer" in status["last_error"]) == (False, True)
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="answer"):
            reader.ask("sync_now")
        assert time.monotonic() - began < SILENCE_S + BUSY_MACHINE_S
        gateway.flowing.set()
        assert reader.session.link is not None
        assert reader.session.link.sync(30) is not None
        assert reader.ask("sync_status")["last_error"] is None


def test_the_doctor_says_so_within_four_seconds(world: World, silent: Gateway, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("replica",), url=silent.url)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LOCALFIRST_PROJECT": PROJECT, "LOCALFIRST_DATABASE_URL": silent.url,
        "LOCALFIRST_REPLICA": str(settings.replica), "XDG_STATE_HOME": str(tmp_path / "state"),
    }  # fmt: skip
    began = time.monotonic()
    command = [sys.executable, "-m", "localfirst", "doctor"]
    done = subprocess.run(command, cwd=settings.root, env=environment, capture_output=True, text=True, check=False, timeout=60)
    took = time.monotonic() - began
    assert "cannot be used: PostgreSQL did not answer in time" in done.stdout
    assert took < 4 + BUSY_MACHINE_S


@pytest.mark.parametrize("port", ["99999", "0", "no-port"])
def test_a_port_that_is_none_is_named_with_the_setting_and_the_rule(world: World, tmp_path: Path, port: str) -> None:
    settings = world.place(tmp_path / "place", ("replica",), url=f"postgresql://ann:pass@127.0.0.1:{port}/board")
    words = "LOCALFIRST_DATABASE_URL names no port: that must be a number from 1 to 65535"
    with Reader(world, settings) as reader:
        with pytest.raises(UnavailableError, match=words):
            reader.ask("sync_now")
        assert words in reader.ask("sync_status")["last_error"]
        assert reader.ask("list_vendors")["total_count"] == 2
