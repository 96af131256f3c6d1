"""The page: numbers, pictures, style and scripts in one HTML file that asks nothing of a network.

Its Content-Security-Policy lets no request out, and runs the two scripts that stand here and no
other, by their digests. Whatever comes from files is escaped by the template, or is JSON.
"""

import hashlib
import shlex
from base64 import b64encode
from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float

from mrtc import __version__
from mrtc.errors import MrtcError, ResultsError
from mrtc.report.methods import COST_TITLES, described
from mrtc.report.pictures import Frame, frames_of, originals_of, thinned
from mrtc.report.series import Series, Source, gather
from mrtc.results import Results
from mrtc.results.groups import code_name, one_group
from mrtc.results.sameness import distinct_betas

MOST_BYTES = 15_000_000
"""Of a report, so that it can be sent by mail; pictures are thinned out to stay below."""
PREFERRED = ("mig_chen", "active_units", "elbo", "rate")
"""What the picture over beta shows at first: the first of these that there is."""
MOST_CODES = 16
"""Rows of the map of codes and factors."""


def require_report() -> None:
    """Checks that what writes reports is installed.

    Raises:
        MrtcError: If it is not.
    """
    missing = [name for name in ("jinja2", "plotly") if find_spec(name) is None]
    if missing:
        raise MrtcError(
            f"reports need {' and '.join(missing)}, which is not installed; install it with "
            "`pip install 'mrtc[report]'`"
        )


def render(sources: Sequence[Source], *, most_bytes: int = MOST_BYTES) -> str:
    """The whole page.

    Args:
        sources: Results of models of the same data, and their pictures where they have some.
        most_bytes: Size that the page stays below; pictures are shown at fewer betas for it.

    Raises:
        ResultsError: If the files cannot be shown together, or the page is too large with pictures
            at one beta.
    """
    series = gather(sources)
    originals = originals_of(series)
    frames = [frames_of(one, originals) for one in series]
    stored = most = max(map(len, frames))
    while True:
        shown = [thinned(of_one, most) for of_one in frames]
        page = _page(sources, series, shown, list(originals.values()), stored=stored)
        size = len(page.encode())
        if size < most_bytes:
            return page
        if most <= 1:
            raise ResultsError(
                f"the report has {size / 1e6:.1f} MB with pictures at one beta, and may have "
                f"{most_bytes / 1e6:.1f}; give fewer results files, or files without pictures"
            )
        # Never fewer than fit: what is not pictures does not shrink with them.
        most = max(1, min(most - 1, most * most_bytes // size))


def _page(
    sources: Sequence[Source],
    series: Sequence[Series],
    frames: Sequence[Sequence[Frame]],
    originals: Sequence[str],
    *,
    stored: int,
) -> str:
    import jinja2
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    from mrtc.report.figures import over_beta, rate_distortion
    from mrtc.report.groups import group_layout

    names = list(dict.fromkeys(name for one in series for name in one.variables))
    if not names:
        raise ResultsError(
            f"{', '.join(str(source.path) for source in sources)} holds no number over beta to "
            "show, neither a metric nor a score; evaluate with `mrtc eval`, or add scores with "
            "`mrtc rescore`"
        )
    first = next((name for name in PREFERRED if name in names), names[0])
    betas = _betas(series)
    folder = resources.files(__package__)
    style, script = ((folder / name).read_text("utf-8") for name in ("style.css", "script.js"))
    library = get_plotlyjs()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((folder / "template.html").read_text("utf-8"))
    quantities = [_quantity(series, name) for name in names]
    has_groups = any(one.rate_group is not None for one in series)
    missing = [str(source.path) for source in sources if _lacks_pictures(source)]
    return template.render(
        policy=_policy(library, script),
        style=Markup(style),  # noqa: S704 -- ours
        library=Markup(library),  # noqa: S704 -- plotly's
        script=Markup(script),  # noqa: S704 -- ours
        title=sources[0].data,
        version=__version__,
        betas=betas,
        series=series,
        variables={one["name"]: one for one in quantities},
        colours=_colours(series),
        first=first,
        shown=max(map(len, frames)),
        stored=stored,
        missing=missing,
        command=f"mrtc report {shlex.quote(missing[0])} --checkpoint CHECKPOINT.pt"
        if missing
        else "",
        has_groups=has_groups,
        are_texts=any(source.config.get("text") for source in sources),
        files=[described(source) for source in sources],
        costs=list(COST_TITLES.values()),
        data={
            "betas": betas,
            "quantities": quantities,
            "first": first,
            "series": [
                _entry(one, of_one, colour)
                for one, of_one, colour in zip(series, frames, _colours(series), strict=True)
            ],
            "originals": originals,
            "figures": {
                "plane": rate_distortion(series),
                "curve": over_beta(series, first),
                "groups": {"data": [], "layout": group_layout(series)} if has_groups else None,
            },
        },
    )


def _entry(one: Series, frames: Sequence[Frame], colour: str) -> dict[str, Any]:
    """One series, as the script reads it."""
    from mrtc.report.figures import numbers
    from mrtc.report.groups import group_traces

    entry: dict[str, Any] = {
        "name": one.name,
        "kind": one.kind,
        "colour": colour,
        "beta": numbers(one.beta),
        "values": {name: numbers(values) for name, values in one.values.items()},
        "low": {name: numbers(values) for name, values in one.low.items()},
        "high": {name: numbers(values) for name, values in one.high.items()},
        "frames": [frame.as_json() for frame in frames],
        "map": None,
        "groups": None,
    }
    if one.rate_group is not None:
        entry["groups"] = {
            "traces": group_traces(one),
            "names": [one_group(one.groups, group) for group in range(len(one.groups))],
        }
    if one.information is not None:
        codes = _map_codes(one, one.information)
        entry["map"] = {
            "codes": [code_name(one.groups, one.group, code) for code in codes],
            "group": one.kept_group,
            "factors": list(one.factors),
            "shares": [[numbers(row) for row in beta[codes]] for beta in one.information],
        }
    return entry


def _map_codes(one: Series, shares: Float[np.ndarray, "beta code factor"]) -> list[int]:
    """Rows of the map: by mean rate where it is known, else by what they know of the factors."""
    weight = np.nan_to_num(shares).sum(2) if one.rate_code is None else one.rate_code
    order = np.argsort(-np.nan_to_num(weight).mean(0), kind="stable")
    return [int(code) for code in order[:MOST_CODES]]


def _quantity(series: Sequence[Series], name: str) -> dict[str, str]:
    """Words of one quantity; numbers without unit have none, and counts are seen to be counts."""
    variable = next(one.variables[name] for one in series if name in one.variables)
    return {
        "name": name,
        "title": variable.long_name.removesuffix(", mean over examples"),
        "unit": "" if variable.unit in ("1", "count") else variable.unit,
        "direction": variable.direction,
        "source": variable.source,
    }


def _betas(series: Sequence[Series]) -> list[float]:
    """Where the slider stops: betas of multi-rate models, of baselines where there are none."""
    multirate = [one for one in series if one.kind == "multi-rate"]
    betas = distinct_betas([beta for one in multirate or series for beta in one.beta])
    return [float(beta) for beta in betas]


def _colours(series: Sequence[Series]) -> list[str]:
    from mrtc.report.figures import colour

    return [colour(at) for at in range(len(series))]


def _lacks_pictures(source: Source) -> bool:
    """Whether there could be pictures: not of several runs in one file."""
    return isinstance(source.content, Results) and source.pictures is None


def _policy(*scripts: str) -> str:
    """What the page may do: show itself. Styles are free, since plotly writes some of its own."""
    digests = (b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
