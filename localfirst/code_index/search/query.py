"""What a query says: its words as full text knows them, and whether it names a symbol."""

from __future__ import annotations

import re
from typing import NamedTuple

from localfirst.code_index.words import parts, words_in
from localfirst.search.stop_words import STOP_WORDS

MAX_TERMS = 24

_NAME = re.compile(r"[^\W\d]\w*(?:(?:\.|::|->|#|/)[^\W\d]\w*)*(?:\(\))?")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_KEYWORDS = (
    "class|def|interface|struct|enum|trait|type|func|function|fn|fun|module|namespace|protocol|record|object|typedef|union|macro"
    "|const|let|var|val|static|impl|define|table|view|procedure|TABLE|VIEW|FUNCTION|PROCEDURE"
)
_SEPARATOR = re.compile(r"\.|::|->|#|/")
_STOP_WORDS = STOP_WORDS - {"i"}
"""In code it is a name."""


class CodeQuery(NamedTuple):
    """A query, taken apart."""

    text: str
    terms: tuple[str, ...]
    """Words to look for, each once, in order; those that every text has only where there is nothing else."""

    symbol: tuple[str, ...]
    """The parts of the one name that the query consists of (``Parser.parse`` → parser, parse), in lower case without marks;
    empty for a sentence."""

    compounds: frozenset[str]
    """Words that are names of several parts (``parse_header`` → parseheader)."""

    about_tests: bool
    """Whether tests are asked for."""


def understood(text: str) -> CodeQuery:
    """The query taken apart. It may hold anything; one without letters and digits has no terms."""
    words = list(dict.fromkeys(words_in(text).split()))
    telling = [word for word in words if word not in _STOP_WORDS and (len(word) > 1 or len(words) == 1)]
    return CodeQuery(
        text,
        tuple((telling or words)[:MAX_TERMS]),
        _symbol(text.strip()),
        frozenset(whole for whole, *rest in filter(None, map(parts, _IDENTIFIER.findall(text))) if rest),
        any(word in ("test", "tests", "testing", "spec") for word in words),
    )


def definition_of(query: CodeQuery) -> re.Pattern[str] | None:
    """What the definition of the searched name looks like in most languages; None for a sentence."""
    if not query.symbol:
        return None
    name = re.escape(_SEPARATOR.split(query.text.strip().removesuffix("()"))[-1])
    return re.compile(rf"(?m)(?:^|\s)(?:{_KEYWORDS})\s+(?:[\w.:<>*&()]+[.:)\s]\s*)?{name}\b")


def folded(name: str) -> str:
    """A name without case and marks: ``parse_header`` and ``parseHeader`` are one."""
    found = parts(name)
    return found[0] if found else ""


def _symbol(text: str) -> tuple[str, ...]:
    if not _NAME.fullmatch(text):
        return ()
    names = tuple(folded(name) for name in _SEPARATOR.split(text.removesuffix("()")))
    return names if all(names) else ()
