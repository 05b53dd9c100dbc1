"""The MCP server's process ends within seconds and with the right status, whatever fails in the threads that see to it.

As in `test_any_function`: each way to end makes the list of the functions, and `--every-function` tries all of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from mcp_server.pipe_client import ROOT, PipeClient, call

from supervision.chosen import chosen, dice_of
from supervision.failing import FAILURES, Function

SHARE = 2
"""How many functions are tried of each way in an ordinary run: a second or two each."""

END_S = 15.0
"""What failed begins again after a pause of at most 0.2 s, and a limit that had begun to run begins again with it."""


class Way(NamedTuple):
    """How a server ends.

    Attributes:
        is_signal: at a signal, or else with its client.
        is_held: whether an operation holds the event loop then.
        status: the exit status that is right.
    """

    is_signal: bool
    is_held: bool
    status: int

    @property
    def limit_s(self) -> float:
        """How long the end may take as the program has it: short where it comes by that, long where it is not to."""
        return 1.0 if self.is_held else 60.0


WAYS = {
    "at a signal": Way(is_signal=True, is_held=False, status=0),
    "at a signal while it is held up": Way(is_signal=True, is_held=True, status=0),
    "with its client": Way(is_signal=False, is_held=False, status=0),
    "with its client while it is held up": Way(is_signal=False, is_held=True, status=1),
}


def ended(way: Way, folder: Path, function: Function | None = None, failure: int = 0) -> str:
    """Runs a server to its end; returns what it has said."""
    folder.mkdir()
    rest = () if function is None else (*function, str(failure))
    program = ["-m", "supervision.ended", str(folder), str(way.limit_s), *rest]
    path = os.pathsep.join(str(ROOT / part) for part in (".", "schema", "sync", "tests"))
    with PipeClient(program=program, PYTHONPATH=path) as client:
        assert client.call("noop")["isError"] is False
        if way.is_held:
            client.send(call(99, "wait_on_loop", seconds=60))
            with pytest.raises(subprocess.TimeoutExpired):
                client.process.wait(0.2)
        if way.is_signal:
            client.process.send_signal(signal.SIGTERM)
        else:
            client.close_input()
        status, said = client.ended(END_S)
    assert status == way.status, (function, said)
    return said


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are watched elsewhere")
@pytest.mark.parametrize("name", WAYS)
def test_whatever_fails_in_the_end_watch_the_process_ends(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    way = WAYS[name]
    assert ended(way, tmp_path / "list") == ""
    functions = [Function(*line.split("\t")) for line in (tmp_path / "list" / "called").read_text().splitlines()]
    assert {function.thread for function in functions} == {"localfirst-end-watch", "localfirst-end-limit"}
    for place, function in enumerate(chosen(request.config, functions, SHARE)):
        failure = dice_of(request.config, function).randrange(len(FAILURES))
        said = ended(way, tmp_path / str(place), function, failure)
        assert (tmp_path / str(place) / "raised").exists(), function
        assert type(FAILURES[failure]()).__name__ in said, (function, said)
