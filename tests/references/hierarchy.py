"""The published hierarchy, step by step in its own order and coordinates; nothing is clever."""

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.architectures.nvae import MOST, GroupStage, NVAEDecoder
from mrtc.hierarchy import split
from mrtc.layers import Gated
from mrtc.layers.cells import DecoderCell, DownSkip, EncoderCell, UpSkip


def gated(module: Gated, x: Tensor, rate_code: Tensor) -> Tensor:
    """A convolution, then its gate."""
    out = module.layer(x)
    if module.gate is None:
        return out
    return out * module.gate(rate_code).expand(len(x), -1)[:, :, None, None]


def up_skip(skip: UpSkip, x: Tensor, rate_code: Tensor) -> Tensor:
    """Interpolated first, as published."""
    wide = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
    return gated(skip.gated, wide, rate_code)


def down_skip(skip: DownSkip, x: Tensor, rate_code: Tensor) -> Tensor:
    """Four convolutions of stride 2, each of the image shifted by other pixels."""
    layer = skip.gated.layer
    weights, biases = layer.normalised_weight.chunk(4), layer.bias.chunk(4)
    x, parts = F.silu(x), []
    for weight, bias, (row, column) in zip(
        weights, biases, ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True
    ):
        parts.append(F.conv2d(x[:, :, row:, column:], weight, bias, stride=2))
    out = torch.cat(parts, 1)
    gate = skip.gated.gate
    return out if gate is None else out * gate(rate_code).expand(len(x), -1)[:, :, None, None]


def squeezed(cell: EncoderCell | DecoderCell, x: Tensor) -> Tensor:
    """Squeeze and excitation."""
    module = cell.squeeze_excite
    means = x.flatten(2).mean(2)
    scale = torch.sigmoid(module.excite(torch.relu(module.squeeze(means))))
    return torch.einsum("bc,bchw->bchw", scale, x)


def encoder_cell(cell: EncoderCell, x: Tensor, rate_code: Tensor) -> Tensor:
    """Normalise, swish, convolve; twice."""
    hidden = x
    for norm, convolution in zip(cell.norms, cell.convolutions, strict=True):
        hidden = norm(hidden)
        hidden = gated(convolution, hidden * hidden.sigmoid(), rate_code)
    skip = x if cell.skip is None else down_skip(cell.skip, x, rate_code)
    return skip + 0.1 * squeezed(cell, hidden)


def decoder_cell(cell: DecoderCell, x: Tensor, rate_code: Tensor) -> Tensor:
    """Pixels are repeated before all else, and gates follow their convolutions."""
    hidden = x
    if cell.up:
        hidden = hidden.repeat_interleave(2, 2).repeat_interleave(2, 3)
    hidden = cell.norms[0](hidden)
    hidden = cell.norms[1](gated(cell.expand, hidden, rate_code))
    hidden = cell.norms[2](gated(cell.see, hidden * hidden.sigmoid(), rate_code))
    hidden = cell.norms[3](gated(cell.reduce, hidden * hidden.sigmoid(), rate_code))
    skip = x if cell.skip is None else up_skip(cell.skip, x, rate_code)
    return skip + 0.1 * squeezed(cell, hidden)


def bent(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log sigma."""
    mean, log_sigma = (MOST * torch.tanh(moments / MOST)).chunk(2, 1)
    return mean, log_sigma


def way_down(
    decoder: NVAEDecoder, features: tuple[Tensor, ...], noise: Tensor, rate_code: Tensor
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Codes in their own coordinates: the output, the KL of each group, and the draws.

    Returns:
        Output, KL of each example and group in nats by torch's formula for two normals, and draws.
    """
    rates, draws, state = [], [], None
    ups = iter(decoder.ups)
    for index, (group, eps) in enumerate(
        zip(decoder.groups, split(noise, decoder.groups), strict=True)
    ):
        stage: nn.Module = decoder.stages[index]
        assert isinstance(stage, GroupStage)
        if state is None:
            prior = Normal(torch.zeros_like(eps), torch.ones_like(eps))
            seen, below = features[0], decoder.start.expand(len(eps), -1, -1, -1)
        else:
            if state.shape[-1] < group.side:
                state = decoder_cell(next(ups), state, rate_code)
            for cell in stage.cells:
                state = decoder_cell(cell, state, rate_code)
            mean, log_sigma = bent(gated(stage.to_prior, F.elu(state), rate_code))
            prior = Normal(mean, log_sigma.exp())
            seen, below = features[index] + gated(stage.of_state, state, rate_code), state
        delta_mean, delta_log_sigma = bent(gated(stage.to_posterior, seen, rate_code))
        posterior = Normal(prior.loc + delta_mean, prior.scale * delta_log_sigma.exp())
        z = posterior.loc + posterior.scale * eps
        rates.append(kl_divergence(posterior, prior).flatten(1).sum(1))
        draws.append(z)
        state = gated(stage.of_codes, torch.cat([below, z], 1), rate_code)
    for cell in decoder.behind:
        state = decoder_cell(cell, state, rate_code)
    output = gated(decoder.output, F.elu(state), rate_code)
    margin = decoder.padding
    side = output.shape[-1]
    return output[..., margin : side - margin, margin : side - margin], torch.stack(rates, 1), draws
