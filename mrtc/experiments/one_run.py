"""A run as an object, for notebooks: what it is, what it learned, and what can be asked of it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from mrtc.errors import MrtcError
from mrtc.evaluation.scoring import score_results
from mrtc.experiments.config import RunConfig
from mrtc.experiments.evaluate import Grid, evaluate
from mrtc.experiments.freeze import Frozen, freeze
from mrtc.experiments.run import load_vae
from mrtc.metrics.catalogue import choose
from mrtc.randomness import torch_stream
from mrtc.results import Results
from mrtc.results.markup import html_table
from mrtc.training import Checkpoint
from mrtc.vae import VAE


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A trained model and its run, as :func:`mrtc.train` and :func:`load` give it.

    It stands for the path of its checkpoint wherever Python takes an ``os.PathLike``.
    """

    path: Path
    """Of the checkpoint."""
    vae: VAE
    """On the CPU, in evaluation mode."""
    config: RunConfig
    checkpoint: Checkpoint
    data: Path | None = None
    """Where the data are, if they were not left to be found."""

    @property
    def steps(self) -> int:
        """Gradient steps that were done."""
        return self.checkpoint.state.step

    @property
    def seconds(self) -> float:
        """That they took; NaN where they were not counted."""
        return self.checkpoint.state.seconds

    @property
    def parameters(self) -> int:
        """Weights of the model, gates among them."""
        return sum(weight.numel() for weight in self.vae.parameters())

    @property
    def history(self) -> pd.DataFrame:
        """The objective's terms at some steps, means over a minibatch of many betas, in nats."""
        return pd.DataFrame(self.checkpoint.state.history)

    def evaluate(
        self,
        betas: Grid = None,
        out: Path | str | None = None,
        *,
        metrics: str | None = None,
        **options: Any,  # noqa: ANN401 -- those of the function
    ) -> Results:
        """Evaluates the model over a grid of beta, see :func:`mrtc.evaluate`.

        Args:
            betas: The grid, as ``"0.1:10:20"``, or values; by default 50 over the trained range.
            out: The results file; ``CKPT-results.h5`` if left out. What it holds of this very
                evaluation is not computed again.
            metrics: Scores of the kept examples too: names, families or ``"all"``, as
                ``mrtc eval --metrics`` takes them.
            options: Others of :func:`mrtc.evaluate`, such as ``examples`` and ``force``.

        Raises:
            MrtcError: As there, or if there is no such score.
        """
        names = () if metrics is None else choose(metrics)
        options = {"data": self.data} | options
        results = evaluate(self, out, betas=betas, **options)
        if not names:
            return results
        return score_results(results.path, names, quiet=options.get("quiet", False))

    def freeze(
        self,
        beta: float | int | None = None,
        *,
        out: Path | str | None = None,
        onnx: bool = False,
        force: bool = False,
    ) -> Frozen:
        """Writes the model at one beta as a plain one, see :func:`mrtc.experiments.freeze.freeze`.

        ``run.vae.freeze(beta)`` makes it without writing anything.
        """
        beta = None if beta is None else float(beta)
        return freeze(self.path, beta, out=out, onnx=onnx, force=force)

    @torch.inference_mode()
    def sample(
        self,
        beta: float | int,
        count: int = 8,
        *,
        seed: int = 0,
        temperature: float | int = 1.0,
    ) -> Float[Tensor, "count *event"]:
        """Means of the likelihood at draws from the prior, those that ``mrtc sample`` shows.

        The same seed has the same draws at every beta, at each temperature so many times as far
        from the origin, see :meth:`mrtc.vae.VAE.draw_prior`.

        Raises:
            BetaError: If ``beta`` lies outside the trained range.
            MrtcError: If this is a model of documents, which have no mean, or the temperature is
                not positive.
        """
        if self.config.text is not None:
            raise MrtcError(
                f"{self.path} is a model of documents ({self.config.dataset}), and they have no "
                "mean; use mrtc.experiments.texts.sample([run.path], betas=...)"
            )
        generator = torch_stream(seed, "samples")
        return self.vae.sample(count, float(beta), generator, float(temperature))

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        config = self.config
        return (
            f"<Run {self.path.name}: {config.dataset}, {config.objective.name}, "
            f"{config.model.kind}, beta {config.betas}, {self.steps} steps>"
        )

    def _repr_html_(self) -> str:
        config = self.config
        rows = {
            "data set": f"{config.dataset} ({config.source})",
            "architecture": f"{config.model.kind}, {config.model.codes} codes"
            + (f" in {len(self.vae.groups)} groups" if self.vae.groups else ""),
            "objective": config.objective.name,
            "beta": f"{config.betas}" + (" alone: a baseline" if config.is_baseline else ""),
            "seed": str(config.seed),
            "steps": f"{self.steps:,} of {config.training.steps:,}",
            "parameters": f"{self.parameters:,}",
            "seconds": "not counted" if math.isnan(self.seconds) else f"{self.seconds:,.0f}",
        }
        return html_table(rows.items(), caption=self.path.name)


def load(path: Path | str, *, data: Path | str | None = None) -> Run:
    """The run of a checkpoint.

    Args:
        path: As :func:`mrtc.train` or ``mrtc train`` wrote it.
        data: The dataset's files, for evaluations, where they are not found by themselves.

    Raises:
        CheckpointError: If the file cannot be used.
    """
    vae, config, checkpoint = load_vae(path)
    return Run(Path(path), vae, config, checkpoint, None if data is None else Path(data))
