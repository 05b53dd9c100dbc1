"""The steps that follow the commit of a write: none of them turns what is stored into an error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger("localfirst")

FOLLOW_UP_FAILED = "follow_up_failed"
"""The warning: the write is stored, and something that follows it was not done, or is not in the answer."""

T = TypeVar("T")


def tried(step: Callable[[], T], otherwise: T, warnings: list[str]) -> T:
    """What a step after the commit gives; `otherwise` where it fails, which is logged and added to the warnings."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 (whatever it is, the write is stored)
        note(error)
        if FOLLOW_UP_FAILED not in warnings:
            warnings.append(FOLLOW_UP_FAILED)
        return otherwise


def note(error: Exception) -> None:
    """Logs what such a step has met."""
    logger.error("a step after the commit of a write failed; the write is stored", exc_info=error)
