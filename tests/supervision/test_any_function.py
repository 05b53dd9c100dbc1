"""Any function that a thread of the program's calls may fail: syncing goes on within ten seconds, and it was said why.

The list of functions is made by the test, from a day in which nothing fails. Each has a day of its own, in which one call of it
raises. A share of them, drawn anew by each seed, is tried here; all of them by

    PYTHONPATH=tests python -m pytest tests/supervision/test_any_function.py --every-function [--function-seed N]

and a part of them, to go through all in several runs, by `--function-part 3/10`.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from end_to_end.proxy import Proxy

from supervision.chosen import chosen, dice_of
from supervision.day import Day, Said, proxy_to
from supervision.failing import FAILURES, Calls, Failing, Function, Reported

SHARE = 24
"""How many functions are tried in an ordinary run: a second or two each."""

ENDS_A_ROUND = ("a round of sync failed", "the thread localfirst-sync failed", "the thread localfirst-link failed")
"""How the log tells of a round, or of a thread that syncs, which has failed."""


class Tried(NamedTuple):
    """What came of one function's failure."""

    function: Function
    was_reached: bool
    was_said: bool


@pytest.fixture(scope="module")
def board(postgres_server: object) -> Iterator[str]:
    """One database for all days."""
    from postgres import Server

    assert isinstance(postgres_server, Server)
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="module")
def line(board: str) -> Iterator[Proxy]:
    with closing(proxy_to(board)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def called(board: str, line: Proxy, tmp_path_factory: pytest.TempPathFactory) -> dict[Function, int]:
    """The functions that threads call in a day, each with the number of its calls."""
    days = []
    for name in ("one", "another"):
        with Calls() as calls:
            Day(tmp_path_factory.mktemp("list") / name, board, line).pass_by()
        days.append(calls.made)
    made = days[0] & days[1]  # what is called in each of them, so often at least; some things are done once in a process
    assert len(made) > 300
    assert {function.thread for function in made} >= {
        "localfirst-sync",
        "localfirst-link",
        "localfirst-probe",
        "localfirst-job-keeper",
        "localfirst-archiving",
    }
    return dict(made)


def tried(function: Function, calls: int, dice: random.Random, folder: Path, board: str, line: Proxy) -> Tried:
    """A day in which one call of a function fails. That syncing goes on is asserted by the day."""
    number = dice.choice((1, dice.randint(1, max(1, calls // 2))))
    with pytest.MonkeyPatch.context() as monkeypatch:
        said = Said(monkeypatch)
        with Failing(function, number, dice.choice(FAILURES)) as failing, Reported().listening() as log:
            try:
                Day(folder, board, line).pass_by()
            except Exception as error:
                raise AssertionError(f"call {number} of {function} raised {failing.failure!r}: {error}") from error
    what = (number, function, failing.failure, said.last_errors)
    assert not said.online_with_error, what
    reported = log.words_of(failing.failure)
    if reported.intersection(ENDS_A_ROUND):
        ended = [words for words in said.last_errors if type(failing.failure).__name__ in words]
        assert ended, f"it ended a round or the thread, and last_error did not say why: {what}"
    return Tried(function, failing.raised.is_set(), bool(reported) or len(said.last_errors) > 2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_fails_in_a_thread_syncing_goes_on(
    request: pytest.FixtureRequest,
    called: dict[Function, int],
    board: str,
    line: Proxy,
    tmp_path: Path,
) -> None:
    seed = request.config.getoption("--function-seed")
    functions = sorted(called)
    of_this_run = chosen(request.config, functions, SHARE)
    results, failures = [], []
    for place, function in enumerate(of_this_run):
        dice = dice_of(request.config, function)
        try:
            results.append(tried(function, called[function], dice, tmp_path / str(place), board, line))
        except AssertionError as error:
            failures.append(str(error))
            print(error)
    gc.collect()  # what lets go cannot do so and fail: it is reported here, and not in another test
    assert not failures, "\n".join(failures)
    reached = sum(one.was_reached for one in results)
    assert reached >= 0.8 * len(of_this_run), "what is called in one day is mostly called in another"
    reported = sum(one.was_said for one in results)
    print(f"seed {seed}: {len(functions)} functions, {len(of_this_run)} tried, {reached} raised, {reported} reported")
