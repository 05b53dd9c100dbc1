"""While the server is away, each write is in the status file too, and nothing of a person's is lost from it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from migration.project_on_disk import SAMPLE, Project, call

from localfirst.client.session import Session
from localfirst.markdown.parse import parse


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def session(project: Project) -> Iterator[Session]:
    """A session whose server is known to be away: nobody listens there."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody@127.0.0.1:{reserved.getsockname()[1]}/nowhere"
        session = Session(project.settings()._replace(database_url=url))
        assert session.link is not None
        assert not session.link.is_online()
        yield session
        session.close()


def create(session: Session, title: str = "Written during an outage") -> dict[str, Any]:
    return call(session, "create_work_item", item_type="task", title=title)


def test_a_write_is_in_the_file_at_once(project: Project, session: Session) -> None:
    created = create(session)
    assert created["warnings"] == ["database_unavailable"]
    assert (created["wrote_to_cache"], created["wrote_to_markdown"], created["pending_sync"]) == (True, True, True)
    [item] = parse(project.file.read_text()).work_items
    assert (item.id, item.title, item.version) == (created["id"], created["title"], 1)
    call(session, "update_work_item", id=created["id"], version=1, status="completed")
    [item] = parse(project.file.read_text()).work_items
    assert (item.status, item.version) == ("completed", 2)
    assert [path.name for path in project.folder.glob(".project*")] == [".project_status.md"]


def test_what_people_wrote_stays(project: Project, session: Session) -> None:
    project.write("# Ours\n\nhello\n\n## Vendors\n- a: operational   <- ask Ann\n\n## Team notes\nThursdays\n")
    call(session, "create_vendor", name="a", operational=False)
    text = project.file.read_text()
    assert text.startswith("# Ours\n\nhello\n\n## Vendors (1 total)\n- a: broken   <- ask Ann\n")
    assert "## Team notes\nThursdays\n" in text


def test_entries_that_only_the_file_has_are_copied_aside_first(project: Project, session: Session) -> None:
    project.write(SAMPLE.read_bytes())
    create(session)
    assert project.backup.read_bytes() == SAMPLE.read_bytes()
    create(session, "Another")
    assert len(list(project.folder.glob(".project_status.md.backup*"))) == 1


@pytest.mark.parametrize("content", [b"not \xff UTF-8", b"NUL \0"])
def test_a_file_that_is_no_text_is_not_touched(project: Project, session: Session, content: bytes) -> None:
    project.write(content)
    assert create(session)["wrote_to_markdown"] is False
    assert project.file.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="this user may write everywhere")
def test_a_folder_that_cannot_be_written_costs_no_write(project: Project, session: Session) -> None:
    project.folder.chmod(0o500)
    created = create(session)
    project.folder.chmod(0o700)
    assert created["success"]
    assert created["wrote_to_markdown"] is False


def test_a_directory_in_its_place_costs_no_write(project: Project, session: Session) -> None:
    project.file.mkdir()
    created = create(session)
    assert created["wrote_to_markdown"] is False
    assert call(session, "query_work_item", id=created["id"])["title"] == created["title"]


def test_without_a_server_the_file_is_left_alone(project: Project) -> None:
    assert project.call("create_work_item", item_type="task", title="x")["wrote_to_markdown"] is False
    assert not project.file.exists()


@pytest.mark.parametrize("how", ["a link out", "a folder that is a link out", "a pipe", "60 MB", "git's own configuration"])
def test_a_status_file_that_a_checkout_has_laid_as_a_trap_is_left_alone(
    project: Project, session: Session, tmp_path: Path, how: str
) -> None:
    """The write is stored and says at once that the file was not written; nothing outside is read or changed."""
    (outside := tmp_path / "outside").mkdir()
    (target := outside / ".project_status.md").write_text("# Mine\n")
    (project.folder / ".git").mkdir()
    (project.folder / ".git" / "config").write_text("[core]\n")
    file = project.file
    if how == "a link out":
        file.symlink_to(target)
    elif how == "a folder that is a link out":
        (project.folder / "docs").symlink_to(outside)
        session.settings = session.settings._replace(markdown=project.folder / "docs" / ".project_status.md")
    elif how == "a pipe":
        os.mkfifo(file)
    elif how == "git's own configuration":
        file.symlink_to(".git/config")
    else:
        file.write_bytes(b"- a line\n" * 7_000_000)
    size = file.stat().st_size if how == "60 MB" else None
    for _ in range(2):
        created = create(session)
        assert (created["wrote_to_cache"], created["wrote_to_markdown"]) == (True, False)
    assert [path.name for path in outside.iterdir()] == [".project_status.md"]
    assert target.read_text() == "# Mine\n"
    assert (project.folder / ".git" / "config").read_text() == "[core]\n"
    assert size is None or file.stat().st_size == size


def test_a_copy_is_made_beside_the_file_and_never_through_a_link(project: Project, session: Session, tmp_path: Path) -> None:
    (target := tmp_path / "target").write_text("mine")
    project.write("## Vendors\n- only-here: operational\n")
    backup = project.folder / ".project_status.md.backup"
    backup.symlink_to(target)
    assert create(session)["wrote_to_markdown"]
    assert target.read_text() == "mine"
    assert not backup.is_symlink()
    assert "only-here" in backup.read_text()
