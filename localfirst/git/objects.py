"""Whether an object store lies in itself: git follows links and alternates in it to wherever they lead.

The objects of another repository would be read as if they were this one's: whoever made the checkout has only to know the id of
a commit there.
"""

from __future__ import annotations

import os
from pathlib import Path


def is_self_contained(store: Path) -> bool:
    """No link in it, and no alternates. False also for one that cannot be read."""
    if store.is_symlink():
        return False
    try:
        with os.scandir(store) as entries:
            folders = list(entries)
        for folder in folders:
            if folder.is_symlink():
                return False
            if not folder.is_dir(follow_symlinks=False):
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink() or (folder.name == "info" and entry.name in ("alternates", "http-alternates")):
                        return False
    except OSError:
        return False
    return True
