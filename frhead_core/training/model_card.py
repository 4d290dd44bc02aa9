"""The model card: what a model is and what it reached, for people and for the Hugging Face Hub.

The front matter has the keys of the Hub's model cards. There is no ``pipeline_tag``: none of the
Hub's tasks takes skeletons. The licence of weights is for whoever publishes them to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from frhead_core.config import Recipe
from frhead_core.evaluation.cost import Cost
from frhead_core.skeletons import skeleton

LIBRARY = "frhead-pipeline"
TASK = "skeleton-based-action-recognition"

_EPOCH = {
    "last": "last epoch",
    "best_on_test": "best epoch, chosen on the test set",
    "best_on_validation": "best epoch, chosen on held-out training recordings",
}
_FACTS = ("origin", "given", "seed", "code_version", "data_fingerprint")


def model_card(recipe: Recipe, metadata: Mapping[str, Any]) -> str:
    """A model card in Markdown with YAML front matter.

    Args:
        recipe: What the model was trained by.
        metadata: Of the model artifact.
    """
    front = yaml.safe_dump(_front_matter(recipe, metadata), sort_keys=False)
    lines = [
        "---",
        front.rstrip(),
        "---",
        f"# {_name(recipe, metadata)}, {recipe.title or recipe.name}",
        "",
        f"Recognises {recipe.classes} actions in sequences of 3D skeletons "
        f"(joint layout `{skeleton(recipe.skeleton).name}`).",
        *_one_shot(recipe),
        "",
        "## Results",
        *_results(metadata["metrics"]),
        "",
        "## Use",
        "```",
        "frhead predict RECORDING --model DIRECTORY_OF_THIS_MODEL",
        "```",
        "The names of the classes are in `metadata.json`, what happens to a recording before the "
        "network sees it is in `recipe.yaml`. Weights are safetensors files by our own names, as "
        "there are several.",
        "",
        "## Training",
        f"Trained on {metadata['trained_on']}, in {metadata['precision']}. The settings are in "
        "`recipe.yaml`, the epochs, where they are known, in `history.jsonl`.",
        "",
        *_facts(metadata),
        *(_cost_lines(Cost.from_dict(metadata["cost"])) if "cost" in metadata else []),
        "## Licence",
        f"The software, {LIBRARY}, is under Apache-2.0. These weights were made from recordings of "
        f"`{recipe.dataset}`, whose owners have terms of their own.",
        "",
    ]
    return "\n".join(lines)


def _front_matter(recipe: Recipe, metadata: Mapping[str, Any]) -> dict[str, Any]:
    modality = str(metadata["modality"]).replace("_", "-")
    head = ["fr-head"] if recipe.head.enabled else []
    front: dict[str, Any] = {
        "license": "other",
        "license_name": "terms-of-the-training-data",
        "library_name": LIBRARY,
        "tags": [TASK, "action-recognition", *head, recipe.model.backbone, recipe.name, modality],
        "datasets": [recipe.dataset],
    }
    results = list(_index(recipe, metadata["metrics"]))
    if results:
        front["metrics"] = ["accuracy"]
        front["model-index"] = [{"name": _name(recipe, metadata), "results": results}]
    return front


def _one_shot(recipe: Recipe) -> list[str]:
    if not recipe.split.anchors:
        return []
    return [
        f"Its results are those of one-shot recognition: of {len(recipe.split.anchors)} other "
        "actions, each known by one recording, by the nearest features."
    ]


def _name(recipe: Recipe, metadata: Mapping[str, Any]) -> str:
    head = "with FR-Head" if recipe.head.enabled else "without FR-Head"
    return f"{recipe.model.backbone} {head}, {str(metadata['modality']).replace('_', ' ')}"


def _index(recipe: Recipe, metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The measured accuracies as results of the Hub's model index, one for each part."""
    parts = dict.fromkeys(figures["evaluated_part"] for _, figures in _last_first(metrics))
    for part in parts:
        yield {
            "task": {"type": TASK, "name": "Skeleton-based action recognition"},
            "dataset": {
                "type": recipe.dataset,
                "name": recipe.title or recipe.name,
                "config": recipe.name,
                "split": part,
            },
            "metrics": [
                {
                    "type": "accuracy",
                    "value": round(figures[f"top{k}"], 2),
                    "name": f"Top-{k} accuracy in percent, {_EPOCH.get(which, which)}, "
                    f"measured with {LIBRARY}",
                }
                for which, figures in _last_first(metrics)
                for k in (1, 5)
                if figures["evaluated_part"] == part
            ],
        }


def _results(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not metrics:
        yield "Nothing was measured with these weights when this model was written."
        return
    yield "| weights | epoch | evaluated on | top-1 % | top-5 % |"
    yield "| --- | --- | --- | --- | --- |"
    for name, figures in _last_first(metrics):
        yield (
            f"| `{name}` | {figures['epoch']} | {figures['evaluated_part']} "
            f"({figures['samples']} samples) | {figures['top1']:.2f} | {figures['top5']:.2f} |"
        )
    yield ""
    yield (
        "`last` is what ensembles and predictions use. A `best_on_test` epoch was chosen on the "
        "test set: it is comparable with published figures, which are chosen so too, and no "
        "estimate of accuracy on new data."
    )


def _last_first(metrics: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(metrics.items(), reverse=True)


def _facts(metadata: Mapping[str, Any]) -> list[str]:
    found = [name for name in _FACTS if metadata.get(name) is not None]
    lines = [f"- {name.replace('_', ' ')}: `{metadata[name]}`" for name in found]
    return [*lines, ""] if lines else []


def _cost_lines(cost: Cost) -> list[str]:
    return [
        "## What recognising costs",
        "| | |",
        "| --- | --- |",
        f"| parameters | {cost.parameters:,} |",
        f"| parameters of the FR-Head, in training only | {cost.head_parameters:,} |",
        f"| operations a sample | {cost.flops / 1e9:.3f} GFLOP |",
        f"| latency of one sample | {cost.latency_ms:.2f} ms |",
        f"| throughput in batches of {cost.batch_size} | {cost.samples_per_second:.1f} samples/s |",
        "",
        "Operations are those of matrix products and convolutions, a multiply-add counting as two. "
        f"Latency is the median of {cost.latency_forwards} forwards. Measured on "
        f"{cost.conditions}.",
        "",
    ]
