"""A process that can be stopped between any two effects: a thread of which one runs at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random


class Crash(BaseException):
    """The process is killed here."""


class Task:
    """One sync round of one process.

    `resume` lets it run until it pauses or ends; nothing else runs meanwhile.

    Attributes:
        dice: what befalls this task is drawn from here.
        error: what the body raised and did not expect, once it has ended.
    """

    def __init__(self, name: str, dice: Random, body: Callable[[Task], None]) -> None:
        self.name = name
        self.dice = dice
        self.ended = False
        self.error: BaseException | None = None
        self._body = body
        self._is_killed = False
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def resume(self) -> None:
        """Runs on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._back.acquire()
        if self.ended:
            self._thread.join()

    def kill(self) -> None:
        """It wakes up to find itself killed."""
        if not self.ended:
            self._is_killed = True
            self.resume()

    def pause(self) -> None:
        """Called by the body: everything else goes on, until `resume`."""
        self._back.release()
        self._go.acquire()
        if self._is_killed:
            raise Crash

    def _run(self) -> None:
        try:
            if not self._is_killed:
                self._body(self)
        except Crash:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._back.release()
