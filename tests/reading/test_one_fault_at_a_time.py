"""Each layer fails in each way: with all the others present, and with none; every reading tool answers, and says where from."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from localfirst_schema.errors import NotFoundError, UnavailableError

from reading.faults import FAULTS, STILL_READABLE, Fault, slow
from reading.world import LAYERS, SOURCE, Reader, World

CASES = [pytest.param(layer, fault, id=f"{layer} {fault.__name__}") for layer, faults in FAULTS.items() for fault in faults]
LONGEST_S = 20.0
"""For all tools together, on a busy machine; no case waits for longer than its budgets."""


@pytest.mark.parametrize(("layer", "fault"), CASES)
def test_with_the_other_layers_present_every_tool_answers(world: World, tmp_path: Path, layer: str, fault: Fault) -> None:
    settings = world.place(tmp_path / "place", LAYERS)
    with fault(world, settings) as faulty:
        began = time.monotonic()
        with Reader(world, faulty) as reader:
            sources = {tool: answer["data_source"] for tool, answer in reader.answers().items()}
            assert reader.ask("list_conflicts")["total_count"] == 0
            assert reader.ask("get_project_configuration")["default_token_budget"] == 200_000
            assert reader.ask("sync_status")["success"]
            assert [one["pr_number"] for one in reader.ask("list_deployments")["items"]] == [7]
        assert time.monotonic() - began < LONGEST_S
    expected = {"sqlite_cache"} if layer == "postgresql" else {"postgresql"}
    if fault is slow:  # not for the first of them; later it is connected
        expected.add("postgresql")
    assert set(sources.values()) <= expected, sources


@pytest.mark.parametrize(("layer", "fault"), CASES)
def test_alone_it_answers_if_it_can(world: World, tmp_path: Path, layer: str, fault: Fault) -> None:
    settings = world.place(tmp_path / "place", (layer,))
    with fault(world, settings) as faulty, Reader(world, faulty) as reader:
        for tool, arguments in reader.questions().items():
            try:
                answer = reader.ask(tool, **arguments)
            except (NotFoundError, UnavailableError):
                assert fault not in STILL_READABLE, tool
                assert "id" in arguments or "name" in arguments, f"{tool} knows an empty answer"
                continue
            if fault in STILL_READABLE:
                assert answer["data_source"] == SOURCE[layer], tool
            assert answer["warnings"] != [] or answer["data_source"] == "postgresql", tool
