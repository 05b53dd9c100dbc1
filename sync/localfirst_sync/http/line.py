"""One connection to a daemon, made when it is needed and kept: requests, and the answers as packets.

Nothing of the token or of an answer's text reaches an error. A redirection is not followed: the token would go where it leads.
"""

from __future__ import annotations

import http.client
import math
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from localfirst_schema.errors import UnavailableError
from localfirst_schema.wire import PROTOCOL_VERSION

from localfirst_sync.http import packet
from localfirst_sync.http.address import Address, is_this_machine
from localfirst_sync.http.failure import raise_it
from localfirst_sync.http.messages import FRAME_BYTES_MAX, MEDIA_TYPE, PROTOCOL_HEADER, Failed
from localfirst_sync.http.packet import MalformedError
from localfirst_sync.http.wire import Wire
from localfirst_sync.pulse import Pulse

CONNECT_S = 5.0
STEP_TRIPS = 6
LOOK_S = 2.0
LOOK_TRIPS = 6
"""How long another connection may take to hear a word, when this one is silent."""

_SAFE = "Changes are kept in the replica and go out when it is back."
_UNTIL_MENDED = "This does not pass by itself; until it is put right, changes are kept in the replica."

_Message = TypeVar("_Message")


class Answer:
    """What came back: one packet, or a stream of them. To be read to its end, or the line is of no further use."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def message(self, kind: type[_Message]) -> _Message:
        """The one packet that it is."""
        for found in self.frames(kind):
            self._response.read()
            message: _Message = found
            return message
        raise lost("the answer is empty")

    def frames(self, kind: Any) -> Iterator[Any]:
        """The packets that it is, as they come."""
        while head := self._read(packet.HEADER_BYTES):
            how, length = packet.header(head, FRAME_BYTES_MAX)
            payload = self._read(length)
            if len(payload) != length:
                raise MalformedError("the packet is cut off")
            yield packet.decoded(how, payload, kind, FRAME_BYTES_MAX)

    def lines(self) -> Iterator[str]:
        """It as lines of text."""
        while line := self._response.readline(10_000):
            yield line.decode(errors="replace").rstrip("\r\n")

    def _read(self, count: int) -> bytes:
        pieces = []
        while count > 0 and (piece := self._response.read(count)):
            pieces.append(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Line:
    """For one thread; `shut` may come from any. Methods raise `UnavailableError`, and what the daemon says of a failure."""

    def __init__(self, address: Address, token: str, pulse: Pulse | None = None) -> None:
        self._address = address
        self._token = token
        self._pulse = pulse or Pulse()
        self._http: http.client.HTTPConnection | None = None
        self._wire: Wire | None = None
        # What stays on this machine is not worth being compressed.
        self.compresses = not is_this_machine(address.host)

    @property
    def is_connected(self) -> bool:
        """Whether a connection stands."""
        return self._http is not None

    def connect(self) -> None:
        """Makes the connection, if there is none."""
        if self._http is None:
            with in_words():
                self._connect()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        budget_s: float = math.inf,
    ) -> Answer:
        """Asks, and returns the answer if it is a good one. A connection that was cut while it was idle is made again."""
        deadline = time.monotonic() + budget_s
        is_kept = self._http is not None
        while True:
            try:
                with in_words():
                    return self._asked(method, path, body, headers or {}, deadline)
            except UnavailableError as error:
                is_mute = self._wire is None or not self._wire.heard
                if error.details.get("cause") in ("connection", "timeout", "tls", "refused"):
                    self.close()
                if not (is_kept and is_mute and error.details.get("cause") == "connection"):
                    raise
                is_kept = False

    def shut(self) -> None:
        """Wakes the thread that waits on this line; it gets an error."""
        wire = self._wire
        if wire is not None:
            wire.shut()

    def close(self) -> None:
        """Lets the connection go; the next question makes another."""
        connection, self._http, self._wire = self._http, None, None
        if connection is not None:
            connection.close()

    def _asked(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], deadline: float) -> Answer:
        if self._http is None:
            self._connect()
        assert self._http is not None
        assert self._wire is not None
        self._wire.deadline, self._wire.heard = deadline, False
        given = {
            "Authorization": f"Bearer {self._token}",
            PROTOCOL_HEADER: str(PROTOCOL_VERSION),
            "Accept": f"{MEDIA_TYPE}, text/event-stream",
            **headers,
        }
        if body is not None:
            given["Content-Type"] = MEDIA_TYPE
        self._http.request(method, f"{self._address.path}{path}", body, given)
        response = self._http.getresponse()
        self._wire.deadline = deadline
        if response.status == http.client.OK:
            return Answer(response)
        self._refuse(response)
        raise AssertionError("a failure is always raised")

    def _refuse(self, response: http.client.HTTPResponse) -> None:
        try:
            if response.headers.get_content_type() == MEDIA_TYPE:
                raise_it(Answer(response).message(Failed))
            raise _not_ours(response.status)
        finally:
            if not response.isclosed():
                self.close()  # the rest of the answer is in the way

    def _connect(self) -> None:
        connection = http.client.HTTPConnection(self._address.host, self._address.port)
        began = time.monotonic()
        found = _connected(self._address, max(CONNECT_S, STEP_TRIPS * self._pulse.trip_s))
        self._pulse.measured_step(time.monotonic() - began)
        self._pulse.moved()
        self._wire = Wire(found, self._pulse, self._is_server_there)
        connection.sock = self._wire  # it has what is used of a socket
        self._http = connection

    def _is_server_there(self) -> bool:
        """Whether anything is heard over another connection; one word is enough."""
        budget_s = self._pulse.budget_s(LOOK_S, LOOK_TRIPS)
        try:
            other = _connected(self._address, budget_s)
        except OSError:
            return False
        try:
            other.settimeout(budget_s)
            other.sendall(f"GET {self._address.path}/healthz HTTP/1.0\r\nHost: {self._address.host}\r\n\r\n".encode())
            return bool(other.recv(1))
        except OSError:
            return False
        finally:
            other.close()


def lost(doing: str) -> UnavailableError:
    """The error for a daemon that is connected and says nothing."""
    return UnavailableError(f"The server did not answer in time ({doing}); it is tried again by itself.", cause="timeout")


def _connected(address: Address, timeout_s: float) -> socket.socket:
    plain = socket.create_connection((address.host, address.port), timeout=timeout_s)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000)
        if address.scheme == "http":
            return plain
        return _tls().wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise


_context: ssl.SSLContext | None = None


def _tls() -> ssl.SSLContext:
    """The system's certificates; SSL_CERT_FILE names others. Made once: reading them takes milliseconds."""
    global _context
    if _context is None:
        _context = ssl.create_default_context()
    return _context


