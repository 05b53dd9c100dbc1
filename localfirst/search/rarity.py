"""How rare the words of a query are, and so how much each of them says: pure functions of numbers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate


def term_weight(items: int, containing: int) -> float:
    """How telling a word is that `containing` of `items` items hold: BM25's smoothed inverse frequency, always above 0."""
    return math.log1p((items - containing + 0.5) / (containing + 0.5))


def rarest_together(containing: Iterable[int], most: int) -> int:
    """How many of the rarest words are together in at most `most` items; at least one.

    `containing` says in how many items each word is, the rarest first. BM25 ranks every item that holds one of its words,
    so a query as a whole may only name so many.
    """
    return max(1, bisect_right(list(accumulate(containing)), most))
