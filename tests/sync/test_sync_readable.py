"""Waiting for descriptors, also for those with a high number, which a process with many connections has."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
from collections.abc import Iterator

import pytest
from localfirst_sync.readable import readable
from localfirst_sync.wake import Wake

HIGH = 2000


@pytest.fixture
def high() -> Iterator[tuple[int, socket.socket]]:
    """The number of a socket beyond what `select` takes, and the other end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= HIGH:
        pytest.skip("this user may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH + 100), hard))
    one, other = socket.socketpair()
    number = fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, HIGH)
    yield number, other
    os.close(number)
    one.close()
    other.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_descriptor_with_a_high_number_is_waited_for(high: tuple[int, socket.socket]) -> None:
    number, other = high
    wake = Wake()
    assert readable([number, wake.fileno()], 0.0) == set()
    other.send(b"x")
    assert readable([number, wake.fileno()], 5.0) == {number}
    wake.set()
    assert readable([number, wake.fileno()], 5.0) == {number, wake.fileno()}
    wake.close()


def test_the_time_passes() -> None:
    wake = Wake()
    assert readable([wake.fileno()], -1.0) == set()
    assert not wake.wait(0.01)
    wake.set()
    assert wake.wait(0.0)
    wake.close()
