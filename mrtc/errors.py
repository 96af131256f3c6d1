"""Errors that a user can mend; the command line prints them without a traceback."""


class MrtcError(Exception):
    """Base of all. A message says what is wrong, what was seen and what to do."""


class BetaError(MrtcError, ValueError):
    """A beta, a range or a grid of betas that cannot be used."""


class CheckpointError(MrtcError):
    """A checkpoint that is missing, damaged, foreign, too new, or of another run."""


class DataError(MrtcError):
    """A data file that is missing, damaged, or not what it should be."""


class OutputError(MrtcError):
    """A file that cannot be written, or must not be overwritten."""


class ResultsError(MrtcError):
    """A results file that is missing, damaged, foreign, too new, or of another run."""


class DivergenceError(MrtcError):
    """Training met a value that is not finite."""
