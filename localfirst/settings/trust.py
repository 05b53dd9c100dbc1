"""Which settings files of checkouts the user has allowed: each as it was then, by the hash of its bytes, for its root."""

from __future__ import annotations

import hashlib
from pathlib import Path

from localfirst_schema import timestamps

from localfirst.settings.registry import Registry

TABLE = "allowed"


def is_allowed(root: Path, content: bytes) -> bool:
    """Whether the user has allowed a file with just this content at this root."""
    found = Registry(TABLE).read().get(_key(root))
    return isinstance(found, dict) and found.get("sha256") == _digest(content)


def allow(root: Path, content: bytes) -> None:
    """From now on the file counts, as long as it stays as it is. Raises UnavailableError."""
    with Registry(TABLE).changing() as allowed:
        allowed[_key(root)] = {"sha256": _digest(content), "at": timestamps.now()}


def revoke(root: Path) -> bool:
    """From now on no file at this root counts; whether one did. Raises UnavailableError."""
    with Registry(TABLE).changing() as allowed:
        return allowed.pop(_key(root), None) is not None


def _key(root: Path) -> str:
    return str(root.resolve())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
