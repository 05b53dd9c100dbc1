"""A computing process: requests from standard input, answers to standard output, until the parent is gone.

    python -m localfirst.code_index.pipeline.child

It dies with its parent, however that ends: the kernel kills it where it can (Linux), and the end of its input does elsewhere.
The input is read by a thread of its own, so that the parent never waits to get rid of a request while this process waits to get
rid of an answer.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from localfirst_sync.supervised import Supervised

from localfirst.code_index.pipeline import compute
from localfirst.code_index.pipeline.messages import LENGTH_BYTES, Failed, decode_request, encode

NICENESS = 5
"""Below the process that writes: while it holds the replica's lock it shall not wait for a processor that only computes."""

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serves until the input ends."""
    _die_with_parent()
    with suppress(OSError, AttributeError):
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    # Answers go out through a descriptor that no stray print of a library can reach.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    _send(answers, b"")  # ready
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # What was read in part cannot be taken up again: the parent replaces a process that ends.
    receiving = Supervised(
        partial(_receive, sys.stdin.buffer, requests), "localfirst-requests", on_failure=lambda _: os._exit(1)
    )
    receiving.start()
    while True:
        try:
            answer = compute.answer(decode_request(requests.get()))
        except Exception as error:
            logging.getLogger("localfirst.pipeline").exception("a computing process failed")
            answer = Failed(f"{type(error).__name__}: {error}")
        _send(answers, encode(answer))


def _receive(stream: BinaryIO, requests: queue.SimpleQueue[bytes]) -> None:
    while True:
        head = stream.read(LENGTH_BYTES)
        if len(head) < LENGTH_BYTES:
            os._exit(0)  # whatever is being computed, nobody waits for it
        requests.put(stream.read(int.from_bytes(head, "big")))


def _send(stream: BinaryIO, frame: bytes) -> None:
    rest = memoryview(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)
    while rest:
        rest = rest[stream.write(rest) :]


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if sys.argv[1:] and os.getppid() != int(sys.argv[1]):
        os._exit(0)  # the parent died before the kernel was asked


if __name__ == "__main__":
    main()
