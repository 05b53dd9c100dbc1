"""Laptops of one team, beside one PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from contract.laptop import Laptop

NewLaptop = Callable[..., Laptop]


@pytest.fixture
def new_laptop(tmp_path: Path, far_url: str) -> NewLaptop:
    """Makes laptops by name; all work on one project with one server, unless `url` says another."""

    def make(name: str, url: str | None = far_url) -> Laptop:
        more = {"LOCALFIRST_PROJECT": "team/board", "LOCALFIRST_DATABASE_URL": url or ""}
        return Laptop(tmp_path / name, more)

    return make
