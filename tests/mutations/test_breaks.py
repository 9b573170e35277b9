"""Breaks are seen: a few of known kinds; `tests/mutations --breaks` draws as many as asked for."""

from __future__ import annotations

import pytest

from .breaking import seen
from .breaks import KINDS, draw
from .judging import texts

FILE = "pc"


def test_breaks_are_of_every_kind_and_change_the_text():
    found = draw(4, 3, (FILE,))
    assert [one.kind for one in found] == list(KINDS)
    assert len({one.text for one in found} | {texts()[FILE]}) == 5


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("rule: w += eta * post.d * pre.x\n", "rule: w -= eta * post.d * pre.x\n"),
        ("  eta: 0.1\n", "  eta: 0.15\n"),
        ("        - d = pe * f'(u)\n", "        - d = pe\n"),
    ],
)
def test_a_broken_file_turns_a_claim_red(right, wrong, monkeypatch):
    from apical.graphs import texts as loading
    from apical.models.claims import presentation

    monkeypatch.setattr(loading, "bundled_text", loading.bundled_text)
    presentation.circuit.cache_clear()
    assert texts()[FILE].count(right) == 1
    assert seen(FILE, texts()[FILE].replace(right, wrong)).startswith("pc.")
    presentation.circuit.cache_clear()
