"""The errors that users of localfirst see, divided by whose fault they are.

    LocalfirstError
    ├── CallerError                 the arguments are wrong: change them
    │   ├── ValidationError         a field breaks a rule (details: `field`, `constraint`)
    │   ├── NotFoundError           no such thing (details: `entity`, `id` or `name`)
    │   ├── CycleError              the change would close a cycle
    │   └── DuplicateError          it exists already (details: `id` of the one that does)
    ├── StateError                  the world moved: read again, then decide
    │   ├── VersionMismatchError    details: `expected_version`, `actual_version`, `updated_by`
    │   └── InvalidStateError       what is asked for is not possible in the present state
    └── UnavailableError            a store, a service or the disk is away: try again later (details: `cause`)

Every error is one sentence that says what to do next, and `details` for programs. Neither ever holds a secret.
"""

from __future__ import annotations

from typing import Any

MAX_MESSAGE = 1000
"""Characters of a message; what a caller sent may be quoted in it, and may be long."""


class LocalfirstError(Exception):
    """Base of all errors that are meant for users; `message` is one sentence that says what to do next."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
        self.details: dict[str, Any] = details

    @property
    def name(self) -> str:
        """The error's name in the tool contract."""
        return type(self).__name__

    def as_dict(self) -> dict[str, Any]:
        """The error as structured content: `{error, message, details}`."""
        return {"error": self.name, "message": self.message, "details": self.details}


class CallerError(LocalfirstError):
    """The arguments are wrong: the same call can never succeed."""


class ValidationError(CallerError):
    """A field breaks a rule. `details` names the `field` and the `constraint`."""

    def __init__(self, field: str, constraint: str, message: str | None = None, **details: Any) -> None:
        super().__init__(
            message or f"{field} {constraint}: correct this and try again.", field=field, constraint=constraint, **details
        )


class NotFoundError(CallerError):
    """There is no such thing in this project."""


class CycleError(CallerError):
    """The change would make something its own ancestor or its own prerequisite."""


class DuplicateError(CallerError):
    """Something with this identity exists already and differs."""


class StateError(LocalfirstError):
    """The world is not as the caller thinks: read again, then decide."""


class VersionMismatchError(StateError):
    """The row was changed since the caller read it; `entity` is its name, as in all details.

    Args:
        words: what to say where the caller has sent no version; it contains the words "version mismatch".
    """

    def __init__(
        self, entity: str, row_id: str, expected: int, actual: int, updated_by: str | None, words: str | None = None
    ) -> None:
        super().__init__(
            words
            or f"version mismatch: you sent version {expected}, {entity.replace('_', ' ')} {row_id} is at version {actual}"
            f"{f' (changed by {updated_by})' if updated_by else ''}; read it again and repeat the change with"
            f" version {actual}.",
            entity=entity,
            id=row_id,
            expected_version=expected,
            actual_version=actual,
            updated_by=updated_by,
        )


class InvalidStateError(StateError):
    """What is asked for is not possible in the present state."""


class UnavailableError(LocalfirstError):
    """A store, a service or the disk is away. Nothing was changed; the same call may succeed later.

    `details` names the `cause`, for programs.
    """

    def __init__(self, message: str, *, cause: str, **details: Any) -> None:
        super().__init__(message, cause=cause, **details)
