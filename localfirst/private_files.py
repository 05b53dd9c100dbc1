"""Files and folders that are the user's alone: 0600 and 0700, whatever the umask says."""

from __future__ import annotations

import os
from pathlib import Path


def create_folder(folder: Path) -> None:
    """Makes a folder and those above it, as far as they do not exist, private to the user. Raises OSError."""
    for one in reversed([folder, *folder.parents]):
        if not one.is_dir():  # `mkdir(parents=True)` would leave the upper ones to the umask
            one.mkdir(mode=0o700, exist_ok=True)


def create_file(path: Path) -> None:
    """Makes an empty private file where there is none, and its folder; an empty one becomes private. Raises OSError."""
    create_folder(path.parent)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    elif path.is_file() and path.stat().st_size == 0:
        path.chmod(0o600)  # made by somebody for us, as `touch` or `mktemp` do
