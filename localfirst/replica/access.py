"""What the server allowed when it was last asked (`localfirst_sync.ports.Access`), as the replica keeps it."""

from __future__ import annotations

import apsw


def noted(connection: apsw.Connection) -> str:
    """`write`, `read` or `standby`."""
    return str(connection.execute("SELECT access FROM replica").get)


def is_read_only(connection: apsw.Connection) -> bool:
    """Whether the server takes no changes."""
    return noted(connection) != "write"
