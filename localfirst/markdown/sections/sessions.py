"""The session prompts of a status file: each runs from its heading to that of the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from localfirst.markdown.document import Session, entry_key
from localfirst.markdown.outline import Region
from localfirst.markdown.sections.page import Page, located
from localfirst.markdown.session import Block


class Sessions:
    """What has been read of the sections of sessions."""

    def __init__(self, page: Page, read_session: Callable[[Sequence[str]], Block]) -> None:
        self._page = page
        self._read_session = read_session
        self.entries: list[Session] = []

    def read(self, region: Region) -> None:
        """A session runs from its heading to that of the next."""
        owners: dict[int, str] = {}
        for start, end in pairwise([*region.sessions, region.end]):
            read = self._read_session(self._page.lines[start:end])
            key = entry_key(read.session)
            last = start + read.used
            owners.update(dict.fromkeys(range(start, last), key))
            self.entries.append(located(read.session, ((start + 1, last),)))
            if read.note:
                self._page.note("sessions", start, key, read.note, "heading")
            for index, error in read.errors:
                self._page.problem(start + index, "front_matter", error)
        self._page.keep("sessions", region, owners)
