"""What the daemon takes of a request: the door before anything is done."""

from __future__ import annotations

import http.client
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest
import zstandard
from daemon import daemon, token, token_id
from localfirst_schema.identifiers import new_id
from localfirst_schema.wire import PROTOCOL_VERSION
from localfirst_sync.daemon.guard import Refused, transport_is_safe
from localfirst_sync.daemon.limits import Limit
from localfirst_sync.daemon.place import Place
from localfirst_sync.http import packet
from localfirst_sync.http.messages import Failed, Meet, Met
from localfirst_sync.postgres import tokens
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import migrations
from postgres import Server
from starlette.requests import Request

PROJECT = "team/board"
POSTS = ("meet", "push", "pull", "snapshot", "confirm", "fence", "history-counts", "restore", "code")
GETS = ("head", "events", "token")
MEGABYTE = 1024 * 1024
LEAST = max(step.protocol for step in migrations())


class Caller:
    """Whoever sends requests by hand."""

    def __init__(self, url: str, dsn: str) -> None:
        self.dsn = dsn
        self.place = urlsplit(url).netloc
        self.secret = token(dsn, PROJECT)
        met = self.post("meet", packet.packed(Meet(new_id(), PROJECT, "here:1/", takes_any=True), compressed=False))
        self.project = packet.unpacked(met[1], Met, MEGABYTE).project_id

    def ask(self, method: str, path: str, body: bytes | None = None, /, **headers: str) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        given = {
            "Authorization": f"Bearer {self.secret}",
            "Localfirst-Protocol": str(PROTOCOL_VERSION),
            "Localfirst-Project": getattr(self, "project", ""),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection(self.place, timeout=30)) as connection:
            connection.request(method, path, body, {name: value for name, value in given.items() if value})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def post(self, name: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        """The same of a question."""
        return self.ask("POST", f"/v1/{name}", body, **headers)

    def state(self) -> list[tuple[Any, ...]]:
        """What a request must not change."""
        with psycopg.connect(self.dsn) as psql:
            return psql.execute(
                "SELECT (SELECT count(*) FROM localfirst.projects), (SELECT sum(head) FROM localfirst.project_heads),"
                " (SELECT count(*) FROM localfirst.replicas), (SELECT count(*) FROM localfirst.history)"
            ).fetchall()


@pytest.fixture(scope="module")
def caller(postgres_server: Server) -> Iterator[Caller]:
    with postgres_server.database() as dsn, daemon(dsn) as url:
        yield Caller(url, dsn)


def failed(body: bytes) -> Failed:
    return packet.unpacked(body, Failed, MEGABYTE)


@pytest.mark.parametrize("name", [*POSTS, *GETS])
def test_without_a_good_token_nothing_is_answered(name: str, caller: Caller) -> None:
    before = caller.state()
    body = packet.packed({}, compressed=False) if name in POSTS else None
    method = "POST" if body else "GET"
    for presented in ("", "Basic abc", "Bearer nonsense", f"Bearer lf_{'0' * 10}_{'0' * 64}", f"Bearer {caller.secret}x"):
        status, answer = caller.ask(method, f"/v1/{name}", body, Authorization=presented)
        assert status == 401, (presented, status)
        assert failed(answer).details["cause"] == "token_unknown"
    other = token(caller.dsn, "another/board")
    if name not in ("meet", "token"):
        status, answer = caller.ask(method, f"/v1/{name}", _question(name), Authorization=f"Bearer {other}")
        assert (status, failed(answer).details["cause"]) == (403, "token_project")
    assert caller.state() == before


@pytest.mark.parametrize("name", ["push", "fence", "restore", "code"])
def test_a_token_that_may_only_read_writes_nothing(name: str, caller: Caller) -> None:
    before = caller.state()
    reader = token(caller.dsn, PROJECT, access="read")
    status, answer = caller.post(name, _question(name) or b"", Authorization=f"Bearer {reader}")
    assert (status, failed(answer).details["cause"]) == (403, "permission")
    assert caller.state() == before


def test_a_token_in_an_address_is_refused(caller: Caller) -> None:
    status, answer = caller.ask("GET", f"/v1/head?token={caller.secret}", Authorization="")
    assert status == 400
    assert "address" in failed(answer).message
    assert caller.secret not in failed(answer).message


@pytest.mark.parametrize("protocol", ["", "0", "x", str(LEAST - 1), str(PROTOCOL_VERSION + 1), "9" * 5000])
def test_another_protocol_is_named(protocol: str, caller: Caller) -> None:
    status, answer = caller.ask("GET", "/v1/head", Localfirst_Protocol=protocol)
    assert (status, failed(answer).details.get("cause")) == (426, "protocol")


def _question(name: str) -> bytes | None:
    identity = [new_id(), PROJECT, new_id(), 1]
    push = {"acked_number": 0, "acked_hash": bytes(16), "mutations": [[1, 1, "work_item", new_id(), 0, 1, None, "x", "{}"]]}
    questions: dict[str, Any] = {
        "push": {"identity": identity, "push": push | {"hashes": [bytes(16)]}},
        "pull": {"cursor": [0, 0]},
        "snapshot": {"cursor": [0, 0], "read_at": [0, 0], "place": None},
        "confirm": {"cursor": [1, 1]},
        "fence": {"identity": identity},
        "history-counts": {},
        "code": {"type": "note_repository", "repository": "r", "name": "r", "by": None},
        "restore": {"identity": identity, "rows": [], "conflicts": [], "known": [0, 0]},
    }
    return packet.packed(questions[name], compressed=False) if name in questions else None


def _malformed() -> dict[str, bytes]:
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(512 * MEGABYTE))
    sized = zstandard.ZstdCompressor(write_content_size=True).compress(bytes(512 * MEGABYTE))
    deep = b"\x91" * 200_000 + b"\xc0"
    lies = bytearray(zstandard.ZstdCompressor(write_content_size=True).compress(bytes(100_000)))
    return {
        "nothing": b"",
        "no packet": b"{}",
        "cut header": b"\x00\x00\x00",
        "cut body": struct.pack(">BI", 0, 100) + b"\x80",
        "more than it says": struct.pack(">BI", 0, 1) + b"\x80\x80",
        "says four gigabytes": struct.pack(">BI", 0, 0xFFFFFFFF),
        "unknown packing": struct.pack(">BI", 9, 1) + b"\x80",
        "no msgpack": struct.pack(">BI", 0, 1) + b"\xc1",
        "another compression": struct.pack(">BI", 1, 20) + zlib.compress(bytes(50))[:20].ljust(20, b"\0"),
        "bomb": struct.pack(">BI", 1, len(bomb)) + bomb,
        "bomb that says so": struct.pack(">BI", 1, len(sized)) + sized,
        "cut compression": struct.pack(">BI", 1, len(lies) // 2) + bytes(lies[: len(lies) // 2]),
        "deep": struct.pack(">BI", 0, len(deep)) + deep,
        "numbers beyond all": packet.packed({"cursor": [2**64 - 1, 2**64 - 1]}, compressed=False),
        "a list": packet.packed([1, 2], compressed=False),
    }


@pytest.mark.parametrize("what", sorted(_malformed()))
def test_what_is_malformed_is_refused_and_changes_nothing(what: str, caller: Caller) -> None:
    before = caller.state()
    body = _malformed()[what]
    for name in POSTS:
        if name == "history-counts":
            continue  # it has no question
        status, answer = caller.post(name, body)
        assert status == 400, (name, status, answer)
        assert failed(answer).kind == "refused"
    assert caller.state() == before


def test_what_is_too_large_is_refused_before_it_is_read(caller: Caller) -> None:
    with closing(http.client.HTTPConnection(caller.place, timeout=30)) as connection:
        connection.putrequest("POST", "/v1/push")
        connection.putheader("Authorization", f"Bearer {caller.secret}")
        connection.putheader("Localfirst-Protocol", str(PROTOCOL_VERSION))
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_numbers_with_a_gap_and_ids_that_are_none_are_refused(caller: Caller) -> None:
    before = caller.state()
    question = msgspec.msgpack.decode((_question("push") or b"")[packet.HEADER_BYTES :])
    wrong = []
    changes: list[Callable[[Any], object]] = [
        lambda q: q["push"]["mutations"].append([3, 1, "work_item", new_id(), 0, 1, None, "x", "{}"]),
        lambda q: q["push"].update(hashes=[]),
        lambda q: q["push"].update(hashes=[b"short"]),
        lambda q: q["push"].update(mutations=[], hashes=[]),
        lambda q: q["push"].update(cursor=[-1, 0]),
        lambda q: q["identity"].__setitem__(2, "nobody"),
        lambda q: q["identity"].__setitem__(3, -5),
    ]
    for change in changes:
        one = msgspec.msgpack.decode(msgspec.msgpack.encode(question))
        change(one)
        wrong.append(one)
    for one in wrong:
        status, answer = caller.post("push", packet.packed(one, compressed=False))
        assert (status, failed(answer).kind) == (400, "refused"), one
    assert caller.state() == before


def test_health_and_readiness_need_no_token(caller: Caller) -> None:
    for path in ("/healthz", "/readyz"):
        assert caller.ask("GET", path, Authorization="", Localfirst_Protocol="")[0] == 200


def _came(host: str, query: bytes = b"", **headers: str) -> Request:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "GET", "path": "/v1/head", "query_string": query, "headers": given, "client": (host, 1),
         "scheme": "http", "server": ("h", 1)}
    )  # fmt: skip


