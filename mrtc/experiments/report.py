"""Results files, and pictures of their models, as one HTML file."""

from collections.abc import Sequence
from pathlib import Path

from mrtc.errors import OutputError, ResultsError
from mrtc.experiments.stored_pictures import MOST_BETAS, add_pictures
from mrtc.files import claim, write_atomically
from mrtc.report import render, require_report
from mrtc.report.series import Source, gather
from mrtc.results import Results, is_runs_file, read, read_runs
from mrtc.results.pictures import read_pictures
from mrtc.training import Checkpoint

SUFFIXES = (".html", ".htm")


def write_report(
    results: Sequence[Path | str],
    out: Path | str,
    *,
    checkpoints: Sequence[Path | str] = (),
    most: int = MOST_BETAS,
    seed: int = 0,
    data: Path | str | None = None,
    quiet: bool = False,
) -> Path:
    """Writes a report that opens in any browser, without a network.

    Args:
        results: Files of multi-rate models, of baselines, and of runs; all of the same data.
        out: The file to write (``.html``).
        checkpoints: Models that some of the results are of, in any order: their pictures are made,
            and kept in the results files.
        most: Betas with pictures, of each checkpoint.
        seed: Of the pictures' examples and draws.
        data: The dataset's official file, where it is at hand; for pictures.
        quiet: Show no progress.

    Returns:
        The place of the report.

    Raises:
        ResultsError: If a file cannot be used, the files cannot be shown together, or a checkpoint
            is of none of them.
        CheckpointError: If a checkpoint cannot be used.
        DataError: If the data of a checkpoint cannot be had.
        OutputError: If the report, or a results file that is given pictures, cannot be written.
        MrtcError: If what writes reports is not installed, or a model can have no pictures.
    """
    require_report()
    out = Path(out)
    if out.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"cannot write a report to {out}: its suffix is {out.suffix!r}; name a file that ends "
            f"in {' or '.join(SUFFIXES)}"
        )
    claim(out, force=True)
    sources = [_read(Path(path)) for path in results]
    gather(sources)  # what cannot be shown together is said before pictures are made
    for checkpoint, place in _matched(sources, checkpoints):
        add_pictures(checkpoint, place, most=most, seed=seed, data=data, quiet=quiet)
    page = render([_read(source.path) for source in sources] if checkpoints else sources)
    write_atomically(out, page.encode())
    return out


def _read(path: Path) -> Source:
    if is_runs_file(path):
        return Source(path, read_runs(path))
    return Source(path, read(path), read_pictures(path))


def _matched(
    sources: Sequence[Source], checkpoints: Sequence[Path | str]
) -> list[tuple[Path, Path]]:
    """Each checkpoint with the results file that was evaluated from it."""
    places = {
        source.content.header.fingerprint: source.path
        for source in sources
        if isinstance(source.content, Results)
    }
    matched = []
    for checkpoint in map(Path, checkpoints):
        fingerprint = Checkpoint.load(checkpoint).fingerprint()
        if fingerprint not in places:
            seen = ", ".join(f"{path} of {weights}" for weights, path in places.items())
            raise ResultsError(
                f"{checkpoint} is the model of none of the results files: its weights are "
                f"{fingerprint}, and there is {seen or 'no file of one run'}; give the checkpoint "
                "that a file was evaluated from"
            )
        matched.append((checkpoint, places[fingerprint]))
    return matched
