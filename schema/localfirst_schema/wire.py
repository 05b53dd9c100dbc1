"""Messages between a replica and the server: a mutation goes up, its verdict comes back, changes come down.

`fields` holds what a change did: column → ``{"old": …, "new": …}``. Of a JSON object only the keys that changed are kept, on
both sides and at every level: a key that is in `old` alone was removed, one in `new` alone was added (see `json_merge`).
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal, TypeAlias

import msgspec

PROTOCOL_VERSION = 2
"""Raised when a server must not talk to an older client; both sides say theirs before anything else."""

Fields: TypeAlias = dict[str, dict[str, Any]]
"""Column → ``{"old": value, "new": value}``."""

Row: TypeAlias = dict[str, Any]
"""Column → value as the replica keeps it: text, integer, boolean as 0/1, JSON as compact text, times as in `timestamps`."""

Outcome = Literal["accepted", "merged", "lost"]
"""How a change ended; `lost` means that a part of it stands in a conflict instead of in the row."""


class Mutation(msgspec.Struct, frozen=True, array_like=True):
    """One change of one row by one replica, as it waits in the outbox.

    Attributes:
        number: counts the replica's mutations, from 1, without a gap.
        txn: mutations with equal `txn` were one act and stand or fall together.
        base_version: the version that the change was made from; 0 creates the row.
        version: the version that the replica has displayed since.
        fields: JSON text of `Fields`.
    """

    number: int
    txn: int
    entity: str
    id: str
    base_version: int
    version: int
    by: str | None
    at: str
    fields: str


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """What the server did with one mutation; `version` is the row's version after it."""

    number: int
    outcome: Literal["accepted", "merged", "conflict"]
    version: int
    conflict_id: str | None = None


HASH_BYTES = 16
EMPTY_HASH = bytes(HASH_BYTES)

_encode = msgspec.msgpack.Encoder().encode


def chain_hash(previous: bytes, mutation: Mutation) -> bytes:
    """The hash of a mutation and of all before it: BLAKE2b-128 of the previous hash and the msgpack of this one.

    It lets the server recognise a repeated mutation, and tell it from another one that a copied replica gave the same
    number.
    """
    return hashlib.blake2b(_encode(mutation), digest_size=HASH_BYTES, key=previous).digest()


def decode_fields(text: str) -> Fields:
    """Reads the JSON text of `Fields`."""
    return _decode_fields(text)


_decode_fields = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode
_encode_json = msgspec.json.Encoder(order=None).encode


def encode_json(value: Any) -> str:
    """Compact JSON text."""
    return _encode_json(value).decode()


def decode_json(text: str) -> Any:
    """Reads JSON text; integers of any size stay exact."""
    return msgspec.json.decode(text)
