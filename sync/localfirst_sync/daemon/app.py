"""The daemon's endpoints: who asks is looked up, the question is read within its bounds, and answered in a thread.

guard       transport, address and protocol; what is asked of everybody
handlers    one question each
events      a stream for each laptop that waits
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any, TypeVar

from localfirst_schema.errors import LocalfirstError, UnavailableError
from localfirst_schema.wire import PROTOCOL_VERSION
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from localfirst_sync.daemon import answers
from localfirst_sync.daemon.access import Bearer, Tokens, other_project
from localfirst_sync.daemon.events import Hub
from localfirst_sync.daemon.guard import Refused, client_address, transport_is_safe
from localfirst_sync.daemon.limits import BURST, GUESSES, GUESSES_PER_SECOND, Limit
from localfirst_sync.daemon.metrics import MEDIA_TYPE as METRICS_MEDIA_TYPE
from localfirst_sync.daemon.metrics import Metrics, Own, projects_or_none
from localfirst_sync.daemon.outgoing import Outgoing, OutgoingFill
from localfirst_sync.daemon.place import Place
from localfirst_sync.daemon.pool import Lent, Pool
from localfirst_sync.http import packet
from localfirst_sync.http.code import CodeQuestion, Writing
from localfirst_sync.http.failure import as_message
from localfirst_sync.http.messages import (
    MEDIA_TYPE,
    PROJECT_HEADER,
    PROTOCOL_HEADER,
    REQUEST_BYTES_MAX,
    SERVER_HEADER,
    Breaks,
    Confirm,
    Failed,
    Fence,
    Meet,
    Met,
    PullQuestion,
    PushQuestion,
    RestoreQuestion,
    SnapshotQuestion,
    TokenSeen,
)
from localfirst_sync.http.packet import MalformedError
from localfirst_sync.ports import SyncError
from localfirst_sync.postgres.migrate import migrations

logger = logging.getLogger("localfirst.daemon")

POOL_SIZE = 8
STREAMS = 8
"""Connections for short questions, and for answers that are streamed: a slow laptop must not keep others waiting."""

WAITING_MAX = 200
"""Questions that may wait for a thread; more are asked at once to come again."""

STALL_S = 60.0
"""A laptop that takes nothing of its answer for so long is given up: it holds a connection."""

ANSWER_S = 150.0
"""How long an answer may take until it begins. What PostgreSQL does by then goes on, and a receipt says it."""

BODY_S = 60.0
"""How long a question may take to arrive."""

_BUSY = Failed("unavailable", "The server is busy; it is tried again by itself.", {"cause": "connections"})

_TOO_MANY = Failed(
    "unavailable",
    "The server takes no more requests of this token now; it is tried again by itself.",
    {"cause": "rate"},
)

SLOW_S = 5.0
"""An answer that took so long is worth a line in the log."""

_Result = TypeVar("_Result")
_Handler = Callable[["Daemon", Request], Awaitable[Response]]


class Daemon:
    """What all endpoints share; for one event loop.

    Attributes:
        app: the ASGI application.
    """

    def __init__(self, dsn: str, place: Place) -> None:
        self.pool = Pool(dsn, POOL_SIZE)
        self.stream_pool = Pool(dsn, STREAMS)
        self.tokens = Tokens(self.pool)
        self.place = place
        self.limit = Limit(place.requests_per_second, max(BURST, 4 * place.requests_per_second))
        self.guesses = Limit(GUESSES_PER_SECOND, GUESSES)
        self.metrics = Metrics(self._own)
        self._dsn = dsn
        self._threads = ThreadPoolExecutor(POOL_SIZE, "localfirst-question")
        self._stream_threads = ThreadPoolExecutor(STREAMS, "localfirst-stream")
        self._waiting = 0
        self.hub: Hub | None = None
        self.app = Starlette(routes=_routes(self), lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.hub = Hub(self._dsn, asyncio.get_running_loop(), self.tokens.forget)
        self.hub.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self.hub.stop)
            self._threads.shutdown()
            self._stream_threads.shutdown()
            self.pool.close()
            self.stream_pool.close()

    def drain(self) -> None:
        """Ends the streams, so that laptops go elsewhere; what was asked is still answered. From any thread."""
        if self.hub is not None:
            self.hub.drain()

    async def in_thread(self, work: Callable[[], _Result]) -> _Result:
        """Work in a thread, or the word that there is too much of it."""
        if self._waiting >= WAITING_MAX:
            raise Refused(503, _BUSY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    async def bearer(self, request: Request) -> Bearer:
        """Who asks. Raises `Refused` or `UnavailableError`."""
        place = self.place
        transport_is_safe(request, has_tls=place.tls_cert is not None, is_behind_proxy=place.is_behind_proxy)
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not presented:
            raise Refused(401, Failed("unavailable", "The request has no token.", {"cause": "token_unknown"}))
        known = self.tokens.remembered(presented)
        bearer = known if known is not None else await self._looked_up(request, presented)
        request.state.token_id = bearer.id
        if not self.limit.take(bearer.id):
            raise Refused(429, _TOO_MANY)
        _check_protocol(request)
        return bearer

    async def _looked_up(self, request: Request, presented: str) -> Bearer:
        """Who has presented many tokens that are no good is not looked up any more for a while."""
        address = client_address(request, is_behind_proxy=self.place.is_behind_proxy)
        if self.guesses.is_empty(address) and not self.tokens.was_good(presented):
            raise Refused(429, _TOO_MANY)
        try:
            return await self.in_thread(lambda: self.tokens.check(presented))
        except UnavailableError as error:
            if str(error.details.get("cause")).startswith("token_"):
                self.guesses.take(address)
            raise

    def _own(self) -> Own:
        streams = 0 if self.hub is None else self.hub.count()
        return Own(streams, self._waiting, self.pool.in_use, self.stream_pool.in_use)

    async def answered(
        self, request: Request, bearer: Bearer, work: Callable[[Lent, str], object], *, writes: bool = False
    ) -> Response:
        """The answer to a question about a project."""
        project_id = self.project(request, bearer, writes=writes)
        server_id = request.headers.get(SERVER_HEADER)

        def run(lent: Lent) -> object:
            _check_server(lent, server_id)
            return work(lent, project_id)

        return _packet(await self.in_thread(lambda: self.pool.run(run)), request)

    async def streamed(
        self, request: Request, bearer: Bearer, work: Callable[[Lent, str, Any], None], make: Callable[..., Outgoing] = Outgoing
    ) -> Response:
        """The same where the answer may be large: it is sent while it is read."""
        project_id = self.project(request, bearer)
        server_id = request.headers.get(SERVER_HEADER)
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
        is_over = asyncio.Event()

        def send(piece: bytes) -> None:
            if is_over.is_set():
                raise ClientDisconnect
            asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result(STALL_S)

        def run(lent: Lent) -> bytes:
            _check_server(lent, server_id)
            out = make(send, compressed=_is_compressed(request))
            try:
                work(lent, project_id, out)
            except (SyncError, UnavailableError) as error:
                if not out.has_sent:
                    raise
                out.frame(Breaks(as_message(error)))
            return out.taken()

        done = loop.run_in_executor(self._stream_threads, lambda: self.stream_pool.run(run))
        first = asyncio.ensure_future(pieces.get())
        await asyncio.wait({done, first}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()
            return Response(await done, media_type=MEDIA_TYPE)

        async def body() -> AsyncIterator[bytes]:
            try:
                yield first.result()
                while True:
                    following = asyncio.ensure_future(pieces.get())
                    await asyncio.wait({done, following}, return_when=asyncio.FIRST_COMPLETED)
                    if not following.done():
                        following.cancel()
                        break
                    yield following.result()
                while not pieces.empty():
                    yield pieces.get_nowait()
                yield await done
            finally:
                is_over.set()
                while not pieces.empty():  # whoever waits to send is to see it
                    pieces.get_nowait()

        return StreamingResponse(body(), media_type=MEDIA_TYPE)

    def project(self, request: Request, bearer: Bearer, *, writes: bool = False) -> str:
        """The id of the project that is asked about. Raises `UnavailableError` where it is not the token's."""
        project_id = request.headers.get(PROJECT_HEADER, "")
        if not bearer.may_see(project_id):
            self.tokens.forget(bearer.id)  # what was remembered of it may be old: the project may have been made since
            raise other_project(bearer)
        if writes and bearer.access != "write":
            raise UnavailableError(f"The token {bearer.id} may only read. Changes are kept in the replica.", cause="permission")
        return project_id


