"""A server that is away costs one read its budget, and later reads, commands and processes nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

from gateway import Gateway

from localfirst.client.circuit import Circuit
from localfirst.client.server_link import ServerLink
from localfirst.replica import outbox
from reading.world import Reader, World, call


def answered_in(reader: Reader, tool: str = "list_vendors") -> float:
    began = time.monotonic()
    reader.ask(tool)
    return time.monotonic() - began


def test_the_first_read_after_a_freeze_ends_within_two_seconds_and_the_next_at_once(
    world: World, gateway: Gateway, tmp_path: Path
) -> None:
    settings = world.place(tmp_path / "place", ("replica",), url=gateway.url)
    with Reader(world, settings) as reader:
        assert reader.ask("list_vendors")["data_source"] == "postgresql"
        gateway.flowing.clear()
        assert answered_in(reader) < 2
        answer = reader.ask("list_vendors")
        assert answer["warnings"] == ["database_unavailable", "using_fallback_cache"]
        assert min(answered_in(reader) for _ in range(20)) < 0.05
        gateway.flowing.set()
        assert reader.session.link is not None
        assert reader.session.link.sync(30) is not None
        assert reader.ask("list_vendors")["data_source"] == "postgresql"


def test_a_server_that_is_frozen_from_the_beginning_costs_one_read(world: World, gateway: Gateway, tmp_path: Path) -> None:
    gateway.flowing.clear()
    settings = world.place(tmp_path / "place", ("replica",), url=gateway.url)
    with Reader(world, settings) as reader:
        assert answered_in(reader) < 3
        assert min(answered_in(reader) for _ in range(20)) < 0.05


def test_another_process_knows_that_the_server_is_away(world: World, gateway: Gateway, tmp_path: Path) -> None:
    gateway.flowing.clear()
    settings = world.place(tmp_path / "place", ("replica",), url=gateway.url)
    with Reader(world, settings) as first:
        first.ask("list_vendors")
        assert Circuit(settings.replica).is_broken()
        with Reader(world, settings) as second:
            link = second.session.link
            assert isinstance(link, ServerLink)
            assert link.is_known_away(), "before it has tried"
            written = call(second.session, "create_vendor", name="Elm")
            assert written["warnings"] == ["database_unavailable"]
            assert written["wrote_to_markdown"] is True
            began = time.monotonic()
            second.session.close()
            assert time.monotonic() - began < 0.9, "nor is it waited for at the end as long as one that may be there"
            second.session = first.session


def test_whoever_reaches_the_server_again_closes_the_circuit(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("postgresql", "replica"))
    circuit = Circuit(settings.replica)
    circuit.break_()
    assert circuit.is_broken()
    with Reader(world, settings) as reader:
        assert reader.session.link is not None
        assert reader.session.link.sync(30) is not None
        assert reader.ask("list_vendors")["data_source"] == "postgresql"
        assert not circuit.is_broken()


def test_a_change_made_while_the_circuit_is_broken_goes_out_all_the_same(
    world: World, database_url: str, tmp_path: Path
) -> None:
    settings = world.place(tmp_path / "place", ("replica",), url=database_url)
    settings.replica.unlink()
    Circuit(settings.replica).break_()
    with Reader(world, settings) as reader:
        call(reader.session, "create_vendor", name="Elm")
        assert reader.session.link is not None
        assert reader.session.link.sync(30) is not None
        assert outbox.is_empty(reader.session.replica)


def test_a_memory_of_long_ago_counts_for_nothing(tmp_path: Path) -> None:
    circuit = Circuit(tmp_path / "replica.db")
    assert not circuit.is_broken()
    circuit.break_()
    file = tmp_path / "replica.db.away"
    assert file.stat().st_mode & 0o077 == 0
    os.utime(file, (time.time() - 60, time.time() - 60))
    assert not circuit.is_broken()
    circuit.close()
    assert not file.exists()
    Circuit(tmp_path / "no such folder" / "replica.db").break_()
