"""Parsers, one per language and process, with a bound on the work that one file may cause.

The grammars are those of semble-grammars, which carries them all in its wheel: one dependency in place of two dozen, and no
network. On the first use of a language its library is unpacked into the user's cache directory. Where that cannot be done the
file is cut by lines.
"""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_log = logging.getLogger(__name__)

_NAMES = {"shell": "bash"}

# The parser asks about every 100 steps, that is every 80 to 250 bytes of well-formed source. What needs five times as many is
# not source; the count, unlike a clock, gives up on the same files everywhere. The clock is for grammars whose steps get
# slow.
_STEPS = 2_000
_BYTES_PER_STEP = 20
_SECONDS = 10.0


@cache
def _parser(language: str) -> Parser | None:
    """None where there is no grammar."""
    from semble_grammars import GrammarLoadError, LanguageNotFoundError, UnsupportedPlatformError, get_parser

    try:
        parser: Parser = get_parser(_NAMES.get(language, language))
    except LanguageNotFoundError:
        return None
    except (GrammarLoadError, UnsupportedPlatformError, OSError) as error:
        _log.warning("no grammar for %s: %s; files are cut by lines", language, error)
        return None
    return parser


def syntax_tree(language: str, source: bytes) -> Node | None:
    """The root of the tree of UTF-8 text; None without a grammar, and when parsing takes more work than any source does.

    Its rows are those between ``\\n``, its columns bytes.
    """
    parser = _parser(language)
    if parser is None:
        return None
    left = _STEPS + len(source) // _BYTES_PER_STEP
    deadline = time.thread_time() + _SECONDS

    def is_too_much(_offset: int, _has_error: bool) -> bool:
        nonlocal left
        left -= 1
        return left < 0 or (left % 64 == 0 and time.thread_time() > deadline)

    try:
        return parser.parse(lambda offset, _point: source[offset:], progress_callback=is_too_much).root_node
    except ValueError:  # cancelled
        parser.reset()
        return None
