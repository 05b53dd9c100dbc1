"""The pool of computing processes: every request is answered, whoever else waits for what."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from waiting import until

from localfirst.code_index.pipeline import pool as pool_module
from localfirst.code_index.pipeline.messages import CutFiles, FilesCut, decode_answer
from localfirst.code_index.pipeline.pool import CrashedError, Pool

NOTHING_TO_CUT = CutFiles(b"/", [])


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(1) as made:
        yield made


def test_a_request_is_begun_while_runs_wait_for_the_claims_of_others(pool: Pool) -> None:
    assert isinstance(pool.submit(NOTHING_TO_CUT).result(30), FilesCut)  # from now on there is a feeder, which waits for work
    is_over = threading.Event()
    waiting = threading.Semaphore(0)

    def wait_for_claims() -> None:
        with pool.claims_changed:
            waiting.release()
            while not is_over.is_set():
                pool.claims_changed.wait(60)

    runs = [threading.Thread(target=wait_for_claims) for _ in range(3)]
    for run in runs:
        run.start()
        waiting.acquire()
    try:
        for _ in range(5):
            assert isinstance(pool.submit(NOTHING_TO_CUT).result(10), FilesCut)
    finally:
        is_over.set()
        with pool.claims_changed:
            pool.claims_changed.notify_all()
        for run in runs:
            run.join()


def test_an_answer_that_makes_no_sense_ends_the_request_and_not_the_feeder(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, odd = decode_answer, threading.Event()

    def decode_once_wrongly(frame: bytes) -> object:
        if not odd.is_set():
            odd.set()
            raise ValueError("not an answer")
        return decode(frame)

    monkeypatch.setattr(pool_module, "decode_answer", decode_once_wrongly)
    with pytest.raises(CrashedError):
        pool.submit(NOTHING_TO_CUT).result(30)
    assert isinstance(pool.submit(NOTHING_TO_CUT).result(30), FilesCut)
    until(lambda: len(pool.pids()) == 1, seconds=10)


def test_processes_that_die_while_they_start_are_no_reason_to_give_up_while_others_answer() -> None:
    with Pool(2) as pool:
        assert isinstance(pool.submit(NOTHING_TO_CUT).result(30), FilesCut)
        for _ in range(2 * pool_module.STARTS):
            assert pool.can_start()
            assert isinstance(pool.submit(NOTHING_TO_CUT).result(30), FilesCut)
        for _ in range(pool_module.STARTS - 1):
            assert pool.can_start()
        assert not pool.can_start()
