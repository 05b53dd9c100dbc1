"""SIGKILL of the worker, its pool and the server at random moments: does the job go on, and is the index the same in the end?

    .venv/bin/python tests/code_index/kill_worker.py [--kills 20] [--files 3000] [--repository DIR] [--seed N] [--json]

Each kill takes every process at once and then starts a server, as a user would. Measured are the seconds until the job is taken
up again, and how many files were cut more than once: the computing processes note each file that they cut, in a log beside
the replica (a hook that Python loads by itself from `PYTHONPATH`). In the end the index is compared with that of an undisturbed
run: path, content, lines, symbol, text and vector of every place.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from contract.agent import Agent, working
from contract.laptop import Laptop
from waiting import until

from code_index.workers import no_worker_left, processes, repository, rows
from localfirst.replica.connection import connect
from localfirst.search.extension import ensure_loaded

FINAL = ("completed", "failed", "cancelled")
RESUME_LIMIT_S = 10.0
TWICE_LIMIT = 0.01
DIFFERENCES_REPORTED = 10

_HOOK = """
import os, sys
if "localfirst.code_index.pipeline.child" in " ".join(sys.orig_argv):
    import localfirst.code_index.chunking as chunking
    cut, log = chunking.cut, os.open(os.environ["CUT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    def noted(path, content):
        os.write(log, path.encode("utf-8", "surrogateescape") + b"\\n")
        return cut(path, content)
    chunking.cut = noted
"""

_PLACES = """
    SELECT f.path, f.content_hash, p.start_line, p.end_line, p.symbol, p.kind, c.chunk_hash, v.embedding
    FROM code_places AS p JOIN code_files AS f USING (file_id) JOIN code_chunks AS c USING (chunk_id)
    LEFT JOIN code_vectors_{model} AS v ON v.rowid = p.chunk_id
"""


class Outcome(NamedTuple):
    """What the kills did."""

    kills: int
    slowest_resume_s: float
    twice: int
    """Files that were cut more often than once, each time counted."""

    twice_by_a_kill: float
    """On average, in the job where it was most."""

    files: int
    differences: list[str]
    """Between its index and the undisturbed one."""


def content(replica: Path) -> Counter[tuple[Any, ...]]:
    """Everything that a search can find, and how often it stands there."""
    connection = connect(replica)
    try:
        ensure_loaded(connection)
        model = connection.execute("SELECT model_id FROM code_models WHERE active").get
        assert model is not None, "no model's vectors are complete"
        return Counter(connection.execute(_PLACES.format(model=int(model))))
    finally:
        connection.close()


@contextmanager
def laptop(directory: Path) -> Iterator[Laptop]:
    """A laptop whose computing processes note what they cut."""
    hook = directory / "hook"
    hook.mkdir(parents=True)
    (hook / "sitecustomize.py").write_text(_HOOK)
    modules = os.pathsep.join(filter(None, (str(hook), os.environ.get("PYTHONPATH"))))
    made = Laptop(directory, {"PYTHONPATH": modules, "CUT_LOG": str(directory / "cut.log")})
    with no_worker_left(made.replica):
        yield made


def cuts(made: Laptop) -> Counter[str]:
    """How often each file was cut."""
    log = made.directory / "cut.log"
    return Counter(log.read_bytes().decode("utf-8", "surrogateescape").splitlines()) if log.exists() else Counter()


def begin(agent: Agent, root: Path) -> str:
    return str(agent.call("start_indexing_background", repo_path=str(root))["job_id"])


def undisturbed(made: Laptop, root: Path) -> float:
    """Seconds of a run that nobody kills."""
    with working(made) as agent:
        job_id = begin(agent, root)
        started_again(made, 0, time.monotonic())
        began = time.monotonic()
        until(lambda: job(made)[1], 1800, "the end of the undisturbed run")
        assert agent.call("get_indexing_status", job_id=job_id)["status"] == "completed"
        return time.monotonic() - began


def kill_everything(made: Laptop) -> None:
    """SIGKILL to server, worker and pool, all of them before any can react."""
    servers = [p for p in psutil.Process().children(recursive=True) if p.cmdline()[-1:] == ["mcp"]]
    for process in servers + processes(made.replica):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    until(lambda: not processes(made.replica), 20, "the end of everything")


def job(made: Laptop) -> tuple[int, bool]:
    """How often the only job was started, and whether it is over."""
    found = rows(made.replica, "SELECT starts, status FROM index_jobs")
    return (int(found[0][0]), found[0][1] in FINAL) if found else (0, False)


def started_again(made: Laptop, known: int, began: float) -> float:
    """Seconds since `began` until the job is taken up once more, or is found to be over."""
    until(lambda: job(made)[0] > known or job(made)[1], 60, "a start")
    return time.monotonic() - began


def disturbed(made: Laptop, root: Path, moments: Iterator[float], kills: int) -> list[float]:
    """One job to its end; at each of the moments (seconds after the job was taken up) everything is killed.

    Returns the seconds to the next start, for each kill.
    """
    resumed: list[float] = []
    with working(made) as agent:
        begin(agent, root)
        started_again(made, 0, time.monotonic())
        time.sleep(next(moments))
        while len(resumed) < kills and not job(made)[1]:
            known = job(made)[0]
            kill_everything(made)
            began = time.monotonic()
            with working(made):
                resumed.append(started_again(made, known, began))
                time.sleep(next(moments) if len(resumed) < kills else 0.0)
    with working(made):
        until(lambda: job(made)[1], 1800, "the end")
    assert rows(made.replica, "SELECT status FROM index_jobs") == [("completed",)]
    return resumed


def trial(directory: Path, root: Path, kills: int, seed: int) -> Outcome:
    """Kills so often, in as many jobs as that takes, and compares each index with the undisturbed one."""
    chance = random.Random(seed)
    with laptop(directory / "undisturbed") as calm:
        duration = undisturbed(calm, root)
        expected, once = content(calm.replica), cuts(calm)
    resumed: list[float] = []
    twice = 0
    most = 0.0
    differences: list[str] = []
    moments = iter(lambda: chance.uniform(0.0, duration / 3), None)  # a few for each job, spread over all of its phases
    while len(resumed) < kills:
        with laptop(directory / f"disturbed-{len(resumed)}") as made:
            mine = disturbed(made, root, moments, kills - len(resumed))
            resumed += mine
            log = cuts(made)
            again = sum((log - once).values())
            twice += again
            most = max(most, again / max(1, len(mine)))
            found = content(made.replica)
            differences += [f"lost {place}" for place in expected - found] + [f"surplus {place}" for place in found - expected]
            differences += [f"not the same files were cut: {path}" for path in log.keys() ^ once.keys()]
    return Outcome(len(resumed), max(resumed), twice, most, len(once), differences)


def main() -> int:
    """Runs the trial and tells."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--repository", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-worker-") as folder:
        directory = Path(folder)
        root = arguments.repository or repository(directory / "code", arguments.files)
        outcome = trial(directory, root, arguments.kills, arguments.seed)
    if arguments.json:
        print(json.dumps(outcome._asdict()))
    else:
        share = outcome.twice_by_a_kill / max(1, outcome.files)
        print(
            f"{outcome.kills} kills, {outcome.files} files: resumed within {outcome.slowest_resume_s:.1f} s;"
            f" {outcome.twice} cuts again, {share:.2%} of the files for a kill;"
            f" {len(outcome.differences) or 'no'} differences to the undisturbed index."
        )
        for difference in outcome.differences[:DIFFERENCES_REPORTED]:
            print(difference)
    is_well = not outcome.differences and outcome.slowest_resume_s < RESUME_LIMIT_S
    return 0 if is_well and outcome.twice_by_a_kill <= TWICE_LIMIT * outcome.files else 1


if __name__ == "__main__":
    raise SystemExit(main())
