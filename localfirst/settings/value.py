"""What the value of a setting may look like, whoever said it."""

from __future__ import annotations

from localfirst_schema.author import check_author
from localfirst_schema.errors import ValidationError
from localfirst_schema.values import check_text

YES_OR_NO = ("yes", "no", "true", "false", "1", "0")


def check(name: str, value: str) -> None:
    """Raises ValidationError, which names the setting and its rule and never the value, for one that makes no sense."""
    field = f"LOCALFIRST_{name.upper()}"
    match name:
        case "project":
            if not 1 <= len(value) <= 200:
                raise ValidationError(field, "must have 1 to 200 characters")
            check_text(field, value)
        case "client":
            check_author(field, value)
        case "server_url":
            from localfirst_sync.http.address import parse  # rarely needed

            check_text(field, value)
            parse(value)
        case "server_token":
            from localfirst_sync.token import parse as parse_token

            if parse_token(value) is None:
                raise ValidationError(field, "must be a token of the form lf_ID_SECRET, as `localfirst token create` shows it")
        case "read_from":
            if value not in ("server", "replica"):
                raise ValidationError(field, "must be server or replica")
        case "share_code" | "archiving":
            if value.lower() not in YES_OR_NO:
                raise ValidationError(field, "must be yes or no")
        case "embedding_requests_per_minute":
            if not (value.isascii() and value.isdecimal() and len(value) <= 7 and 1 <= int(value) <= 1_000_000):
                raise ValidationError(field, "must be a number from 1 to 1000000")
        case "replica" | "markdown":
            if "\0" in value:  # a name of a file need not be Unicode
                raise ValidationError(field, "must not contain the character U+0000")
        case _:
            check_text(field, value)


def is_yes(value: str) -> bool:
    """A yes or no that was checked."""
    return value.lower() in ("yes", "true", "1")
