from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.data.class_map import ClassMap
from frhead_core.errors import InputError


@given(st.permutations(range(12)), st.integers(1, 12), st.data())
def test_labels_and_places_are_each_others_inverse(
    order: list[int], count: int, data: st.DataObject
) -> None:
    classes = ClassMap(tuple(order[:count]))
    labels = np.array(data.draw(st.lists(st.sampled_from(order[:count]))), dtype=np.int64)
    places = classes.places(labels)
    assert places.dtype == np.int64
    assert places.tolist() == [classes.labels.index(label) for label in labels.tolist()]
    assert [classes.labels[place] for place in places] == labels.tolist()
    assert classes.has(np.array(order)).tolist() == [True] * count + [False] * (12 - count)


def test_a_label_without_a_place_is_refused() -> None:
    with pytest.raises(InputError, match=r"label: .*none of those that are scored; found 4"):
        ClassMap((5, 3)).places(np.array([3, 4, 5]))


def test_names_go_by_the_label() -> None:
    assert ClassMap((2, 0)).names(("a", "b", "c")) == ("c", "a")
