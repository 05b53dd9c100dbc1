"""What this user's programs remember beside the replicas: small tables of JSON, each a private file of its own.

A table is read whole and replaced whole, so that a reader never sees half of one; who changes it holds its lock. What is not
there is empty. A table that cannot be read counts as empty (nothing is allowed then, nothing is known), is reported in the log,
and is set aside by the next change, never overwritten.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localfirst_schema.errors import UnavailableError

from localfirst.disk import create_folder, in_words
from localfirst.settings.replicas_folder import folder

logger = logging.getLogger("localfirst.settings.registry")

LOCK_WAIT_S = 5.0


class Registry:
    """The table of this name."""

    def __init__(self, name: str) -> None:
        self.path: Path = folder() / f"{name}.json"

    def read(self) -> dict[str, Any]:
        """What it holds; without waiting for anybody."""
        try:
            return self._parsed(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be read, so it counts as empty: %s", self.path.name, type(error).__name__)
            return {}

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """What it holds, to be changed in place; written when the block ends well. Raises UnavailableError."""
        from filelock import FileLock, Timeout

        try:
            create_folder(self.path.parent)
            with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=LOCK_WAIT_S, mode=0o600):
                content = self._for_change()
                yield content
                self._replace(content)
        except Timeout:
            raise UnavailableError(f"another program holds {self.path.name}; try again.", cause="busy") from None
        except OSError as error:
            raise UnavailableError(f"{self.path} cannot be written: {in_words(error)}.", cause="replica") from None

    def _for_change(self) -> dict[str, Any]:
        try:
            return self._parsed(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            aside = self.path.with_name(f"{self.path.name}.unreadable")
            self.path.replace(aside)
            logger.warning("%s could not be read; it is kept as %s", self.path.name, aside.name)
            return {}

    @staticmethod
    def _parsed(content: bytes) -> dict[str, Any]:
        found = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError("not a table")
        return found

    def _replace(self, content: dict[str, Any]) -> None:
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(descriptor)
        new.replace(self.path)
