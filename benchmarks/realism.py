"""What distances from data cost, and how many digits they keep.

Claims: on one thread EfficientNet-Lite0 reads about 20 images a second, and one Frechet distance of
2,048 features takes seconds. Where examples are fewer than features, the nuclear norm keeps the
digits that eigenvalues of the product of the covariances lose: the distance of features from
themselves is zero, and of features from twice them the trace of their covariance.
"""

import argparse
import time

import numpy as np
import torch
from torchmetrics.image.fid import _compute_fid

from mrtc.evaluation.feature_networks import load_feature_network
from mrtc.metrics.frechet import frechet_distance
from mrtc.metrics.kernel_distance import kernel_score


def features(examples: int, count: int) -> np.ndarray:
    """Skewed, of scales from 10 down to 0.001."""
    rng = np.random.default_rng(0)
    return np.expm1(rng.standard_normal((examples, count)) * np.geomspace(2, 1e-3, count))


def main() -> None:
    """Prints seconds and errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--features", type=int, default=2048)
    options = parser.parse_args()
    torch.set_num_threads(1)

    network = load_feature_network("efficientnet-lite0")
    images = torch.rand(options.images, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network(images[:2])
    start = time.perf_counter()
    for batch in images.split(64):
        network(batch)
    print(f"efficientnet-lite0: {len(images) / (time.perf_counter() - start):.1f} images a second")

    for examples in (200, 1000, 2 * options.features):
        covariance = np.cov(features(examples, options.features).T)
        mean, trace = np.zeros(options.features), np.trace(covariance)
        start = time.perf_counter()
        same = frechet_distance(mean, covariance, mean, covariance)
        seconds = time.perf_counter() - start
        double = frechet_distance(mean, covariance, mean, 4 * covariance) - trace
        arrays = [torch.from_numpy(array) for array in (mean, covariance)]
        start = time.perf_counter()
        theirs = float(_compute_fid(*arrays, *arrays))
        their_seconds = time.perf_counter() - start
        print(
            f"{examples} examples, relative to the trace: {same / trace:.0e} and "
            f"{double / trace:.0e} in {seconds:.1f} s; eigenvalues of the product: "
            f"{theirs / trace:.0e} in {their_seconds:.1f} s"
        )

    real, samples = features(2000, options.features), features(2000, options.features) + 0.1
    start = time.perf_counter()
    kernel_score(real, samples)
    print(f"kernel distance, 100 subsets of 1,000: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
