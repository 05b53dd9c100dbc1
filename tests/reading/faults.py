"""Faults, each injected into one layer of a place: the settings with which it is met, undone at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import apsw
import psycopg
from gateway import Gateway
from psycopg.conninfo import make_conninfo

from localfirst.replica.migrate import LATEST
from localfirst.settings import Settings
from reading.damage import checkpointed, destroy, pages_of
from reading.world import STATUS_FILE, World, git, nobody_there

Fault = Callable[[World, Settings], AbstractContextManager[Settings]]


# PostgreSQL


@contextmanager
def frozen(world: World, settings: Settings) -> Iterator[Settings]:
    """It accepts, and never says a word."""
    gateway = Gateway(world.url)
    gateway.flowing.clear()
    yield settings._replace(database_url=gateway.url)
    gateway.close()


@contextmanager
def slow(world: World, settings: Settings) -> Iterator[Settings]:
    """Each answer takes half a second."""
    gateway = Gateway(world.url)
    gateway.delay_s = 0.5
    yield settings._replace(database_url=gateway.url)
    gateway.close()


@contextmanager
def refusing(world: World, settings: Settings) -> Iterator[Settings]:
    """Nothing listens."""
    yield settings._replace(database_url=nobody_there())


@contextmanager
def wrong_password(world: World, settings: Settings) -> Iterator[Settings]:
    """The server wants a password for this user, and another one."""
    with psycopg.connect(world.url, autocommit=True) as server:
        [(hba,)] = server.execute("SHOW hba_file").fetchall()
        file = Path(str(hba))
        before = file.read_text()
        role = "reader_with_password"
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'right'".encode())
        try:
            owner = file.stat()
            file.write_text(f"local all {role} scram-sha-256\n{before}")
            os.chown(file, owner.st_uid, owner.st_gid)
            server.execute("SELECT pg_reload_conf()")
            yield settings._replace(database_url=make_conninfo(world.url, user=role, password="wrong"))
        finally:
            file.write_text(before)
            server.execute("SELECT pg_reload_conf()")
            server.execute(f"DROP ROLE {role}".encode())


@contextmanager
def missing_schema(world: World, settings: Settings) -> Iterator[Settings]:
    """The schema is not there, and this user may not make it."""
    with _database_of_others(world, "CREATE DATABASE {} TEMPLATE template0") as url:
        yield settings._replace(database_url=url)


@contextmanager
def no_connection_left(world: World, settings: Settings) -> Iterator[Settings]:
    """The database lets nobody in any more."""
    with _database_of_others(world, "CREATE DATABASE {} CONNECTION LIMIT 0") as url:
        yield settings._replace(database_url=url)


@contextmanager
def _database_of_others(world: World, create: str) -> Iterator[str]:
    """A database, as a role sees it that owns nothing there: its connection string."""
    name = f"fault_{os.urandom(6).hex()}"
    with psycopg.connect(world.url, autocommit=True) as server:
        server.execute(create.format(name).encode())
        server.execute(f"CREATE ROLE {name} LOGIN".encode())
        try:
            yield make_conninfo(world.url, dbname=name, user=name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            server.execute(f"DROP ROLE {name}".encode())


# The replica


@contextmanager
def corrupt(world: World, settings: Settings) -> Iterator[Settings]:
    """Pages of every table are overwritten."""
    checkpointed(settings.replica)
    tables = ("work_items", "vendor_extractors", "deployment_events", "future_enhancements", "history")
    destroy(settings.replica, *(page for table in tables for page in pages_of(settings.replica, table)))
    yield settings


@contextmanager
def no_database(world: World, settings: Settings) -> Iterator[Settings]:
    """Something else stands in the file."""
    settings.replica.write_bytes(os.urandom(50_000))
    yield settings


@contextmanager
def truncated(world: World, settings: Settings) -> Iterator[Settings]:
    """Only the beginning is left."""
    os.truncate(settings.replica, 5_000)
    yield settings


@contextmanager
def zero_length(world: World, settings: Settings) -> Iterator[Settings]:
    """Nothing is left."""
    os.truncate(settings.replica, 0)
    yield settings


@contextmanager
def newer(world: World, settings: Settings) -> Iterator[Settings]:
    """A later version of the program has written it."""
    connection = apsw.Connection(str(settings.replica))
    connection.pragma("user_version", LATEST + 1)
    connection.close()
    yield settings


@contextmanager
def locked(world: World, settings: Settings) -> Iterator[Settings]:
    """Another process keeps it for itself."""
    other = apsw.Connection(str(settings.replica))
    other.pragma("locking_mode", "exclusive")
    other.execute("BEGIN EXCLUSIVE")
    yield settings
    other.execute("ROLLBACK")
    other.close()


class _Disk(apsw.VFS):
    """The disk, on which writing fails in one folder."""

    def __init__(self, name: str, folder: Path, error: type[apsw.Error]) -> None:
        self._folder = str(folder)
        self._error = error
        super().__init__(name, "", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        found = name.filename() if hasattr(name, "filename") else str(name)
        if not found.startswith(self._folder):
            return super().xOpen(name, flags)
        return _File(self, name, flags, self._error)


class _File(apsw.VFSFile):
    def __init__(self, vfs: _Disk, name: Any, flags: list[int], error: type[apsw.Error]) -> None:
        self._error = error
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        raise self._error("injected")


@contextmanager
def disk_full(world: World, settings: Settings) -> Iterator[Settings]:
    """Nothing more can be written to the replica's file or its log."""
    name = f"full-{os.urandom(4).hex()}"
    disk = _Disk(name, settings.replica.parent, apsw.FullError)
    try:
        yield settings
    finally:
        disk.unregister()


