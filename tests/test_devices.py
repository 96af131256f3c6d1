"""Devices and precisions by name."""

import platform
import resource

import pytest
import torch

from mrtc.devices import (
    autocast,
    is_first_process,
    keep_freed_memory,
    resolve_device,
    resolve_precision,
)
from mrtc.errors import MrtcError

CPU = torch.device("cpu")


def test_devices_have_names() -> None:
    assert resolve_device("cpu") == resolve_device(CPU) == CPU
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(MrtcError, match="choose cpu, cuda or auto"):
        resolve_device("abacus")


def test_each_of_several_processes_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)  # there may be no GPU here
    assert resolve_device("cuda") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert resolve_device("cuda") == torch.device("cuda:3")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    assert resolve_device("cpu") == CPU


def test_the_first_of_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert is_first_process()
    for rank, expected in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        assert is_first_process() == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_told() -> None:
    with pytest.raises(MrtcError, match="'cuda' cannot be used here"):
        resolve_device("cuda")


@pytest.mark.parametrize(("has_units", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bfloat16_where_a_processor_has_matrix_units(
    monkeypatch: pytest.MonkeyPatch, has_units: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_units)
    assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("fp32", CPU) == "fp32"
    assert resolve_precision("bf16", CPU) == "bf16"


def test_autocast_casts_products_alone() -> None:
    a = torch.ones(2, 2)
    with autocast("bf16", CPU):
        assert (a @ a).dtype == torch.bfloat16
    with autocast("fp32", CPU):
        assert (a @ a).dtype == torch.float32


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_not_got_again_from_the_system() -> None:
    """Eight arrays of 40 MB a step: after some steps their pages are there."""

    def faults(steps: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(steps):
            arrays = [torch.empty(5 * 2**21).fill_(1) for _ in range(8)]
            del arrays
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert keep_freed_memory()
    faults(3)
    assert faults(5) < 8 * 5 * 2**23 // resource.getpagesize()  # less than one step's, of five
