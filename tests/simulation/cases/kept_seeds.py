"""Seeds that have broken a promise at some time.

What they broke is kept as a case too: a seed means another run once the plans change.
"""

KEPT_SEEDS = (
    19, 64, 73, 109, 114, 130, 142, 151, 200, 221, 234, 268, 284, 312, 320, 348, 357, 359, 402, 539, 587, 675, 962, 1496, 1532,
    2253, 5824, 6444, 41245,
)  # fmt: skip
