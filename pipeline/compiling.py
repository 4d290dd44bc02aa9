"""The pipeline as KFP v2 YAML, the same bytes for the same arguments and code."""

from __future__ import annotations

import tempfile
from pathlib import Path

from kfp import compiler

from frhead_core.errors import InputError
from pipeline.arguments import PipelineArguments
from pipeline.dag import TrainerNode, build_pipeline


def compile_pipeline(
    arguments: PipelineArguments, parallel_modalities: int, trainer: TrainerNode, output: Path
) -> None:
    """Write the pipeline with the arguments of a benchmark as defaults, atomically.

    Raises:
        InputError: If the file cannot be written, or is not named ``.yaml``.
    """
    if output.suffix not in (".yaml", ".yml"):
        raise InputError("a pipeline is a YAML file", file=output, expected="a name in .yaml")
    pipeline = build_pipeline(arguments, parallel_modalities, trainer)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".frhead-") as folder:
            partial = Path(folder) / "pipeline.yaml"
            compiler.Compiler().compile(pipeline, str(partial))
            partial.replace(output)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=output) from error
