"""One question to the program `git`, in an environment of ours.

Git runs programs and opens connections where a repository's configuration says so: signatures, monitors, hooks, filters,
helpers, promised objects. So the repository that it is given (`GIT_DIR`) is an empty one of ours, and only the object store
and the index are the asked one's. The user's own configuration is in force where a question is about it; else none is, and the
answer does not depend on it. Git works in a process group of its own, which is killed when the time is over or the answer too
long.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import cache, partial
from pathlib import Path
from typing import IO, Literal

import platformdirs
from localfirst_sync.supervised import Supervised

from localfirst.disk import create_folder

TIME_LIMIT_S = 5.0
SIZE_LIMIT_BYTES = 64 * 1024 * 1024
SAID_LIMIT_BYTES = 1024 * 1024

_LOOK_EVERY_S = 0.2

Hash = Literal["sha1", "sha256"]

_KEPT = ("GIT_EXEC_PATH",)
_USERS = ("GIT_CONFIG_",)
"""The user's own configuration, where the environment says something of it."""

_NEVER = ("PAGER", "EDITOR", "VISUAL", "SSH_ASKPASS")
_ALWAYS = {
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
}
_PINNED = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=false")
_CONFIG: dict[Hash, str] = {
    "sha1": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    "sha256": "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n",
}


class NoAnswerError(Exception):
    """Git is not there, refused, took too long or said too much."""


class Question:
    """A question under way; `answer` waits for its end, `stop` ends it."""

    def __init__(
        self,
        *arguments: str,
        given: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        kind: Hash = "sha1",
        by_users_configuration: bool = False,
        time_limit_s: float = TIME_LIMIT_S,
        should_stop: Callable[[], bool] | None = None,
        size_limit_bytes: int = SIZE_LIMIT_BYTES,
    ) -> None:
        """Begins it.

        Args:
            given: what git reads from its standard input.
            environment: further variables.
            directory: where git works; None for the empty repository.
            kind: the hash of the asked repository.
            by_users_configuration: the user's configuration is in force, for questions about it.

            should_stop: asked several times a second whether nobody waits for the answer any more.

        Raises NoAnswerError where git cannot be started.
        """
        place = empty_repository(kind)
        self._limit = size_limit_bytes
        self._is_late = False
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the question
        pinned = [part for one in _PINNED for part in ("-c", one)]
        held = ExitStack()
        try:
            with held:
                self._process = subprocess.Popen(  # noqa: S603 - a fixed program; its arguments are ours
                    ["git", "--no-pager", *pinned, *arguments],  # noqa: S607 - the user's PATH says which git
                    stdin=subprocess.DEVNULL if given is None else _as_file(given, held),
                    stdout=subprocess.PIPE,
                    stderr=self._said,
                    env={**_environment(place, by_users_configuration=by_users_configuration), **(environment or {})},
                    cwd=directory or place,
                    start_new_session=True,
                )
        except OSError as error:
            self._said.close()
            raise NoAnswerError(f"git cannot be started: {error.strerror}") from error
        deadline = time.monotonic() + time_limit_s
        self._watcher = Supervised(partial(self._watch, deadline, should_stop), "localfirst-git")
        try:
            self._watcher.start()
        except BaseException:
            self._end()
            raise

    def answer(self) -> bytes:
        """What git printed. Raises NoAnswerError."""
        assert self._process.stdout is not None
        try:
            printed = self._process.stdout.read(self._limit + 1)
            if len(printed) > self._limit:
                raise NoAnswerError(f"git says more than {self._limit} bytes")
            status = self._process.wait()
            if self._is_late:
                raise NoAnswerError("git took too long, or was not waited for")
            if status != 0:
                raise NoAnswerError(self.said().decode("utf-8", "replace").strip() or f"git ended with {status}")
            return printed
        finally:
            self._end()

    def said(self) -> bytes:
        """What it wrote to standard error; to be asked before the end of `stop`."""
        if self._said.closed:
            return self._last_said
        self._said.seek(0)
        return self._said.read(SAID_LIMIT_BYTES)

    def stop(self) -> None:
        """Ends it, if it has not ended."""
        self._end()

    def _watch(self, deadline: float, should_stop: Callable[[], bool] | None) -> None:
        """Ends it when its time is over, or nobody waits any more."""
        while (left := deadline - time.monotonic()) > 0 and not (should_stop is not None and should_stop()):
            if self._watcher.stopping.wait(left if should_stop is None else min(left, _LOOK_EVERY_S)):
                return
        self._is_late = True
        self._kill()

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _end(self) -> None:
        self._watcher.stop()
        self._kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if not self._said.closed:
            self._last_said = self.said()
            self._said.close()


def _as_file(given: bytes, held: ExitStack) -> IO[bytes]:
    """A pipe would have to be written while the answer is read."""
    file = held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is one
    file.write(given)
    file.seek(0)
    return file


def ask(*arguments: str, **how: object) -> bytes:
    """What git answers. The arguments are those of `Question`; raises NoAnswerError."""
    return Question(*arguments, **how).answer()  # type: ignore[arg-type]  # handed on as they are


def empty_repository(kind: Hash = "sha1") -> Path:
    """The empty repository that stands in for the asked one; made where there is none."""
    place = Path(platformdirs.user_data_dir("localfirst", appauthor=False)) / "empty-repositories" / kind
    if (place / "HEAD").is_file():
        return place
    try:
        create_folder(place.parent)
        fresh = Path(tempfile.mkdtemp(prefix=f"{kind}.", dir=place.parent))
        _fill(fresh, kind)
        try:
            fresh.rename(place)
        except OSError:  # another process was faster
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError:
        return _temporary(kind)
    return place if (place / "HEAD").is_file() else _temporary(kind)


@cache
def _temporary(kind: Hash) -> Path:
    """For as long as the process lives, where the user's folder cannot be written."""
    import atexit

    place = Path(tempfile.mkdtemp(prefix="localfirst-git-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    _fill(place, kind)
    return place


def _fill(place: Path, kind: Hash) -> None:
    (place / "objects").mkdir(mode=0o700)
    (place / "refs").mkdir(mode=0o700)
    (place / "config").write_text(_CONFIG[kind])
    (place / "HEAD").write_text("ref: refs/heads/none\n")


def _environment(place: Path, *, by_users_configuration: bool) -> dict[str, str]:
    kept = (*_KEPT, *_USERS) if by_users_configuration else _KEPT
    found = {
        name: value
        for name, value in os.environ.items()
        if name not in _NEVER and (not name.startswith("GIT_") or name.startswith(kept))
    }
    found |= _ALWAYS | {"GIT_DIR": str(place)}
    if not by_users_configuration:
        # The first two are known to git since 2.32; the others say the same to an older one.
        found |= {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(place),
            "XDG_CONFIG_HOME": str(place),
        }
    return found
