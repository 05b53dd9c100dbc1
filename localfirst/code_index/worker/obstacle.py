"""What is in a job's way: too little space, an embedding service that does not answer, a repository that went away."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from localfirst.embedding.provider import EmbeddingUnavailableError

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider

MIN_FREE_BYTES = 200_000_000
"""What is left to everybody else on the disk: people's own writes must not fail because of an index."""


def lack_of_space(replica: Path) -> str | None:
    """The reason for a job to wait, if there is one."""
    try:
        free = shutil.disk_usage(replica.parent).free
    except OSError:
        return None  # the replica's own errors say more
    if free >= MIN_FREE_BYTES:
        return None
    least = MIN_FREE_BYTES // 1_000_000
    return f"the disk that holds the replica has only {free // 1_000_000} MB free (at least {least} are kept)"


def loss_of_repository(root: str) -> str | None:
    """The reason why a job cannot go on at all, if there is one."""
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):  # noqa: PTH116 - asked several times a second
            return f"{root} is not a directory any more"
    except FileNotFoundError:
        return f"{root} is not there any more"
    except OSError as error:
        return f"{root} cannot be read any more ({error.strerror})"
    return None if os.access(root, os.R_OK | os.X_OK) else f"{root} cannot be read any more (permission denied)"


def lack_of_service(provider: EmbeddingProvider) -> str | None:
    """The same for the embedding service: it is asked for one vector."""
    try:
        provider.embed(["ready"])
    except EmbeddingUnavailableError as error:
        return error.message
    return None
