"""The log: one file in the log directory (MCP clients hide standard error), shared by all processes, without secrets."""

from __future__ import annotations

import json
import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from localfirst.shared_log_file import SharedLogFile

MAX_BYTES = 1_000_000
BACKUPS = 3

LEVEL = "INFO"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

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
    logger.setLevel(_level())
    path = log_path()
    try:
        handler = SharedLogFile(path, MAX_BYTES, BACKUPS)
    except OSError:
        return
    handler.setFormatter(WithoutSecrets("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    if (words := wrong_level()) is not None:
        logger.warning("%s", words)


def log_to_stderr() -> None:
    """Sends the log to standard error, a line of JSON each, for a program that a service manager runs."""
    logger = logging.getLogger("localfirst")
    logger.setLevel(_level())
    handler = logging.StreamHandler()
    handler.setFormatter(_AsJson())
    logger.addHandler(handler)
    logger.propagate = False


class _AsJson(WithoutSecrets):
    """A record as one line: when, how grave, where, what, and the fields that were given with it (``extra={"fields": …}``)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": super().format(record),
            **getattr(record, "fields", {}),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


def wrong_level() -> str | None:
    """What is wrong with LOCALFIRST_LOG_LEVEL, in words; it counts as INFO then, since no log is worth a program that fails."""
    if _given_level() in LEVELS:
        return None
    return f"LOCALFIRST_LOG_LEVEL must be one of {', '.join(LEVELS)}; until then it counts as {LEVEL}"


def _level() -> str:
    given = _given_level()
    return given if given in LEVELS else LEVEL


def _given_level() -> str:
    return os.environ.get("LOCALFIRST_LOG_LEVEL", "").strip().upper() or LEVEL
