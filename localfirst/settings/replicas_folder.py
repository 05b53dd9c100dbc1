"""Where the user's replicas stand, and the small tables beside them."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def folder() -> Path:
    """The folder, under the platform's user data directory; it need not exist yet."""
    return Path(platformdirs.user_data_dir("localfirst", appauthor=False)) / "replicas"
