"""Results of an evaluation over beta: an HDF5 file that says all about itself."""

from mrtc.results.header import ADAPTIVE, Header
from mrtc.results.reader import Moments, Results, read
from mrtc.results.runs import RunSet, collect, require_comparable
from mrtc.results.runs_file import is_runs_file, read_runs, write_runs
from mrtc.results.sameness import kind_of
from mrtc.results.schema import VARIABLES, Variable, unit_of
from mrtc.results.scores import ScoreRecord, ScoreSeries
from mrtc.results.writer import Writer, open_writer, reopen

__all__ = [
    "ADAPTIVE",
    "VARIABLES",
    "Header",
    "Moments",
    "Results",
    "RunSet",
    "ScoreRecord",
    "ScoreSeries",
    "Variable",
    "Writer",
    "collect",
    "is_runs_file",
    "kind_of",
    "open_writer",
    "read",
    "read_runs",
    "reopen",
    "require_comparable",
    "unit_of",
    "write_runs",
]
