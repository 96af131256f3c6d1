"""Figures and tables of the paper by name, each from training to picture."""

from mrtc.experiments.figures.catalogue import FIGURES, draw
from mrtc.experiments.figures.options import FigureOptions

__all__ = ["FIGURES", "FigureOptions", "draw"]
