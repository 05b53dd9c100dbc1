"""A share of the fuzzers of the MCP server: of its frames, and of the arguments of its tools."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from queue import SimpleQueue

import pytest
from contract.laptop import Laptop
from contract.wire import Wire

from fuzz.fuzz_arguments import NEEDS_A_SERVER, served
from fuzz.fuzz_arguments import fuzz as fuzz_arguments
from fuzz.fuzz_frames import answers_owed, ended_well, frames
from fuzz.fuzz_frames import fuzz as fuzz_frames


def test_every_request_among_broken_frames_is_answered_once(tmp_path: Path) -> None:
    with Wire(Laptop(tmp_path)) as wire:
        fuzz_frames(wire, seed=20261130, count=1500)
        ended_well(wire)


def test_every_tool_takes_what_its_schema_says_and_refuses_the_rest_in_form(tmp_path: Path) -> None:
    with served(tmp_path) as (wire, repository):
        succeeded = fuzz_arguments(wire, repository, seed=20261130, count=1500)
        ended_well(wire)
    assert {tool for tool, times in succeeded.items() if not times} <= NEEDS_A_SERVER


def test_the_frames_are_of_every_sort() -> None:
    """Else the fuzzer would say nothing: many are requests still, many are not, and few are alike."""
    source = frames(random.Random(1))
    drawn = [next(source) for _ in range(2000)]
    owed = sum((answers_owed(one) for one in drawn), Counter[str]())
    assert 600 < owed.total() < 1400
    assert len(set(drawn)) > 1850


@pytest.mark.parametrize("answers", [0, 2])
def test_a_server_that_forgets_an_answer_or_gives_it_twice_is_found(answers: int) -> None:
    class Server:
        def __init__(self) -> None:
            self.answers: SimpleQueue[object] = SimpleQueue()  # asked and answered by two threads

        def send(self, data: bytes) -> None:
            end = data.rsplit(b'"id": "', 1)[1].split(b'"')[0].decode()
            asked = [key for key, times in answers_owed(data).items() for _ in range(times)]
            given = [json.loads(key) for key in asked if json.loads(key) != end]
            for one in [*given[:-1], *given[-1:] * answers, end]:
                self.answers.put(one)

        def message(self) -> dict[str, object]:
            return {"id": self.answers.get(timeout=60), "result": {}}

    with pytest.raises(AssertionError, match="answered"):
        fuzz_frames(Server(), seed=1, count=40)  # type: ignore[arg-type]
