"""Reading results: a file that mrtc wrote as arrays and tables, any other as a clear refusal."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Int

from mrtc import __version__
from mrtc.errors import ResultsError
from mrtc.results.groups import one_group
from mrtc.results.header import Header
from mrtc.results.layout import read_header
from mrtc.results.markup import over_beta
from mrtc.results.schema import FORMAT, VARIABLES, VERSION, unit_of
from mrtc.results.scores import ScoreSeries, load

if TYPE_CHECKING:
    import xarray

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ADVICE = "give the .h5 file that an evaluation such as `mrtc eval-mig` wrote"


@dataclass(frozen=True, eq=False)
class Moments:
    """Posteriors of the kept examples at one beta."""

    mean: Float32[np.ndarray, "example code"]
    log_sigma: Float32[np.ndarray, "example code"] | None
    """None where only means are known, as of codes that have no posteriors."""
    index: Int[np.ndarray, " example"]
    """Position of each example in the data."""
    classes: Int[np.ndarray, "example factor"] | None


@dataclass(frozen=True, eq=False)
class Results:
    """An evaluation as read from its file. Values are NaN at betas that are not evaluated."""

    path: Path
    header: Header
    evaluated: Bool[np.ndarray, " beta"]
    metrics: Mapping[str, Float[np.ndarray, "..."]]
    """Arrays by name; dimensions, units and sources stand in ``mrtc.results.VARIABLES``."""
    parameters: Mapping[str, Mapping[str, Any]]
    """What each metric was computed with, by the same names."""
    versions: Mapping[str, str]
    created: str
    """Date and time, UTC."""
    scores: Mapping[str, ScoreSeries] = field(default_factory=dict)
    """Scores by name, computed from the kept moments; see :mod:`mrtc.results.scores`."""

    @property
    def beta(self) -> Float[np.ndarray, " beta"]:
        """The grid of rate weights."""
        return self.header.beta

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the ground-truth factors."""
        return self.header.factors

    @property
    def config(self) -> Mapping[str, Any]:
        """The whole configuration of the run."""
        return self.header.config

    @property
    def kept_group(self) -> str:
        """In words, of a hierarchy, the group whose codes are kept and scored; empty for others."""
        header = self.header
        return "" if header.group is None else one_group(header.groups, header.group)

    @property
    def rate_group(self) -> Float[np.ndarray, "evaluated group"]:
        """Rate of each latent group in nats, at the evaluated betas.

        Raises:
            ResultsError: If the model is no hierarchy.
        """
        return self._of_groups("rate_group")

    @property
    def active_units_group(self) -> Float[np.ndarray, "evaluated group"]:
        """Active units of each latent group, at the evaluated betas.

        Raises:
            ResultsError: If the model is no hierarchy.
        """
        return self._of_groups("active_units_group")

    def _of_groups(self, name: str) -> Float[np.ndarray, "evaluated group"]:
        if not self.header.groups:
            raise ResultsError(
                f"{self.path} holds no {name}: it is of a model without latent groups, whose "
                f"{self.header.num_codes} codes are drawn at once; give results of a hierarchy, "
                "such as one trained with --arch nvae"
            )
        return self.metric(name)

    def table(self) -> pd.DataFrame:
        """One row for each evaluated beta, one column for each metric that is one number."""
        columns = {
            name: values[self.evaluated]
            for name, values in self.metrics.items()
            if VARIABLES[name].dims == ("beta",)
        }
        return pd.DataFrame({"beta": self.beta[self.evaluated], **columns})

    def score_table(self) -> pd.DataFrame:
        """One row for each evaluated beta, one column for each score, NaN where there is none."""
        columns = {name: series.value[self.evaluated] for name, series in self.scores.items()}
        return pd.DataFrame({"beta": self.beta[self.evaluated], **columns})

    def to_pandas(self) -> pd.DataFrame:
        """One row for each evaluated beta: :meth:`table` with :meth:`score_table` beside it."""
        scores = self.score_table().drop(columns="beta")
        metrics = self.table()
        return pd.concat(
            [metrics[metrics.columns.difference(scores.columns, sort=False)], scores], axis=1
        )

    def to_xarray(self) -> "xarray.Dataset":
        """Metrics and scores over beta, code and factor, with units and sources as attributes.

        Raises:
            MrtcError: If xarray is not installed.
        """
        from mrtc.results.as_xarray import to_dataset

        return to_dataset(self)

    def __repr__(self) -> str:
        return f"<Results {self.path.name}: {self._summary()}>"

    def _repr_html_(self) -> str:
        columns = {str(name): column.to_numpy() for name, column in self.to_pandas().items()}
        variables = VARIABLES | {name: series.variable for name, series in self.scores.items()}
        errors = {
            name: columns.pop(f"{name}_error")
            for name in list(columns)
            if f"{name}_error" in columns
        }
        return over_beta(
            columns.pop("beta"),
            columns,
            errors,
            {name: unit_of(variables[name], self.config) for name in columns},
            f"{self.path.name}: {self.header.source}, {self._summary()}",
        )

    def _summary(self) -> str:
        done = self.beta[self.evaluated]
        return (
            f"{len(done)} of {len(self.beta)} betas evaluated, {done.min():.4g} to "
            f"{done.max():.4g}; {self._codes()}, {len(self.scores)} scores"
        )

    def _codes(self) -> str:
        if self.header.group is None:
            return f"{self.header.num_codes} codes"
        return f"{self.header.all_codes} codes, those of {self.kept_group} kept"

    def long_table(self, name: str) -> pd.DataFrame:
        """One row for each value of ``name``: its beta, code, factor and group as it has them.

        Raises:
            ResultsError: If the file does not hold it.
        """
        values = self.metric(name)
        labels = {
            "beta": self.beta[self.evaluated],
            "code": np.arange(self.header.num_codes),
            "factor": list(self.factors),
            "group": np.arange(len(self.header.groups)),
        }
        dims = VARIABLES[name].dims
        index = pd.MultiIndex.from_product([labels[dim] for dim in dims], names=dims)
        return pd.DataFrame({name: values.ravel()}, index=index).reset_index()

    def metric(self, name: str) -> Float[np.ndarray, "..."]:
        """Values of one metric, at the evaluated betas only.

        Raises:
            ResultsError: If the file does not hold it.
        """
        if name not in self.metrics:
            raise ResultsError(
                f"{self.path} holds no {name}, only {', '.join(self.metrics) or 'no metric'}; "
                "evaluate the run again with that metric"
            )
        values = self.metrics[name]
        return values[self.evaluated] if "beta" in VARIABLES[name].dims else values

    def moments(self, beta_index: int) -> Moments:
        """Posteriors of the kept examples at one beta, read from the file now.

        Raises:
            ResultsError: If they are not there, or the file is another one by now.
        """
        with opened(self.path) as file:
            if file.attrs["created"] != self.created:
                raise ResultsError(
                    f"{self.path} was made at {self.created} when it was read, and now at "
                    f"{file.attrs['created']}; read it again"
                )
            if not self.evaluated[beta_index] or "moments/mean" not in file:
                raise ResultsError(
                    f"{self.path} holds no moments at beta {self.beta[beta_index]:g}; evaluate "
                    "that beta with moments kept"
                )
            return Moments(
                mean=file["moments/mean"][beta_index],
                log_sigma=(
                    file["moments/log_sigma"][beta_index] if "moments/log_sigma" in file else None
                ),
                index=self.header.index,
                classes=self.header.classes,
            )


