"""The benchmarks: their plain implementations say the same as the project's, and rows are right."""

from __future__ import annotations

import pytest

from benchmarks import (
    bench_loader,
    bench_model,
    bench_ntu_preparation,
    measure,
    ntu_memory,
    plain_ntu,
    run,
)
from benchmarks.measure import Comparison, compare_rates, peak_memory
from frhead_core.config import load_recipe, override


@pytest.fixture(scope="module")
def recipe():
    settings = {"model.base_channels": 8, "preparation.official_list": False, "loader.window": 16}
    return override(load_recipe("nw-ucla"), settings)


def test_plain_and_project_models_agree(recipe):
    plain, ours = bench_model.equal_models(recipe)
    bench_model.assert_equal(plain, ours, *bench_model.batch(recipe, samples=12))


def test_a_difference_between_the_models_is_noticed(recipe):
    plain, ours = bench_model.equal_models(recipe)
    plain.fc.bias.data[0] += 1
    with pytest.raises(AssertionError, match="logits differ"):
        bench_model.assert_equal(plain, ours, *bench_model.batch(recipe, samples=4))


@pytest.mark.parametrize("modality", ["joint", "bone", "joint_motion", "bone_motion"])
def test_plain_and_project_loaders_agree(tmp_path, modality):
    recipe = override(load_recipe("nw-ucla"), {"preparation.official_list": False})
    store = bench_loader.prepared_store(tmp_path, recipe, performers=1)
    ours = bench_loader.our_batches(store, recipe, modality, training=False)
    plain = bench_loader.plain_batches(store, recipe, modality, training=False)
    bench_loader.assert_equal_batches(plain, ours.epoch())


def test_plain_and_project_preparations_of_ntu_agree(tmp_path):
    raw = bench_ntu_preparation.write_files(tmp_path / "files", 24)
    store = bench_ntu_preparation.prepare(raw, tmp_path / "out")
    texts = [path.read_text() for path in sorted(raw.rglob("*.skeleton"))]
    assert {store.index["bodies"].min(), store.index["bodies"].max()} == {1, 2}
    plain = list(plain_ntu.prepare(texts))
    bench_ntu_preparation.assert_equal(plain, store)
    plain[3][5, 7] += 1
    with pytest.raises(AssertionError, match="differ"):
        bench_ntu_preparation.assert_equal(plain, store)


def test_gain_above_one_means_better():
    assert Comparison("speed", "samples/s", plain=10, ours=25).gain == 2.5
    assert Comparison("memory", "MiB", plain=10, ours=25, better="less").gain == 0.4


def test_table_has_a_row_for_each_comparison():
    rows = [Comparison("speed", "samples/s", 10, 25), Comparison("memory", "MiB", 4, 2, "less")]
    lines = measure.table(rows).splitlines()
    assert lines[2] == "| speed | samples/s | 10.0 | 25.0 | 2.50x |"
    assert lines[3] == "| memory | MiB | 4.0 | 2.0 | 2.00x |"


def test_rates_count_the_same_amount_for_both():
    slow, fast = (lambda: sum(range(200_000))), (lambda: sum(range(2_000)))
    compared = compare_rates("sums", "calls/s", 1, slow, fast)
    assert 0 < compared.plain < compared.ours


def allocation(mebibytes: int):
    return lambda: len(bytearray(mebibytes * 2**20))


def test_peak_memory_is_what_the_call_adds():
    assert 60 < peak_memory(allocation, 64) < 80


def test_all_benchmarks_are_found_and_an_unknown_one_is_refused(capsys):
    assert run.benchmark_names() == ("epoch", "loader", "model", "ntu_preparation", "run_list")
    with pytest.raises(SystemExit):
        run.main(["nonsense"])
    assert "loader, model, ntu_preparation" in capsys.readouterr().err


def test_the_memory_of_each_preparation_step_is_told_for_each_number_of_files():
    header, _, *rows = ntu_memory.table((3, 5))
    assert header == "| step | 3 files, MiB (index) | 5 files, MiB (index) |"
    assert [row.split()[1] for row in rows] == ["extraction", "denoising", "transformation"]
    for row in rows:
        peaks = [float(cell.split()[0]) for cell in row.split("|")[2:4]]
        assert all(50 < peak < 1024 for peak in peaks)
