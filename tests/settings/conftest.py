"""A checkout, and a user with directories of his own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from localfirst.settings import Settings, load, trust

Load: TypeAlias = Callable[..., Settings]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a checkout."""
    (place := tmp_path / "checkout").mkdir()
    return place


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home, with nothing in it."""
    (place := tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(place))
    for name in ("DATA", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(place / name.lower()))
    for name in ("PROJECT", "DATABASE_URL", "REPLICA", "ROOT"):
        monkeypatch.delenv(f"LOCALFIRST_{name}", raising=False)
    return place


@pytest.fixture
def settings_of(root: Path) -> Load:
    """What is in force in the checkout, with an environment of these LOCALFIRST_ variables."""

    def settings_of(content: str | bytes | None = None, *, allowed: bool = False, **environment: str) -> Settings:
        if content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            (root / ".localfirst.toml").write_bytes(data)
            if allowed:
                trust.allow(root, data)
        return load(root, {f"LOCALFIRST_{name}": value for name, value in environment.items()})

    return settings_of


@pytest.fixture
def own(home: Path) -> Callable[[str], None]:
    """Writes the user's own configuration file."""

    def own(content: str) -> None:
        (folder := home / "config" / "localfirst").mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(content, encoding="utf-8")

    return own
