"""docs/notebooks: stored without outputs, and their cells run as they stand, one after the other."""

import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

from deepfake_ssat import Status
from tools.make_demo_videos import make_demo_videos

REPOSITORY = Path(__file__).parent.parent
NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))


def code_cells(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a notebook where it is started, in the repository's folder; gives the names it left behind."""
    monkeypatch.chdir(tmp_path)
    for folder in ("configs", "tools"):
        (tmp_path / folder).symlink_to(REPOSITORY / folder)
    matplotlib.use("agg")

    def run(name):
        names = {}
        notebook = REPOSITORY / "docs" / "notebooks" / f"{name}.ipynb"
        for number, cell in enumerate(code_cells(notebook), 1):
            exec(compile("".join(cell["source"]), f"{name}, code cell {number}", "exec"), names)
        plt.close("all")
        return names

    return run


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(notebook):
    cells = code_cells(notebook)
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow
def test_notebook_judges_and_explains(run):
    make_demo_videos(Path("demo_run/videos"))
    names = run("judge_and_explain")
    assert [verdict.status for verdict in names["verdicts"]] == [Status.SCORED] * 2
    genuine, manipulated = (verdict.probability for verdict in names["verdicts"])
    assert manipulated > genuine
    assert names["suspect"].score.probability == max(clip.probability for clip in names["verdicts"][1].clips)
    assert json.loads(Path("verdict.json").read_text())["probability"] == manipulated


@pytest.mark.slow
def test_notebook_trains_on_a_folder(run):
    names = run("train_on_your_folder")
    assert names["report"].failures == ()
    assert [int(row["epoch"]) for row in names["rows"]][-1] == 2
    everything = names["result"].groups[0]
    assert (everything.num_real, everything.num_fake) == (1, 1)
    assert names["verdict"].status is Status.SCORED
