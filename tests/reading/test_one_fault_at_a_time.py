"""Each layer fails in each way: with all the others present, and with none; every reading tool answers, and says where from."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from localfirst_schema.errors import LocalfirstError, NotFoundError, UnavailableError

from localfirst.operations.cascade import ALONE_PATIENCE_S
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
            [deployment] = reader.ask("list_deployments")["items"]
            assert reader.ask("query_deployment", id=deployment["id"])["pr_number"] == 7
            code = reader.code_found()
            jobs = reader.ask("list_indexing_jobs")
        assert time.monotonic() - began < LONGEST_S
    expected = {"sqlite_cache"} if layer == "postgresql" else {"postgresql"}
    if fault is slow:  # not for the first of them; later it is connected
        expected.add("postgresql")
    assert set(sources.values()) <= expected, sources
    is_index_there = layer != "replica" or fault in STILL_READABLE
    if is_index_there:
        assert ([one["symbol"] for one in code["results"]], code["coverage"]) == (["parse_header"], 1.0)
        assert [one["job_id"] for one in jobs["jobs"]] == [world.job]
    elif not code["results"]:  # of a damaged file people's data is saved, and what can be computed again is not
        assert (code["coverage"], code["index_warnings"]) == (0.0, ["index_missing"])


@pytest.mark.parametrize(("layer", "fault"), CASES)
def test_alone_it_answers_if_it_can(world: World, tmp_path: Path, layer: str, fault: Fault) -> None:
    settings = world.place(tmp_path / "place", (layer,))
    with fault(world, settings) as faulty, Reader(world, faulty) as reader:
        for tool, arguments in reader.questions().items():
            refusal: type[LocalfirstError] | None = None
            try:
                answer = reader.ask(tool, **arguments)
            except (NotFoundError, UnavailableError) as error:
                refusal = type(error)
            if refusal is not None:
                assert fault not in STILL_READABLE, tool
                assert "id" in arguments or "name" in arguments, f"{tool} knows an empty answer"
                # Only a replica that was begun anew can say what there is not; of the others each is away, or empty.
                assert refusal is UnavailableError or layer == "replica", tool
                continue
            if fault in STILL_READABLE:
                assert answer["data_source"] == SOURCE[layer], tool
            assert answer["warnings"] != [] or answer["data_source"] == "postgresql", tool
        code = reader.code_found()
        assert code["results"] or code["coverage"] == 0.0
        assert reader.ask("list_indexing_jobs")["success"]


def test_a_slow_server_alone_is_waited_for_and_never_taken_for_an_empty_one(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("postgresql",))
    with slow(world, settings) as faulty, Reader(world, faulty) as reader:
        deadline = time.monotonic() + LONGEST_S
        answer = None
        while answer is None:
            began = time.monotonic()
            words = "cannot be said whether this exists"
            try:
                answer = reader.ask("query_work_item", id=world.item)
            except UnavailableError as error:
                words = error.message
            assert "cannot be said whether this exists" in words
            assert time.monotonic() - began < ALONE_PATIENCE_S + 1
            assert time.monotonic() < deadline, "the server has answered long since"
        assert answer["title"] == "Mend the parser"
        with pytest.raises(NotFoundError):
            reader.ask("query_vendor_status", name="Nobody's")
