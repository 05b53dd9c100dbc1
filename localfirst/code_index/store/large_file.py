"""Files with too many chunks for one short transaction: written, or taken away, behind the scenes.

Places whose file has no row in `code_files` are found by nobody. So the places of a large file are written under a new file
id, a few at a time, and all appear at once when the row that names the file gets that id; what stood under the old id is taken
away after that. Ids without a row are noted in `code_unfinished`, so whatever ends in between, the next run clears them.
"""

from __future__ import annotations

import apsw

from localfirst.code_index.store import files, left_out
from localfirst.code_index.store.cut_file import CutFile, Piece

_END = "DELETE FROM code_unfinished WHERE file_id = ?"

_being_written: set[int] = set()
"""File ids that runs of this process are writing: not to be cleared. Changed inside write transactions only."""


def differs_much(connection: apsw.Connection, repository_id: int, file: CutFile) -> bool:
    """Whether there is more to write of a file than a short transaction holds."""
    if len(file.pieces) <= files.LARGE and files.place_counts(connection, repository_id, [file.path])[0] <= files.LARGE:
        return False
    known = files.known_hashes(connection, repository_id, file.path)
    new = {piece.chunk_hash for piece in file.pieces}
    return len(new - known) > files.LARGE or len(known - new) > files.LARGE


def begin(connection: apsw.Connection) -> int:
    """A file id under which places can be written that nobody finds yet."""
    file_id = files.next_id(connection)
    files.leave(connection, file_id)
    _being_written.add(file_id)
    return file_id


def add(connection: apsw.Connection, file_id: int, pieces: list[Piece]) -> None:
    """Writes some of its places."""
    files.add_places(connection, file_id, pieces)


def appear(connection: apsw.Connection, repository_id: int, file_id: int, file: CutFile) -> None:
    """Lets the file be found as it is now, and no longer as it was."""
    files.share(connection, repository_id, file_id, file)
    retire(connection, repository_id, file.path)
    files.put(connection, repository_id, file_id, file)
    left_out.forget(connection, repository_id, [file.path])
    connection.execute(_END, (file_id,))


def end(file_id: int) -> None:
    """The run is done with this id, or has given it up."""
    _being_written.discard(file_id)


def retire(connection: apsw.Connection, repository_id: int, path: str) -> int | None:
    """Lets a file be found no longer. Returns its id if its places were nobody else's; they are cleared later."""
    file_id = files.forget(connection, repository_id, path)
    if file_id is None or files.has_file(connection, file_id):
        return None
    files.leave(connection, file_id)
    return file_id


def clear(connection: apsw.Connection, limit: int) -> bool:
    """Takes away up to `limit` places that nobody finds; whether there may be more."""
    unfinished = [file_id for (file_id,) in connection.execute("SELECT file_id FROM code_unfinished")]
    for file_id in unfinished:
        if file_id not in _being_written:
            clear_one(connection, file_id, limit)
            return True
    return False


def clear_one(connection: apsw.Connection, file_id: int, limit: int) -> bool:
    """The same for one file that was retired; whether there may be more of it."""
    if files.remove_places(connection, file_id, limit):
        return True
    connection.execute(_END, (file_id,))
    return False
