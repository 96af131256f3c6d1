"""Scores of codes of any model, from a file of arrays to a results file."""

import zlib
from pathlib import Path

import numpy as np

from mrtc.datasets.codes import CodesFile, read_codes
from mrtc.evaluation.scoring import ScoringConfig, score_results
from mrtc.metrics.active_units import active_units, code_variance
from mrtc.metrics.catalogue import choose
from mrtc.metrics.rate_distortion import rate_per_code, rate_per_example, standard_error
from mrtc.results import Header, Results, open_writer

NO_BETA = 1.0
"""Stands on the axis of beta for codes whose file names none."""


def score_codes(
    codes: Path | str,
    out: Path | str,
    *,
    metrics: str = "all",
    scoring: ScoringConfig | None = None,
    workers: int = 1,
    force: bool = False,
    quiet: bool = False,
) -> Results:
    """Scores the codes of any model, with the same table and pictures as a checkpoint's.

    Args:
        codes: The file, see :mod:`mrtc.datasets.codes`.
        out: The results file to write (``.h5``).
        metrics: Names of the catalogue, families, or ``all``.
        scoring: Seed and repetitions.
        workers: Processes.
        force: Overwrite ``out``, whatever it holds.
        quiet: Show no progress.

    Raises:
        DataError: If the file cannot be used.
        ResultsError: If ``out`` holds something else, or is being written.
        OutputError: If ``out`` cannot be written.
    """
    names, codes, out = choose(metrics), Path(codes), Path(out)
    loaded = read_codes(codes)
    with open_writer(out, _header(codes, loaded), force=force) as writer:
        for at in writer.pending:
            writer.write(at, _values(loaded, at))
    return score_results(out, names, scoring, workers=workers, quiet=quiet)


def _header(path: Path, codes: CodesFile) -> Header:
    checksum = 0
    for array in (codes.mean, codes.log_sigma, codes.factors):
        if array is not None:
            checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return Header(
        beta=np.array([NO_BETA]) if codes.beta is None else codes.beta,
        num_codes=codes.mean.shape[2],
        factors=codes.factor_names,
        config={"codes": path.name},
        fingerprint=f"crc32:{checksum:08x}",
        seed=0,
        source=path.name,
        parameters={"has_beta": codes.beta is not None},
        index=np.arange(codes.mean.shape[1]),
        classes=codes.factors,
    )


def _values(codes: CodesFile, at: int) -> dict[str, np.ndarray | float]:
    mean = codes.mean[at]
    values: dict[str, np.ndarray | float] = {"mean": mean}
    if len(mean) > 1:
        values |= {
            "active_units": float(active_units(mean)),
            "code_variance": code_variance(mean),
        }
    if codes.log_sigma is not None:
        log_sigma = codes.log_sigma[at]
        rate = rate_per_example(mean, log_sigma)
        values |= {
            "log_sigma": log_sigma,
            "rate": float(rate.mean()),
            "rate_code": rate_per_code(mean, log_sigma),
        }
        if len(rate) > 1:
            values["rate_error"] = standard_error(rate)
    return values
