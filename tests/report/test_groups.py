"""Rates of latent groups on the page: those of the file, on one another, for hierarchies alone."""

from pathlib import Path

import numpy as np
import pytest

from mrtc.hierarchy import LatentGroup
from mrtc.report import render
from mrtc.report.series import gather
from mrtc.results import Header, open_writer
from mrtc.results.groups import group_parameters

from .conftest import BETA, make_file, source
from .test_page import data_of

pytest.importorskip("plotly", reason="reports need plotly: pip install 'mrtc[report]'")
pytest.importorskip("jinja2", reason="reports need jinja2: pip install 'mrtc[report]'")

GROUPS = (LatentGroup(2, 2), LatentGroup(3, 4), LatentGroup(3, 4))


def rates(beta: np.ndarray) -> np.ndarray:
    return np.array([1.0, 5.0, 2.0]) / (1 + beta[:, None])


def hierarchy(
    path: Path, beta: np.ndarray = BETA, groups: tuple[LatentGroup, ...] = GROUPS
) -> Path:
    """Results that keep the codes of the lowest of three groups, and a map of one factor."""
    header = Header(
        beta=beta,
        num_codes=groups[2].codes,
        factors=("shape",),
        config={
            "betas": {"low": float(beta[0]), "high": float(beta[-1])},
            "dataset": "dsprites",
            "likelihood": "bernoulli",
        },
        fingerprint=f"weights of {path.stem}",
        seed=0,
        source="sprites",
        parameters=group_parameters(groups, 2),
    )
    with open_writer(path, header) as writer:
        for at, of_groups in enumerate(rates(beta)):
            rate_code = np.zeros(groups[2].codes)
            rate_code[37] = 1.0
            writer.write(
                at,
                {
                    "rate": float(of_groups.sum()),
                    "distortion": 50.0,
                    "rate_group": of_groups,
                    "rate_code": rate_code,
                    "information": np.full((groups[2].codes, 1), 0.5),
                    "factor_entropy": np.log([3.0]),
                },
            )
    return path


def test_areas_lie_on_one_another_up_to_the_rate(tmp_path: Path) -> None:
    data = data_of(render([source(hierarchy(tmp_path / "h.h5"))]))

    (series,) = data["series"]
    traces = series["groups"]["traces"]
    heights = np.array([trace["y"] for trace in traces])
    np.testing.assert_allclose(heights.T, rates(BETA), rtol=1e-5)
    np.testing.assert_allclose(heights.sum(0), series["values"]["rate"], rtol=1e-5)
    np.testing.assert_allclose(traces[0]["x"], BETA)
    assert len({trace["stackgroup"] for trace in traces}) == 1
    assert len({trace["fillcolor"] for trace in traces}) == 3
    names = [trace["name"] for trace in traces]
    assert names == series["groups"]["names"]
    assert names[1] == "group 1 of 3 (3 maps of 4 x 4)"
    assert data["figures"]["groups"]["layout"]["xaxis"]["type"] == "log"


def test_the_map_names_codes_of_the_kept_group(tmp_path: Path) -> None:
    """Code 37 of maps of 16 is of map 2, in row 1 and column 1; it has the greatest rate."""
    page = render([source(hierarchy(tmp_path / "h.h5"))])

    shown = data_of(page)["series"][0]["map"]
    assert shown["group"] == "group 2 of 3 (3 maps of 4 x 4)"
    assert shown["codes"][:2] == ["map 2 (1, 1)", "map 0 (0, 0)"]
    assert "are of group 2 of 3 (3 maps of 4 x 4) alone" in page


def test_one_beta_is_an_area_too(tmp_path: Path) -> None:
    data = data_of(render([source(hierarchy(tmp_path / "h.h5", BETA[2:3]))]))

    for trace, rate in zip(data["series"][0]["groups"]["traces"], [0.5, 2.5, 1.0], strict=True):
        assert trace["y"] == [rate, rate]
        assert trace["x"][0] < trace["customdata"][0] == 1.0 < trace["x"][1]


def test_baselines_of_other_groups_have_no_common_areas(tmp_path: Path) -> None:
    one = source(hierarchy(tmp_path / "a.h5", BETA[:1]))
    alike = source(hierarchy(tmp_path / "b.h5", BETA[1:2]))
    (joined,) = gather([one, alike])
    assert joined.rate_group is not None
    np.testing.assert_allclose(joined.rate_group, rates(BETA[:2]))
    other = source(hierarchy(tmp_path / "c.h5", BETA[1:2], (*GROUPS[:2], LatentGroup(12, 2))))
    (joined,) = gather([one, other])
    assert joined.rate_group is None
    assert joined.information is None  # code 5 of one is not code 5 of the other
    assert joined.kept_group == ""


def test_other_models_have_no_such_chart(tmp_path: Path) -> None:
    page = render([source(make_file(tmp_path / "flat.h5"))])
    assert data_of(page)["figures"]["groups"] is None
    assert 'id="groups"' not in page
    both = render([source(make_file(tmp_path / "other.h5")), source(hierarchy(tmp_path / "h.h5"))])
    assert [one["groups"] is None for one in data_of(both)["series"]] == [True, False]
    assert 'id="groups"' in both