def test_a_token_in_the_clear_is_taken_from_this_machine_alone() -> None:
    for host in ("127.0.0.1", "::1", "127.8.8.8", "::ffff:127.0.0.1"):
        transport_is_safe(_came(host), has_tls=False, is_behind_proxy=False)
    transport_is_safe(_came("192.0.2.1"), has_tls=True, is_behind_proxy=False)
    for request, is_behind_proxy in (
        (_came("192.0.2.1"), False),
        (_came("192.0.2.1", x_forwarded_proto="https"), False),
        (_came("192.0.2.1", x_forwarded_proto="http"), True),
        (_came("127.0.0.1", x_forwarded_proto="http", x_forwarded_for="192.0.2.1"), True),
        (_came("127.0.0.1", x_forwarded_proto="https, http", x_forwarded_for="192.0.2.1"), True),
    ):
        with pytest.raises(Refused, match="plain http"):
            transport_is_safe(request, has_tls=False, is_behind_proxy=is_behind_proxy)
    transport_is_safe(_came("192.0.2.1", x_forwarded_proto="https"), has_tls=False, is_behind_proxy=True)


def test_the_figures_tell_of_requests_and_projects(caller: Caller) -> None:
    assert caller.ask("GET", "/v1/head")[0] == 200
    status, body = caller.ask("GET", "/metrics", Authorization="", Localfirst_Protocol="")
    text = body.decode()
    assert status == 200
    assert 'localfirst_requests_total{endpoint="head",status="200"}' in text
    assert f'localfirst_project_head{{project="{caller.project}"}}' in text
    assert "localfirst_request_seconds_bucket" in text
    assert caller.secret not in text


