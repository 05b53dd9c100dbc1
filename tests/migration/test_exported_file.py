"""What the command line writes as a status file says what the store says, for stores that came from all three shapes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localfirst.markdown.document import SECTIONS
from localfirst.markdown.parse import parse
from localfirst.markdown.store import document_of
from migration.project_on_disk import SAMPLE, Project
from migration.test_store_round_trip import contents

PROGRAM = Path(sys.executable).with_name("localfirst")
DATA = SAMPLE.parent


@pytest.fixture(params=["contract", "generated", "hand_kept"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project whose store was filled from a file of the shape."""
    folder = tmp_path / "project"
    if request.param == "contract":
        folder.mkdir()
        shutil.copy(SAMPLE, folder / ".project_status.md")
    else:
        shutil.copytree(DATA / request.param, folder)
        (folder / "project_status.md").rename(folder / ".project_status.md")
    project = Project(folder)
    assert project.migrate()["success"]
    return project


def printed(project: Project, *arguments: str) -> str:
    done = subprocess.run([PROGRAM, *arguments], cwd=project.folder, env=project.environment, capture_output=True, check=True)
    return done.stdout.decode()


def test_the_printed_text_says_what_the_store_says(project: Project) -> None:
    text = printed(project, "status", "--markdown")
    session = project.session()
    stored = document_of(session.replica)
    session.close()
    read = parse(text)
    for section in SECTIONS:
        assert getattr(read, section) == getattr(stored, section)
    assert read.kept == ()
    assert printed(project, "export", "--format", "markdown") == text


def test_an_exported_file_brings_the_same_store_into_another_project(project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    printed(project, "export", "--format", "markdown", "--output", str(other.file))
    report = other.migrate()
    assert report["success"], report["errors"]
    assert report["data_preservation_percentage"] == 100
    assert contents(other) == contents(project)
