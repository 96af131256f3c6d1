"""What pages take for granted: models, results and arrays under the names that they use.

Each is made when the first page wants it, by training for a few steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

TRAIN = "mrtc train dsprites --objective tcvae --steps 3 --batch 16 --quiet --out"
LONGER = TRAIN.replace("--steps 3 --batch 16", "--steps 150 --batch 64")
"""Until some codes are active."""


def _codes(folder: Path) -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(300, 2))
    codes = factors + 0.1 * rng.standard_normal((300, 2))
    np.savez(folder / "codes.npz", mean=codes, sigma=np.full_like(codes, 0.1), factors=factors)


def _text(folder: Path) -> None:
    words = np.array(
        [
            "what",
            "is",
            "the",
            "best",
            "way",
            "to",
            "learn",
            "a",
            "language",
            "?",
            "we",
            "read",
            "and",
            "write",
        ]
    )
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(words, rng.integers(3, 9))) for _ in range(200)]
    (folder / "my.txt").write_text("\n".join(lines), "utf-8")


def _images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    (folder / "my_folder").mkdir()
    for number in range(40):
        pixels = rng.integers(256, size=(40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "my_folder" / f"{number}.png")


@dataclass(frozen=True)
class Recipe:
    """How a file comes into being."""

    how: str | Callable[[Path], None]
    """A command, or a function of the folder."""
    needs: tuple[str, ...] = ()


FILES: Mapping[str, Recipe] = {
    "ckpt.pt": Recipe(f"{LONGER} ckpt.pt --betas 0.01:10"),
    "multi-rate.pt": Recipe(f"{TRAIN} multi-rate.pt"),
    **{f"beta{b}.pt": Recipe(f"{TRAIN} beta{b}.pt --beta {b}") for b in ("0.1", "1", "10")},
    "results.h5": Recipe(
        "mrtc eval-mig ckpt.pt --betas 0.1,1,10 --examples 200 --out results.h5 --quiet",
        needs=("ckpt.pt",),
    ),
    "baselines.h5": Recipe(
        "mrtc baselines dsprites --betas 0.1,10 --seeds 2 --steps 3 --batch 16 --examples 200 "
        "--quiet --out baselines.h5"
    ),
    "codes.npz": Recipe(_codes),
    "my.txt": Recipe(_text),
    "my_folder": Recipe(_images),
}

IMAGES = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))

PAGES: Mapping[str, tuple[str, ...]] = {
    "doctor.md": ("ckpt.pt",),
    "find-beta.md": ("ckpt.pt",),
    "freeze.md": ("ckpt.pt",),
    "lifelines.md": ("ckpt.pt",),
    "metrics/README.md": ("ckpt.pt", "results.h5", "codes.npz"),
    "pictures.md": ("ckpt.pt", "multi-rate.pt", "beta0.1.pt", "beta1.pt", "beta10.pt"),
    "report.md": ("ckpt.pt", "results.h5", "baselines.h5"),
    "text.md": ("my.txt",),
    "how-to/choose-beta.md": ("ckpt.pt",),
    "how-to/own-images.md": ("my_folder",),
    "how-to/read-results.md": ("ckpt.pt", "results.h5"),
}
"""The files that a page takes for granted."""

NAMES: Mapping[str, Mapping[str, Any]] = {
    "freeze.md": {"x": IMAGES},
    "library.md": {"x": IMAGES},
}
"""The names that a page's Python takes for granted, and says so in words."""

BUDGETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tutorial.md": {"train": ("--steps", "150")},  # until a rate of 10 nats is in its range
}
"""What a page's commands get in place of the usual small budget."""


def make(name: str, folder: Path, run: Callable[[str], object]) -> Path:
    """The file of that name in ``folder``, which is where ``run`` runs its commands."""
    recipe = FILES[name]
    for need in recipe.needs:
        make(need, folder, run)
    if not (folder / name).exists():
        if callable(recipe.how):
            recipe.how(folder)
        else:
            run(recipe.how)
    return folder / name
