"""One HTML file that shows results over beta, without a network: see :mod:`mrtc.report.page`."""

from mrtc.report.page import MOST_BYTES, render, require_report

__all__ = ["MOST_BYTES", "render", "require_report"]
