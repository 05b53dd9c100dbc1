"""A client's first root is the directory, where it offers roots and nobody has named one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from mcp.client import Client, ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import ErrorData, Implementation, ListRootsResult, Root, RootsListChangedNotification
from pydantic import FileUrl

from contract.agent import Agent, working
from contract.laptop import PROGRAM, Laptop

Naming = Callable[[ClientRequestContext], Awaitable[ListRootsResult | ErrorData]]


@pytest.fixture
def plain(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path, {"LOCALFIRST_REPLICA": ""})


@pytest.fixture
def elsewhere(plain: Laptop) -> Path:
    """Where the client works, which is not where its server is started."""
    (place := plain.directory / "mes études #1 100%").mkdir()
    return place


def naming(*uris: str) -> Naming:
    async def roots(_: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=FileUrl(uri)) for uri in uris])

    return roots


@contextmanager
def agent(laptop: Laptop, roots: Naming, *arguments: str, mode: str = "legacy", **environment: str) -> Iterator[Agent]:
    async def asked(context: ClientRequestContext) -> ListRootsResult | ErrorData:
        return await roots(context)

    parameters = StdioServerParameters(
        command=str(PROGRAM),
        args=["mcp", *arguments],
        env={**laptop.environment, **environment},
        cwd=str(laptop.project),
    )
    client = Client(
        stdio_client(parameters),
        mode=mode,
        client_info=Implementation(name="rooted", version="1"),
        list_roots_callback=asked,
        read_timeout_seconds=60,
    )
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(client):
        yield Agent(portal, client)


def root_of(agent: Agent) -> str:
    root = agent.call("sync_status")["root"]
    assert isinstance(root, str)
    return root


def test_the_first_root_is_the_directory(plain: Laptop, elsewhere: Path) -> None:
    with agent(plain, naming(elsewhere.as_uri(), plain.project.as_uri())) as rooted:
        first = rooted.create("there")
        assert first["root"] == str(elsewhere)
        assert root_of(rooted) == str(elsewhere)
    with working(plain, cwd=elsewhere) as other:
        assert [item["title"] for item in other.call("list_work_items")["items"]] == ["there"]
    with working(plain) as other:
        assert other.call("list_work_items")["items"] == []


def test_who_has_named_the_directory_is_not_contradicted_and_nobody_is_asked(plain: Laptop, elsewhere: Path) -> None:
    asked: list[Any] = []

    async def roots(context: Any) -> ListRootsResult:
        asked.append(context)
        return ListRootsResult(roots=[Root(uri=FileUrl(elsewhere.as_uri()))])

    (named := plain.directory / "named").mkdir()
    with agent(plain, roots, "--root", str(named)) as rooted:
        assert root_of(rooted) == str(named)
    with agent(plain, roots, LOCALFIRST_ROOT=str(named)) as rooted:
        assert root_of(rooted) == str(named)
    assert asked == []


def test_a_protocol_without_such_a_request_goes_on_in_the_current_directory(plain: Laptop, elsewhere: Path) -> None:
    with agent(plain, naming(elsewhere.as_uri()), mode="auto") as rooted:
        assert root_of(rooted) == str(plain.project)


def test_no_root_at_all_leaves_the_current_directory(plain: Laptop) -> None:
    with agent(plain, naming()) as rooted:
        assert root_of(rooted) == str(plain.project)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:///no/such/directory", "no directory that is here"),
        ("file://server/share/board", "on another machine"),
    ],
)
def test_a_root_that_cannot_be_used_is_said_once(plain: Laptop, uri: str, words: str) -> None:
    with agent(plain, naming(uri)) as rooted:
        first = rooted.call("list_work_items")
        assert first["root"] == str(plain.project)
        assert words in first["announcement"]
        assert uri in first["announcement"]
        assert "mcp --root" in first["announcement"]
        assert "announcement" not in rooted.call("list_work_items")


def test_a_client_that_refuses_to_name_its_roots_is_served(plain: Laptop) -> None:
    async def refusing(_: Any) -> ErrorData:
        return ErrorData(code=-32603, message="not today")

    with agent(plain, refusing) as rooted:
        first = rooted.call("list_work_items")
        assert first["root"] == str(plain.project)
        assert "did not name them" in first["announcement"]


def test_a_client_that_never_answers_is_waited_for_within_bounds(plain: Laptop) -> None:
    async def silent(_: Any) -> ListRootsResult:
        await anyio.sleep_forever()
        raise AssertionError

    with agent(plain, silent) as rooted:
        rooted.tools()  # neither the handshake nor the list of tools waits
        began = time.monotonic()
        first = rooted.call("list_work_items")
        assert time.monotonic() - began < 10
        assert first["root"] == str(plain.project)
        assert "did not name them" in first["announcement"]
        began = time.monotonic()
        rooted.create("x")
        assert time.monotonic() - began < 1.5, "only the first one waits"


class Moving:
    """A client whose first root changes."""

    def __init__(self, place: Path) -> None:
        self.uris = [place.as_uri()]
        self.asked = 0

    async def roots(self, _: Any) -> ListRootsResult:
        self.asked += 1
        return ListRootsResult(roots=[Root(uri=FileUrl(uri)) for uri in self.uris])

    def moves(self, agent: Agent, *uris: str) -> None:
        """The client tells its server that its roots have changed."""
        self.uris = list(uris)
        agent.tell(RootsListChangedNotification())


def titles(agent: Agent) -> list[str]:
    return [item["title"] for item in agent.call("list_work_items")["items"]]


def test_a_client_that_goes_elsewhere_is_followed(plain: Laptop, elsewhere: Path) -> None:
    moving = Moving(plain.project)
    with agent(plain, moving.roots) as rooted:
        rooted.create("here")
        for _ in range(3):  # by then calls like this one are answered without the session logic
            assert titles(rooted) == ["here"]
        moving.moves(rooted, elsewhere.as_uri(), plain.project.as_uri())
        first = rooted.call("list_work_items")
        assert (first["items"], first["root"]) == ([], str(elsewhere)), "the first answer there names it"
        rooted.create("there")
        assert root_of(rooted) == str(elsewhere)
        moving.moves(rooted, plain.project.as_uri())
        assert titles(rooted) == ["here"]
        moving.moves(rooted, plain.project.as_uri(), elsewhere.as_uri())
        second = rooted.call("list_work_items")
        assert "root" not in second, "the first root is the same: nothing was opened anew"
        assert moving.asked == 4
    with working(plain, cwd=elsewhere) as other:
        assert titles(other) == ["there"]


def test_a_root_that_cannot_be_used_later_is_said_as_well(plain: Laptop, elsewhere: Path) -> None:
    moving = Moving(elsewhere)
    with agent(plain, moving.roots) as rooted:
        rooted.create("there")
        moving.moves(rooted, "file:///no/such/directory")
        first = rooted.call("list_work_items")
        assert (first["items"], first["root"]) == ([], str(plain.project))
        assert "no directory that is here" in first["announcement"]
        moving.moves(rooted)
        assert titles(rooted) == []
        moving.moves(rooted, elsewhere.as_uri())
        assert titles(rooted) == ["there"]


def test_a_client_that_does_not_answer_again_keeps_its_directory(plain: Laptop, elsewhere: Path) -> None:
    class Refusing(Moving):
        async def roots(self, context: Any) -> ListRootsResult:
            if not self.uris:
                raise ValueError("not today")
            return await super().roots(context)

    moving = Refusing(elsewhere)
    with agent(plain, moving.roots) as rooted:
        rooted.create("there")
        moving.moves(rooted)
        first = rooted.call("list_work_items")
        assert [item["title"] for item in first["items"]] == ["there"]
        assert f"the directory is {elsewhere}" in first["announcement"]


def test_a_named_directory_stays_whatever_changes(plain: Laptop, elsewhere: Path) -> None:
    moving = Moving(elsewhere)
    with agent(plain, moving.roots, "--root", str(plain.project)) as rooted:
        rooted.create("here")
        moving.moves(rooted, elsewhere.as_uri())
        assert titles(rooted) == ["here"]
        assert moving.asked == 0
