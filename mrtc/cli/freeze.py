"""``mrtc freeze``: a checkpoint at one beta as a plain VAE that needs no mrtc."""

from pathlib import Path
from typing import Annotated

import typer

from mrtc.cli import options


def freeze(
    checkpoint: options.Checkpoint,
    beta: Annotated[
        float | None, typer.Option(help="In the trained range; a baseline has its own.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write (.safetensors); CKPT-betaB.safetensors if left out."),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Also write encoder and decoder as ONNX graphs.")
    ] = False,
    force: options.Force = False,
) -> None:
    """Fold the gates into plain layers: weights, and a Python file that reads them with torch.

    Example: `mrtc freeze ckpt.pt --beta 4 --onnx`
    """
    from mrtc.experiments.freeze import freeze as freeze_checkpoint

    frozen = freeze_checkpoint(checkpoint, beta, out=out, onnx=onnx, force=force)
    for path in frozen.paths:
        typer.echo(path)
    typer.echo(f"largest difference from {checkpoint.name}: {frozen.difference:.1e} of the scale")
    if frozen.onnx_difference is not None:
        typer.echo(f"largest difference of ONNX from that: {frozen.onnx_difference:.1e}")
    typer.echo(f"\n{frozen.usage}")