async def meet(daemon: Daemon, request: Request) -> Response:
    """POST /v1/meet"""
    bearer = await daemon.bearer(request)
    question = await asked(request, Meet)
    try:
        met = await daemon.in_thread(partial(_meet, daemon, bearer, question))
    except UnavailableError as error:
        if error.details.get("cause") != "token_project":
            raise
        # What was remembered of the token may be older than a database that was set up again.
        daemon.tokens.forget(bearer.id)
        bearer = await daemon.bearer(request)
        met = await daemon.in_thread(partial(_meet, daemon, bearer, question))
    if not bearer.may_see(met.project_id):
        daemon.tokens.forget(bearer.id)  # it has been bound to the project
    return _packet(met, request)


def _meet(daemon: Daemon, bearer: Bearer, question: Meet) -> Met:
    return daemon.pool.run(lambda lent: answers.meet(lent, bearer, question))


async def head(daemon: Daemon, request: Request) -> Response:
    """GET /v1/head"""
    bearer = await daemon.bearer(request)
    return await daemon.answered(request, bearer, answers.ask_head)


async def push(daemon: Daemon, request: Request) -> Response:
    """POST /v1/push"""
    bearer = await daemon.bearer(request)
    question = await asked(request, PushQuestion)
    work = partial(_with_question, answers.carry_out_push, bearer.name, question)
    return await daemon.answered(request, bearer, work, writes=True)


