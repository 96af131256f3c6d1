"""Nested mappings, entry by entry."""

from mrtc.trees import differing, flat


def test_leaves_by_dotted_names() -> None:
    assert flat({"a": 1, "b": {"c": [2], "d": {"e": None}}}) == {"a": 1, "b.c": [2], "b.d.e": None}


def test_only_what_differs_is_named() -> None:
    one, two = {"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 4}, "e": 5}
    assert differing(one, two) == {"b.c": (2, 4), "b.d": (3, None), "e": (None, 5)}
    assert differing(one, one) == {}
