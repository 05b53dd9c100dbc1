"""Prose as cuts at its headings: Markdown, reStructuredText, AsciiDoc, Org, LaTeX and plain text with underlined titles."""

from __future__ import annotations

import re

from localfirst.code_index.chunking.partition import Cut

HAVE_HEADINGS = frozenset(("markdown", "rst", "asciidoc", "org", "latex", "text"))

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MARKED = {
    "markdown": re.compile(r" {0,3}(?P<mark>#{1,6})\s+(?P<title>.*)"),
    "asciidoc": re.compile(r"(?P<mark>={1,6})\s+(?P<title>.+)$"),
    "org": re.compile(r"(?P<mark>\*+)\s+(?P<title>.+)$"),
    "latex": re.compile(r"\s*\\(?P<mark>chapter|(?:sub)*section|paragraph)\*?(?:\[[^\]]*\])?\{(?P<title>.*)\}"),
}
_UNDERLINE = {
    "markdown": re.compile(r" {0,3}(?:=+|-{2,})\s*$"),
    "rst": re.compile(r"([=\-~^\"'`#*+.:_<>])\1{2,}\s*$"),
    "text": re.compile(r"([=\-~])\1{3,}\s*$"),
}
_LATEX_LEVELS = {"chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_MAX_TITLE = 100
_READ_OF_TITLE = 1_000
"""Links in it are looked for in so many characters."""

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def headings(language: str, lines: list[str]) -> tuple[list[Cut], list[int]]:
    """Cuts at the headings, named by those above too (``Install > From source``), and rows where a section may be split."""
    cuts: list[Cut] = []
    paragraphs: list[int] = []
    path: list[tuple[int, str]] = []
    underlines: dict[str, int] = {}
    fence = ""
    marked, underline = _MARKED.get(language), _UNDERLINE.get(language)
    body = _after_front_matter(lines) if language == "markdown" else 0
    for row in range(body, len(lines)):
        line = lines[row]
        if language == "markdown":
            fenced = _FENCE.match(line)
            if fenced is not None:
                mark = fenced.group(1)
                if not fence:
                    fence = mark
                    paragraphs.append(row)
                elif mark[0] == fence[0] and len(mark) >= len(fence):
                    fence = ""
                continue
            if fence:
                continue
        if not line or line.isspace():
            paragraphs.append(row + 1)
            continue
        level, title, top = 0, "", row
        found = marked.match(line) if marked is not None else None
        if found is not None:
            mark, title = found.group("mark"), found.group("title")
            if language == "markdown":  # hashes may close it; a pattern that looks for them takes cubic time for many blanks
                title = title.rstrip().rstrip("#")
            level = _LATEX_LEVELS.get(mark, 6) if language == "latex" else len(mark)
        elif underline is not None and row > body and underline.match(line):
            above = lines[row - 1]
            is_title = above.strip() and not underline.match(above) and len(above.strip()) <= _MAX_TITLE
            if is_title and (row < 2 or not lines[row - 2].strip() or underline.match(lines[row - 2])):
                mark = line.strip()[0]
                title, top = above, row - 1
                if row >= 2 and lines[row - 2].strip() and underline.match(lines[row - 2]):
                    top, mark = row - 2, mark * 2  # a line above as well is a level of its own
                level = {"=": 1, "-": 2}[mark] if language == "markdown" else underlines.setdefault(mark, len(underlines) + 1)
        if level and title.strip():
            while path and path[-1][0] >= level:
                path.pop()
            scope = " > ".join(one for _, one in path) or None
            path.append((level, _LINK.sub(r"\1", title.strip()[:_READ_OF_TITLE])[:_MAX_TITLE]))
            cuts.append(Cut(top, " > ".join(one for _, one in path), "section", scope, True))
    return cuts, paragraphs


def _after_front_matter(lines: list[str]) -> int:
    if lines and lines[0].strip() == "---":
        for row in range(1, min(len(lines), 200)):
            if lines[row].strip() in ("---", "..."):
                return row + 1
    return 0
