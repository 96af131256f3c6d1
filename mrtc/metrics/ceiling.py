"""The most that any code can know of a factor: what the images themselves tell of it."""

from hashlib import blake2b

import numpy as np
from jaxtyping import Int64

from mrtc.metrics.arrays import Array, as_factors, as_numpy, classes_of, varying
from mrtc.metrics.information import factor_entropy
from mrtc.metrics.score import Score, undefined

DIGEST_BYTES = 16  # two of a million images collide with a probability of 1e-27


def image_keys(packed: Array) -> Int64[np.ndarray, " example"]:
    """A number for each image, the same for identical images, counted from 0 as they appear.

    Args:
        packed: The images as bytes, (example, byte), as ``mrtc.datasets.dsprites`` holds them.

    Raises:
        ValueError: If they are not bytes, or have other axes.
    """
    images = as_numpy(packed)
    if images.ndim != 2 or images.dtype != np.uint8:
        raise ValueError(
            "images need the shape (example, byte) and the type uint8; got "
            f"{images.shape} and {images.dtype}: pack them by np.packbits, or give keys of your own"
        )
    seen: dict[bytes, int] = {}
    keys = (
        seen.setdefault(blake2b(image, digest_size=DIGEST_BYTES).digest(), len(seen))
        for image in np.ascontiguousarray(images)
    )
    return np.fromiter(keys, np.int64, len(images))


def information_ceiling(keys: Array, factors: Array) -> Score:
    r"""The information that images hold of each factor, in nats.

    .. math:: I(x; v) = H(v) - H(v | x) \ge I(z; v)

    A code is made from the image, so where two examples are one image, no code tells their classes
    apart. Each factor's part lies between 0 and its entropy, and equals it where no two identical
    images differ in the factor. It bounds one code as well as all together, of any encoder, noisy
    or not. Divide a score's information by it, or show it beside: a gap that is divided by the
    entropy cannot reach 1 where the ceiling is lower.

    Classes weigh as they occur. It is a property of the data set: give all of it. In a sample the
    twin of an image may be missing, so the ceiling comes out too high. Images that differ in one
    pixel count as different, although an encoder may not tell them apart.

    Args:
        keys: A whole number for each example, the same for identical images and for no others;
            see :func:`image_keys`.
        factors: Class indices, (example, factor), in the same row order.

    Returns:
        The mean over the factors that vary, and each ceiling in ``per_factor``. ``parameters``
        holds the number of distinct images and the entropy of each factor.

    Raises:
        ValueError: If keys are not whole numbers in one row, or rows do not fit.

    References:
        The data processing inequality; Cover and Thomas, "Elements of Information Theory", 2006,
        theorem 2.8.1.
    """
    image = as_numpy(keys)
    if image.ndim != 1 or image.dtype.kind not in "iu":
        raise ValueError(
            "keys are whole numbers, one for each example; got the shape "
            f"{image.shape} and the type {image.dtype}: make them by image_keys"
        )
    classes = as_factors(factors, len(image))
    if not len(image):
        return undefined("there is no example")
    image = classes_of(image)
    in_image = np.bincount(image)
    ceiling = np.full(classes.shape[1], np.nan)
    entropy = np.zeros(classes.shape[1])
    for k in varying(classes):
        factor = classes_of(classes[:, k])
        entropy[k] = factor_entropy(factor)
        cells, counts = np.unique(image * (factor.max() + 1) + factor, return_counts=True)
        share = counts / in_image[cells // (factor.max() + 1)]
        # H(v|x): zero to the last digit where each image has one class.
        ceiling[k] = entropy[k] + float(counts @ np.log(share)) / len(image)
    parameters = {
        "examples": len(image),
        "images": len(in_image),
        "entropy": tuple(entropy.tolist()),
    }
    if np.isnan(ceiling).all():
        return undefined("no factor varies", per_factor=ceiling, parameters=parameters)
    return Score(float(np.nanmean(ceiling)), per_factor=ceiling, parameters=parameters)
