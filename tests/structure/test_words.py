"""The words that the glossary has replaced by the field's do not come back."""

from __future__ import annotations

import re

from structure.imports import ROOT

REPLACED = re.compile(
    r"(?<![A-Za-z])(told|shown|risen|doubtful|barred|unfit|booked|pasts|recollection)(?![A-Za-z])", re.IGNORECASE
)
FOLDERS = ("localfirst", "sync", "schema", "tests", "tools", "examples")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")) + sorted((ROOT / "docs").rglob("*.md"))


def test_a_word_that_was_replaced_stays_away() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word[0]}"
        for path in FILES
        if path.name not in ("test_words.py", "glossary.md")
        for word in REPLACED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "docs/glossary.md has the word to use"
