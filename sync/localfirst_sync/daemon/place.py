"""Where a daemon listens, and what else is set for it."""

from __future__ import annotations

from typing import NamedTuple

from localfirst_sync.daemon.limits import PER_SECOND


class Place(NamedTuple):
    """Where the daemon listens, how it is reached, and how much it takes.

    Attributes:
        requests_per_second: of one token, on average.
        metrics_token: what `/metrics` asks for; None: nothing.
    """

    host: str
    port: int
    tls_cert: str | None = None
    tls_key: str | None = None
    is_behind_proxy: bool = False
    requests_per_second: float = PER_SECOND
    metrics_token: str | None = None
