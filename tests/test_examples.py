"""The notebooks: small, without traces of the machine they ran on, and they run."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mrtc.datasets.dsprites import DSprites

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
LARGEST = 300_000
"""Bytes of a notebook with its output."""
MACHINE = re.compile(r"site-packages|/(?:home|root|tmp|usr|opt|mnt|Users|private)/")

assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_as_it_ran(path: Path) -> None:
    text = path.read_text()
    assert len(text) < LARGEST
    assert not MACHINE.search(text)
    assert str(ROOT) not in text
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds <= {"execute_result", "display_data"}
    assert "image/png" in json.dumps(notebook)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # of what runs the notebooks
def test_a_notebook_runs(
    path: Path, tmp_path: Path, dsprites: DSprites, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder; a cell that fails is an error here."""
    assert len(dsprites)  # rendered before
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    assert list(tmp_path.glob("*.pt"))
    assert list(tmp_path.glob("*.h5"))