class _FailuresInWords:
    """The network's errors as ours. A class, since a generator would cost a read twice as much."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        match error:
            case ssl.SSLError():
                raise UnavailableError(
                    "The encrypted connection to the server could not be made (its certificate is not one that is trusted here,"
                    f" or it speaks no TLS). {_UNTIL_MENDED}",
                    cause="tls",
                ) from None
            case TimeoutError():
                raise lost("it fell silent") from None
            case socket.gaierror():
                raise UnavailableError(
                    f"The name of the server's host is not known (is the network there?). {_SAFE}", cause="refused"
                ) from None
            case ConnectionRefusedError():
                raise UnavailableError(f"Nothing answers at the server's address. {_SAFE}", cause="refused") from None
            case OSError() | http.client.HTTPException():
                raise UnavailableError(f"The connection to the server was lost. {_SAFE}", cause="connection") from None
            case MalformedError():
                raise UnavailableError(f"The server's answer cannot be read ({error}). {_SAFE}", cause="connection") from None


def in_words() -> _FailuresInWords:
    """A block in which the network's errors become `UnavailableError`."""
    return _FailuresInWords()


def _not_ours(status: int) -> UnavailableError:
    """Somebody answers who is no daemon: a proxy that has lost its own, or another program."""
    if status in (429, 502, 503, 504):
        return UnavailableError(
            f"What stands before the server says that it cannot be reached now (HTTP {status}). {_SAFE}", cause="connection"
        )
    moved = " It names another address: correct LOCALFIRST_SERVER_URL." if 300 <= status < 400 else ""
    return UnavailableError(
        f"LOCALFIRST_SERVER_URL does not lead to a `localfirst serve` (HTTP {status}).{moved} {_UNTIL_MENDED}", cause="settings"
    )
