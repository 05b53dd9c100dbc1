"""What a git configuration says, read as data: without its includes, and in force for nothing."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator

from localfirst.git.runner import NoAnswerError, ask

logger = logging.getLogger("localfirst.git")

LIMIT_BYTES = 1024 * 1024


def entries(text: bytes) -> list[tuple[str, str]]:
    """All entries in order: `section.subsection.key` as git names them, and the value. Nothing of what cannot be understood."""
    try:
        listed = ask("config", "--file", "-", "--no-includes", "-z", "--list", given=text)
    except NoAnswerError as error:
        logger.info("git does not read a configuration: %s", type(error.__cause__ or error).__name__)
        return list(_without_git(text)) if error.__cause__ is not None else []
    return [(key, value) for one in os.fsdecode(listed).split("\0") if one for key, _, value in [one.partition("\n")]]


def users_entries(pattern: str) -> list[tuple[str, str]]:
    """What the user's own configuration says of the keys that match, with its includes."""
    try:
        listed = ask("config", "--includes", "-z", "--get-regexp", pattern, by_users_configuration=True)
    except NoAnswerError:
        return []  # git ends so where there is no such key
    return [(key, value) for one in os.fsdecode(listed).split("\0") if one for key, _, value in [one.partition("\n")]]


def _without_git(text: bytes) -> Iterator[tuple[str, str]]:
    """The same where the program git is not there: by GitPython's reader."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # else its import fails without the program
    import configparser

    from git.config import GitConfigParser

    file = io.BytesIO(text)
    file.name = "the configuration"  # its reader asks for one, for its messages
    try:
        parser = GitConfigParser(file, read_only=True, merge_includes=False)
        for section in parser.sections():
            name, _, rest = section.partition(" ")
            prefix = f"{name.lower()}.{rest.strip().strip(chr(34))}" if rest else name.lower()
            for key, values in parser.items_all(section):
                for value in values:
                    yield f"{prefix}.{key.lower()}", str(value)
    except (configparser.Error, ValueError, OSError):
        return
