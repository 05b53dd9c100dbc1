"""English words that nearly every text has, and that say nothing of what is sought."""

from __future__ import annotations

STOP_WORDS = frozenset(
    """
    a about all an and any are as at be been but by can could did do does for from had has have how i if in into is it its
    me my no not of on or our should so some than that the their them then there these they this those to us was we were
    what when where which who whom whose why will with would you your
    """.split()  # noqa: SIM905 - as a list of strings it would fill a page
)