async def pull(daemon: Daemon, request: Request) -> Response:
    """POST /v1/pull"""
    bearer = await daemon.bearer(request)
    question = await asked(request, PullQuestion)
    return await daemon.streamed(request, bearer, lambda lent, project, out: answers.stream_pull(lent, project, question, out))


async def snapshot(daemon: Daemon, request: Request) -> Response:
    """POST /v1/snapshot"""
    bearer = await daemon.bearer(request)
    question = await asked(request, SnapshotQuestion)

    def make(send: Callable[[bytes], None], *, compressed: bool) -> Outgoing:
        return OutgoingFill(send, question, compressed=compressed)

    return await daemon.streamed(
        request, bearer, lambda lent, project, out: answers.stream_snapshot(lent, project, question, out), make
    )


async def confirm(daemon: Daemon, request: Request) -> Response:
    """POST /v1/confirm"""
    bearer = await daemon.bearer(request)
    question = await asked(request, Confirm)
    return await daemon.answered(request, bearer, partial(_with_question, answers.carry_out_confirm, bearer.name, question))


async def fence(daemon: Daemon, request: Request) -> Response:
    """POST /v1/fence"""
    bearer = await daemon.bearer(request)
    question = await asked(request, Fence)
    return await daemon.answered(
        request, bearer, partial(_with_question, answers.carry_out_fence, bearer.name, question), writes=True
    )


async def history_counts(daemon: Daemon, request: Request) -> Response:
    """POST /v1/history-counts"""
    bearer = await daemon.bearer(request)
    return await daemon.streamed(request, bearer, answers.stream_counts)


async def restore(daemon: Daemon, request: Request) -> Response:
    """POST /v1/restore"""
    bearer = await daemon.bearer(request)
    question = await asked(request, RestoreQuestion)
    return await daemon.answered(
        request, bearer, partial(_with_question, answers.carry_out_restore, bearer.name, question), writes=True
    )


async def code(daemon: Daemon, request: Request) -> Response:
    """POST /v1/code"""
    bearer = await daemon.bearer(request)
    question: CodeQuestion = await asked(request, CodeQuestion)  # type: ignore[arg-type]  # a union of types
    work = partial(_with_question, answers.carry_out_code, bearer.name, question)
    return await daemon.answered(request, bearer, work, writes=isinstance(question, Writing))


async def events(daemon: Daemon, request: Request) -> Response:
    """GET /v1/events"""
    bearer = await daemon.bearer(request)
    project_id = daemon.project(request, bearer)
    presented = request.headers.get("authorization", "").partition(" ")[2]
    assert daemon.hub is not None

    async def is_still_good() -> bool:
        if daemon.tokens.remembered(presented) is not None:
            return True
        try:
            return (await daemon.in_thread(lambda: daemon.tokens.check(presented))).may_see(project_id)
        except UnavailableError as error:
            return not str(error.details.get("cause")).startswith("token_")

    stream = daemon.hub.stream(project_id, bearer.id, is_still_good)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def token(daemon: Daemon, request: Request) -> Response:
    """GET /v1/token"""
    bearer = await daemon.bearer(request)
    return _packet(TokenSeen(bearer.id, bearer.name, bearer.projects, bearer.access), request)


async def healthz(_: Daemon, __: Request) -> Response:
    """GET /healthz"""
    return PlainTextResponse("ok\n")


async def readyz(daemon: Daemon, _: Request) -> Response:
    """GET /readyz"""
    try:
        await daemon.in_thread(lambda: daemon.pool.run(lambda lent: lent.connection.execute("SELECT 1")))
    except (UnavailableError, Refused):
        return PlainTextResponse("PostgreSQL does not answer\n", 503)
    return PlainTextResponse("ok\n")


async def metrics(daemon: Daemon, request: Request) -> Response:
    """GET /metrics"""
    wanted = daemon.place.metrics_token
    presented = request.headers.get("authorization", "").partition(" ")[2]
    if wanted is not None and not hmac.compare_digest(wanted.encode(), presented.encode()):
        raise Refused(401, Failed("refused", "the metrics have a token of their own (LOCALFIRST_METRICS_TOKEN)."))
    found = await daemon.in_thread(lambda: projects_or_none(daemon.pool.run))
    return Response(daemon.metrics.text(found), media_type=METRICS_MEDIA_TYPE)


