"""``mrtc eval``, ``rescore``, ``score`` and ``metrics``, as a newcomer runs them."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrtc.metrics import CATALOGUE, choose, mig_quantile, udr
from mrtc.results import read

from .conftest import Command

GRID = ("--betas", "0.5,1,4", "--examples", "200", "--quiet")


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(3, size=200), rng.integers(4, size=200)], axis=1)
    mean = factors + 0.1 * rng.standard_normal((200, 2))
    path = tmp_path / "codes.npz"
    np.savez(path, mean=mean, factors=factors, factor_names=["shape", "x"])
    return path


def test_eval_scores_a_checkpoint_and_goes_on(mrtc: Command, checkpoint: Path, tmp_path: Path):
    out = tmp_path / "r.h5"
    arguments = ("eval", checkpoint, *GRID, "--out", out, "--importance-samples", "2")
    done = mrtc(*arguments, "--metrics", "gaps")
    assert done.status == 0, done.err
    assert "mig_locatello" in done.out
    results = read(out)
    assert set(results.scores) == set(choose("gaps"))
    assert np.isfinite(results.metric("importance_weighted_bound")).all()
    assert (results.scores["mig_chen"].value >= 0).all()

    before = out.read_bytes()
    assert mrtc(*arguments, "--metrics", "gaps").status == 0
    assert out.read_bytes() == before
    again = mrtc("rescore", out, "--metrics", "sap_continuous", "--json", "-q")
    table = json.loads(again.out)
    assert table["beta"]["value"] == [0.5, 1.0, 4.0]
    assert len(table["sap_continuous"]["value"]) == 3
    assert "sap_continuous" in read(out).scores


def test_eval_mig_and_eval_agree(mrtc: Command, checkpoint: Path, tmp_path: Path):
    """One is a special case of the other: the same examples give the same MIG."""
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    assert mrtc("eval-mig", checkpoint, *GRID, "--out", one).status == 0
    assert mrtc("eval", checkpoint, *GRID, "--metrics", "mig_chen", "--out", other).status == 0
    np.testing.assert_allclose(
        read(one).metric("mig_chen"), read(other).scores["mig_chen"].value, rtol=1e-6
    )


def test_score_takes_codes_of_any_model(mrtc: Command, codes: Path, tmp_path: Path):
    done = mrtc("score", codes, "--metrics", "mig_quantile,rate,udr", "-q")
    assert done.status == 0, done.err
    assert "rate: it needs the posteriors' sigmas, and there are means only (at beta 1)" in done.out
    assert "udr: it needs the codes of several models" in done.out
    rows = [line.split()[0] for line in done.out.splitlines()]
    assert rows[:2] == ["beta", "mig_quantile"]
    assert not {"rate", "udr"} & set(rows)
    results = read(tmp_path / "codes-scores.h5")
    assert results.factors == ("shape", "x")
    with np.load(codes) as arrays:
        expected = mig_quantile(arrays["mean"].astype(np.float32), arrays["factors"])
    assert results.scores["mig_quantile"].value[0] == expected.value


def test_bad_codes_and_unknown_metrics_are_one_message(mrtc: Command, codes: Path, tmp_path: Path):
    for arguments, said in (
        (("score", tmp_path / "none.npz"), "there is no such file"),
        (("score", codes, "--metrics", "mig"), "there is no metric 'mig'; choose among all"),
        (("rescore", codes), "is not an HDF5 file"),
        (("metrics", "agree", codes), "is not an HDF5 file"),
    ):
        done = mrtc(*arguments)
        assert done.status == 2
        assert said in done.err
        assert done.err.count("\n") == 1


def test_scoring_another_file_into_the_same_results_is_refused(mrtc: Command, codes: Path):
    assert mrtc("score", codes, "--metrics", "sap_continuous", "--out", "r.h5", "-q").status == 0
    with np.load(codes) as arrays:
        np.savez("other.npz", mean=2 * arrays["mean"], factors=arrays["factors"])
    done = mrtc("score", "other.npz", "--metrics", "sap_continuous", "--out", "r.h5", "-q")
    assert done.status == 2
    assert "is of another evaluation" in done.err
    again = ("score", "other.npz", "--metrics", "sap_continuous", "--out", "r.h5", "-q", "--force")
    assert mrtc(*again).status == 0


def test_metrics_prints_the_catalogue(mrtc: Command):
    done = mrtc("metrics")
    assert done.status == 0
    assert all(name in done.out for name in CATALOGUE)
    table = json.loads(mrtc("metrics", "--json").out)
    assert set(table) == set(CATALOGUE)
    assert table["rate"]["unit"] == "nats"


def test_agreement_is_a_picture_and_words(mrtc: Command, checkpoint: Path, tmp_path: Path):
    out = tmp_path / "r.h5"
    names = "dcimig,sap_continuous,irs"
    assert mrtc("eval", checkpoint, *GRID, "--metrics", names, "--out", out).status == 0
    done = mrtc("metrics", "agree", out)
    assert done.status == 0, done.err
    assert "3 scores over 3 betas" in done.out
    assert (tmp_path / "r-agree.png").read_bytes().startswith(b"\x89PNG")
    assert isinstance(json.loads(mrtc("metrics", "agree", out, "--json").out), list)


def test_udr_compares_the_models_of_several_files(mrtc: Command, tmp_path: Path):
    """Against the function itself, on the same codes; files that do not fit are refused."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((300, 2))
    models = [factors, -factors[:, ::-1], factors @ [[1.0, 1.0], [1.0, -1.0]]]
    for at, mean in enumerate(models):
        np.savez(tmp_path / f"{at}.npz", mean=mean)
        score = ("score", f"{at}.npz", "--metrics", "active_units", "--out", f"{at}.h5", "-q")
        assert mrtc(*score).status == 0
    done = mrtc("metrics", "udr", "0.h5", "1.h5", "2.h5", "--similarity", "spearman", "-q")
    assert done.status == 2
    assert "0.npz" in done.err  # three files are three sources

    for at, mean in enumerate(models):
        np.savez(tmp_path / "codes.npz", mean=mean)
        score = ("score", "codes.npz", "--metrics", "active_units", "--out", f"{at}.h5", "-q")
        assert mrtc(*score, "--force").status == 0
    done = mrtc("metrics", "udr", "0.h5", "1.h5", "2.h5", "--similarity", "spearman", "-q")
    assert done.status == 0, done.err
    expected = udr([m.astype(np.float32) for m in models], similarity="spearman")
    found = [read(tmp_path / f"{at}.h5").scores["udr"].value[0] for at in range(3)]
    np.testing.assert_allclose(found, [score.value for score in expected])

    assert mrtc("metrics", "udr", "0.h5", "-q").status == 2
