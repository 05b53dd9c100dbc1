"""File names, texts and amounts, as the store has them."""

from __future__ import annotations

import os
import time

from hypothesis import given
from hypothesis import strategies as st

from localfirst.code_index.file_name import as_bytes, as_text
from localfirst.code_index.store import pace
from localfirst.code_index.store.compression import pack, unpack
from localfirst.code_index.store.transaction import TARGET_S

NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"\0" not in name and b"\xee\xbe" not in name and b"\xee\xbf" not in name
)


@given(NAMES)
def test_any_file_name_becomes_text_and_comes_back(name: bytes) -> None:
    text = as_text(os.fsdecode(name))
    text.encode()  # no lone surrogate is left
    assert as_bytes(text) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_what_it_was_before_it_was_packed(text: str) -> None:
    assert unpack(pack(text)) == text


def test_code_is_packed_to_less_than_half() -> None:
    text = "\n".join(f"    def method_{number}(self):\n        return self.value_{number}" for number in range(20))
    assert len(pack(text)) < len(text) / 2


def test_slow_writing_makes_transactions_smaller_and_fast_writing_larger() -> None:
    amounts = pace.Pace(first=64)
    for _ in range(30):
        with amounts.measuring(1):
            time.sleep(TARGET_S)  # each unit takes as long as a whole transaction should
    assert amounts.amount == pace.LEAST
    for _ in range(60):
        with amounts.measuring(1_000_000):
            pass
    assert amounts.amount == pace.MOST