def read(path: Path | str) -> Results:
    """Reads a results file, also while it is being written.

    Raises:
        ResultsError: If it is missing, damaged, foreign, too new, or holds no evaluated beta.
    """
    path = Path(path)
    with opened(path) as file:
        found = {name: file[f"metrics/{name}"] for name in VARIABLES if f"metrics/{name}" in file}
        results = Results(
            path=path,
            header=read_header(file),
            evaluated=file["evaluated"][...] == 1,
            metrics={name: dataset[...] for name, dataset in found.items()},
            parameters={
                name: json.loads(dataset.attrs["parameters"]) for name, dataset in found.items()
            },
            versions=json.loads(file.attrs["versions"]),
            created=str(file.attrs["created"]),
            scores=load(file),
        )
    if not results.evaluated.any():
        raise ResultsError(
            f"{path} holds nothing yet: 0 of its {len(results.beta)} betas are evaluated; wait for "
            "its evaluation, or start that again to go on with it"
        )
    return results


@contextmanager
def opened(path: Path, kind: str = FORMAT, version: int = VERSION) -> Iterator[h5py.File]:
    """Opens ``path`` for reading; whatever is wrong with it comes out as a ResultsError.

    Args:
        path: The file.
        kind: The format that it must have.
        version: The newest schema of it that can be read.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(len(SIGNATURE))
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}; {ADVICE}") from error
    if start != SIGNATURE:
        raise ResultsError(f"{path} is not an HDF5 file, it starts with {start!r}; {ADVICE}")
    try:
        # Without HDF5's own lock, which network file systems often lack: a results file never
        # changes in place.
        with h5py.File(path, "r", locking=False) as file:
            _require_format(path, file, kind, version)
            yield file
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        if "file locking flag" in str(error):
            raise ResultsError(
                f"{path} is open elsewhere in this process, with HDF5's own lock ({error}); "
                "close it there, for example by `with xarray.open_datatree(...) as tree:`"
            ) from error
        raise ResultsError(
            f"{path} is damaged ({path.stat().st_size} bytes, {error}); restore it from a copy, or "
            "evaluate again with --force"
        ) from error


def _require_format(path: Path, file: h5py.File, kind: str, version: int) -> None:
    found = file.attrs.get("format")
    if found != kind:
        raise ResultsError(
            f"{path} is an HDF5 file of another kind, its attribute format is {found!r} instead of "
            f"{kind!r}; {ADVICE}"
        )
    schema = int(file.attrs["schema_version"])
    if schema > version:
        raise ResultsError(
            f"{path} has schema version {schema}, and mrtc {__version__} reads up to {version}; "
            "upgrade mrtc"
        )
