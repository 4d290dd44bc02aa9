from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frhead_core.errors import InputError
from frhead_core.evaluation import metrics


@st.composite
def scored(draw):
    count, classes = draw(st.integers(1, 20)), draw(st.integers(1, 8))
    # Few distinct values, so that ties occur.
    logits = draw(hnp.arrays(np.float32, (count, classes), elements=st.integers(-3, 3)))
    labels = draw(hnp.arrays(np.int64, count, elements=st.integers(0, classes - 1)))
    return logits, labels


def test_top_k_counts_the_last_of_the_ascending_ranking():
    logits = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [3.0, 1.0, 2.0]], dtype=np.float32)
    labels = np.array([0, 2, 1])
    assert [metrics.top_k_right(logits, labels, k) for k in (1, 2, 3, 5)] == [1, 2, 3, 3]
    assert metrics.top_k_accuracy(logits, labels, 2) == pytest.approx(200 / 3)


def test_of_equal_logits_the_later_class_ranks_higher():
    logits = np.zeros((1, 4), dtype=np.float32)
    assert metrics.predicted_classes(logits).tolist() == [3]
    assert metrics.top_k_right(logits, np.array([3]), 1) == 1
    assert metrics.top_k_right(logits, np.array([0]), 3) == 0


@given(scored(), st.integers(1, 9))
def test_quick_figures_are_those_of_the_ranking(sample, k):
    logits, labels = sample
    order = metrics.ranking(logits)
    np.testing.assert_array_equal(metrics.predicted_classes(logits), order[:, -1])
    right = (order[:, -k:] == labels[:, None]).any(axis=1).sum()
    assert metrics.top_k_right(logits, labels, k) == right


@given(scored())
def test_samples_of_a_class_are_sorted_by_what_happened_to_them(sample):
    logits, labels = sample
    predictions = metrics.predicted_classes(logits)
    for label in range(logits.shape[1]):
        samples = metrics.samples_of_class(predictions, labels, label)
        recognised, missed, wrongly = (
            samples.true_positives.tolist(),
            samples.false_negatives.tolist(),
            samples.false_positives.tolist(),
        )
        assert sorted(recognised + missed) == np.flatnonzero(labels == label).tolist()
        assert sorted(recognised + wrongly) == np.flatnonzero(predictions == label).tolist()
        assert all(labels[row] == label != predictions[row] for row in missed)
        assert all(labels[row] != label == predictions[row] for row in wrongly)


def test_without_samples_there_is_no_accuracy():
    assert np.isnan(metrics.top_k_accuracy(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), 1))


@given(scored())
def test_matrix_and_accuracies_agree(sample):
    logits, labels = sample
    classes = logits.shape[1]
    predictions = metrics.predicted_classes(logits)
    matrix = metrics.confusion_matrix(predictions, labels, classes)
    assert matrix.shape == (classes, classes)
    assert matrix.sum() == len(labels)
    assert np.trace(matrix) == metrics.top_k_right(logits, labels, 1)
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=classes))
    accuracies = metrics.per_class_accuracy(matrix)
    for row in range(classes):
        mine = predictions[labels == row]
        if len(mine):
            assert accuracies[row] == pytest.approx(100 * np.mean(mine == row))
        else:
            assert np.isnan(accuracies[row])


@given(scored())
def test_every_error_is_counted_once_among_the_pairs(sample):
    logits, labels = sample
    matrix = metrics.confusion_matrix(metrics.predicted_classes(logits), labels, logits.shape[1])
    pairs = metrics.most_confused_pairs(matrix, logits.shape[1] ** 2)
    assert sum(pair.total for pair in pairs) == matrix.sum() - np.trace(matrix)
    assert [pair.total for pair in pairs] == sorted((p.total for p in pairs), reverse=True)
    assert all(pair.forward >= pair.backward and pair.total > 0 for pair in pairs)
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == len(pairs)


@given(scored())
def test_more_places_never_hurt(sample):
    logits, labels = sample
    right = [metrics.top_k_right(logits, labels, k) for k in range(1, logits.shape[1] + 1)]
    assert right == sorted(right)
    assert right[-1] == len(labels)


def test_pairs_name_both_directions_and_their_shares():
    matrix = np.array([[6, 1, 3], [0, 5, 0], [5, 0, 0]])
    first, second = metrics.most_confused_pairs(matrix, 5)
    assert (first.first, first.second, first.forward, first.backward) == (2, 0, 5, 3)
    assert (first.forward_share, first.backward_share) == (100.0, 30.0)
    assert (second.first, second.second, second.total) == (0, 1, 1)
    assert len(metrics.most_confused_pairs(matrix, 1)) == 1
    assert metrics.most_confused_pairs(np.diag([3, 2]), 5) == []


def test_a_class_without_samples_has_no_share():
    (pair,) = metrics.most_confused_pairs(np.array([[1, 2], [0, 0]]), 5)
    assert np.isnan(pair.backward_share)
    assert np.isnan(metrics.per_class_accuracy(np.array([[1, 2], [0, 0]]))[1])


def test_the_matrix_keeps_classes_that_never_occur():
    matrix = metrics.confusion_matrix(np.array([1]), np.array([1]), 4)
    assert matrix.shape == (4, 4)
    assert matrix[1, 1] == 1
    with pytest.raises(InputError, match="labels: not a class; found -1 to 1; expected 0 to 3"):
        metrics.confusion_matrix(np.array([1, 1]), np.array([1, -1]), 4)


def test_the_samples_of_a_pair_are_listed():
    names = ("d", "c", "b", "a", "e")
    labels = np.array([0, 0, 0, 1, 2])
    predictions = np.array([0, 1, 1, 0, 0])
    pair = metrics.samples_of_pair(names, predictions, labels, actual=0, predicted=1)
    assert pair.true_positives == ("d",)
    assert pair.false_negatives == ("b", "c")
    assert pair.false_positives == ("a",)


@given(scored())
def test_probabilities_and_loss_fit(sample):
    logits, labels = sample
    chances = metrics.probabilities(logits)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    likelihood = chances[np.arange(len(labels)), labels]
    assert metrics.cross_entropy(logits, labels) == pytest.approx(-np.log(likelihood).mean())


def test_large_logits_do_not_overflow():
    logits = np.array([[3e38, -3e38]], dtype=np.float32)
    np.testing.assert_array_equal(metrics.probabilities(logits), [[1, 0]])
    assert np.isfinite(metrics.cross_entropy(logits, np.array([1])))


def test_the_summary_has_counts_and_percentages():
    logits = np.eye(10, dtype=np.float32)
    labels = np.array([*range(9), 0])
    summary = metrics.summarise(logits, labels)
    assert (summary["samples"], summary["top1_right"], summary["top1"]) == (10, 9, 90.0)
    assert set(summary) == {"samples", "top1_right", "top5_right", "top1", "top5", "loss"}
