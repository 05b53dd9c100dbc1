"""A daemon of a test's own, in a thread of the test's process, and tokens for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from localfirst_sync.daemon.place import Place
from localfirst_sync.daemon.serve import made
from localfirst_sync.postgres import tokens
from localfirst_sync.postgres.connection import connect

READY_S = 30.0


@contextmanager
def daemon(dsn: str, place: Place | None = None) -> Iterator[str]:
    """A running daemon: its address."""
    ready = threading.Event()
    urls: list[str] = []

    def take(url: str) -> None:
        urls.append(url)
        ready.set()

    server = made(dsn, place or Place("127.0.0.1", 0), take)
    thread = threading.Thread(target=server.serve_until_end, name="daemon-under-test")
    thread.start()
    try:
        assert ready.wait(READY_S), "the daemon does not answer"
        yield urls[0]
    finally:
        server.end()
        thread.join(READY_S)
        assert not thread.is_alive(), "the daemon does not end"


def token(
    dsn: str, *projects: str, name: str = "laptop", access: tokens.Grant = "write", expires_in: timedelta | None = None
) -> str:
    """A new token."""
    with closing(connect(dsn)) as connection:
        return tokens.create(connection, name, projects, access, expires_in).secret


def token_id(secret: str) -> str:
    """What a token is called in messages."""
    return secret.split("_")[1]
