"""What several tests share: real data, and the one rendering of dSprites."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from mrtc.datasets.dsprites import DSprites, load

# One thread a worker, in subprocesses too: workers that share cores wait for each other's threads.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# The same examples each time, so that a failure can be had again; HYPOTHESIS_PROFILE=search looks
# further.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("search")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Parameters of bytes go by their name: gzip packs the time, and workers compare what tests
    they found.
    """
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data of {folder} are absent")
    return folder


@pytest.fixture(scope="session")
def dsprites() -> DSprites:
    """The whole rendering, from the cache folder of MRTC_CACHE or of the user."""
    return load(quiet=True)
