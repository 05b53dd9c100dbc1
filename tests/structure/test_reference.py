"""The reference says what the code does."""

from __future__ import annotations

import sys

import pytest

from structure.imports import ROOT

sys.path.insert(0, str(ROOT / "tools"))
from reference import FOLDER, pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_reference_is_what_the_code_gives(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run `make reference`"
