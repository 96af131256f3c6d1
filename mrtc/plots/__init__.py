"""Pictures of results: curves over beta, and traversals."""

from mrtc.plots.agreement import agreement_matrix
from mrtc.plots.comparison import over_beta, rate_distortion_of
from mrtc.plots.curves import active_units, mig, rate_distortion
from mrtc.plots.differences import differences, slope_picture
from mrtc.plots.kinds import KINDS
from mrtc.plots.scores import scores
from mrtc.plots.sets import title_of
from mrtc.plots.theme import picture_format, save, theme
from mrtc.plots.traversal import traversal_grid, traversal_grids

__all__ = [
    "KINDS",
    "active_units",
    "agreement_matrix",
    "differences",
    "mig",
    "over_beta",
    "picture_format",
    "rate_distortion",
    "rate_distortion_of",
    "save",
    "scores",
    "slope_picture",
    "theme",
    "title_of",
    "traversal_grid",
    "traversal_grids",
]