@contextmanager
def read_only(world: World, settings: Settings) -> Iterator[Settings]:
    """The file system lets nobody write."""
    name = f"read-only-{os.urandom(4).hex()}"
    disk = _Disk(name, settings.replica.parent, apsw.ReadOnlyError)
    try:
        yield settings
    finally:
        disk.unregister()


# Git


@contextmanager
def not_installed(world: World, settings: Settings) -> Iterator[Settings]:
    """There is no program `git`."""
    import git.cmd

    before = git.cmd.Git.GIT_PYTHON_GIT_EXECUTABLE
    git.cmd.Git.GIT_PYTHON_GIT_EXECUTABLE = "/nowhere/git"
    try:
        yield settings
    finally:
        git.cmd.Git.GIT_PYTHON_GIT_EXECUTABLE = before


@contextmanager
def no_commits(world: World, settings: Settings) -> Iterator[Settings]:
    """The repository is empty."""
    shutil.rmtree(settings.root / ".git")
    git(settings.root, "init", "-q")
    yield settings


@contextmanager
def broken_repository(world: World, settings: Settings) -> Iterator[Settings]:
    """Its objects are gone."""
    shutil.rmtree(settings.root / ".git" / "objects")
    yield settings


@contextmanager
def detached_head(world: World, settings: Settings) -> Iterator[Settings]:
    """No branch is checked out."""
    git(settings.root, "checkout", "-q", "-f", "--detach")
    (settings.root / STATUS_FILE).unlink()
    yield settings


@contextmanager
def shallow(world: World, settings: Settings) -> Iterator[Settings]:
    """A clone of the last commit alone."""
    full = settings.root / "full"
    (settings.root / ".git").rename(full)
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--no-checkout", full.as_uri(), settings.root / "clone"], check=True)
    (settings.root / "clone" / ".git").rename(settings.root / ".git")
    yield settings


@contextmanager
def packed(world: World, settings: Settings) -> Iterator[Settings]:
    """Objects and references are in packs."""
    git(settings.root, "gc", "-q")
    git(settings.root, "pack-refs", "--all")
    yield settings


@contextmanager
def worktree(world: World, settings: Settings) -> Iterator[Settings]:
    """The project is a linked work tree."""
    git(settings.root, "worktree", "add", "-q", "linked")
    linked = settings.root / "linked"
    (linked / STATUS_FILE).unlink()
    yield settings._replace(root=linked, markdown=linked / STATUS_FILE)


@contextmanager
def file_removed(world: World, settings: Settings) -> Iterator[Settings]:
    """A later commit has removed the status file."""
    git(settings.root, "rm", "-q", "--cached", STATUS_FILE)
    git(settings.root, "commit", "-q", "-m", "no status file any more")
    yield settings


@contextmanager
def file_renamed(world: World, settings: Settings) -> Iterator[Settings]:
    """A later commit has moved it elsewhere."""
    git(settings.root, "checkout", "-q", "-f", "HEAD")
    git(settings.root, "mv", STATUS_FILE, "OLD_STATUS.md")
    git(settings.root, "commit", "-q", "-m", "moved")
    (settings.root / "OLD_STATUS.md").unlink()
    yield settings


# The status file


@contextmanager
def unreadable(world: World, settings: Settings) -> Iterator[Settings]:
    """A directory stands in its place."""
    settings.markdown.unlink()
    settings.markdown.mkdir()
    yield settings


@contextmanager
def empty_file(world: World, settings: Settings) -> Iterator[Settings]:
    """There is nothing in it."""
    settings.markdown.write_bytes(b"")
    yield settings


@contextmanager
def garbage(world: World, settings: Settings) -> Iterator[Settings]:
    """It is no text."""
    settings.markdown.write_bytes(os.urandom(10_000) + b"\0")
    yield settings


@contextmanager
def prose(world: World, settings: Settings) -> Iterator[Settings]:
    """It is a text about something else."""
    settings.markdown.write_text("# Shopping\n\n- bread\n- milk\n\n```\n## Vendors (3 total)\n" * 20)
    yield settings


FAULTS: dict[str, tuple[Fault, ...]] = {
    "postgresql": (frozen, slow, refusing, wrong_password, missing_schema, no_connection_left),
    "replica": (corrupt, no_database, truncated, zero_length, newer, locked, disk_full, read_only),
    "git": (not_installed, no_commits, broken_repository, detached_head, shallow, packed, worktree, file_removed, file_renamed),
    "markdown": (unreadable, empty_file, garbage, prose),
}

STILL_READABLE = {disk_full, read_only, detached_head, shallow, packed, worktree, file_removed, file_renamed}
"""Faults in spite of which the layer can be read."""
