"""The head for the read path, from a daemon."""

from __future__ import annotations

from localfirst_schema.errors import UnavailableError

from localfirst_sync import head_probe
from localfirst_sync.http.address import parse
from localfirst_sync.http.failure import MeetAgain
from localfirst_sync.http.line import Line, lost
from localfirst_sync.http.messages import PROJECT_HEADER
from localfirst_sync.http.store import ask_head
from localfirst_sync.ports import Cursor
from localfirst_sync.pulse import Pulse


class HttpHeadProbe(head_probe.HeadProbe[Line]):
    """Asks a daemon."""

    def __init__(self, url: str, token: str, project_id: str, pulse: Pulse | None = None) -> None:
        super().__init__(pulse)
        self._address = parse(url)
        self._token = token
        self._headers = {PROJECT_HEADER: project_id}

    def _connected(self) -> Line:
        line = Line(self._address, self._token, self._pulse)
        line.connect()
        return line

    def _asked(self, connection: Line, budget_s: float) -> Cursor:
        try:
            return ask_head(connection, self._headers, budget_s, self._pulse)
        except MeetAgain:
            raise self._lost("asking for the head") from None

    def _let_go(self, connection: Line) -> None:
        connection.shut()
        connection.close()

    def _lost(self, doing: str) -> UnavailableError:
        return lost(doing)
