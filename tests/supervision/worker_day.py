"""A day of one worker: two work trees are indexed and sent to the team, one is removed; threads do it.

The worker's main thread is one of the test's own, named like the program's, so that its functions are among those that fail.
Whenever the worker has ended, another one is begun, as a client that lives does.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from contextlib import closing
from pathlib import Path

import apsw
import psutil
import psycopg
from code_index.indexing import write
from code_index.test_work_trees import committed, work_tree
from waiting import until

from localfirst.code_index.jobs import table
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.store import repositories
from localfirst.code_index.store.consistency import check
from localfirst.code_index.worker import process
from localfirst.replica.connection import immediate
from localfirst.replica.opening import open_replica
from localfirst.settings import load

GOES_ON_WITHIN_S = 60.0
"""Whatever hangs is found by it. The longest pause of a job that is taken up again is two seconds here; the rest is for a
machine that others use as well."""

IS_OUT_WITHIN_S = 3.0
"""How long a removal that nothing has failed in takes; afterwards the next job begins it again."""

LETS_GO_WITHIN_S = 20.0

OF_THE_WORKER = ("localfirst-worker", "localfirst-job", "localfirst-pool", "localfirst-publisher", "localfirst-removal")

_PATHS = """
    SELECT f.path FROM localfirst.code_files AS f JOIN localfirst.projects AS p ON p.id = f.project_id
    WHERE p.name = %s ORDER BY f.path
"""


class WorkerDay:
    """One worker, in a folder of its own, with a project of its own in a database.

    Attributes:
        failed: the jobs that have failed. Each of them was asked for again.
    """

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        self._url, self._project = url, f"team/{uuid.uuid4().hex}"
        environment = {
            "LOCALFIRST_REPLICA": str(folder / "replica.db"),
            "LOCALFIRST_PROJECT": self._project,
            "LOCALFIRST_DATABASE_URL": url,
        }
        self._settings = load(folder, environment)
        self._main, self._tree = (folder / "code").resolve(), (folder / "feature").resolve()
        self._ending = threading.Event()
        self._worker: threading.Thread | None = None
        self.failed: list[Job] = []

    def pass_by(self) -> None:
        """All of it. Fails where something takes longer than it may, or is not as it should be in the end."""
        word = f"w{uuid.uuid4().hex}"  # content that nobody has given a vector yet
        committed(self._main, {f"{name}.py": f"def {name}_{word}(value):\n    return value\n" for name in ("heron", "ibis")})
        with closing(open_replica(self._settings.replica, self._project)) as replica:
            try:
                self._index(replica, self._main)
                self._is_sent(replica, ["heron.py", "ibis.py"])
                work_tree(self._main, self._tree)
                write(self._tree, {"jay.py": f"def jay_{word}(value):\n    return value\n"})
                self._index(replica, self._tree)
                self._is_sent(replica, ["heron.py", "ibis.py", "jay.py"])
                shutil.rmtree(self._tree)
                self._removed(replica)
                self._is_sent(replica, ["heron.py", "ibis.py"])
                assert check(replica) == []
                assert replica.execute("SELECT count(*) FROM code_unembedded").get == 0
            finally:
                self._end()

    def _index(self, replica: apsw.Connection, root: Path) -> None:
        """Has a repository indexed. A job that has failed says why, and is asked for again; only one may."""
        job = self._ended(replica, root)
        if job.status is JobState.FAILED:
            assert job.error_message, job
            assert job.error_type, job
            self.failed.append(job)
            job = self._ended(replica, root)
        assert job.status is JobState.COMPLETED, job

    def _ended(self, replica: apsw.Connection, root: Path) -> Job:
        with immediate(replica):
            name = repositories.usual_name(replica, root)
            job, _ = table.create_or_join(replica, root, name, force=False, estimated_seconds=1.0)

        def look() -> Job | None:
            self._keep()
            found = table.find(replica, job.job_id)
            return found if found.status in (JobState.COMPLETED, JobState.FAILED) else None

        return until(look, GOES_ON_WITHIN_S, lambda: f"the end of {table.find(replica, job.job_id)}")

    def _removed(self, replica: apsw.Connection) -> None:
        """The worker takes out what is left of the tree: at once, or, where that has failed, with the next job."""
        for _ in range(2):
            self._index(replica, self._main)
            try:
                until(lambda: self._is_out(replica), IS_OUT_WITHIN_S)
            except AssertionError:
                continue
            return
        until(lambda: self._is_out(replica), GOES_ON_WITHIN_S, "the removed tree to be taken out")

    def _is_out(self, replica: apsw.Connection) -> bool:
        self._keep()
        return [one.root for one in repositories.every(replica)] == [str(self._main)]

    def _is_sent(self, replica: apsw.Connection, paths: list[str]) -> None:
        def look() -> bool:
            self._keep()
            return self._at_server() == paths

        until(look, GOES_ON_WITHIN_S, f"{paths} on the server")

    def _at_server(self) -> list[str]:
        with psycopg.connect(self._url, autocommit=True) as server:
            return [path for (path,) in server.execute(_PATHS, (self._project,))]

    def _keep(self) -> None:
        """Has a worker live."""
        if self._worker is None or not self._worker.is_alive():
            self._worker = threading.Thread(target=process.live, args=(self._settings, self._ending), name="localfirst-worker")
            self._worker.start()

    def _end(self) -> None:
        """The worker is asked to end: nothing of it is left."""
        self._ending.set()
        until(lambda: not alive(), LETS_GO_WITHIN_S, lambda: f"the end of {alive()}")
        until(lambda: not computing(), LETS_GO_WITHIN_S, "the end of what computes")


def alive() -> list[str]:
    """The worker's threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(OF_THE_WORKER)]


def computing() -> list[psutil.Process]:
    """The pool's processes."""
    found = []
    for child in psutil.Process().children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and "localfirst.code_index.pipeline.child" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found
