"""Life-lines of codes over beta: the rate of each, what it tells most of, and hand-overs."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mrtc.errors import ResultsError
from mrtc.plots.theme import PALETTE, WIDTH, beta_axis, beta_limits, new_figure, theme
from mrtc.results import Results
from mrtc.results.groups import code_name
from mrtc.results.lifelines import NOTHING, LifeLines, life_lines

ROWS = 40
"""Codes shown at most: more are not legible on a page."""
ROW, AROUND = 0.17, 1.1
"""Inches: of a code, and of what is above and below all."""
LEAST_ROWS = 5
"""Codes that there is room for beside the legend, also where fewer are alive."""
BAR = 0.36
"""Half the height of a bar, in rows."""
PALEST = 0.3
"""How much of its colour a factor has where a code tells next to nothing of it."""
DARKER = 0.5
"""Of an arrow, than the colour of the factor that it hands over."""
COLOURS = "crest"
"""Of seaborn: from pale to dark, and none of it as pale as the paper."""
NEUTRAL = "0.88"


@theme()
def lifelines(results: Results) -> Figure:
    """A bar for each code, as long as it is active: longest lives at the top.

    Left, coloured by the code's rate; right, where factors are known, by the factor that it tells
    most of, the stronger the more nats, with an arrow where a factor passes from code to code.

    Raises:
        ResultsError: If the file does not hold the rates, has fewer than two betas, or no code is
            active at any of them.
    """
    lines = life_lines(results)
    alive = [code for code in lines.order() if lines.is_active[:, code].any()]
    if not alive:
        raise ResultsError(
            f"{results.path} has no life-lines: none of {lines.rate.shape[1]} codes is active at "
            f"any of {len(lines.beta)} betas; train longer, or evaluate smaller betas"
        )
    rows = {code: row for row, code in enumerate(alive[:ROWS])}
    panels = 2 if lines.factors else 1
    figure = new_figure(
        (0.85 if panels == 1 else 1.35) * WIDTH, AROUND + ROW * max(LEAST_ROWS, len(rows))
    )
    left, *others = figure.subplots(1, panels, sharey=True, squeeze=False)[0]

    norm = Normalize(0, float(lines.rate[:, list(rows)].max()))
    scale = ScalarMappable(norm, COLOURS)
    for code, row in rows.items():
        _draw_code(left, lines, code, row, np.asarray(scale.to_rgba(lines.rate[:, code]))[:, :3])
    _mark_births(left, lines, rows)
    left.set_title("rate of the code (nats per example)", loc="left")
    figure.colorbar(scale, ax=left, pad=0.02)
    header = results.header
    names = [code_name(header.groups, header.group, code) for code in rows]
    left.set_yticks(range(len(rows)), names)
    left.set_ylim(len(rows) - 0.5, -0.5)
    for right in others:
        _draw_factors(right, lines, rows)
        legend = figure.legend(handles=_legend(lines, rows), loc="outside right center")
        for text in legend.get_texts():  # names, which may hold dollar signs
            text.set_parse_math(False)
    for axes in (left, *others):
        beta_axis(axes, lines.beta)
        axes.tick_params(axis="y", length=0)
    figure.suptitle(_title(results, lines, len(alive)), parse_math=False)
    return figure


def _draw_code(
    axes: Axes, lines: LifeLines, code: int, row: int, colours: Float[np.ndarray, "beta 3"]
) -> None:
    """The bars of one code; each ends where its life does, cells meet halfway between betas."""
    low, high = beta_limits(lines.beta)
    active = lines.is_active[:, code]
    births = [event.beta for event in lines.of("birth", code)]
    deaths = [event.beta for event in lines.of("death", code)]
    starts = [low] * bool(active[0]) + births
    ends = deaths + [high] * bool(active[-1])
    middles = np.sqrt(lines.beta[1:] * lines.beta[:-1])
    for start, end in zip(starts, ends, strict=True):
        inside = np.flatnonzero(active & (lines.beta >= start) & (lines.beta <= end))
        edges = np.r_[start, middles[inside[:-1]], end]
        axes.pcolormesh(
            edges, [row - BAR, row + BAR], colours[None, inside], edgecolors="face", linewidth=0.1
        )


def _mark_births(axes: Axes, lines: LifeLines, rows: dict[int, int]) -> None:
    """A start within the range is rare enough to be pointed at."""
    births = [event for event in lines.events if event.kind == "birth" and event.code in rows]
    axes.plot(
        [event.beta for event in births],
        [rows[event.code] for event in births],
        linestyle="",
        marker=">",
        color="black",
        markersize=3,
        zorder=3,
    )


def _draw_factors(axes: Axes, lines: LifeLines, rows: dict[int, int]) -> None:
    axes.set_title("factor it tells most of", loc="left")
    most = float(lines.information[:, list(rows)].max())
    for code, row in rows.items():
        told = lines.told[:, code]
        colours = np.full((len(lines.beta), 3), to_rgb(NEUTRAL))
        for at in np.flatnonzero(told != NOTHING):
            share = lines.information[at, code, told[at]] / most
            strength = PALEST + (1 - PALEST) * share
            hue = np.array(PALETTE[told[at] % len(PALETTE)])
            colours[at] = 1 - strength * (1 - hue)
        _draw_code(axes, lines, code, row, colours)
    for event in lines.events:
        if event.factor is not None and event.code in rows and event.giver in rows:
            axes.annotate(
                "",
                (event.beta, rows[event.code]),
                (event.beta, rows[event.giver]),
                arrowprops={
                    "arrowstyle": "-|>,head_width=0.18,head_length=0.35",
                    "color": DARKER * np.array(PALETTE[event.factor % len(PALETTE)]),
                    "linewidth": 0.9,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )


def _legend(lines: LifeLines, rows: dict[int, int]) -> list[Patch | Line2D]:
    told = lines.told[:, list(rows)]
    most = float(lines.information[:, list(rows)].max())
    handles: list[Patch | Line2D] = [
        Patch(color=PALETTE[at % len(PALETTE)], label=factor)
        for at, factor in enumerate(lines.factors)
        if (told == at).any()
    ]
    if (told[lines.is_active[:, list(rows)]] == NOTHING).any():
        handles.append(Patch(color=NEUTRAL, label="no factor"))
    handles.append(Line2D([], [], linestyle="", label=f"full colour:\n{most:.1f} nats"))
    if any(event.kind == "hand-over" for event in lines.events):
        arrow = Line2D(
            [], [], color="black", marker="$\u2191$", linestyle="", label="hand-over", markersize=6
        )
        handles.append(arrow)
    return handles


def _title(results: Results, lines: LifeLines, alive: int) -> str:
    codes = lines.rate.shape[1]
    shown = f"; the first {ROWS} are shown" if alive > ROWS else ""
    if not results.kept_group:
        return f"{results.header.source}; {alive} of {codes} codes are active at some beta{shown}"
    return (
        f"{results.header.source}\n{alive} of {codes} codes of {results.kept_group} are active at "
        f"some beta{shown}"
    )
