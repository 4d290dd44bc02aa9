# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead export-model``: a model in, an ONNX file out."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import options


@click.command("export-model")
@click.argument("model", type=options.FOLDER)
@click.option("--output", required=True, type=options.FILE, help="The .onnx file to write.")
@click.option(
    "--verify-on",
    type=options.FOLDER,
    help="Sequence store from `frhead prepare`, to compare with torch on its test samples.  "
    "[default: compare on noise]",
)
@options.threads_option
def command(model: Path, output: Path, verify_on: Path | None, threads: int | None) -> None:
    """Write a model as ONNX, with the weights of the last epoch and for any number of samples.

    Before the file is written, ONNX Runtime and torch compute the same samples; if their logits
    differ by more than 1e-4 of the largest, nothing is written. Needs the extra "onnx".

    Example: frhead export-model models/joint --output joint.onnx --verify-on prepared/sequences
    """
    from frhead_core.inference.onnx_export import export_onnx
    from frhead_core.progress import terminal_reporter
    from frhead_core.training.artifact import ModelArtifact
    from frhead_core.training.device import use_threads

    if threads is not None:
        use_threads(threads)
    artifact = ModelArtifact.open(model)
    agreement = export_onnx(artifact, output, verify_on, terminal_reporter())
    what = "test samples" if verify_on else "samples of noise (no --verify-on)"
    click.echo(
        f"verified on {agreement.samples} {what}: largest difference {agreement.difference:.3g}, "
        f"largest logit {agreement.largest:.4g}"
    )
    click.echo(f"ONNX model: {output} ({output.stat().st_size / 1e6:.1f} MB)")
