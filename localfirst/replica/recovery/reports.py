"""Reports of rebuilt replicas: `NAME.rebuilt-TIME.txt` beside the replica, a text for people."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from localfirst_schema import timestamps

logger = logging.getLogger("localfirst.replica")

NO_MARKS = str.maketrans("", "", ":-.")
"""For `str.translate`: a time as part of a file's name."""


def reports(path: Path) -> list[Path]:
    """The reports beside the replica at `path`, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.rebuilt-*.txt"))


def leave_report(path: Path, words: str) -> None:
    """Writes a report; one that cannot be written is in the log alone."""
    report = path.with_name(f"{path.name}.rebuilt-{timestamps.now().translate(NO_MARKS)}.txt")
    try:
        handle = os.open(report, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{words}\n")
    except OSError as error:
        logger.warning("the report of a rebuilt replica could not be written: %s", error.strerror)
