"""A replica that fails in the middle of a session: reads go on without it, writes say why they cannot, and it comes back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from localfirst_schema.errors import UnavailableError

from localfirst.client import session as sessions
from localfirst.client.session import Session
from reading.world import Reader, World


class Disk(apsw.VFS):
    """A disk whose sectors can no longer be read, or written, once `error` is set."""

    def __init__(self, folder: Path) -> None:
        self.name = f"failing-{os.urandom(4).hex()}"
        self._folder = str(folder)
        self.fails_to_read = self.fails_to_write = False
        super().__init__(self.name, "", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        found = name.filename() if hasattr(name, "filename") else str(name)
        return File(self, name, flags) if found.startswith(self._folder) else super().xOpen(name, flags)


class File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self._disk.fails_to_read:
            raise apsw.IOError("injected")
        return bytes(super().xRead(amount, offset))

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self._disk.fails_to_write:
            raise apsw.FullError("injected")
        super().xWrite(data, offset)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "place" / "replica")
    yield made
    made.unregister()


def forget_pages(session: Session) -> None:
    """What SQLite has in memory would be read from there."""
    session.replica.pragma("cache_size", 0)
    session.replica.pragma("shrink_memory")


@pytest.mark.parametrize("present", [("postgresql", "replica"), ("replica", "git")], ids="+".join)
def test_reads_go_on_without_it_and_return_to_it(
    world: World, tmp_path: Path, disk: Disk, present: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    without, within = ("postgresql", "postgresql") if "postgresql" in present else ("git_history", "sqlite_cache")
    monkeypatch.setattr(sessions, "STAND_IN_S", 0.0)
    with Reader(world, world.place(tmp_path / "place", present)) as reader:
        assert reader.ask("list_vendors")["data_source"] == within
        assert isinstance(reader.session, Session)
        forget_pages(reader.session)
        disk.fails_to_read = True
        for tool, answer in reader.answers().items():
            assert answer["data_source"] == without, tool
        with pytest.raises(UnavailableError, match="disk"):
            reader.ask("create_vendor", name="Elm")
        disk.fails_to_read = False
        assert reader.ask("list_vendors")["data_source"] == within
        assert reader.ask("list_vendors")["total_count"] == 2


def test_a_full_disk_refuses_writes_and_lets_the_server_answer(
    world: World, tmp_path: Path, disk: Disk, database_url: str
) -> None:
    settings = world.place(tmp_path / "place", ("replica",), url=database_url)
    settings.replica.unlink()
    with Reader(world, settings) as reader:
        reader.ask("create_vendor", name="Fir")
        assert reader.session.link is not None
        assert reader.session.link.sync(30) is not None
        disk.fails_to_write = True
        with pytest.raises(UnavailableError, match="full"):
            reader.ask("create_vendor", name="Gum")
        with psycopg.connect(database_url) as server:
            server.execute("UPDATE localfirst.vendor_extractors SET operational = false")
        answer = reader.ask("query_vendor_status", name="Fir")
        assert (answer["operational"], answer["data_source"], answer["warnings"]) == (False, "postgresql", [])
        disk.fails_to_write = False
        assert reader.session.link.sync(30) is not None
        assert reader.ask("create_vendor", name="Gum")["version"] == 1, "nothing of the refused one was left behind"
        assert reader.ask("query_vendor_status", name="Fir")["operational"] is False
