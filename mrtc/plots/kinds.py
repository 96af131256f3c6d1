"""The pictures of a results file, by the name that ``mrtc plot --kind`` takes."""

from collections.abc import Callable

from matplotlib.figure import Figure

from mrtc.plots.curves import active_units, mig, rate_distortion
from mrtc.plots.groups import groups
from mrtc.plots.lifelines import lifelines
from mrtc.plots.scores import scores
from mrtc.results import Results

KINDS: dict[str, Callable[[Results], Figure]] = {
    "mig": mig,
    "rd": rate_distortion,
    "au": active_units,
    "scores": scores,
    "lifelines": lifelines,
    "groups": groups,
}
