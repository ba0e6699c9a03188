"""Ids sort by time and do not repeat."""

import re

from toolcell.model.ids import new_id


def test_ids_are_unique_and_sorted_by_time() -> None:
    made = [new_id("inv") for _ in range(2000)]
    assert len(set(made)) == len(made)
    stamps = [text[:15] for text in made]
    assert stamps == sorted(stamps)
    assert all(re.fullmatch("inv_[0-9a-z]{26}", text) for text in made)
