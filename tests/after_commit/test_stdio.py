"""The same over stdio, with an official client: up to the moment in which the answer is written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract.agent import Agent, Refusal, working
from contract.laptop import Laptop
from mcp.shared.exceptions import MCPError

from after_commit.writes import TOOLS, prepared

TESTS = Path(__file__).parents[1]


def each_step_fails(tool: str, place: Path, call: Callable[[Agent, int, dict[str, Any]], dict[str, Any]], *more: str) -> int:
    """Makes each step after the commit of the tool's write fail, over stdio; returns how many there are."""
    file = place / "step"
    failed = file.with_suffix(".failed")
    file.write_text("")
    failed.write_text("")
    program = (sys.executable, "-m", "after_commit.failing_server", str(file), *more)
    with working(Laptop(place), program=program, PYTHONPATH=str(TESTS)) as agent:
        agent.call("claim_next")  # opens the session and notes it, which commits too
        for number in range(1000):
            arguments = prepared(tool, agent.call, place)
            file.write_text(str(number))
            try:
                answer = call(agent, number, arguments)
            except (Refusal, MCPError) as refusal:
                raise AssertionError(f"after {failed.read_text().splitlines()[-1]} failed") from refusal
            finally:
                file.write_text("")
            if len(failed.read_text().splitlines()) == number:
                return number
            if "item_type" in answer:
                assert agent.call("query_work_item", id=answer["id"])["version"] == answer["version"]
    raise AssertionError("there is no end of steps")


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "indexing" not in tool])
def test_a_write_whose_answer_meets_a_failure_is_answered_as_a_success(tool: str, tmp_path: Path) -> None:
    steps = each_step_fails(tool, tmp_path, lambda agent, _, arguments: agent.call(tool, **arguments))
    assert steps > 5, "the tracer sees what follows a commit"


def test_a_step_of_the_sdk_that_fails_is_no_error_of_the_write(tmp_path: Path) -> None:
    tool = "create_work_item"
    steps = each_step_fails(tool, tmp_path, lambda agent, number, arguments: agent.call_anew(number, tool, **arguments), "sdk")
    assert steps > 25, "the SDK's are among them"


@pytest.mark.parametrize("tool", ["create_work_item", "update_vendor_status", "record_deployment"])
def test_so_is_the_first_of_its_kind_which_goes_through_the_sdk(tool: str, tmp_path: Path) -> None:
    steps = each_step_fails(tool, tmp_path, lambda agent, number, arguments: agent.call_anew(number, tool, **arguments))
    assert steps > 10, "there are more of them"
