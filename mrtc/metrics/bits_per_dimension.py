"""Bits per dimension: nats of an image, as bits for each of its entries."""

import math
from collections.abc import Mapping
from typing import Any

MASSES = ("bernoulli", "logistic_mixture")
"""Likelihoods that are probabilities of images. A density or an error has no bits: it depends on
the unit of its pixels; documents have a perplexity."""

SOURCES = {
    "rate_bits_per_dimension": "rate",
    "distortion_bits_per_dimension": "distortion",
    "bits_per_dimension": "elbo",
}
"""What each is derived from."""


def bits_per_dimension(nats: float, entries: int) -> float:
    r"""Nats of an example as bits for each of its entries.

    .. math:: \frac{\text{nats}}{D \ln 2}

    Applied to minus the ELBO it is an upper bound on what a lossless code that knows the model
    spends on an entry; 8-bit images that are not compressed have 8.

    Args:
        nats: A rate, a distortion, or minus an ELBO, of an example.
        entries: D, of an example: channels times rows times columns.

    Raises:
        ValueError: If ``entries`` is not positive.

    References:
        Theis et al., "A note on the evaluation of generative models", ICLR 2016, section 3.1.
    """
    if entries < 1:
        raise ValueError(
            f"an example has at least one entry, got {entries}; give channels times "
            "rows times columns"
        )
    return nats / (entries * math.log(2))


def derived_bits(values: Mapping[str, Any], likelihood: str, entries: int) -> dict[str, float]:
    """Rate, distortion and ELBO among ``values`` in bits per dimension, by their own names.

    Args:
        values: In nats, by name; others may be among them.
        likelihood: Of the model; none of :data:`MASSES` gives nothing.
        entries: Of an example.

    Returns:
        Those of :data:`SOURCES` whose source is there; ``bits_per_dimension`` is the sum of the
        other two where all are of the same examples.

    Raises:
        ValueError: If ``entries`` is not positive.

    Note:
        A Bernoulli likelihood is a probability of black and white images only. Of grey ones it is
        none, and these numbers then say no more than the nats do.
    """
    if likelihood not in MASSES:
        return {}
    signs = {"elbo": -1}  # all are bits to spend
    return {
        name: bits_per_dimension(signs.get(source, 1) * float(values[source]), entries)
        for name, source in SOURCES.items()
        if source in values
    }
