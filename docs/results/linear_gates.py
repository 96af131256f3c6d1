"""What gates can represent of a linear VAE's optimum, in theory and trained on binarized MNIST.

Run from the project's root: ``python docs/results/linear_gates.py``. Writes ``linear-gates.png``
beside this file in seconds, and prints the misfits. With ``--data FOLDER`` (the files of binarized
MNIST) it also trains both kinds of gates, a few minutes on one thread, prints their distances from
the optimum, and writes ``linear-gates-mnist.png``; what is trained already is not trained again.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from mrtc.architectures import LinearConfig, LinearOptimum, linear_rate_distortion, read_parameters
from mrtc.plots.theme import PALETTE, beta_axis, new_figure, save, theme

HERE = Path(__file__).parent
LOW, HIGH, CODES = 0.01, 10.0, 32
MULTIRATE = {"exact": PALETTE[0], "paper": PALETTE[2]}


def gates_of_paper(
    constants: np.ndarray, log_beta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encoder gain, posterior variance and decoder gain of one code at each beta."""
    a, slope_a, offset_a, c, slope_c, offset_c, d, slope_d, offset_d = constants
    root = np.sqrt(np.maximum(-np.expm1(np.minimum(slope_d * log_beta + offset_d, 0)), 0))
    return (
        np.exp(a) * expit(slope_a * log_beta + offset_a),
        np.exp(c) * expit(slope_c * log_beta + offset_c),
        np.exp(d) * root,
    )


