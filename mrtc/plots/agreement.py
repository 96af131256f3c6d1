"""How far scores agree, as a matrix of rank correlations."""

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from jaxtyping import Float
from matplotlib.figure import Figure

from mrtc.plots.theme import WIDTH, new_figure, theme


@theme()
def agreement_matrix(
    names: Sequence[str], correlation: Float[np.ndarray, "score score"], title: str
) -> Figure:
    """Kendall's tau of every pair of scores over beta; grey where a score does not vary."""
    side = max(WIDTH, 0.32 * len(names) + 2)
    figure = new_figure(side, side * 0.85)
    axes = figure.add_subplot()
    axes.set_facecolor("0.85")
    sns.heatmap(
        correlation,
        ax=axes,
        vmin=-1,
        vmax=1,
        cmap="vlag",
        annot=len(names) <= 24,
        fmt=".1f",
        annot_kws={"size": 6},
        xticklabels=list(names),
        yticklabels=list(names),
        square=True,
        cbar_kws={"label": "rank correlation over beta (Kendall's tau)", "shrink": 0.7},
    )
    axes.tick_params(length=0)
    figure.suptitle(title)
    return figure
