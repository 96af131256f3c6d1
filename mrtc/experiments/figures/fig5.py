"""Figure 5: rate and distortion of images, multi-rate runs beside repeated baselines."""

from pathlib import Path

from mrtc.experiments.compare import compare_runs
from mrtc.experiments.comparison_report import write
from mrtc.experiments.figures.image_runs import ARCHITECTURES, train_images
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG5
from mrtc.experiments.figures.tables import run_table, write_csv
from mrtc.experiments.presets import ArchName
from mrtc.plots import rate_distortion_of, save


def draw(
    dataset: str, options: FigureOptions, architectures: tuple[ArchName, ...] = ()
) -> list[Path]:
    """Trains both kinds at equal budgets, and compares them on the test part.

    For each architecture there is a folder with the whole comparison, and one picture of rate and
    distortion, with the published values of residual networks, which took 200 epochs as ``paper``
    does.

    Args:
        dataset: Of the presets.
        options: Where it goes, and how its runs are trained.
        architectures: By default those of the preset.

    Returns:
        The files that were written.
    """
    written: list[Path] = []
    for arch in architectures or ARCHITECTURES[options.preset]:
        runs = train_images(dataset, arch, options)
        multirate, baselines = runs.multirate.runs, runs.baselines.runs
        written += write(compare_runs(multirate, baselines), runs.folder)
        sets = {"multi-rate": multirate, "baselines": baselines}
        published = FIG5.get(dataset, {}) if arch == "resnet" else {}
        picture = runs.folder / f"fig5-{dataset}-{arch}.png"
        figure = rate_distortion_of(
            sets,
            published={
                f"Bae et al., {kind}": (curve.rate, curve.distortion)
                for kind, curve in published.items()
            },
        )
        save(figure, picture)
        numbers = write_csv(picture.with_suffix(".csv"), run_table(sets, ["rate", "distortion"]))
        written = [picture, numbers, *written]
    return written