def terms(
    gain: np.ndarray, variance: np.ndarray, root: np.ndarray, eigenvalue: float, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rate and distortion of one code at each beta."""
    error = eigenvalue * (1 - gain * root) ** 2 + root**2 * variance
    return (gain**2 * eigenvalue + variance - np.log(variance) - 1) / 2, error / (2 * noise)


def theorem(eigenvalue: float, noise: float) -> np.ndarray:
    """The constants of the paper's theorem."""
    log_ratio = math.log(eigenvalue / noise)
    half = math.log(eigenvalue) / 2
    return np.array([-half, -1, log_ratio, 0, 1, -log_ratio, half, 1, -log_ratio])


def best_constants(eigenvalue: float, noise: float, log_beta: np.ndarray) -> np.ndarray:
    """Those with the least mean objective over the range: what training looks for."""

    def objective(constants: np.ndarray) -> float:
        rate, distortion = terms(*gates_of_paper(constants, log_beta), eigenvalue, noise)
        return float((distortion + np.exp(log_beta) * rate).mean())

    start = theorem(eigenvalue, noise)
    fits = [
        minimize(objective, start + shift, method="L-BFGS-B", options={"maxiter": 2000})
        for shift in (0.0, 0.3, -0.3)
    ]
    return np.asarray(min(fits, key=lambda fit: float(fit.fun)).x)


@theme()
def draw_gates(eigenvalue: float = 3.0, noise: float = 1.0) -> None:
    """One code: encoder gain, log variance, and the price in the objective."""
    beta = np.geomspace(LOW, HIGH, 400)
    optimum = LinearOptimum(np.array([eigenvalue]), 1, np.eye(1), "gaussian", noise)
    exact = [optimum.parameters(float(b)) for b in beta]
    curves = {
        "exact gates (the optimum)": (
            np.array([p.encoder.item() for p in exact]),
            np.array([p.posterior_variance.item() for p in exact]),
            np.array([p.decoder.item() for p in exact]),
        ),
        "paper's gates, constants of its theorem": gates_of_paper(
            theorem(eigenvalue, noise), np.log(beta)
        ),
        "paper's gates, best constants": gates_of_paper(
            best_constants(eigenvalue, noise, np.log(beta)), np.log(beta)
        ),
    }
    figure = new_figure(7.2, 2.5)
    gains, variances, prices = figure.subplots(1, 3)
    for (label, (gain, variance, root)), color, style in zip(
        curves.items(), PALETTE, ("-", "--", "-"), strict=False
    ):
        rate, distortion = terms(gain, variance, root, eigenvalue, noise)
        rate_best, distortion_best = terms(*curves["exact gates (the optimum)"], eigenvalue, noise)
        price = distortion - distortion_best + beta * (rate - rate_best)
        for axes, line in ((gains, gain), (variances, np.log(variance)), (prices, price)):
            axes.plot(beta, line, style, color=color, label=label)
        print(
            f"{label}: gain off by up to {np.abs(gain - curves[next(iter(curves))][0]).max():.3f}, "
            f"objective by up to {price.max():.4f} and on average {price.mean():.4f} nats"
        )
    for axes, title in (
        (gains, "encoder gain"),
        (variances, "log posterior variance"),
        (prices, "objective above the optimum, nats"),
    ):
        axes.set_title(title)
        beta_axis(axes, beta)
        axes.axvline(eigenvalue / noise, color="0.8", lw=0.6, zorder=0)
    figure.legend(*gains.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(figure, HERE / "linear-gates.png")


def trained(data: Path, folder: Path, gates: str, steps: int) -> tuple[pd.DataFrame, LinearOptimum]:
    """Rate and distortion of a trained model, over all training images and without draws."""
    import torch

    from mrtc.datasets import binarized_mnist
    from mrtc.experiments import RunConfig, run
    from mrtc.experiments.run import load_vae
    from mrtc.objectives import ObjectiveConfig
    from mrtc.rates import BetaRange
    from mrtc.training import TrainingConfig

    torch.set_num_threads(1)
    config = RunConfig(
        dataset="binarized-mnist",
        preset="linear-gates",
        betas=BetaRange(LOW, HIGH),
        model=LinearConfig(codes=CODES, gates=gates),
        objective=ObjectiveConfig("beta", groups=64),
        training=TrainingConfig(
            steps, batch=256, learning_rate=5e-3, schedule="cosine", warmup=200
        ),
        likelihood="squared_error",
    )
    out = folder / f"{gates}-{steps}.pt"
    run(config, out, data=data, device="cpu", resume=True)
    vae, _, _ = load_vae(out)

    examples = binarized_mnist.load(data)
    images = examples.images(torch.arange(len(examples))).flatten(1).double().numpy()
    mean, covariance = images.mean(0), np.cov(images.T, bias=True)
    optimum = LinearOptimum.of(covariance, CODES)
    beta = np.geomspace(LOW, HIGH, 31)
    reached = []
    for b in beta:
        code = vae.betas.standardise(torch.tensor([b])).item()
        parameters = read_parameters(vae.encoder, vae.decoder, code, mean)
        reached.append(linear_rate_distortion(covariance, parameters))
    rate, distortion = np.array(reached).T
    table = pd.DataFrame({"beta": beta, "rate": rate, "distortion": distortion})
    table["rate_error"] = rate - optimum.rate(beta)
    table["excess"] = 100 * (distortion / optimum.distortion_at_rate(rate) - 1)
    return table, optimum


@theme()
def draw_trained(tables: dict[str, pd.DataFrame], optimum: LinearOptimum) -> None:
    """The curves, the distance from the exact one, and the error of the rate."""
    figure = new_figure(7.2, 2.5)
    curves, excesses, errors = figure.subplots(1, 3)
    fine = np.geomspace(LOW, HIGH, 300)
    curves.plot(optimum.rate(fine), optimum.distortion(fine), color="0.2", label="the optimum")
    for gates, table in tables.items():
        color, marker = MULTIRATE[gates], {"exact": "o", "paper": "s"}[gates]
        curves.plot(table.rate, table.distortion, marker, color=color, ms=2.5)
        label = f"{gates} gates, trained"
        excesses.plot(table.beta, table.excess, marker + "-", color=color, ms=2.5, label=label)
        errors.plot(table.beta, table.rate_error, marker + "-", color=color, ms=2.5)
    curves.set(xlabel="rate, nats", ylabel="distortion, squared error", title="curve")
    for axes, title in (
        (excesses, "distortion above the optimum\nat equal rate, %"),
        (errors, "rate minus the optimum's\nat equal beta, nats"),
    ):
        axes.set_title(title)
        beta_axis(axes, fine)
        axes.axhline(0, color="0.2", lw=0.6)
    handles, labels = excesses.get_legend_handles_labels()
    lines, names = curves.get_legend_handles_labels()
    figure.legend(lines + handles, names + labels, loc="outside lower center", ncols=4)
    save(figure, HERE / "linear-gates-mnist.png")


def main() -> None:
    """Draws, and trains where there are data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("runs/linear-gates"))
    parser.add_argument("--steps", type=int, default=4000)
    options = parser.parse_args()
    draw_gates()
    if options.data is None:
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    tables = {}
    for gates in MULTIRATE:
        tables[gates], optimum = trained(options.data, options.folder, gates, options.steps)
        print(f"{gates} gates\n{tables[gates].round(3).to_string()}")
    draw_trained(tables, optimum)


if __name__ == "__main__":
    main()
