"""The public names of the package."""

import subprocess
import sys

import pytest

import mrtc


def test_every_public_name_is_there() -> None:
    for name in mrtc._PUBLIC:
        assert getattr(mrtc, name).__module__.startswith("mrtc.")
        assert name in dir(mrtc)
    with pytest.raises(AttributeError, match="no attribute 'vae_of_nobody'"):
        _ = mrtc.vae_of_nobody


def test_importing_mrtc_is_light() -> None:
    program = "import sys, mrtc; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
