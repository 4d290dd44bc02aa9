"""The model card: what a model is and what it reached, for people and for model hubs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from frhead_core.config import Recipe
from frhead_core.evaluation.cost import Cost


def model_card(recipe: Recipe, metadata: Mapping[str, Any]) -> str:
    """A model card in Markdown with YAML front matter.

    Args:
        recipe: What the model was trained by.
        metadata: Of the model artifact.
    """
    modality = str(metadata["modality"]).replace("_", " ")
    front = yaml.safe_dump(
        {
            "library_name": "frhead-pipeline",
            "tags": ["skeleton-based-action-recognition", recipe.name, recipe.model.backbone],
            "datasets": [recipe.dataset],
        },
        sort_keys=False,
    )
    head = "with FR-Head" if recipe.head.enabled else "without FR-Head"
    lines = [
        "---",
        front.rstrip(),
        "---",
        f"# {recipe.model.backbone} {head}, {modality}, {recipe.title or recipe.name}",
        "",
        "| weights | epoch | evaluated on | top-1 % | top-5 % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, figures in sorted(metadata["metrics"].items(), reverse=True):
        lines.append(
            f"| `{name}` | {figures['epoch']} | {figures['evaluated_part']} "
            f"({figures['samples']} samples) | {figures['top1']:.2f} | {figures['top5']:.2f} |"
        )
    lines += [
        "",
        "`last` is what ensembles and predictions use. A `best_on_test` epoch was chosen on the "
        "test set: it is comparable with published figures, which are chosen so too, and no "
        "estimate of accuracy on new data.",
        "",
        f"Trained on {metadata['trained_on']}, in {metadata['precision']}. The settings are in "
        "`recipe.yaml`, the epochs, where they are known, in `history.jsonl`.",
        "",
    ]
    facts = ("origin", "given", "seed", "code_version", "data_fingerprint")
    lines += [
        f"- {name.replace('_', ' ')}: `{metadata[name]}`"
        for name in facts
        if metadata.get(name) is not None
    ]
    if "cost" in metadata:
        lines += ["", *_cost_lines(Cost.from_dict(metadata["cost"]))]
    lines.append("")
    return "\n".join(lines)


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
    ]