async def asked(request: Request, kind: type[_Result]) -> _Result:
    """The question in the body. Raises `Refused` for one that is too large or late, or `MalformedError`."""
    try:
        async with asyncio.timeout(BODY_S):
            body = await _body(request)
    except TimeoutError:
        raise Refused(408, Failed("refused", "The request took too long to arrive.")) from None
    if len(body) < packet.COMPRESSED_FROM * 10:
        return packet.unpacked(body, kind, REQUEST_BYTES_MAX)
    return await asyncio.to_thread(packet.unpacked, body, kind, REQUEST_BYTES_MAX)


async def _body(request: Request) -> bytes:
    too_large = Refused(413, Failed("refused", "The request is too large."))
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > 12 or int(said) > REQUEST_BYTES_MAX):
        raise too_large
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > REQUEST_BYTES_MAX:
            raise too_large
        pieces.append(piece)
    return b"".join(pieces)


def _with_question(
    work: Callable[[Lent, str, str, Any], object], via: str, question: object, lent: Lent, project_id: str
) -> object:
    return work(lent, project_id, via, question)


@cache
def _least_protocol() -> int:
    """What the newest migration asks for: whoever speaks less would decide otherwise than the others."""
    return max(step.protocol for step in migrations())


def _check_protocol(request: Request) -> None:
    said = request.headers.get(PROTOCOL_HEADER, "")
    spoken = int(said[:9]) if said.isdecimal() else 0
    if not _least_protocol() <= spoken <= PROTOCOL_VERSION:
        words = (
            "The server is older than this client: its administrator has to upgrade localfirst there."
            if spoken > PROTOCOL_VERSION
            else "The server is newer than this client: upgrade localfirst here (`uv tool upgrade localfirst`)."
        )
        raise Refused(426, Failed("unavailable", f"{words} Changes are kept in the replica until then.", {"cause": "protocol"}))


def _check_server(lent: Lent, server_id: str | None) -> None:
    if server_id is not None and not lent.leads_to(server_id):
        raise Refused(409, Failed("meet"))


def _is_compressed(request: Request) -> bool:
    """Whoever is on this machine wants nothing compressed."""
    return request.client is None or request.client.host not in ("127.0.0.1", "::1")


def _packet(message: object, request: Request, status: int = 200) -> Response:
    return Response(packet.packed(message, compressed=_is_compressed(request)), status, media_type=MEDIA_TYPE)


_STATUS = {"token_unknown": 401, "token_expired": 401, "token_revoked": 401, "token_project": 403, "permission": 403}


def _endpoint(daemon: Daemon, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        began = time.monotonic()
        response = await answer(request)
        took_s = time.monotonic() - began
        name = handler.__name__
        daemon.metrics.requests.labels(name, response.status_code).inc()
        daemon.metrics.latency.labels(name).observe(took_s)
        if response.status_code >= 400 or took_s >= SLOW_S:
            fields = {
                "endpoint": name,
                "status": response.status_code,
                "ms": round(1000 * took_s, 1),
                "token_id": getattr(request.state, "token_id", None),
                "client": request.client.host if request.client is not None else None,
            }
            logger.info("a request was refused or slow", extra={"fields": fields})
        return response

    async def answer(request: Request) -> Response:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await handler(daemon, request)
        except TimeoutError:
            words = "The server took too long to answer; it is tried again by itself."
            return _packet(Failed("unavailable", words, {"cause": "timeout"}), request, 503)
        except Refused as refused:
            return _packet(refused.failed, request, refused.status)
        except MalformedError as error:
            return _packet(Failed("refused", f"The request is malformed: {error}."), request, 400)
        except UnavailableError as error:
            return _packet(as_message(error), request, _STATUS.get(str(error.details.get("cause")), 503))
        except SyncError as error:
            return _packet(as_message(error), request, 409)
        except LocalfirstError as error:
            return _packet(Failed("refused", error.message), request, 400)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            logger.exception("a request failed: %s", request.url.path)
            words = "The server met an error that it cannot explain; its log has the details."
            return _packet(Failed("unavailable", words, {"cause": "server"}), request, 500)

    endpoint.__name__ = handler.__name__
    return endpoint


def _routes(daemon: Daemon) -> list[Route]:
    posts = {
        "meet": meet, "push": push, "pull": pull, "snapshot": snapshot, "confirm": confirm, "fence": fence,
        "history-counts": history_counts, "restore": restore, "code": code,
    }  # fmt: skip
    gets: dict[str, _Handler] = {
        "/v1/head": head, "/v1/events": events, "/v1/token": token, "/healthz": healthz, "/readyz": readyz, "/metrics": metrics,
    }  # fmt: skip
    return [
        *(Route(f"/v1/{name}", _endpoint(daemon, handler), methods=["POST"]) for name, handler in posts.items()),
        *(Route(path, _endpoint(daemon, handler), methods=["GET"]) for path, handler in gets.items()),
    ]
