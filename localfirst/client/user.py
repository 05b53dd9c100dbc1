"""Who sits at this machine."""

from __future__ import annotations

import getpass


def user_name() -> str | None:
    """The name by which the system knows the user; None where it knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
