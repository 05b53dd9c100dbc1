"""The daemon as a process: its socket, its signals, its end."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from localfirst_schema.errors import UnavailableError

from localfirst_sync.daemon.app import Daemon
from localfirst_sync.daemon.place import Place

logger = logging.getLogger("localfirst.daemon")

KEEP_ALIVE_S = 75
"""How long an idle connection is kept: longer than a laptop waits between two looks."""

DRAIN_S = 25
"""How long what was asked before the end may take; what was not answered by then is asked again elsewhere."""

BACKLOG = 2048

_MAY_PASS = frozenset({"refused", "timeout", "connection", "connections"})


class DaemonServer(uvicorn.Server):
    """The daemon with its socket: `run` serves until `end`, or a signal in the main thread."""

    def __init__(self, config: uvicorn.Config, daemon: Daemon, listener: socket.socket, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._daemon = daemon
        self._on_ready = on_ready
        self._listener = listener

    def serve_until_end(self) -> None:
        """Serves, and lets go of the socket at the end."""
        try:
            self.run(sockets=[self._listener])
        finally:
            self._listener.close()

    def end(self) -> None:
        """Drains it. From any thread."""
        self.should_exit = True
        self._daemon.drain()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """It drains; a second signal does not wait. (The signal is not raised again at the end: this is a good end.)"""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.end()


def serve(dsn: str, place: Place, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT. `on_ready` is called with the address, once it is served.

    Raises `UnavailableError` for a PostgreSQL that will not do however long one waits, and `OSError` for an address that cannot
    be listened at.
    """
    made(dsn, place, on_ready).serve_until_end()


def made(dsn: str, place: Place, on_ready: Callable[[str], None]) -> DaemonServer:
    """The daemon, which listens already and does not answer yet. Raises as `serve` does."""
    daemon = Daemon(dsn, place)
    try:
        daemon.pool.run(lambda _: None)
    except UnavailableError as error:
        if error.details.get("cause") not in _MAY_PASS:
            raise
        logger.warning("PostgreSQL does not answer yet: %s", error.message)
    listener = _listener(place)
    scheme = "http" if place.tls_cert is None else "https"
    host = f"[{place.host}]" if ":" in place.host else place.host
    url = f"{scheme}://{host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        daemon.app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_certfile=place.tls_cert,
        ssl_keyfile=place.tls_key,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
        lifespan="on",
        ws="none",
    )
    return DaemonServer(config, daemon, listener, lambda: on_ready(url))


def _listener(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    return socket.create_server((place.host, place.port), family=family, backlog=BACKLOG)
