"""`localfirst import` takes in another replica, and the doctor names those that no repository opens."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from cli.shell import Shell


class Place(Shell):
    """A directory on a laptop on which no replica's file is named."""

    place = "project"

    @property
    def project(self) -> Path:
        return self.directory / self.place

    @property
    def replicas(self) -> list[Path]:
        return sorted((self.directory / "home" / "data" / "localfirst" / "replicas").glob("*.sqlite3"))


At = Callable[..., Place]


@pytest.fixture
def at(tmp_path: Path) -> At:
    """Makes places on one laptop."""

    def made(place: str, **more: str) -> Place:
        one = Place.__new__(Place)
        one.place = place
        one.__init__(tmp_path, {"LOCALFIRST_REPLICA": "", **more})  # type: ignore[misc]
        return one

    return made


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", directory, *arguments], check=True, capture_output=True)


def titles(shell: Shell) -> list[str]:
    return sorted(item["title"] for item in shell.json("item", "list")["items"])


def reported(shell: Shell) -> list[str]:
    """What the doctor says of replicas that no repository opens."""
    checks = shell.run("doctor", "--json").json["checks"]
    return [check["words"] for check in checks if check["subject"] == "replicas"]


def test_what_a_copy_of_a_replica_holds_comes_in_once(at: At, tmp_path: Path) -> None:
    old = at("old")
    first = old.json("item", "create", "first")
    old.ok("item", "update", first["id"], "--title", "first again")
    old.ok("vendor", "create", "alder")
    copy = tmp_path / "copy.sqlite3"
    old.ok("backup", str(copy))
    new = at("new", LOCALFIRST_PROJECT="team/board")
    new.ok("item", "create", "here")
    new.ok("vendor", "create", "alder")
    done = new.json("import", str(copy))
    assert (done["project"], done["of_project"], done["root"]) == ("team/board", None, str(new.project))
    assert (done["rows"], done["changes"], done["unsent"]) == (1, 3, 3)
    assert Path(done["before"]).is_file()
    assert titles(new) == ["first again", "here"]
    assert new.json("item", "show", first["id"])["version"] == 2
    assert [vendor["name"] for vendor in new.json("vendor", "list")["items"]] == ["alder"]
    again = new.ok("import", str(copy))
    assert "is here already" in again.out
    assert titles(new) == ["first again", "here"]
    assert len(list(Path(done["before"]).parent.glob("*.before-import-*"))) == 1
    assert titles(old) == ["first again"]


def test_what_was_never_sent_reaches_the_server_of_the_project_that_takes_it_in(
    at: At, tmp_path: Path, database_url: str
) -> None:
    here = {"LOCALFIRST_PROJECT": "team/board", "LOCALFIRST_DATABASE_URL": database_url}
    other = {"LOCALFIRST_PROJECT": "team/other", "LOCALFIRST_DATABASE_URL": database_url}
    sent = at("other", **other)
    sent.ok("item", "create", "on the server of another project")
    sent.ok("sync")
    away = at("other", LOCALFIRST_PROJECT="team/other")
    away.ok("item", "create", "never sent")
    copy = tmp_path / "copy.sqlite3"
    away.ok("backup", str(copy))
    new = at("new", **here)
    new.ok("item", "create", "here")
    words = new.ok("import", str(copy)).out
    assert "They were of the project team/other, which stays as it is" in words
    new.ok("sync")
    sent.ok("sync")
    with psycopg.connect(database_url) as server:
        rows = server.execute(
            "SELECT p.name, w.title FROM localfirst.work_items AS w JOIN localfirst.projects AS p ON p.id = w.project_id"
            " ORDER BY 1, 2"
        ).fetchall()
    assert rows == [
        ("team/board", "here"), ("team/board", "never sent"), ("team/board", "on the server of another project"),
        ("team/other", "never sent"), ("team/other", "on the server of another project"),
    ]  # fmt: skip


def test_a_copy_of_the_same_project_doubles_nothing(at: At, tmp_path: Path, database_url: str) -> None:
    here = {"LOCALFIRST_PROJECT": "team/board", "LOCALFIRST_DATABASE_URL": database_url}
    one = at("one", **here)
    item = one.json("item", "create", "known to all")
    one.ok("sync")
    copy = tmp_path / "copy.sqlite3"
    one.ok("backup", str(copy))
    one.ok("item", "update", item["id"], "--title", "changed since")
    one.ok("sync")
    assert "is here already" in one.ok("import", str(copy)).out
    one.ok("sync")
    displayed = one.json("item", "show", item["id"])
    assert (displayed["title"], displayed["version"]) == ("changed since", 2)
    with psycopg.connect(database_url) as server:
        assert server.execute("SELECT count(*) FROM localfirst.history WHERE entity = 'work_item'").fetchone() == (2,)


@pytest.mark.parametrize(
    "spoil", ["CREATE TRIGGER t AFTER UPDATE ON work_items BEGIN SELECT 1; END", "DROP TABLE vendors_none"]
)
def test_a_file_that_is_not_what_it_should_be_is_refused_whole(at: At, tmp_path: Path, spoil: str) -> None:
    old = at("old")
    old.ok("item", "create", "first")
    copy = tmp_path / "copy.sqlite3"
    old.ok("backup", str(copy))
    if spoil.startswith("CREATE"):
        with closing(sqlite3.connect(copy)) as database:
            database.execute(spoil)
            database.commit()
    else:
        copy.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    new = at("new", LOCALFIRST_PROJECT="team/board")
    new.ok("item", "create", "here")
    done = new.run("import", str(copy))
    assert done.status != 0
    assert "othing was changed" in done.err
    assert titles(new) == ["here"]
    assert not [path for path in new.replicas[0].parent.iterdir() if "before-import" in path.name or "take-in" in path.name]


def test_its_own_replica_a_missing_file_and_a_device_are_refused(at: At, tmp_path: Path) -> None:
    new = at("new", LOCALFIRST_PROJECT="team/board")
    new.ok("item", "create", "here")
    (own,) = new.replicas
    for file, words in ((own, "own replica"), (tmp_path / "none", "no file"), (Path("/dev/null"), "no regular file")):
        done = new.run("import", str(file))
        assert done.status != 0
        assert words in done.err, done
    assert titles(new) == ["here"]


def test_the_doctor_names_replicas_that_no_repository_opens_with_what_they_hold(at: At) -> None:
    gone, kept, plain, here = at("gone"), at("kept"), at("plain"), at("here")
    for one in (gone, kept, here):
        git(one.project, "init", "-q")
    for one in (gone, kept, plain, here):
        one.ok("item", "create", f"of {one.project.name}")
    gone.ok("item", "create", "another")
    assert reported(here) == []
    shutil.rmtree(gone.project)
    (words,) = reported(here)
    assert "2 rows and 2 changes that were never sent" in words
    assert str(gone.project / ".git") in words
    (file,) = (path for path in here.replicas if str(path) in words)
    here.ok("import", str(file))
    assert titles(here) == ["another", "of gone", "of here"]
    assert reported(here) == []
    shutil.rmtree(plain.project)
    assert any("1 row and 1 change that was never sent" in words for words in reported(here))


def test_a_replica_that_holds_nothing_is_not_reported_of(at: At) -> None:
    empty, here = at("empty"), at("here")
    for one in (empty, here):
        git(one.project, "init", "-q")
        one.ok("item", "list")
    shutil.rmtree(empty.project)
    assert reported(here) == []
