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
    answered = {
        verdict.number: (verdict, past.hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES])
        for past in known.receipts
        for place, verdict in enumerate(_verdicts(past))
    }
    if any(number not in answered for number in range(first, known.last_number + 1)):
        raise IdentityTaken(0)  # answered, and acknowledged by somebody else: the receipts are gone
    if push.acked_number in answered and answered[push.acked_number][1] != push.acked_hash:
        raise IdentityTaken(0)
    verdicts: list[Verdict] = []
    for mutation, ours in zip(push.mutations, push.hashes, strict=True):
        if mutation.number > known.last_number:
            break
        verdict, theirs = answered[mutation.number]
        if ours != theirs:
            raise IdentityTaken(len(verdicts))
        verdicts.append(verdict)
    return verdicts


def _verdicts(past: Receipt) -> list[Verdict]:
    """What a receipt says; one that cannot be understood says nothing, and the replica goes on under another id."""
    try:
        return _decode(past.verdicts)
    except (msgspec.DecodeError, RecursionError):
        return []


def receipt(push: Push, already: int, verdicts: Sequence[Verdict]) -> Receipt:
    """What the server is to remember of a push whose first `already` mutations it knew; `verdicts` are the new ones."""
    return Receipt(
        push.mutations[already].number, push.mutations[-1].number, b"".join(push.hashes[already:]), _encode(list(verdicts))
    )
