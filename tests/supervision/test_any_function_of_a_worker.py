"""Any function that a thread of the worker's calls may fail: it is logged, and the job goes on, or has failed with its reason.

As in `test_any_function`: the test makes the list of functions from a day in which nothing fails, each has a day of its own,
and `--every-function` tries all of them.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervision.chosen import chosen, dice_of
from supervision.failing import FAILURES, Calls, Failing, Function, Reported
from supervision.worker_day import OF_THE_WORKER, WorkerDay

SHARE = 6
"""How many functions are tried in an ordinary run: three seconds or so each."""


@pytest.fixture(scope="module")
def board(postgres_server: object) -> Iterator[str]:
    """One database for all days."""
    from postgres import Server

    assert isinstance(postgres_server, Server)
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="module")
def called(board: str, tmp_path_factory: pytest.TempPathFactory) -> dict[Function, int]:
    """The functions that the worker's threads call in a day, each with the number of its calls."""
    WorkerDay(tmp_path_factory.mktemp("list") / "warm", board).pass_by()  # some things are done once in a process
    with Calls() as calls:
        WorkerDay(tmp_path_factory.mktemp("list") / "day", board).pass_by()
    assert len(calls.made) > 300
    assert {function.thread for function in calls.made} >= set(OF_THE_WORKER)
    return dict(calls.made)


def tried(function: Function, calls: int, dice: random.Random, folder: Path, board: str) -> tuple[bool, bool]:
    """A day in which one call of a function fails: whether it was reached, and whether anything was said.

    That the work is done is asserted by the day.
    """
    number = dice.choice((1, dice.randint(1, max(1, calls // 2))))
    day = WorkerDay(folder, board)
    with Failing(function, number, dice.choice(FAILURES)) as failing, Reported().listening() as log:
        try:
            day.pass_by()
        except Exception as error:
            raise AssertionError(f"call {number} of {function} raised {failing.failure!r}: {error}") from error
    reported = log.words_of(failing.failure)
    what = (number, function, failing.failure, day.failed, log.errors)
    assert len(day.failed) <= 1, what
    if day.failed and day.failed[0].error_type == type(failing.failure).__name__:
        assert reported, f"a job has failed by it, and the log does not say of what: {what}"
    return failing.raised.is_set(), bool(reported or day.failed)


HAVE_FAILED = (Function("localfirst-worker", "localfirst.code_index.worker.publisher", "Publisher.stop"),)
"""What the whole run has found is tried in each."""


@pytest.mark.parametrize("function", HAVE_FAILED, ids=str)
def test_what_was_left_alive_once_ends(function: Function, board: str, tmp_path: Path) -> None:
    was_reached, _ = tried(function, 1, random.Random(1), tmp_path / "day", board)
    assert was_reached


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_fails_in_a_worker_its_jobs_are_done_or_say_why_and_it_goes_on(
    request: pytest.FixtureRequest, called: dict[Function, int], board: str, tmp_path: Path
) -> None:
    seed = request.config.getoption("--function-seed")
    functions = sorted(called)
    of_this_run = chosen(request.config, functions, SHARE)
    results, failures = [], []
    for place, function in enumerate(of_this_run):
        dice = dice_of(request.config, function)
        try:
            results.append(tried(function, called[function], dice, tmp_path / str(place), board))
        except AssertionError as error:
            failures.append(str(error))
            print(error)
    gc.collect()  # what lets go cannot do so and fail: it is reported here, and not in another test
    assert not failures, "\n".join(failures)
    reached = sum(was_reached for was_reached, _ in results)
    assert reached >= 0.8 * len(of_this_run), "what is called in one day is mostly called in another"
    reported = sum(was_said for _, was_said in results)
    print(f"seed {seed}: {len(functions)} functions, {len(of_this_run)} tried, {reached} raised, {reported} reported")
