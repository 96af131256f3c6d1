"""What several models say of each other: UDR at every beta that their results files share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mrtc.errors import ResultsError
from mrtc.evaluation.scoring import ScoringConfig, Spread, record
from mrtc.metrics.catalogue import CATALOGUE
from mrtc.metrics.rate_distortion import rate_per_code
from mrtc.metrics.udr import Similarity, udr
from mrtc.progress import Progress
from mrtc.results import Results, read, reopen


def score_models(
    paths: Sequence[Path], *, similarity: Similarity = "lasso", quiet: bool = False
) -> list[Results]:
    """Adds the UDR of each model among the others to their results files.

    Args:
        paths: Results files of at least two models, over the same betas, with moments of the same
            examples.
        similarity: Of codes of two models, see :func:`mrtc.metrics.udr.udr`.
        quiet: Show no progress.

    Returns:
        The files as read anew.

    Raises:
        ResultsError: If there are fewer than two files, or they do not belong together.
        OutputError: If one cannot be written.
    """
    models = [read(path) for path in paths]
    if len(models) < 2:
        raise ResultsError(f"UDR compares models, and there is {len(models)}; give two or more")
    first = models[0]
    for other in models[1:]:
        _require_comparable(first, other)
    shared = np.flatnonzero(np.all([model.evaluated for model in models], axis=0)).tolist()
    records = []
    with Progress("comparing models", len(shared), unit="beta", quiet=quiet) as progress:
        for at in shared:
            moments = [model.moments(at) for model in models]
            has_sigmas = all(m.log_sigma is not None for m in moments)
            rates = [rate_per_code(m.mean, m.log_sigma) for m in moments if m.log_sigma is not None]
            scores = udr(
                [m.mean for m in moments],
                similarity=similarity,
                rates=rates if has_sigmas else None,
            )
            records.append(
                [
                    record(
                        *(CATALOGUE["udr"], s, Spread(), ScoringConfig()),
                        len(first.header.index),
                        first.header.group,
                    )
                    for s in scores
                ]
            )
            progress.advance()
    for model, path in enumerate(paths):
        with reopen(path) as writer:
            for at, of_models in zip(shared, records, strict=True):
                writer.write_scores(at, [of_models[model]])
    return [read(path) for path in paths]


def _require_comparable(one: Results, other: Results) -> None:
    pairs = {
        "betas": (one.beta, other.beta),
        "kept examples": (one.header.index, other.header.index),
    }
    for name, (here, there) in pairs.items():
        if here.shape != there.shape or not np.allclose(here, there):
            raise ResultsError(
                f"{one.path} and {other.path} differ in their {name} ({len(here)} and "
                f"{len(there)} of them); evaluate both with the same --betas, --examples and --seed"
            )
    if one.header.source != other.header.source:
        raise ResultsError(
            f"{one.path} is of {one.header.source}, {other.path} of {other.header.source}; UDR "
            "compares models of the same examples"
        )
