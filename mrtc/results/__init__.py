"""Results of an evaluation over beta: an HDF5 file that says all about itself."""

from mrtc.results.header import Header
from mrtc.results.reader import Moments, Results, read
from mrtc.results.schema import VARIABLES, Variable
from mrtc.results.scores import ScoreRecord, ScoreSeries
from mrtc.results.writer import Writer, open_writer, reopen

__all__ = [
    "VARIABLES",
    "Header",
    "Moments",
    "Results",
    "ScoreRecord",
    "ScoreSeries",
    "Variable",
    "Writer",
    "open_writer",
    "read",
    "reopen",
]
