"""A recording on its own gets the very logits that it gets in the pipeline."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    fingerprint,
    transform_sequences,
)
from frhead_core.data.synthetic_noise import NoiseShares
from frhead_core.data.synthetic_ntu import write_ntu
from frhead_core.errors import InputError
from frhead_core.evaluation.ensemble import combine
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.inference.predictor import Predictor
from frhead_core.skeleton_layout import SkeletonLayout
from frhead_core.training.artifact import ModelArtifact
from tests.untrained import write_untrained

# One sample at a time, as a prediction is made: the order of additions depends on the batch.
TINY = ["model.base_channels=8", "evaluation.batch_size=1", "preparation.official_list=false"]


def prepare(recipe: Recipe, raw: Path, folder: Path) -> Path:
    name, settings = recipe.dataset, recipe.preparation
    layout, mark = recipe.skeleton, fingerprint(name, raw)
    extract_raw_skeletons(name, raw, folder / "raw", settings, mark, layout=layout)
    denoise_skeletons(name, folder / "raw", folder / "denoised", settings)
    transform_sequences(
        name, folder / "denoised", folder / "store", {recipe.name: recipe.split}, settings
    )
    return folder / "store"


@pytest.fixture(scope="module")
def ntu_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 noisy recordings of one and of two people; 20 of them test."""
    noise = NoiseShares(**dict.fromkeys(NoiseShares.__dataclass_fields__, 0.3))
    return write_ntu(
        tmp_path_factory.mktemp("ntu") / "raw", cameras=(1,), performers=(1, 3), noise=noise
    )


