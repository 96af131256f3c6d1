"""In one process it is torch's layer; several are tried in tests/training/test_hierarchies.py."""

import pytest
import torch
from torch import nn

from mrtc.layers.batch_norm import WholeBatchNorm1d, WholeBatchNorm2d

PAIRS = {
    "1d": (WholeBatchNorm1d, nn.BatchNorm1d, (6, 3)),
    "2d": (WholeBatchNorm2d, nn.BatchNorm2d, (6, 3, 2, 4)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_alone_it_is_torchs_layer(name: str) -> None:
    """Bit for bit, in training and in evaluation, and each reads the other's state."""
    kind, plain_kind, shape = PAIRS[name]
    ours, plain = kind(3, momentum=0.05), plain_kind(3, momentum=0.05)
    assert isinstance(ours, plain_kind)  # as those who fold or recalibrate it look for
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours(x), plain(x))
    other = plain_kind(3)
    other.load_state_dict(ours.state_dict())
    for name, value in plain.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    assert torch.equal(ours.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("name", PAIRS)
def test_inputs_of_another_kind_are_refused(name: str) -> None:
    kind, _, shape = PAIRS[name]
    with pytest.raises(ValueError, match="expected"):
        kind(3)(torch.zeros(*shape, *(1, 1)[: 2 if name == "1d" else 1]))
