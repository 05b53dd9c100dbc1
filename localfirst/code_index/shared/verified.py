"""What the team's index serves is checked as far as it can be: a text that is not that of its hash is left out.

The hash says all that a chunk is (language, symbol, text), so whoever changes the text in PostgreSQL has another chunk. What
was left out is kept in the replica's table `set_aside`, and reported by the search, `sync_status` and `doctor`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import apsw

from localfirst.code_index.chunk import Chunk, chunk_hash
from localfirst.replica import set_aside
from localfirst.replica.connection import immediate

if TYPE_CHECKING:
    from localfirst_sync.code_port import Candidate

TABLE = "code_chunks"


def verified(replica: apsw.Connection, found: Sequence[Candidate]) -> list[Candidate]:
    """The candidates whose text is that of their hash, with a finite similarity; the others are noted in the replica."""
    sound = [one._replace(cosine=_finite(one.cosine)) for one in found if _is_itself(one)]
    if len(sound) < len(found) or set_aside.is_any(replica):
        _note(replica, {one.chunk_hash for one in found if not _is_itself(one)}, {one.chunk_hash for one in sound})
    return sound


def _is_itself(one: Candidate) -> bool:
    chunk = Chunk(start_line=one.start_line, end_line=one.end_line, text=one.text, symbol=one.symbol)
    return chunk_hash(chunk, one.language) == one.chunk_hash


def _finite(cosine: float | None) -> float | None:
    return cosine if cosine is not None and math.isfinite(cosine) else None


def _note(replica: apsw.Connection, changed: set[bytes], sound: set[bytes]) -> None:
    from localfirst_sync.sieve import Misfit

    with immediate(replica):
        set_aside.keep(
            replica, [Misfit("chunk", TABLE, one.hex(), 0, "", "its text is not that of its hash") for one in sorted(changed)]
        )
        set_aside.forget_rows(replica, TABLE, [one.hex() for one in sound - changed])
