"""A promise that was broken."""

from __future__ import annotations


class Violation(Exception):
    """What should never be; the message says it in words."""


def hold(promise: bool, words: str, *facts: object) -> None:
    """Raises `Violation` unless the promise holds."""
    if not promise:
        raise Violation(": ".join([words, ", ".join(map(str, facts))]) if facts else words)