def test_the_figures_may_have_a_token_and_requests_a_limit(postgres_server: Server) -> None:
    place = Place("127.0.0.1", 0, requests_per_second=1, metrics_token="m" * 20)
    with postgres_server.database() as dsn, daemon(dsn, place) as url:
        caller = Caller(url, dsn)
        assert caller.ask("GET", "/metrics", Authorization="Bearer wrong")[0] == 401
        assert caller.ask("GET", "/metrics", Authorization=f"Bearer {'m' * 20}")[0] == 200


def test_whoever_asks_too_much_waits() -> None:
    now = [1000.0]
    limit = Limit(10, 20, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(21)] == [*[True] * 20, False]
    assert limit.take("b"), "each has a bucket of its own"
    now[0] += 0.1
    assert [limit.take("a"), limit.take("a")] == [True, False]
    assert limit.is_empty("a")
    now[0] += 60
    assert [limit.take("a") for _ in range(21)] == [*[True] * 20, False]


def test_guesses_are_not_looked_up_for_ever(postgres_server: Server) -> None:
    with postgres_server.database() as dsn, daemon(dsn) as url:
        caller = Caller(url, dsn)
        found = [caller.ask("GET", "/v1/head", Authorization=f"Bearer lf_{'0' * 10}_{'0' * 64}")[0] for _ in range(130)]
        assert found[:90] == [401] * 90
        assert found[-1] == 429
        assert caller.ask("GET", "/v1/head")[0] == 200, "a token that is known goes on"


def test_a_revoked_token_ends_its_stream_at_once(postgres_server: Server) -> None:
    with postgres_server.database() as dsn, daemon(dsn) as url:
        caller = Caller(url, dsn)
        with closing(http.client.HTTPConnection(caller.place, timeout=30)) as connection:
            headers = {"Authorization": f"Bearer {caller.secret}", "Localfirst-Protocol": str(PROTOCOL_VERSION)}
            headers["Localfirst-Project"] = caller.project
            connection.request("GET", "/v1/events", None, headers)
            stream = connection.getresponse()
            while not (line := stream.readline()).startswith(b"data:"):
                assert line, "the stream begins with the head"
            began = time.monotonic()
            with closing(connect(dsn)) as administrator:
                tokens.revoke(administrator, token_id(caller.secret))
            stream.read()
            assert time.monotonic() - began < 5
        status, answer = caller.ask("GET", "/v1/head")
        assert (status, failed(answer).details["cause"]) == (401, "token_revoked")
