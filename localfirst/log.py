"""The log: one file in the log directory (MCP clients hide standard error), shared by all processes, without secrets."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import platformdirs

from localfirst.shared_log_file import SharedLogFile

MAX_BYTES = 1_000_000
BACKUPS = 3

_CREDENTIALS = re.compile(r"(\w+://)[^\s/@]*@|(password|passwd|token|secret)(\s*[=:]\s*)\S+", re.IGNORECASE)


class WithoutSecrets(logging.Formatter):
    """Blots out credentials in URLs and what follows the word password, in messages and tracebacks alike."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return _CREDENTIALS.sub(
            lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}{found[3]}***", super().format(record)
        )


def log_path() -> Path:
    """Where the log is."""
    return Path(platformdirs.user_log_dir("localfirst", appauthor=False)) / "localfirst.log"


def log_to_file() -> None:
    """Sends the log to the file; where that cannot be written, warnings go to standard error as usual."""
    logger = logging.getLogger("localfirst")
    logger.setLevel(os.environ.get("LOCALFIRST_LOG_LEVEL", "INFO").upper())
    path = log_path()
    try:
        handler = SharedLogFile(path, MAX_BYTES, BACKUPS)
    except OSError:
        return
    handler.setFormatter(WithoutSecrets("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
