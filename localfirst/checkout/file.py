"""One file of a checkout: read within a limit, replaced as a whole, or renamed; and never waited for.

A pipe, a device or a socket in its place is refused before it is opened. The limit is the use's own: settings are small, a
status file is not.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from localfirst.checkout.descent import holding_folder

_READING = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)


class NotAFileError(OSError):
    """A folder, pipe, device or socket stands where a file was expected."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "it is no regular file", str(path))


class TooLargeError(OSError):
    """The file is larger than its use allows."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        super().__init__(errno.EFBIG, f"it is larger than {_size(limit_bytes)}", str(path))


class State(NamedTuple):
    """What changes when a file's content does."""

    mtime_ns: int
    size: int
    inode: int


class CheckoutFile(NamedTuple):
    """A file by its name, and the root that its links must not leave."""

    root: Path | None
    """None: the user named the file himself, and its links lead where he had them lead."""

    path: Path

    def read(self, limit_bytes: int) -> bytes:
        """The content.

        Raises FileNotFoundError, OutsideError, UnfitError, TooLargeError, and OSError for what cannot be opened.
        """
        with holding_folder(self.root, self.path) as (folder, name), _opened(name, folder, self.path) as file:
            data = file.read(limit_bytes + 1) if os.fstat(file.fileno()).st_size <= limit_bytes else None
        if data is None or len(data) > limit_bytes:
            raise TooLargeError(self.path, limit_bytes)
        return data

    def read_beginning(self, size_bytes: int) -> bytes:
        """So many bytes from the beginning of a file of any size. Raises as `read` does."""
        with holding_folder(self.root, self.path) as (folder, name), _opened(name, folder, self.path) as file:
            return file.read(size_bytes)

    def write(self, data: bytes) -> None:
        """Replaces the content at once: whoever reads sees the old one or the new one, whole, also after a power cut.

        A new file is its owner's alone (0600), an existing one keeps its permissions. Raises OutsideError, UnfitError, and
        OSError, with the old content untouched, where the disk, the folder or the permissions do not allow it.
        """
        with holding_folder(self.root, self.path) as (folder, name):
            mode = 0o600
            with suppress(FileNotFoundError):
                mode = stat.S_IMODE(_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), self.path).st_mode) & 0o777
            fresh = str(Path(name).with_name(f".localfirst-{secrets.token_hex(8)}.tmp"))
            try:
                with os.fdopen(os.open(fresh, _WRITING | _BINARY, 0o600, dir_fd=folder), "wb") as file:
                    file.write(data)
                    if hasattr(os, "fchmod"):
                        os.fchmod(file.fileno(), mode)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(fresh, dir_fd=folder)
                raise
            if folder is not None:
                _flush(folder)

    def rename(self, name: str) -> None:
        """Gives it another name in its folder, whatever it is; a link itself, not its target. Raises OSError."""
        if self.root is None:
            self.path.rename(self.path.with_name(name))
            return
        with holding_folder(self.root, self.path.parent / "any") as (folder, other):
            if folder is None:
                Path(other).with_name(self.path.name).rename(Path(other).with_name(name))
            else:
                os.rename(self.path.name, name, src_dir_fd=folder, dst_dir_fd=folder)

    def state(self) -> State | None:
        """How the file looks from outside; None where it cannot be seen, or is no regular file inside the root."""
        try:
            with holding_folder(self.root, self.path) as (folder, name):
                status = _regular(os.stat(name, dir_fd=folder, follow_symlinks=False), self.path)
        except OSError:
            return None
        return State(status.st_mtime_ns, status.st_size, status.st_ino)

    def beside(self, name: str) -> CheckoutFile:
        """The file of another name in the same folder."""
        return self._replace(path=self.path.with_name(name))


def file_of_checkout(root: Path, path: Path) -> CheckoutFile:
    """The file at `path` (relative: below the root), which must not lead out of `root`.

    A path that does not lie below the root, by whatever name, is one that the user gave: a checkout cannot name it.
    """
    path = Path(os.path.normpath(root / path))
    if path.is_relative_to(root):
        return CheckoutFile(root, path)
    for folder in path.parents:  # the root by another name, as /tmp and /private/tmp are
        with suppress(OSError):
            if folder.samefile(root):
                return CheckoutFile(root, root / path.relative_to(folder))
    return file_named_by_user(path)


def file_named_by_user(path: Path) -> CheckoutFile:
    """The file at `path`, wherever its links lead: the user's own order. It is a regular one all the same, within its limit."""
    return CheckoutFile(None, path.absolute())


def read_unlinked(name: bytes, limit_bytes: int) -> tuple[bytes | None, os.stat_result]:
    """The content of the file of this resolved name (None: too large), and how it looked when it was opened.

    For files that come by the thousand and were found without a link on the way. One that has become a link meanwhile is not
    followed. Raises UnfitError, and OSError (ELOOP for a link).
    """
    with os.fdopen(os.open(name, _READING | _BINARY), "rb") as file:
        status = _regular(os.fstat(file.fileno()), Path(os.fsdecode(name)))
        content = file.read(limit_bytes + 1) if status.st_size <= limit_bytes else b""
    is_whole = status.st_size <= limit_bytes and len(content) <= limit_bytes
    return content if is_whole else None, status


def _opened(name: str, folder: int | None, path: Path) -> BinaryIO:
    """The regular file of that name. What is there is looked at before it is opened, and again when it is open."""
    _regular(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
    file = os.fdopen(os.open(name, _READING | _BINARY, dir_fd=folder), "rb")
    try:
        _regular(os.fstat(file.fileno()), path)
    except BaseException:
        file.close()
        raise
    return file


def _regular(status: os.stat_result, path: Path) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise NotAFileError(path)
    return status


def _flush(folder: int) -> None:
    """Returns when the names in the folder are on the disk; a file system that cannot do so for folders is left alone."""
    with suppress(OSError):
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _size(limit_bytes: int) -> str:
    return f"{limit_bytes // 1024 // 1024} MiB" if limit_bytes >= 1 << 20 else f"{limit_bytes // 1024} KiB"
