"""Who asks: the token of a request, looked up and remembered for a moment.

A token that was good is believed for `FRESH_S`; one that was not is looked up each time, so that a new one works at once. Every
refusal names the token by its id, which is no secret.
"""

from __future__ import annotations

import threading
import time
from typing import Literal, NamedTuple

from localfirst_schema.errors import UnavailableError
from localfirst_schema.project_key import project_key

from localfirst_sync import token as token_form
from localfirst_sync.daemon.pool import Lent, Pool
from localfirst_sync.postgres import tokens

FRESH_S = 2.0
USE_NOTED_EVERY_S = 60.0
KEPT_MAX = 10_000


class Bearer(NamedTuple):
    """Whoever shows a token that is good."""

    id: str
    name: str
    access: Literal["write", "read"]
    project_ids: frozenset[str]
    name_keys: frozenset[str]
    projects: tuple[str, ...]
    left_s: float | None

    def may_see(self, project_id: str) -> bool:
        """Whether a project that is there is the token's."""
        return project_id in self.project_ids

    def may_start(self, name: str) -> bool:
        """Whether a project that is not there yet would be the token's."""
        return project_key(name) in self.name_keys


class _Kept(NamedTuple):
    bearer: Bearer
    secret_hash: bytes
    until: float


class Tokens:
    """The tokens that were presented lately. For any thread."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._kept: dict[str, _Kept] = {}
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def remembered(self, presented: str) -> Bearer | None:
        """The bearer, if nobody has to be asked."""
        parts = token_form.parse(presented)
        kept = None if parts is None else self._kept.get(parts.id)
        if parts is None or kept is None or kept.until < time.monotonic():
            return None
        return kept.bearer if token_form.is_same(parts.secret, kept.secret_hash) else None

    def was_good(self, presented: str) -> bool:
        """Whether this token was good when it was last looked up: nobody guesses who shows it."""
        parts = token_form.parse(presented)
        kept = None if parts is None else self._kept.get(parts.id)
        return parts is not None and kept is not None and token_form.is_same(parts.secret, kept.secret_hash)

    def check(self, presented: str) -> Bearer:
        """The bearer of a token. Raises `UnavailableError`, of which the cause says what is wrong with it."""
        if (known := self.remembered(presented)) is not None:
            return known
        parts = token_form.parse(presented)
        if parts is None:
            raise refusal("token_unknown", "What was sent is no token (it has not the form lf_ID_SECRET).")
        found = self._pool.run(lambda lent: self._looked_up(lent, parts.id))
        if found is None or not token_form.is_same(parts.secret, found.secret_hash):
            raise refusal("token_unknown", f"The server does not know the token {parts.id}.")
        if found.is_revoked:
            self._kept.pop(parts.id, None)
            raise refusal("token_revoked", f"The token {parts.id} was revoked.")
        if found.is_expired:
            self._kept.pop(parts.id, None)
            raise refusal("token_expired", f"The token {parts.id} has expired.")
        bearer = Bearer(
            parts.id,
            found.name,
            found.access,
            frozenset(found.project_ids),
            frozenset(found.name_keys),
            tuple(found.projects),
            found.left_s,
        )
        fresh_s = FRESH_S if found.left_s is None else min(FRESH_S, found.left_s)
        with self._lock:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[parts.id] = _Kept(bearer, found.secret_hash, time.monotonic() + fresh_s)
        return bearer

    def forget(self, token_id: str) -> None:
        """It is looked up at its next use."""
        with self._lock:
            if (kept := self._kept.get(token_id)) is not None:
                self._kept[token_id] = kept._replace(until=float("-inf"))

    def _looked_up(self, lent: Lent, token_id: str) -> tokens.Found | None:
        found = tokens.find(lent.connection, token_id)
        now = time.monotonic()
        if found is not None and now - self._noted.get(token_id, float("-inf")) >= USE_NOTED_EVERY_S:
            if not lent.connection.is_standby and not (found.is_revoked or found.is_expired):
                tokens.note_use(lent.connection, token_id)
            self._noted[token_id] = now
        return found


def other_project(bearer: Bearer, name: str | None = None) -> UnavailableError:
    """The refusal of a project that is not the token's, whether it is there or not."""
    of = f"the project {name}" if name else "this project"
    return refusal("token_project", f"The token {bearer.id} is not for {of}.")


def refusal(cause: str, words: str) -> UnavailableError:
    """The error for a token that does not do."""
    return UnavailableError(
        f"{words} Ask the server's administrator for another (`localfirst token create`), then `localfirst login`. Changes are"
        " kept in the replica and go out with a good token.",
        cause=cause,
    )
