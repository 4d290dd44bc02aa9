from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from frhead_core.config import MODALITIES, load_recipe, override
from frhead_core.errors import InputError
from frhead_core.evaluation.ensemble import search_weights
from frhead_core.evaluation.metrics import summarise
from frhead_core.evaluation.run_results import (
    ModalityFolders,
    RunInputs,
    accuracies_text,
    report_on,
    write_ensemble,
)
from frhead_core.evaluation.score_files import score_model
from frhead_core.evaluation.scores import Scores


@pytest.fixture
def made(make_model, synthetic_store, tmp_path):
    """Makes a model and its scores."""

    def make(name, modality="joint", **more) -> ModalityFolders:
        model = make_model(name, modality, **more)
        scores = tmp_path / f"{name}-scores"
        score_model(model, synthetic_store, scores, device="cpu")
        return ModalityFolders(model, scores, modality)

    return make


def report(*folders: ModalityFolders, recipe=None, store: Path | None = None):
    return report_on(RunInputs(recipe or load_recipe("demo-nw-ucla"), folders, store=store))


def test_the_recipe_is_the_one_that_the_models_were_trained_by(made, tiny_demo):
    longer = override(tiny_demo, ["training.epochs.bone=3", "training.seed=7"])
    shorter = override(longer, ["training.epochs.bone=2", "evaluation.batch_size=7"])
    run = report(made("j", recipe=shorter), made("b", "bone", recipe=longer))

    assert run.recipe.model.base_channels == 8
    assert run.recipe.training.seed == 7
    assert run.recipe.training.epochs.bone == 3
    assert run.recipe.training.epochs.joint == 1
    assert run.recipe.title == load_recipe("demo-nw-ucla").title
    assert run.recipe.ensemble == load_recipe("demo-nw-ucla").ensemble
    assert "Synthetic NW-UCLA" in accuracies_text(run)


@pytest.mark.parametrize(
    ("change", "stay"), [("model.backbone=stgcn", False), ("training.seed=7", True)]
)
def test_published_figures_are_about_one_backbone(made, tiny_demo, change, stay):
    figures = dict.fromkeys((*MODALITIES, "ensemble"), 50.0)
    given = override(tiny_demo, {"published": figures})
    run = report(made("j", recipe=override(tiny_demo, [change])), recipe=given)
    assert (run.recipe.published == given.published) == stay


def test_what_training_does_not_depend_on_is_taken_from_the_recipe_given(made, tiny_demo):
    given = override(tiny_demo, ["preparation.max_quarantined_share=0.5"])
    reduced = given.for_training("joint")
    assert report(made("j", recipe=reduced), recipe=given).recipe == given


def test_models_of_different_recipes_are_refused_with_the_setting(made, tiny_demo):
    other = override(tiny_demo, ["head.alpha=0.5"])
    with pytest.raises(
        InputError, match=r"b: head\.alpha: trained by another recipe.*0\.5; expected 0\.125"
    ):
        report(made("j"), made("b", "bone", recipe=other))


def test_a_model_of_another_benchmark_is_refused(made):
    with pytest.raises(
        InputError, match="model of another benchmark; found demo-nw-ucla; expected"
    ):
        report(made("j"), recipe=load_recipe("nw-ucla"))


def test_swapped_modalities_are_refused(made):
    joint, bone = made("j"), made("b", "bone")
    with pytest.raises(InputError, match="model of another modality; found bone; expected joint"):
        report(dataclasses.replace(bone, modality="joint"), dataclasses.replace(joint))


def test_two_models_of_one_modality_are_refused(made):
    joint = made("j")
    with pytest.raises(InputError, match="joint: two models of one modality"):
        report(joint, joint)


def test_a_folder_without_scores_is_refused(made, tmp_path):
    joint = made("j")
    with pytest.raises(
        InputError, match=r"nothing/last\.npz: the scores of the last epoch are mis"
    ):
        report(dataclasses.replace(joint, scores=tmp_path / "nothing"))


def test_scores_of_another_modality_or_model_are_refused(made):
    joint, other, bone = made("j"), made("other", seed=1), made("b", "bone")
    with pytest.raises(InputError, match="scores of another modality; found bone; expected joint"):
        report(dataclasses.replace(joint, scores=bone.scores))
    with pytest.raises(InputError, match="scores of another model than"):
        report(dataclasses.replace(joint, scores=other.scores))


def test_a_score_file_under_the_name_of_another_is_refused(made, tiny_demo):
    folders = made("j", recipe=override(tiny_demo, ["training.hold_out_validation=true"]))
    (folders.scores / "validation_last.npz").replace(folders.scores / "last.npz")
    with pytest.raises(InputError, match=r"not what its name says; found validation_last; exp.* l"):
        report(folders)


def test_a_store_of_other_data_is_refused(made, synthetic_store, tmp_path):
    folders = made("j")
    other = tmp_path / "other"
    other.mkdir()
    for path in synthetic_store.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    mark = Scores.load(folders.scores / "last.npz").metadata["data_fingerprint"]
    metadata = other / "metadata.json"
    metadata.write_text(metadata.read_text().replace(mark, "0" * 64))
    assert report(folders, store=synthetic_store).store is not None
    with pytest.raises(InputError, match="scores of other data"):
        report(folders, store=other)


def test_weights_are_searched_on_the_held_out_part_of_the_same_models(made, tiny_demo, tmp_path):
    held_out = override(tiny_demo, ["training.hold_out_validation=true"])
    folders = [made(name, name, recipe=held_out, training_samples=()) for name in ("joint", "bone")]
    run = report(*folders)

    searched = {each.modality: Scores.load(each.scores / "validation_last.npz") for each in folders}
    assert run.ensemble.origin == "searched"
    assert run.ensemble.weights == search_weights(searched)
    output = tmp_path / "ensemble"
    assert list(write_ensemble(run, output)) == ["last"]
    names = ["accuracies.json", "accuracies.txt", "last.npz"]
    assert sorted(path.name for path in output.iterdir()) == names
    values = json.loads((output / "accuracies.json").read_text())
    assert list(values) == ["joint", "bone", "ensemble"]
    last = Scores.load(output / "last.npz")
    top1 = summarise(last.logits, last.labels)["top1"]
    assert values["ensemble"] == {"last": top1, "best": None, "best_on": None, "published": None}


def test_no_weights_are_searched_on_what_was_not_held_out(made, synthetic_store):
    folders = [made(name, name) for name in ("joint", "bone")]
    for each in folders:
        parts = ("test", "validation")
        score_model(each.model, synthetic_store, each.scores, parts=parts, device="cpu")

    assert report(*folders).ensemble.origin == "benchmark"
