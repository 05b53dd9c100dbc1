"""What is asked of every request before anybody looks at its token: that nobody on the way could have read it."""

from __future__ import annotations

from starlette.requests import Request

from localfirst_sync.http.address import is_this_machine
from localfirst_sync.http.messages import Failed

_ELSEWHERE = (
    "a token came over plain http from another machine, where others could have read it. Use https (`localfirst serve"
    " --tls-cert --tls-key`, or a proxy and `--behind-proxy`), and rotate that token."
)
_IN_ADDRESS = "a token belongs into the header Authorization, not into an address, which logs keep. Rotate that token."


class Refused(Exception):
    """A request that is answered with a refusal."""

    def __init__(self, status: int, failed: Failed) -> None:
        super().__init__(failed.message)
        self.status, self.failed = status, failed


def transport_is_safe(request: Request, *, has_tls: bool, is_behind_proxy: bool) -> None:
    """Raises `Refused` for a token in an address, and for one that travelled in the clear.

    Forwarded headers are believed only behind a proxy: anybody may send them.
    """
    if request.url.query:
        raise Refused(400, Failed("refused", _IN_ADDRESS if "lf_" in request.url.query else "an address has no query here."))
    if has_tls:
        return
    if is_behind_proxy and _forwarded(request, "x-forwarded-proto").lower() == "https":
        return
    if not is_this_machine(client_address(request, is_behind_proxy=is_behind_proxy)):
        raise Refused(403, Failed("refused", _ELSEWHERE))


def client_address(request: Request, *, is_behind_proxy: bool) -> str:
    """Where the request comes from: behind a proxy, what that has seen."""
    host = request.client.host if request.client is not None else ""
    return (_forwarded(request, "x-forwarded-for") or host) if is_behind_proxy else host


def _forwarded(request: Request, name: str) -> str:
    """The last value: the proxy adds its own behind what a client may have sent, in the same header or in one of its own."""
    values = request.headers.getlist(name)
    return values[-1].rpartition(",")[2].strip() if values else ""
