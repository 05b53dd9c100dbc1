"""What a laptop and the daemon say to each other. Each endpoint has one question and one answer, or a stream of `Frame`s.

    POST /v1/meet            Meet            Met         which server this is, which project, what is allowed, and its head
    GET  /v1/head            -               Head
    POST /v1/push            PushQuestion    Pushed
    POST /v1/pull            PullQuestion    frames      what changed after a cursor
    POST /v1/snapshot        SnapshotQuestion frames     the first fill
    POST /v1/confirm         Confirm         Nothing
    POST /v1/fence           Fence           Nothing
    POST /v1/history-counts  Nothing         frames
    POST /v1/restore         RestoreQuestion RestoredAnswer
    POST /v1/code            CodeQuestion    any         the team's code index: `http.code`
    GET  /v1/events          -               server-sent events: `head` with number and tag, `renamed`
    GET  /v1/token           -               TokenSeen   what the token is good for

All but the first and the last name the project and the server that was met in their headers. A failure is a `Failed` with its
status, or as the last frame of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from localfirst_sync.ports import (
    BEGINNING,
    Access,
    Cursor,
    HistoryCount,
    HistoryRow,
    Identity,
    Push,
    Remembered,
)

PROTOCOL_HEADER = "Localfirst-Protocol"
PROJECT_HEADER = "Localfirst-Project"
SERVER_HEADER = "Localfirst-Server"
MEDIA_TYPE = "application/vnd.localfirst"

REQUEST_BYTES_MAX = 128 * 1024 * 1024
"""A push is cut at acts, and an act is never cut: the largest one has to go through."""

FRAME_BYTES_MAX = 64 * 1024 * 1024
"""One row, one line of the history or one conflict is far smaller, and what is more than one is cut at `FRAME_BYTES`."""

FRAME_BYTES = 1024 * 1024
"""About so large frames are made."""


class Nothing(msgspec.Struct, frozen=True):
    """No more to be said."""


class Meet(msgspec.Struct, frozen=True):
    """Which server does this replica know, and what has it seen there? `address` is where it has found the daemon.

    Attributes:
        takes_any: the replica keeps nothing of a server.
        known: the identity and the cluster's identifier that it knows, if it knows one.
        knows_address: whether it has met that server at this address.
    """

    project_id: str
    project_name: str
    address: str
    seen: Cursor = BEGINNING
    takes_any: bool = False
    known: tuple[str, str | None] | None = None
    knows_address: bool = False


class Met(msgspec.Struct, frozen=True):
    """The server, and the project as it is called there."""

    server_id: str
    system_identifier: str | None
    project_id: str
    project_name: str
    access: Access
    head: Cursor


class Head(msgspec.Struct, frozen=True):
    """The project's last change."""

    head: Cursor


class PushQuestion(msgspec.Struct, frozen=True):
    """A push, and whose it is."""

    identity: Identity
    push: Push


class Again(msgspec.Struct, frozen=True):
    """`ports.Again`."""

    rows: Mapping[str, Sequence[str]]
    lines: Sequence[int]


class PullQuestion(msgspec.Struct, frozen=True):
    """What came after a cursor."""

    cursor: Cursor
    again: Again | None = None
    known: Sequence[Cursor] = ()


class SnapshotQuestion(msgspec.Struct, frozen=True):
    """The first fill, behind its place (`ports.Staging`)."""

    cursor: Cursor
    read_at: Cursor
    place: tuple[str, str | int] | None


class Confirm(msgspec.Struct, frozen=True):
    """Does the log hold this?"""

    cursor: Cursor


class Fence(msgspec.Struct, frozen=True):
    """Earlier rounds are refused from now on."""

    identity: Identity


class RestoreQuestion(msgspec.Struct, frozen=True):
    """A part of what the server may lack."""

    identity: Identity
    rows: Sequence[Remembered]
    conflicts: Sequence[tuple[Any, ...]]
    known: Cursor


class RestoredAnswer(msgspec.Struct, frozen=True):
    """`ports.Restored`."""

    changes: int
    head: Cursor


class TokenSeen(msgspec.Struct, frozen=True):
    """What a token is good for."""

    id: str
    name: str
    projects: Sequence[str]
    access: Literal["write", "read"]
    expires_at: str | None = None


Kind: TypeAlias = Literal["unavailable", "refused", "identity_taken", "fenced", "busy", "restored", "meet"]


class Failed(msgspec.Struct, frozen=True):
    """What went wrong. `details` are those of the error: they hold no secret.

    ``refused``: the question was wrong, and would be again. ``meet``: this is not the server that was met.
    """

    kind: Kind
    message: str = ""
    details: Mapping[str, Any] = {}


class Expects(msgspec.Struct, frozen=True, tag="expects", array_like=True):
    """So many changes are to come."""

    changes: int


class Begins(msgspec.Struct, frozen=True, tag="begins", array_like=True):
    """A first fill begins anew at this head, or goes on at it."""

    head: Cursor
    is_anew: bool


class Rows(msgspec.Struct, frozen=True, tag="rows", array_like=True):
    """Rows of one table."""

    table: str
    rows: list[tuple[Any, ...]]


class History(msgspec.Struct, frozen=True, tag="history", array_like=True):
    """Lines of the history."""

    rows: list[HistoryRow]


class Counts(msgspec.Struct, frozen=True, tag="counts", array_like=True):
    """How much the history tells of some rows."""

    counts: list[tuple[str, str, HistoryCount]]


class Ends(msgspec.Struct, frozen=True, tag="ends", array_like=True):
    """That was all, up to this head. Without it a stream was cut."""

    head: Cursor


class Breaks(msgspec.Struct, frozen=True, tag="breaks", array_like=True):
    """It failed on the way."""

    failed: Failed


Frame: TypeAlias = Expects | Begins | Rows | History | Counts | Ends | Breaks
