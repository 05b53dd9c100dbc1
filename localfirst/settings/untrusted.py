"""What is said of settings in a checkout's file that do not count."""

from __future__ import annotations

from localfirst_schema.errors import UnavailableError

from localfirst.settings.file import FILE_NAME
from localfirst.settings.origin import never_in_a_checkout
from localfirst.settings.settings import Settings

WARNING = "untrusted_settings"


def words_of_untrusted(settings: Settings) -> str | None:
    """Which settings were ignored and what can be done; None where none was."""
    if not settings.untrusted:
        return None
    names = ", ".join(settings.untrusted)
    words = f"Settings in {FILE_NAME}, which came with the checkout, do not count: {names}; `localfirst trust --show` says why"
    can_be_allowed = not all(map(never_in_a_checkout, settings.untrusted))
    return f"{words}{', `localfirst trust` allows the file as it is' if can_be_allowed else ''}."


def first_warnings(settings: Settings) -> list[str]:
    """The warning of a session's first answer."""
    return [WARNING] if settings.untrusted else []


def check_name(settings: Settings) -> None:
    """Raises UnavailableError if the project's name stands in a file alone that was not allowed: no server learns of it."""
    if settings.is_name_withheld:
        raise UnavailableError(
            f"only {FILE_NAME} names this project, and you have not allowed that file, so nothing is sent to the server:"
            " look at it with `localfirst trust --show`, then `localfirst trust`. Changes are kept in the replica.",
            cause="settings",
        )
