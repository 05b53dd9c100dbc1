"""Phase Chunking: files are read and cut by the pool, and written here, a few at a time, so that full text finds them at once.

Deleted files go last, and the chunks that nobody names any more after them: what was only moved keeps its vectors.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import apsw

from localfirst.code_index.file_name import as_bytes
from localfirst.code_index.pipeline import compute
from localfirst.code_index.pipeline.messages import CutFiles, FileOutcome, FilesCut, Gone, LeftOut, Same
from localfirst.code_index.pipeline.plan import Plan, look_that_it_is_there
from localfirst.code_index.pipeline.pool import CrashedError, Ordered, Pool, PoolUnavailableError, answers
from localfirst.code_index.pipeline.report import Done, Report
from localfirst.code_index.skipped import Skipped, SkipRule
from localfirst.code_index.store import chunks, files, full_text, large_file, left_out
from localfirst.code_index.store.cut_file import CutFile
from localfirst.code_index.store.pace import Pace
from localfirst.code_index.store.transaction import prepare, writing

WINDOW = 4
"""Requests at work or waiting per process: a writer that is held up for a moment must not stop them."""

FILES_PER_REQUEST = 4
"""So few that what is lost when everything is killed is little: window * this."""

TRIES = 2
"""So often a file may end the process that reads it before it is left out."""

MAX_CRASHING = 20
"""So many files of a run may do that; more are no fault of the files."""

MERGE_EVERY = 8
"""Transactions after which full text is merged."""

MERGE_STEPS = 3
"""At most so many steps of merging at a time."""

MAX_WAIT_S = 0.5
"""How long an outcome may wait for others to be written with."""

SWEPT_AT_ONCE = 64


class StoppedError(Exception):
    """The report asked to stop."""


def index_files(connection: apsw.Connection, pool: Pool, plan: Plan, report: Report) -> bool:
    """Brings the store to the plan's files; False if it was stopped, then what was reported as done is done.

    Raises DiskFullError, the errors of the replica, and what `report` raises.
    """
    prepare(connection)
    known = files.content_hashes(connection, plan.siblings if plan.recut else (plan.repository_id, *plan.siblings))
    writer = _Writer(connection, plan, report)
    try:
        writer.write_all(_outcomes(pool, plan, plan.to_read, known, report))
        while lost := writer.take_lost():
            writer.write_all(_outcomes(pool, plan, lost, {}, report))
        _delete(connection, plan, report)
        _sweep(connection, report)
    except StoppedError:
        return False
    return True


def _outcomes(pool: Pool, plan: Plan, to_read: Sequence[str], known: dict[str, bytes], report: Report) -> Iterator[FileOutcome]:
    """What became of each file to read, in no order; one of a content that is `known` is not cut."""
    root = os.fsencode(plan.root)
    crashes: Counter[str] = Counter()
    again: list[str] = []

    def requests() -> Iterator[tuple[Sequence[str], CutFiles]]:
        for start in range(0, len(to_read), FILES_PER_REQUEST):
            paths = to_read[start : start + FILES_PER_REQUEST]
            yield paths, CutFiles(root, [(path, known.get(path, b"")) for path in paths])

    def singly() -> Iterator[tuple[Sequence[str], CutFiles]]:
        # One by one, the file that ends the process shows itself.
        while again:
            path = again.pop()
            yield [path], CutFiles(root, [(path, known.get(path, b""))])

    window = pool.limit * WINDOW
    for landed in answers(pool, requests(), window, report.should_stop):
        yield from _landed(landed, root, crashes, again)
    while again:
        for landed in answers(pool, singly(), 1, report.should_stop):
            yield from _landed(landed, root, crashes, again)
        if report.should_stop():
            break
    if report.should_stop():
        raise StoppedError


def _landed(landed: Ordered[Sequence[str]], root: bytes, crashes: Counter[str], again: list[str]) -> Iterator[FileOutcome]:
    try:
        answer = landed.future.result()
    except CrashedError:
        if len(landed.tag) == 1:
            crashes.update(landed.tag)
        for path in landed.tag:
            if crashes[path] < TRIES:
                again.append(path)
            elif sum(count >= TRIES for count in crashes.values()) > MAX_CRASHING:
                raise PoolUnavailableError("the processes that read files keep ending; is memory short? See the log.") from None
            else:
                yield _unindexable(root, path, "reading it ended the process twice")
        return
    if not isinstance(answer, FilesCut):
        raise RuntimeError(f"files could not be cut: {answer}")
    yield from answer.outcomes


def _unindexable(root: bytes, path: str, detail: str) -> LeftOut:
    name = os.path.join(root, as_bytes(path))  # noqa: PTH118 - bytes
    return LeftOut(Skipped(path, SkipRule.FAILED, detail), seen=compute.look(name))


class _Writer:
    """Writes outcomes in transactions of a few milliseconds."""

    def __init__(self, connection: apsw.Connection, plan: Plan, report: Report) -> None:
        self._connection = connection
        self._plan = plan
        self._report = report
        self._pace = Pace(first=32)
        self._transactions = 0
        self._lost: list[str] = []

    def take_lost(self) -> list[str]:
        """Files that were not cut since another work tree had them, which has them no more."""
        lost, self._lost = self._lost, []
        return lost

    def write_all(self, outcomes: Iterator[FileOutcome]) -> None:
        batch: list[FileOutcome] = []
        weight = 0
        began = time.monotonic()
        for outcome in outcomes:
            if isinstance(outcome, CutFile) and self._is_large(outcome):
                self._write_large(outcome)
                continue
            batch.append(outcome)
            weight += _weight(outcome)
            if weight >= self._pace.amount or time.monotonic() - began > MAX_WAIT_S:
                self._write(batch, weight)
                batch, weight, began = [], 0, time.monotonic()
        if batch:
            self._write(batch, weight)

    def _is_large(self, file: CutFile) -> bool:
        if self._plan.recut:
            return len(file.pieces) > files.LARGE
        return large_file.differs_much(self._connection, self._plan.repository_id, file)

    def _write_large(self, file: CutFile) -> None:
        with writing(self._connection):
            file_id = large_file.begin(self._connection)
        try:
            rest = file.pieces
            while rest:
                if self._report.should_stop():
                    raise StoppedError
                part, rest = rest[: self._pace.amount], rest[self._pace.amount :]
                with writing(self._connection), self._pace.measuring(len(part)):
                    large_file.add(self._connection, file_id, part)
                self._merge()
            with writing(self._connection):
                large_file.appear(self._connection, self._plan.repository_id, file_id, file)
                done = Done(paths=(file.path,), indexed=1, chunks=len(file.pieces))
                self._report.files_done(self._connection, done)
        finally:
            large_file.end(file_id)

    def _write(self, batch: Sequence[FileOutcome], weight: int) -> None:
        repository_id = self._plan.repository_id
        cut = [outcome for outcome in batch if isinstance(outcome, CutFile)]
        same = [outcome for outcome in batch if isinstance(outcome, Same)]
        out = [outcome for outcome in batch if isinstance(outcome, LeftOut)]
        gone = [outcome.path for outcome in batch if isinstance(outcome, Gone)]
        if gone or any(outcome.keeps_old for outcome in out):
            look_that_it_is_there(self._plan)  # a disk that was unmounted meanwhile is no reason to delete
        outdated = gone + [outcome.skipped.path for outcome in out if not outcome.keeps_old]
        with writing(self._connection), self._pace.measuring(weight):
            files.write(self._connection, repository_id, cut, words_changed=self._plan.recut, siblings=self._plan.siblings)
            lost = [outcome.path for outcome in same if not self._confirm(outcome)]
            files.remove(self._connection, repository_id, outdated)
            for outcome in out:
                if outcome.seen is not None:
                    left_out.note(self._connection, repository_id, outcome.skipped, outcome.seen)
            done = Done(
                paths=tuple(path for outcome in batch if (path := _path(outcome)) not in lost),
                indexed=len(cut),
                unchanged=len(same) - len(lost),
                deleted=len(gone),
                skipped=tuple(outcome.skipped for outcome in out),
                chunks=sum(len(outcome.pieces) for outcome in cut),
            )
            self._report.files_done(self._connection, done)
        self._lost += lost
        self._transactions += 1
        if self._transactions % MERGE_EVERY == 0:
            self._merge()

    def _confirm(self, same: Same) -> bool:
        plan = self._plan
        return files.confirm(
            self._connection, plan.repository_id, plan.siblings, same.path, same.content_hash, same.seen, recut=plan.recut
        )

    def _merge(self) -> None:
        """Keeps the segments of full text few while they come, for those who search meanwhile."""
        for _ in range(MERGE_STEPS):
            with writing(self._connection):
                if not full_text.merge(self._connection):
                    return


def _path(outcome: FileOutcome) -> str:
    return outcome.skipped.path if isinstance(outcome, LeftOut) else outcome.path


def _weight(outcome: FileOutcome) -> int:
    """What writing it costs, in chunks."""
    return 1 + len(outcome.pieces) if isinstance(outcome, CutFile) else 1


def _delete(connection: apsw.Connection, plan: Plan, report: Report) -> None:
    pace = Pace(first=32)
    paths = list(plan.to_delete)
    while paths:
        if report.should_stop():
            raise StoppedError
        batch, weight = files.removable_together(connection, plan.repository_id, paths, pace.amount)
        with writing(connection), pace.measuring(weight):
            if len(batch) == 1 and weight > files.LARGE:
                removed = int(large_file.retire(connection, plan.repository_id, batch[0]) is not None)
            else:
                removed = files.remove(connection, plan.repository_id, batch)
            report.files_done(connection, Done(paths=tuple(batch), deleted=removed))
        del paths[: len(batch)]


def _sweep(connection: apsw.Connection, report: Report) -> None:
    """Deletes the places of large files that are gone, and the chunks that nobody names any more."""
    has_more = True
    while has_more:
        if report.should_stop():
            raise StoppedError
        with writing(connection):
            has_more = large_file.clear(connection, SWEPT_AT_ONCE)
    while chunks.any_released(connection):
        if report.should_stop():
            raise StoppedError
        with writing(connection):
            chunks.sweep(connection, SWEPT_AT_ONCE)
