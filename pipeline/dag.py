"""The pipeline: which step follows which, and what each is told.

One definition for every engine. ``code_version`` of each step, the fingerprint of the raw data
(from the first step, which always runs) and the digest of a model that is given instead of trained
are parameters of the steps: a cache key holds neither the packages that a step imports nor the
contents behind a path.

Not ``from __future__ import annotations``: kfp reads the annotations as objects.
"""

import threading

from kfp import dsl

from components.denoise_skeletons.component import denoise_skeletons
from components.ensemble_modalities.component import ensemble_modalities
from components.evaluate_modality.component import evaluate_modality
from components.extract_raw_skeletons.component import extract_raw_skeletons
from components.fingerprint_data.component import fingerprint_data
from components.promote_model.component import promote_model
from components.train_modality.component import train_modality
from components.transform_sequences.component import transform_sequences
from pipeline.arguments import PipelineArguments
from pipeline.code_version import code_version
from pipeline.placing import place
from pipeline.profile import Profile

NAME = "frhead"
_BUILDING = threading.Lock()
"""kfp notes in one place of the process which pipeline is being built."""


def build_pipeline(
    defaults: PipelineArguments,
    parallel_modalities: int = 1,
    profile: Profile | None = None,
    promotion: bool = True,
) -> dsl.graph_component.GraphComponent:
    """The pipeline, with the arguments of one benchmark as defaults.

    Args:
        defaults: Values of all parameters but ``raw`` and ``champions``.
        parallel_modalities: How many modalities are trained at the same time on this machine.
        profile: The cluster that it is for, which says that too; None for this machine.
        promotion: Whether the last step compares with the champion.
    """
    with _BUILDING:
        return _build(defaults, parallel_modalities, profile, promotion)


def _build(
    defaults: PipelineArguments,
    parallel_modalities: int,
    profile: Profile | None,
    promotion: bool,
) -> dsl.graph_component.GraphComponent:
    @dsl.pipeline(  # type: ignore[untyped-decorator]
        name=NAME,
        description="FR-Head: from raw 3D-skeleton recordings to an accuracy report.",
        pipeline_root=profile.storage.pipeline_root if profile else None,
    )
    def frhead(
        raw: str,
        dataset: str = defaults.dataset,
        skeleton: str = defaults.skeleton,
        preparation: str = defaults.preparation,
        splits: str = defaults.splits,
        trainings: list = defaults.trainings,  # type: ignore[type-arg]
        recipe: str = defaults.recipe,
        gate: str = defaults.gate,
        champions: str = "",
    ) -> None:
        fingerprinted = fingerprint_data(raw=raw, dataset=dataset)
        fingerprinted.set_caching_options(False)
        extracted = extract_raw_skeletons(
            raw=raw,
            dataset=dataset,
            skeleton=skeleton,
            preparation=preparation,
            data_fingerprint=fingerprinted.output,
            code_version=code_version("extract_raw_skeletons"),
        )
        denoised = denoise_skeletons(
            raw_bodies=extracted.outputs["raw_bodies"],
            dataset=dataset,
            preparation=preparation,
            code_version=code_version("denoise_skeletons"),
        )
        transformed = transform_sequences(
            denoised=denoised.outputs["denoised"],
            dataset=dataset,
            splits=splits,
            preparation=preparation,
            code_version=code_version("transform_sequences"),
        )
        parallel = profile.steps.training.parallel if profile else parallel_modalities
        with dsl.ParallelFor(trainings, parallelism=parallel) as training:
            trained = train_modality(
                sequences=transformed.outputs["sequences"],
                modality=training.modality,
                recipe=training.recipe,
                weights=training.weights,
                weights_digest=training.weights_digest,
                code_version=code_version("train_modality"),
            )
            evaluated = evaluate_modality(
                model=trained.outputs["model"],
                sequences=transformed.outputs["sequences"],
                modality=training.modality,
                code_version=code_version("evaluate_modality"),
            )
        combined = ensemble_modalities(
            models=dsl.Collected(trained.outputs["model"]),
            scores=dsl.Collected(evaluated.outputs["scores"]),
            raw_bodies=extracted.outputs["raw_bodies"],
            denoised=denoised.outputs["denoised"],
            sequences=transformed.outputs["sequences"],
            recipe=recipe,
            code_version=code_version("ensemble_modalities"),
        )
        reports = [combined]
        if promotion:
            promoted = promote_model(
                models=dsl.Collected(trained.outputs["model"]),
                scores=dsl.Collected(evaluated.outputs["scores"]),
                ensemble=combined.outputs["ensemble"],
                sequences=transformed.outputs["sequences"],
                recipe=recipe,
                gate=gate,
                champions=champions,
                run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            )
            # Whether it is the champion depends on what happened since; so nothing is cached.
            promoted.set_caching_options(False)
            reports.append(promoted)
        if profile is not None:
            steps = profile.steps
            for task in (fingerprinted, extracted, denoised, transformed):
                place(task, profile, steps.data)
            place(trained, profile, steps.training)
            place(evaluated, profile, steps.evaluation)
            for task in reports:
                place(task, profile, steps.report)

    return frhead
