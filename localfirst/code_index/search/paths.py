"""What a path says about how likely its code is what is sought: tests, examples and other people's code come later."""

from __future__ import annotations

import re
from functools import lru_cache

TEST, ASIDE, VENDORED = 0.9, 0.85, 0.7
"""Factors of the score. Tests lose little: they are often the best description of what code does, and nearly half of the files
that a commit changes."""

_TEST = re.compile(
    r"(?:^|/)(?:tests?|__tests__|specs?|testing|testdata|fixtures)/"
    r"|(?:^|/)(?:test_[^/]*|conftest|[^/]*[_.-](?:test|tests|spec))\.\w+$"
    r"|(?:^|/)[^/]*[a-z](?:Test|Tests|Spec|IT)\.(?:java|kt|cs|scala|swift|php|groovy)$"
)
_ASIDE = re.compile(
    r"(?:^|/)(?:examples?|samples?|demos?|docs?|benchmarks?|compat|_compat|legacy|deprecated)/|\.(?:md|rst|txt|d\.ts)$"
)
_VENDORED = re.compile(r"(?:^|/)(?:vendor|vendored|_vendor|third_party|thirdparty|external|deps|node_modules|dist|generated)/")


@lru_cache(maxsize=8192)
def prior(path: str, about_tests: bool) -> float:
    """The factor for code in a file, 0 to 1; a query about tests finds them undiminished."""
    factor = 1.0
    if _TEST.search(path) and not about_tests:
        factor *= TEST
    if _ASIDE.search(path):
        factor *= ASIDE
    if _VENDORED.search(path):
        factor *= VENDORED
    return factor
