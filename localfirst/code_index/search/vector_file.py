"""The vectors of one model as a file that all processes map: int8 rows, their lengths, and the chunks that they belong to.

It stands beside the replica, is private to the user, and can be made again at any time from sqlite-vec's tables, whose own scan
is ten times slower. Pages of a mapped file are in memory once, however many servers search.

    header   magic, version, dimensions, model id, capacity, rows in use, generation of the store that they are of
    ids      int64 × capacity: chunk ids, ascending as far as they are added in that order
    scales   float32 × capacity: 1 / length of the row, 0 where a vector was taken away
    vectors  int8 × capacity × dimensions

The vector of a chunk id never changes, and an id is never used again, so rows are only added, or taken away. One process at a
time brings the file up to date, under a lock; the header's count is written after the rows. Readers need no lock: whatever they
read of a row that is just being taken away, its chunk is not in the store. A file that must grow, or holds many dead rows, is
made anew and renamed into place; who has the old one mapped notices, and maps the new one.

Where the file cannot be made (a read-only folder, a full disk), the matrix is kept in memory.
"""

from __future__ import annotations

import logging
import mmap
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import filelock
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger("localfirst.search")

MAGIC, VERSION = b"lfcodevc", 1
_HEADER = struct.Struct("<8sIIqqqq")  # magic, version, dimensions, model id, capacity, count, generation
_ALIGNED = 4096
_SPARE = 8
"""A file that is made has room for an eighth more rows, so that a few new chunks are added in place."""

DEAD_SHARE = 4
"""Made anew when more than a quarter of the rows are dead."""


