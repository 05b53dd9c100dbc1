"""Whether a push comes from the replica that it says, and which of its mutations the server has already.

Pure. The server knows of a replica the number and the chained hash of its last mutation, and keeps the verdicts of those that
the replica has not acknowledged. A replica file that was copied or restored betrays itself by a number that another copy has
used, or by a hash that continues another chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from localfirst_schema.wire import EMPTY_HASH, HASH_BYTES, Verdict

from localfirst_sync.ports import IdentityTaken, Push, ServerWasRestored


class Receipt(NamedTuple):
    """The verdicts of one earlier push; `hashes` one after the other, `verdicts` as msgpack."""

    first_number: int
    last_number: int
    hashes: bytes
    verdicts: bytes


class Known(NamedTuple):
    """What the server knows of a replica; `receipts` those after the acknowledged number, in order."""

    epoch: int
    last_number: int
    last_hash: bytes
    receipts: Sequence[Receipt]


UNKNOWN = Known(0, 0, EMPTY_HASH, ())

_decode = msgspec.msgpack.Decoder(list[Verdict]).decode
_encode = msgspec.msgpack.Encoder().encode


def repeated(push: Push, known: Known) -> list[Verdict]:
    """The verdicts of the leading mutations that the server has had before; empty when all are new.

    Raises:
        IdentityTaken: another replica has used these numbers; `agreed` leading mutations are the same in both.
        ServerWasRestored: the server has forgotten mutations that it once answered.
    """
    first = push.acked_number + 1
    if push.mutations[0].number != first:
        raise IdentityTaken(0)
    if known.last_number < push.acked_number:
        raise ServerWasRestored
    if known.last_number == push.acked_number:
        if known.last_hash != push.acked_hash:
            raise IdentityTaken(0)
        return []
    verdicts: list[Verdict] = []
    hashes: list[bytes] = []
    for receipt in known.receipts:
        if receipt.first_number != first + len(verdicts):
            raise IdentityTaken(0)  # answered, and acknowledged by somebody else: the receipts are gone
        verdicts += _decode(receipt.verdicts)
        hashes += [receipt.hashes[at : at + HASH_BYTES] for at in range(0, len(receipt.hashes), HASH_BYTES)]
    if first + len(verdicts) - 1 != known.last_number:
        raise IdentityTaken(0)
    for place, (ours, theirs) in enumerate(zip(push.hashes, hashes, strict=False)):
        if ours != theirs:
            raise IdentityTaken(place)
    return verdicts[: len(push.mutations)]


def receipt(push: Push, already: int, verdicts: Sequence[Verdict]) -> Receipt:
    """What the server is to remember of a push whose first `already` mutations it knew; `verdicts` are the new ones."""
    return Receipt(
        push.mutations[already].number, push.mutations[-1].number, b"".join(push.hashes[already:]), _encode(list(verdicts))
    )