@pytest.fixture(scope="module")
def real_files(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings of Northwestern-UCLA, of 1 to 134 frames."""
    folder = tmp_path_factory.mktemp("ucla") / "all_sqe"
    folder.mkdir()
    with np.load(golden_folder / "feeders" / "nw_ucla_test_transform.npz") as arrays:
        samples = zip(arrays["sample_names"], arrays["labels"], strict=True)
        for number, (name, label) in enumerate(samples):
            skeletons = arrays[f"raw/{number:02}"].tolist()
            content = {"file_name": str(name), "skeletons": skeletons, "label": int(label) + 1}
            (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("compatibility", ["reference", "corrected"])
def test_ntu_files_get_the_logits_of_the_pipeline(
    ntu_files: Path, tmp_path: Path, compatibility: str
) -> None:
    changes = [*TINY, f"preparation.compatibility={compatibility}"]
    recipe = override(load_recipe("demo"), changes)
    # As a pipeline leaves it: the recipe without what training does not depend on.
    model = write_untrained(tmp_path / "model", recipe.for_training("joint"))
    store = prepare(recipe, ntu_files, tmp_path)
    scores = evaluate_model(model, store, part="test", device="cpu")
    predictor = Predictor([ModelArtifact.open(model)], device="cpu")

    assert len(scores) > 10 and np.ptp(scores.logits, axis=0).max() > 0.1
    for name, logits in zip(scores.names, scores.logits, strict=True):
        (file,) = ntu_files.rglob(f"{name}.skeleton")
        nameless = tmp_path / "clip.skeleton"  # the action must not be read from the name
        nameless.write_bytes(file.read_bytes())
        assert np.array_equal(predictor.predict(nameless).logits, logits), name


def test_real_nw_ucla_files_get_the_logits_of_the_pipeline(
    real_files: Path, tmp_path: Path
) -> None:
    recipe = override(load_recipe("nw-ucla"), TINY)
    models = {name: write_untrained(tmp_path / name, recipe, name) for name in ("joint", "bone")}
    store = prepare(recipe, real_files, tmp_path)
    scores = {
        name: evaluate_model(model, store, part="test", device="cpu")
        for name, model in models.items()
    }
    alone = Predictor([ModelArtifact.open(models["bone"])], device="cpu")
    ensemble = Predictor([ModelArtifact.open(model) for model in models.values()], device="cpu")
    combined = combine(scores, {"joint": 0.6, "bone": 0.6})

    assert ensemble.weights == {"joint": 0.6, "bone": 0.6}
    assert "as the authors published them" in ensemble.text
    assert len(combined) == 12
    for row, name in enumerate(combined.names):
        content = json.loads((real_files / f"{name}.json").read_text())
        nameless = tmp_path / "clip.json"
        nameless.write_text(json.dumps({"skeletons": content["skeletons"]}))
        assert np.array_equal(alone.predict(nameless).logits, scores["bone"].logits[row])
        assert np.array_equal(ensemble.predict(nameless).logits, combined.logits[row])


STICK = SkeletonLayout(
    name="stick",
    joints=("hip", "chest", "left hand", "right hand"),
    bones=(("chest", "hip"), ("left hand", "chest"), ("right hand", "chest")),
    root="hip",
    center="chest",
)


def test_arrays_of_ones_own_get_the_logits_of_the_pipeline(tmp_path: Path) -> None:
    settings = {
        "name": "mine",
        "dataset": "own",
        "skeleton": dataclasses.asdict(STICK),
        "classes": 2,
        "split": {"column": "part", "train": ["train"], "test": ["test"]},
        "validation": {"column": "part", "values": ["train"]},
        "loader.persons": 1,
        "loader.random_scale": 0.0,
    }
    recipe = override(override(load_recipe("demo"), TINY), settings)
    raw = tmp_path / "recordings"
    raw.mkdir()
    rows = ["name,action,part", "walk-1,walk,train"]
    for number in range(4):  # two of them of more bodies than the model sees
        bodies = np.random.default_rng(number).normal(size=(1 + number % 2, 30 + number, 4, 3))
        np.save(raw / f"nod-{number}.npy", bodies)
        rows.append(f"nod-{number},nod,test")
    np.save(raw / "walk-1.npy", bodies)
    (raw / "index.csv").write_text("\n".join(rows))
    model = write_untrained(tmp_path / "m", recipe, "bone", classes=["nod", "walk"])
    store = prepare(recipe, raw, tmp_path)
    scores = evaluate_model(model, store, part="test", device="cpu")
    predictor = Predictor([ModelArtifact.open(model)], device="cpu")

    assert len(scores) == 4 and predictor.classes == ("nod", "walk")
    for name, logits in zip(scores.names, scores.logits, strict=True):
        assert np.array_equal(predictor.predict(raw / f"{name}.npy").logits, logits), name
    with pytest.raises(InputError, match=r"index\.csv: is no recording .* of own; .* \.npy"):
        predictor.predict(raw / "index.csv")


def test_larger_batches_change_nothing_but_rounding(real_files: Path, tmp_path: Path) -> None:
    recipe = override(load_recipe("nw-ucla"), [*TINY, "evaluation.batch_size=64"])
    model = write_untrained(tmp_path / "model", recipe)
    store = prepare(recipe, real_files, tmp_path)
    scores = evaluate_model(model, store, part="test", device="cpu")
    predictor = Predictor([ModelArtifact.open(model)], device="cpu")

    found = [predictor.predict(real_files / f"{name}.json").logits for name in scores.names]

    largest = np.abs(scores.logits).max()
    np.testing.assert_allclose(np.array(found), scores.logits, rtol=0, atol=1e-5 * largest)


def test_arrays_are_what_the_raw_files_hold(real_files: Path, tmp_path: Path) -> None:
    recipe = override(load_recipe("nw-ucla"), TINY)
    predictor = Predictor([ModelArtifact.open(write_untrained(tmp_path / "m", recipe))])
    file = next(real_files.glob("*.json"))
    skeletons = np.array(json.loads(file.read_text())["skeletons"])
    expected = predictor.predict(file).logits

    for number, array in enumerate((skeletons, skeletons[np.newaxis])):
        np.save(tmp_path / f"{number}.npy", array)
        assert np.array_equal(predictor.predict(tmp_path / f"{number}.npy").logits, expected)


def test_the_top_classes_have_their_names_and_probabilities(
    real_files: Path, tmp_path: Path
) -> None:
    recipe = override(load_recipe("nw-ucla"), TINY)
    predictor = Predictor([ModelArtifact.open(write_untrained(tmp_path / "m", recipe))])
    prediction = predictor.predict(next(real_files.glob("*.json")))

    every = prediction.top(99)

    assert len(every) == 10 and prediction.top(3) == every[:3]
    assert sum(guess.probability for guess in every) == pytest.approx(1)
    shares = [guess.probability for guess in every]
    assert shares == sorted(shares, reverse=True)
    assert every[0].index == prediction.logits.argmax()
    assert every[0].name == predictor.classes[every[0].index]
    first, second = (float(prediction.logits[guess.index]) for guess in every[:2])
    assert np.log(shares[0] / shares[1]) == pytest.approx(first - second, abs=1e-4)


def test_logits_that_are_not_finite_are_no_prediction(tmp_path: Path) -> None:
    recipe = override(load_recipe("demo"), TINY)  # NTU's transforms keep sizes
    predictor = Predictor([ModelArtifact.open(write_untrained(tmp_path / "m", recipe))])
    far = np.random.default_rng(0).normal(size=(40, 25, 3)) * 1e37
    np.save(tmp_path / "far.npy", far)
    with pytest.raises(InputError, match=r"far\.npy: the joint model's logits are not finite"):
        predictor.predict(tmp_path / "far.npy")


def test_a_model_may_name_its_classes_itself(tmp_path: Path) -> None:
    recipe = override(load_recipe("nw-ucla"), [*TINY, "classes=2"])
    names = ["this", "that"]
    model = write_untrained(tmp_path / "m", recipe, classes=names)
    assert Predictor([ModelArtifact.open(model)]).classes == ("this", "that")
    model = write_untrained(tmp_path / "m", recipe, classes=[*names, "more"])
    with pytest.raises(InputError, match=r"metadata\.json: classes: .* found 3; expected 2"):
        Predictor([ModelArtifact.open(model)])


def test_classes_that_nobody_has_named_go_by_their_numbers(tmp_path: Path) -> None:
    recipe = override(load_recipe("nw-ucla"), [*TINY, "dataset=own", "name=mine", "classes=3"])
    model = write_untrained(tmp_path / "m", recipe)
    assert Predictor([ModelArtifact.open(model)]).classes == ("0", "1", "2")


@pytest.fixture
def models(tmp_path: Path) -> dict[str, ModelArtifact]:
    recipe = override(load_recipe("nw-ucla"), TINY)
    demo = override(load_recipe("demo-nw-ucla"), TINY)
    return {
        "joint": ModelArtifact.open(write_untrained(tmp_path / "joint", recipe)),
        "bone": ModelArtifact.open(write_untrained(tmp_path / "bone", recipe, "bone")),
        "other": ModelArtifact.open(write_untrained(tmp_path / "other", demo, "bone")),
    }


@pytest.mark.parametrize(
    ("chosen", "weights", "message"),
    [
        ((), None, "no model to ask"),
        (("joint", "joint"), None, "joint: two models of one modality"),
        (("joint", "other"), None, "other: benchmark: is for something else"),
        (("joint",), {"bone": 1.0}, "a weight of no model; found bone; expected joint"),
        (("joint", "bone"), {"bone": 1.0}, "one weight for each modality"),
        (("joint", "bone"), {"bone": 1.0, "joint": float("nan")}, "joint: no usable weight"),
    ],
)
def test_what_makes_no_ensemble_is_refused(models, chosen, weights, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Predictor([models[name] for name in chosen], weights)


def test_a_recipe_of_ones_own_has_equal_weights(tmp_path: Path) -> None:
    recipe = override(load_recipe("nw-ucla"), [*TINY, "name=mine", "ensemble=null"])
    modalities = ("joint", "bone_motion")
    places = [write_untrained(tmp_path / name, recipe, name) for name in modalities]
    predictor = Predictor(list(map(ModelArtifact.open, places)))

    assert predictor.weights == {"joint": 1.0, "bone_motion": 1.0}
    assert "equal, because the recipe has none" in predictor.text
