"""What a results file says about itself: the run it belongs to, and all one needs to repeat it."""

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mrtc import __version__
from mrtc.hierarchy import LatentGroup
from mrtc.results.groups import GROUP, all_codes, groups_of


@dataclass(frozen=True, eq=False)
class Header:
    """The identity of one evaluation of one run.

    Two headers with the same ``fingerprint`` and ``parameters``, over the same betas and
    examples, describe the same numbers: that is when an interrupted evaluation may go on.
    """

    beta: Float[np.ndarray, " beta"]
    """The grid of rate weights."""
    num_codes: int
    """Of the model; of a hierarchy, codes of the one group that is kept."""
    factors: tuple[str, ...]
    """Names of the ground-truth factors; empty where the data has none."""
    config: Mapping[str, Any]
    """The whole configuration of the run, as JSON can hold it."""
    fingerprint: str
    """Names the trained weights, for example a digest of the checkpoint."""
    seed: int
    """Seed of the evaluation's own draws."""
    source: str
    """The data in words, for example ``dSprites, rendered``; pictures take it for their title."""
    parameters: Mapping[str, Any]
    """How it was evaluated, as JSON can hold it."""
    index: Int[np.ndarray, " example"] = field(default_factory=lambda: np.empty(0, np.int64))
    """Which examples of the data keep their moments; empty where none do."""
    classes: Int[np.ndarray, "example factor"] | None = None
    """Factor classes of those examples; None where there are no factors or no examples."""
    cost: Mapping[str, float | int] = field(default_factory=dict)
    """Of the run: ``steps``, ``examples``, ``seconds``, ``parameters``, as far as known."""

    def __post_init__(self) -> None:
        has_classes = self.classes is not None
        if has_classes != bool(self.factors and len(self.index)):
            raise ValueError(
                f"{len(self.factors)} factors and {len(self.index)} kept examples, but classes is "
                f"{'given' if has_classes else 'None'}; give classes with both, or with neither"
            )

    @property
    def groups(self) -> tuple[LatentGroup, ...]:
        """Latent groups of a hierarchy, the top one first; none where there is no hierarchy."""
        return groups_of(self.parameters)

    @property
    def group(self) -> int | None:
        """Of a hierarchy, the group whose codes are kept."""
        return self.parameters.get(GROUP) if self.groups else None

    @property
    def all_codes(self) -> int:
        """Codes of the model, those of all groups."""
        return all_codes(self.parameters, self.num_codes)

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each dimension of the file."""
        return {
            "beta": len(self.beta),
            "code": self.num_codes,
            "factor": len(self.factors),
            "example": len(self.index),
            "group": len(self.groups),
        }


def versions() -> dict[str, str]:
    """Versions of what computes the numbers; torch and scikit-learn only where they are in use."""
    libraries = ["numpy", "scipy", "h5py"] + ["torch"] * ("torch" in sys.modules)
    libraries += ["scikit-learn"] * ("sklearn" in sys.modules)
    return {
        "mrtc": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def to_json(value: object) -> str:
    """The one JSON text of ``value``, so that equal values have equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


ADAPTIVE = "adaptive"
"""The parameter that says how betas were chosen, where they were no fixed grid."""


def as_far_as_chosen(old: Header, new: Header) -> Header:
    """``new``, over the betas of ``old`` where these were chosen among its candidates.

    A finished adaptive evaluation holds no candidates any more, and is the same nevertheless.
    """
    chosen = ADAPTIVE in old.parameters and len(old.beta) < len(new.beta)
    if not chosen or to_json(old.parameters) != to_json(new.parameters):
        return new
    nearest = new.beta[np.abs(np.log(old.beta[:, None] / new.beta)).argmin(1)]
    return replace(new, beta=old.beta) if np.allclose(nearest, old.beta, rtol=1e-9, atol=0) else new


def differences(old: Header, new: Header) -> list[str]:
    """What keeps ``new`` from going on where ``old`` left off, each with both values."""
    pairs = {
        "fingerprint of the run": (old.fingerprint, new.fingerprint),
        "betas": (_brief(old.beta), _brief(new.beta)),
        "codes": (old.num_codes, new.num_codes),
        "factors": (old.factors, new.factors),
        "seed": (old.seed, new.seed),
        "data": (old.source, new.source),
        **_entries(old.parameters, new.parameters),
        "kept examples": (_brief(old.index), _brief(new.index)),
    }
    found = [
        f"{name}: {there} in the file, {here} now"
        for name, (there, here) in pairs.items()
        if there != here
    ]
    # Grids and subsets may look alike in brief. Betas are compared with room for the last
    # digits, which differ between versions of numpy.
    if not found and not np.allclose(old.beta, new.beta, rtol=1e-9, atol=0):
        at = int(np.abs(np.log(old.beta / new.beta)).argmax())
        found.append(f"beta number {at}: {old.beta[at]} in the file, {new.beta[at]} now")
    if not found and not np.array_equal(old.index, new.index):
        at = int((old.index != new.index).argmax())
        found.append(f"kept example number {at}: {old.index[at]} in the file, {new.index[at]} now")
    return found


def _brief(values: Float[np.ndarray, " n"] | Int[np.ndarray, " n"]) -> str:
    if len(values) == 0:
        return "none"
    return f"{values[0]:g} to {values[-1]:g} ({len(values)})"


def _entries(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, tuple[str | None, str | None]]:
    """Both mappings entry by entry, as JSON texts; None for an entry that is missing."""
    return {
        f"parameter {name}": (
            to_json(old[name]) if name in old else None,
            to_json(new[name]) if name in new else None,
        )
        for name in sorted({*old, *new})
    }
