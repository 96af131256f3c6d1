"""ONNX graphs, as ONNX Runtime computes them, against the gated models they come from."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mrtc.errors import MrtcError
from mrtc.frozen import frozen_vae
from mrtc.frozen.frozen_vae import FrozenVAE
from mrtc.token_sequences import FIRST_SAID
from mrtc.vae import VAE
from tests.frozen.models import CASES, DOCUMENTS, IMAGES, difference, documents, make

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from mrtc.frozen import onnx_graphs  # noqa: E402 -- behind the check that it can be imported
from mrtc.frozen.check import cases, onnx_difference  # noqa: E402

Run = Callable[..., list[Tensor]]


def sessions(vae: VAE, beta: float) -> dict[str, Run]:
    """One function for each graph."""

    def running(graph: bytes) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

        def run(**inputs: Tensor) -> list[Tensor]:
            results = session.run(None, {name: array.numpy() for name, array in inputs.items()})
            return [torch.from_numpy(result) for result in results]

        return run

    graphs = onnx_graphs.graphs(vae.freeze(beta))
    return {name: running(graph.SerializeToString()) for name, graph in graphs.items()}


@pytest.mark.parametrize("name", IMAGES)
def test_arrays(name: str) -> None:
    """Two sizes of batch."""
    vae = make(name)
    beta = vae.betas.low
    run = sessions(vae, beta)
    assert list(run) == ["encoder", "decoder"]
    for count in (1, 5):
        generator = torch.Generator().manual_seed(count)
        x = torch.rand(count, *CASES[name][0], generator=generator)
        z = torch.randn(count, vae.codes, generator=generator)
        with torch.no_grad():
            posterior, likelihood = vae.encode(x, beta), vae.decode(z, beta)
        mean, log_sigma = run["encoder"](x=x)
        assert difference(mean, posterior.mean) < 1e-5
        assert difference(log_sigma, posterior.log_sigma) < 1e-5
        theirs = likelihood.logits if vae.likelihood == "bernoulli" else likelihood.mean
        assert difference(run["decoder"](z=z)[0], theirs) < 1e-5


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(name: str) -> None:
    """The encoder on documents of several lengths; the decoder on one whole, and step by step."""
    vae = make(name)
    beta = vae.betas.high
    run = sessions(vae, beta)
    generator = torch.Generator().manual_seed(1)
    x, z = documents(6, generator), torch.randn(6, vae.codes, generator=generator)
    with torch.no_grad():
        posterior = vae.encode(x, beta)
        mean, log_sigma = run["encoder"](tokens=x)
        assert difference(mean, posterior.mean) < 1e-5
        assert difference(log_sigma, posterior.log_sigma) < 1e-5

        one = x[:1, : int((x[0] != 0).sum())]
        hidden, cell = run["start"](z=z[:1])
        logits, *_ = run["decoder"](tokens=one[:, :-1], z=z[:1], hidden=hidden, cell=cell)
        log_prob = logits.log_softmax(2).gather(2, one[:, 1:, None] - FIRST_SAID).sum()
        torch.testing.assert_close(log_prob, vae.decode(z[:1], beta).log_prob(one).float()[0])

        state, tokens, greedy = run["start"](z=z), torch.ones(6, 1, dtype=torch.long), []
        for _ in range(4):
            logits, *state = run["decoder"](tokens=tokens, z=z, hidden=state[0], cell=state[1])
            tokens = logits.argmax(2) + FIRST_SAID
            greedy.append(tokens)
        theirs = vae.decode(z, beta).greedy(5)[:, 1:]
        ours = torch.cat(greedy, 1)[:, : theirs.shape[1]]
        assert torch.equal(ours[theirs != 0], theirs[theirs != 0])


def frozen(encoder: list[dict[str, Any]], decoder: list[dict[str, Any]], codes: int) -> FrozenVAE:
    """Of layers by their descriptions, with weights of torch's."""
    about = {"encoder": encoder, "decoder": decoder, "codes": codes, "shape": [4, 6, 6]}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = FrozenVAE(about | {"likelihood": "squared_error", "beta": 1.0})
    return model.requires_grad_(requires_grad=False).eval()


def test_one_code_and_convolutions_with_all_their_options() -> None:
    """Groups, dilation, stride and unequal padding, as torch computes them."""
    options = {"groups": 2, "dilation": [1, 2], "stride": [2, 1], "padding": [1, 2]}
    encoder = [
        {"name": "Conv2d", "in_channels": 4, "out_channels": 6, "kernel_size": 3, **options},
        {"name": "Flatten"},
        {"name": "Linear", "in_features": 108, "out_features": 2, "bias": False},
    ]
    up = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 2}
    decoder = [
        {"name": "Linear", "in_features": 1, "out_features": 18},
        {"name": "Unflatten", "dim": 1, "unflattened_size": [2, 3, 3]},
        {"name": "ConvTranspose2d", "in_channels": 2, "out_channels": 4, **up},
    ]
    model = frozen(encoder, decoder, codes=1)
    made = onnx_graphs.graphs(model)
    for name, case in cases(model).items():
        assert onnx_difference(made[name].SerializeToString(), case) < 1e-6


def test_a_layer_that_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(frozen_vae.LAYERS, "ELU", torch.nn.ELU)
    model = frozen([{"name": "Flatten"}, {"name": "ELU"}], [], codes=72)
    with pytest.raises(MrtcError, match=r"no operator for its layer ELU; leave out --onnx"):
        onnx_graphs.graphs(model)


@pytest.mark.parametrize("name", ["mlp-all", "lstm-texar-head-gated"])
def test_the_check_sees_a_wrong_graph(name: str) -> None:
    frozen = make(name).freeze(1.0)
    graphs = {key: graph.SerializeToString() for key, graph in onnx_graphs.graphs(frozen).items()}
    found = {key: onnx_difference(graphs[key], case) for key, case in cases(frozen).items()}
    assert max(found.values()) < 1e-5
    with torch.no_grad():
        for weight in frozen.parameters():
            weight *= 1.01
    found = {key: onnx_difference(graphs[key], case) for key, case in cases(frozen).items()}
    assert min(found.values()) > 1e-4
