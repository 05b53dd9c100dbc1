"""The same over stdio, with an official client: up to the moment in which the answer is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from contract.agent import Refusal, working
from contract.laptop import Laptop

from after_commit.writes import TOOLS, prepared

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "indexing" not in tool])
def test_a_write_whose_answer_meets_a_failure_is_answered_as_a_success(tool: str, tmp_path: Path) -> None:
    file = tmp_path / "step"
    failed = file.with_suffix(".failed")
    file.write_text("")
    failed.write_text("")
    program = (sys.executable, "-m", "after_commit.failing_server", str(file))
    with working(Laptop(tmp_path), program=program, PYTHONPATH=str(TESTS)) as agent:
        agent.call("list_work_items")  # opens the session, which commits too
        for number in range(1000):
            arguments = prepared(tool, agent.call, tmp_path)
            file.write_text(str(number))
            try:
                answer = agent.call(tool, **arguments)
            except Refusal as refusal:
                raise AssertionError(f"after {failed.read_text().splitlines()[-1]} failed") from refusal
            finally:
                file.write_text("")
            if len(failed.read_text().splitlines()) == number:
                break
            if "item_type" in answer:
                assert agent.call("query_work_item", id=answer["id"])["version"] == answer["version"]
        assert number > 5, "the tracer sees what follows a commit"
