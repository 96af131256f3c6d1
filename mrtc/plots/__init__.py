"""Pictures of results: curves over beta, and traversals."""

from mrtc.plots.curves import KINDS, active_units, mig, rate_distortion
from mrtc.plots.theme import picture_format, save, theme
from mrtc.plots.traversal import traversal_grid, traversal_grids

__all__ = [
    "KINDS",
    "active_units",
    "mig",
    "picture_format",
    "rate_distortion",
    "save",
    "theme",
    "traversal_grid",
    "traversal_grids",
]
