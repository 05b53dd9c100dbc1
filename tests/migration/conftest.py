"""The project that most tests here migrate."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration.project_on_disk import SAMPLE, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with the sample as its status file, before any migration."""
    project = Project(tmp_path / "project")
    project.write(SAMPLE.read_bytes())
    return project
