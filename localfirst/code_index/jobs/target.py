"""The directory that a caller wants indexed: checked, and named as the index knows it."""

from __future__ import annotations

import os
from pathlib import Path

from localfirst_schema.errors import ValidationError

from localfirst.disk import in_words

FIELD = "repo_path"


def repository_root(given: str) -> Path:
    """The directory with its links resolved. Raises ValidationError, which names the field and the rule."""
    path = Path(given)
    if not path.is_absolute():
        raise _relative()
    try:
        root = path.resolve(strict=True)
        is_directory = root.is_dir()
    except (FileNotFoundError, NotADirectoryError):
        raise ValidationError(
            FIELD, "must exist", f"{FIELD} {_displayed(given)} does not exist: give the path of a directory that is there."
        ) from None
    except PermissionError:
        raise _forbidden(given) from None
    except (OSError, RuntimeError) as error:  # a loop of links, a name that is too long
        raise ValidationError(
            FIELD,
            "must be a path that the system can follow",
            f"{FIELD} {_displayed(given)} cannot be followed: {_why(error)}.",
        ) from None
    if not is_directory:
        raise ValidationError(
            FIELD, "must be a directory", f"{FIELD} {_displayed(given)} is not a directory: give the directory of a repository."
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise _forbidden(given)
    return root


def _why(error: OSError | RuntimeError) -> str:
    return in_words(error) if isinstance(error, OSError) else "its links go round in a circle"


def known_root(given: str) -> str:
    """The same for a directory that may be gone by now: jobs of the past are found by it."""
    if not Path(given).is_absolute():
        raise _relative()
    try:
        return str(Path(given).resolve())
    except (OSError, RuntimeError):
        return given


def _relative() -> ValidationError:
    return ValidationError(
        FIELD, "must be an absolute path", f"{FIELD} must be an absolute path: give all of it, from the root."
    )


def _forbidden(given: str) -> ValidationError:
    return ValidationError(
        FIELD,
        "must be readable",
        f"{FIELD} {_displayed(given)} cannot be read: permission is denied; give this user the right to, or another path.",
    )


def _displayed(given: str) -> str:
    return given if len(given) <= 200 else f"{given[:200]}…"