class Stored:
    """The store's vectors as they are in the transaction of the search."""

    def __init__(self, connection: apsw.Connection, model_id: int, dimensions: int, generation: int) -> None:
        self.model_id, self.dimensions, self.generation = model_id, dimensions, generation
        self._connection = connection
        self._table = f"code_vectors_{model_id}"

    def ids(self) -> NDArray[np.int64]:
        """Chunk ids that have a vector, in any order: 8 bytes each, from sqlite-vec's blocks (its ARCHITECTURE.md)."""
        found = [np.empty(0, np.int64)]
        for rowids, validity in self._connection.execute(f"SELECT rowids, validity FROM {self._table}_chunks"):
            found.append(np.frombuffer(rowids, np.int64)[_held(validity)])
        return np.concatenate(found)

    def vectors(self, wanted: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Ids, ascending, and vectors of all chunks, or of the wanted ones, from the blocks that hold them."""
        ids, vectors = [np.empty(0, np.int64)], [np.empty((0, self.dimensions), np.int8)]
        blocks = f"SELECT rowids, validity, chunk_id FROM {self._table}_chunks"
        one = f"SELECT vectors FROM {self._table}_vector_chunks00 WHERE rowid = ?"
        for rowids, validity, block in self._connection.execute(blocks):
            held = _held(validity)
            present = np.frombuffer(rowids, np.int64)
            if wanted is not None:
                held &= np.isin(present, wanted)
            if held.any():
                packed = self._connection.execute(one, (block,)).get
                ids.append(present[held])
                vectors.append(np.frombuffer(packed, np.int8).reshape(-1, self.dimensions)[held])
        all_ids, all_vectors = np.concatenate(ids), np.concatenate(vectors)
        if (np.diff(all_ids) > 0).all():
            return all_ids, all_vectors
        order = np.argsort(all_ids)
        return all_ids[order], all_vectors[order]


def _held(validity: bytes) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little").astype(bool)


class VectorFile:
    """The matrix of one model in this process. Belongs to one thread.

    Attributes:
        generation: of the store, that the rows are of; -1 before the first `refresh`.
        ids: chunk ids of the rows; shape (rows,).
        scales: 1 / length of each row; 0 for a dead one.
        vectors: shape (rows, dimensions).
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._map: mmap.mmap | None = None
        self._forget()

    def refresh(self, stored: Stored) -> None:
        """Brings the matrix to what is stored, or beyond, if another process has seen a later transaction."""
        if self._is_level(stored):
            return
        if self._path is not None:
            try:
                self._refresh_file(self._path, stored)
            except (OSError, filelock.Timeout) as error:
                logger.info("the vectors are kept in memory, their file cannot be written: %s", type(error).__name__)
            else:
                return
        self._fill_memory(stored)

    def _is_level(self, stored: Stored) -> bool:
        if self._map is not None and not self._is_same_file():
            self._forget()
        if self._map is not None:
            self._read_header(stored)
        elif self.generation < 0 and self._path is not None:
            self._open(self._path, stored)
        return self.generation >= stored.generation and self.model_id == stored.model_id

    def _forget(self) -> None:
        self._map = None  # the arrays may still be in use by a caller; the mapping goes with the last of them
        self._file = None
        self.generation, self.model_id, self._capacity = -1, 0, 0
        self.ids: NDArray[np.int64] = np.empty(0, np.int64)
        self.scales: NDArray[np.float32] = np.empty(0, np.float32)
        self.vectors: NDArray[np.int8] = np.empty((0, 0), np.int8)

    def _is_same_file(self) -> bool:
        assert self._path is not None
        return _identity(self._path) == self._file

    def _open(self, path: Path, stored: Stored) -> None:
        """Maps the file as it is; leaves the matrix empty where it is missing, damaged, or of another model."""
        try:
            with path.open("r+b") as file:
                status = os.fstat(file.fileno())
                self._map = mmap.mmap(file.fileno(), 0)
                self._file = (status.st_dev, status.st_ino)
        except (OSError, ValueError):
            self._forget()
            return
        self._read_header(stored)

    def _read_header(self, stored: Stored) -> None:
        assert self._map is not None
        try:
            magic, version, dimensions, model_id, capacity, count, generation = _HEADER.unpack_from(self._map)
        except struct.error:
            self._forget()
            return
        whole = (magic, version, dimensions, model_id) == (MAGIC, VERSION, stored.dimensions, stored.model_id)
        if not whole or not 0 <= count <= capacity or len(self._map) != _size(capacity, dimensions):
            self._forget()
            return
        if generation == self.generation and count == len(self.ids):
            return
        places = _places(capacity)
        self.ids = np.frombuffer(self._map, np.int64, count, places[0])
        self.scales = np.frombuffer(self._map, np.float32, count, places[1])
        self.vectors = np.frombuffer(self._map, np.int8, count * dimensions, places[2]).reshape(count, dimensions)
        self.generation, self.model_id, self._capacity = generation, model_id, capacity

    def _refresh_file(self, path: Path, stored: Stored) -> None:
        with filelock.FileLock(f"{path}.lock", timeout=1.0, mode=0o600):
            if self._is_level(stored):
                return  # another process was quicker
            present = stored.ids()
            dead = ~np.isin(self.ids, present)  # rows that were dead already among them
            new = np.setdiff1d(present, self.ids, assume_unique=False)
            fits = self._map is not None and len(self.ids) + len(new) <= self._capacity
            if fits and int(dead.sum()) * DEAD_SHARE <= len(self.ids):
                self._add(stored, dead, new)
            else:
                self._make(path, stored, len(present))

    def _add(self, stored: Stored, dead: NDArray[np.bool_], new: NDArray[np.int64]) -> None:
        assert self._map is not None
        ids, vectors = stored.vectors(new) if len(new) else (new, np.empty((0, stored.dimensions), np.int8))
        count, total = len(self.ids), len(self.ids) + len(ids)
        places = _places(self._capacity)
        self.scales[dead] = 0.0
        np.frombuffer(self._map, np.int64, total, places[0])[count:] = ids
        np.frombuffer(self._map, np.float32, total, places[1])[count:] = _scales(vectors)
        rows = np.frombuffer(self._map, np.int8, total * stored.dimensions, places[2])
        rows.reshape(total, stored.dimensions)[count:] = vectors
        self._map.flush()  # rows before the header that counts them, also after a power cut
        _HEADER.pack_into(self._map, 0, *_facts(stored, self._capacity, total))
        self._read_header(stored)

    def _make(self, path: Path, stored: Stored, expected: int) -> None:
        ids, vectors = stored.vectors(None)
        capacity = expected + expected // _SPARE + 1024
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # private from the beginning
        try:
            with os.fdopen(descriptor, "r+b") as file:
                places = _places(capacity)
                _reserve(file.fileno(), _size(capacity, stored.dimensions))
                for place, content in zip(places, (ids.data, _scales(vectors).data, vectors.data), strict=True):
                    file.seek(place)
                    file.write(content)
                file.seek(0)
                file.write(_HEADER.pack(*_facts(stored, capacity, len(ids))))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._forget()
        self._open(path, stored)

    def _fill_memory(self, stored: Stored) -> None:
        self._forget()
        self.ids, self.vectors = stored.vectors(None)
        self.scales = _scales(self.vectors)
        self.generation, self.model_id = stored.generation, stored.model_id


def _reserve(descriptor: int, size: int) -> None:
    """Takes the room on the disk now: a mapped page that finds none later would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def _facts(stored: Stored, capacity: int, count: int) -> tuple[bytes, int, int, int, int, int, int]:
    return MAGIC, VERSION, stored.dimensions, stored.model_id, capacity, count, stored.generation


def _scales(vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    lengths = np.empty(len(vectors), np.float32)
    for begin in range(0, len(vectors), 65_536):  # a part at a time: the squares take four times the room
        part = vectors[begin : begin + 65_536].astype(np.float32)
        lengths[begin : begin + len(part)] = np.sqrt(np.einsum("ij,ij->i", part, part))
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def _places(capacity: int) -> tuple[int, int, int]:
    """Where the ids, scales and vectors begin."""
    ids = _aligned(_HEADER.size)
    scales = _aligned(ids + 8 * capacity)
    return ids, scales, _aligned(scales + 4 * capacity)


def _size(capacity: int, dimensions: int) -> int:
    return _aligned(_places(capacity)[2] + capacity * dimensions)


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNED) * _ALIGNED


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
