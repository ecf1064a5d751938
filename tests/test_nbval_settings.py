"""The comparison of notebooks, seen to fail: one notebook is stored, then each cell of a copy is given a mistake."""

import base64
import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import nbformat
import pytest
from PIL import Image

from tests.support import nbval_settings
from tools import compare, execute
from tools import notebooks as nb

PLOT = "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots(figsize=(4, 3))\n"

# name: (source, tags, metadata)
CELLS = {
    "text": ("print('seven letters')", [], {}),
    "float": ("print('loss 1.2345')", [], {}),
    "trained": ("print('a trained error of 34.6%, 12 of 310 words')", ["trained"], {}),
    "trained_word": ("print('the trained error 34.6%')", ["trained"], {}),
    "trained_number_dropped": ("print('trained 34.6% and', 12)", ["trained"], {}),
    "trained_factor": ("print('trained 0.35 nats')", ["trained"], {}),
    "trained_heads": ("print('head 1 0.306, head 2 0.014')", ["trained", "by-head"], {}),
    "trained_heads_dropped": ("print('head 1 0.306, head 2 0.014')", ["trained", "by-head"], {}),
    "trained_claim": ("# @title The claim\nassert 1 < 2\nprint('near nought: 0.093')", ["trained", "claims"], {}),
    "trained_figure_blank": (PLOT + "axes.axis('off');", ["trained"], {}),
    "trained_figure": (
        PLOT + "figure.set_size_inches(4, 4)\naxes.bar([0, 1, 2], [4, 4, 3], width=1.0);",
        ["trained"],
        {},
    ),
    "float_near": ("print('loss   1.2345 after 10 words')", [], {}),
    "float_loose": ("print('bits', 2.5)", [], {"nbval": {"rtol": 0.1}}),
    "float_loose_too_far": ("print('bits', 2.5)", [], {"nbval": {"rtol": 0.1}}),
    "integer": ("print('words 1000')", [], {}),
    "result": ("1 + 1", [], {}),
    "semicolon": ("1 + 1;", [], {}),
    "stderr": (
        "import sys, warnings\nwarnings.warn('mind the gap')\nprint('noise', file=sys.stderr)\nprint('kept')",
        [],
        {},
    ),
    "bar": ("from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass\nprint('done')", [], {}),
    "folder": ("import os\nprint('files', os.listdir())", [], {}),
    "threads": ("print('threads', os.environ['OMP_NUM_THREADS'], 'PYTHONPATH' in os.environ)", [], {}),
    "figure": (PLOT + "axes.plot([0, 1, 2], [0, 4, 1], lw=3);", [], {}),
    "figure_missing": (PLOT + "axes.plot([0, 1, 2], [0, 4, 1], lw=3)\nplt.close();", [], {}),
    "figure_blank": (PLOT + "axes.axis('off');", [], {}),
    "figure_axes_only": (PLOT + "axes.set_xlabel('letters')\naxes.set_ylabel('bits')\naxes.grid(True);", [], {}),
    "figure_lost_its_curve": (PLOT + "axes.set_xlabel('letters');", [], {}),
    "figure_resized": (PLOT + "figure.set_size_inches(4, 4)\naxes.plot([0, 1, 2], [0, 4, 1], lw=3);", [], {}),
    "timing": ("import time\nprint('took', time.time())", ["timing"], {}),
    "timing_figure_blank": (PLOT + "axes.axis('off');", ["timing"], {}),
    "ignored": ("print(time.time())", ["nbval-ignore-output"], {}),
    "never_run": ("print('new')", [], {}),
    "claim": ("# @title The claim\nassert 1 < 2, 'one is less than two'\nprint('holds')", ["claims"], {}),
}
FAILING = {
    "text": "five letters",
    "float": "1.2349 is stored and 1.2345 came out",
    "trained_word": "line 1 is",
    "trained_number_dropped": "line 1 is",
    "trained_factor": "10.5 is stored and 0.35 came out, which is another order of magnitude",
    "trained_heads_dropped": "line 1 is",
    "float_loose_too_far": "Floats may differ by rtol 0.1",
    "integer": "words 1001",
    "result": "gives text/plain now, and none is stored",
    "figure_missing": "draws 0 figure(s) now; 1 are stored",
    "figure_blank": "is blank. So is the stored one",
    "figure_axes_only": "is blank. So is the stored one",
    "figure_lost_its_curve": "The figure",
    "figure_resized": "pixels now",
    "timing_figure_blank": "is blank",
    "trained_figure_blank": "is blank",
    "never_run": "has not run since it was written",
    "claim": "one is less than two",
}


def png(width, height):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def plant(cells):
    """Give the stored outputs, or the code, of a good notebook one mistake a cell."""

    def printed(name, old, new):
        text = cells[name].outputs[0].text
        assert old in text, name
        cells[name].outputs[0].text = text.replace(old, new)

    picture = next(o for o in cells["figure"].outputs if "image/png" in o.get("data", {}))
    printed("text", "seven", "five")
    printed("float", "1.2345", "1.2349")
    printed("trained", "34.6", "31.1")
    printed("trained", "12 of 310", "9 of 318")
    printed("trained_word", "error", "accuracy")
    printed("trained_number_dropped", " 12", "")
    printed("trained_factor", "0.35", "10.5")
    printed("trained_heads", "0.306, head 2 0.014", "0.014, head 2 0.306")
    printed("trained_heads_dropped", ", head 2 0.014", "")
    printed("trained_claim", "0.093", "-0.932")
    cells["trained_figure"].outputs = [picture]
    printed("float_near", "  1.2345", " 1.23451")
    printed("float_loose", "2.5", "2.6")
    printed("float_loose_too_far", "2.5", "2.9")
    printed("integer", "1000", "1001")
    cells["result"].outputs = []
    printed("stderr", "kept", "kept")
    cells["figure_missing"].outputs = [picture]
    cells["figure_lost_its_curve"].outputs = [picture]
    cells["figure_resized"].outputs = [picture]
    cells["never_run"].execution_count, cells["never_run"].outputs = None, []
    cells["claim"].source = cells["claim"].source.replace("1 < 2", "2 < 1")


def run_pytest(folder, *arguments, **environment):
    """{(notebook, cell): message of its failure, or None}"""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("BOOK_", "PYTEST_"))}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "-p",
            "tests.support.nbval_settings",
            "--color=no",
            "--rootdir",
            str(folder),
        ]
        + [
            "-c",
            "/dev/null",
            "-p",
            "no:cacheprovider",
            "--junitxml",
            str(folder / "report.xml"),
            *arguments,
            str(folder),
        ],
        cwd=folder,
        env={**plain, "PYTHONPATH": str(nb.ROOT), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    results = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        notebook = "planted" if "planted" in case.get("classname") + case.get("file", "") else "good"
        failure = case.find("failure")
        name = list(CELLS)[int(case.get("name").split()[-1])]
        results[notebook, name] = None if failure is None else failure.text
    assert len(results) == 2 * len(CELLS), done.stdout
    return results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A good notebook, as tools/execute.py stores it, and one with a mistake in most cells."""
    folder = tmp_path_factory.mktemp("comparison")
    notebook = nbformat.v4.new_notebook()
    for source, tags, metadata in CELLS.values():
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata.update({"tags": tags, **metadata})
        notebook.cells.append(cell)
    path = folder / "01_good.ipynb"
    nb.write(notebook, path)
    notebook = execute.execute(path, log=lambda *_, **__: None).notebook
    nb.write(notebook, path)
    plant(dict(zip(CELLS, notebook.cells)))
    nb.write(notebook, folder / "02_planted.ipynb")
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return run_pytest(folder, "-n", "2", "--dist", "loadfile")


@pytest.mark.parametrize("name", FAILING)
def test_a_mistake_fails_with_a_remedy(results, name):
    message = results["planted", name]
    assert message is not None, f"the mistake in the cell {name} went unseen"
    assert FAILING[name] in message
    assert "02_planted.ipynb: if the change is meant, run `make run NB=02`" in message
    if name.startswith(("float", "trained", "integer")):
        assert "processor is of another make" in message and "`make run NB=02 ELSEWHERE=1`" in message


@pytest.mark.parametrize("name", [n for n in CELLS if n not in FAILING])
def test_what_is_no_mistake_passes(results, name):
    assert results["planted", name] is None


def test_the_stored_notebook_passes(results):
    """All but the figures that are blank in it too."""
    blank = {"figure_blank", "figure_axes_only", "figure_lost_its_curve", "timing_figure_blank", "trained_figure_blank"}
    failed = {name for (notebook, name), message in results.items() if notebook == "good" and message}
    assert failed == blank


def test_notebooks_run_in_an_empty_folder_on_one_thread(results, folder):
    cells = dict(zip(CELLS, nb.read(folder / "01_good.ipynb").cells))
    assert results["good", "folder"] is None and cells["folder"].outputs[0].text == "files []\n"
    assert results["good", "threads"] is None and cells["threads"].outputs[0].text == "threads 1 False\n"


def test_claims_only_compares_nothing_but_runs_everything(folder):
    results = run_pytest(folder, BOOK_CLAIMS_ONLY="1")
    assert {key for key, message in results.items() if message} == {("planted", "claim")}


# ---------------------------------------------------------------- the pieces


def agrees(new, old, **how):
    outputs = [[{"output_type": "stream", "name": "stdout", "text": text}] for text in (new, old)]
    return compare.text_complaints(*outputs, **how) == []


@pytest.mark.parametrize(
    ("new", "old", "equal"),
    [
        ("loss 0.5", "loss 0.50001", True),
        ("loss 0.5", "loss 0.501", False),
        ("loss 1e-3", "loss 1.00001e-03", True),
        ("a  9.9999 b", "a 10.0001 b", True),
        ("12 words", "13 words", False),
        ("loss 0.5", "cost 0.5", False),
        ("0.5", "0.5 0.5", False),
        ("-0.000000001", "0.000000001", True),
        ("nan", "0.5", False),
    ],
)
def test_floats_are_close_and_the_rest_exact(new, old, equal):
    assert agrees(new, old) is equal


@pytest.mark.parametrize(
    ("new", "old", "equal"),
    [
        ("WER 34.6%", "WER 29.9%", True),
        ("1,234 words", "999 words", True),
        ("+0.4 points", "-0.2 points", True),
        ("0.00", "0.02", True),
        ("0 of 15", "2 of 15", True),
        ("1e-05", "3e-05", True),
        ("0.35", "10.5", False),
        ("1", "30", False),
        ("0.02", "0.60", False),
        ("1.2e-05", "3.6e-04", False),
        ("2,000", "60,000", False),
        ("head 3 at 0.9", "head 3", False),
        ("WER 34.6%", "PER 34.6%", False),
        ("nan", "0.5", False),
        ("a 1\nb 2", "b 1\na 2", False),
    ],
)
def test_what_is_trained_agrees_in_words_count_and_order(new, old, equal):
    assert agrees(new, old, trained=True) is equal and agrees(old, new, trained=True) is equal


def test_a_white_picture_is_blank():
    assert compare.Figure(png(300, 200)).blank


def test_grey_figures_are_not_taken_for_blank():
    """Black curves, grey heatmaps and black bars are figures, an empty frame is not."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    def figure(draw, **options):
        drawn, axes = plt.subplots(figsize=(4, 3), **options)
        draw(drawn, axes)
        stream = io.BytesIO()
        drawn.savefig(stream, dpi=150)
        plt.close(drawn)
        return compare.Figure(base64.b64encode(stream.getvalue()))

    def boxes(drawn, axes):
        axes.axis("off")
        for x in (0.1, 0.6):
            axes.add_patch(plt.Rectangle((x, 0.3), 0.3, 0.4, fill=False))
            axes.text(x + 0.1, 0.5, "$h_t$")

    assert not figure(lambda f, a: a.plot([0, 1, 2], [0, 3, 1], "k")).blank
    assert not figure(lambda f, a: a.plot([0, 1], [1, 1], "k:")).blank
    assert not figure(lambda f, a: a.imshow(np.eye(5), cmap="gray")).blank
    assert not figure(lambda f, a: a.bar([0, 1, 2], [1, 2, 3], color="k")).blank
    assert not figure(lambda f, a: a.scatter([0, 1, 2], [1, 2, 3], c="k")).blank
    assert not figure(boxes).blank
    assert figure(lambda f, a: None).blank
    assert figure(lambda f, a: a.grid(True)).blank
    assert figure(lambda f, a: a.spines[["top", "right"]].set_visible(False)).blank


def test_the_remedy_of_a_file_that_is_no_chapter():
    assert "python tools/execute.py notes/draft.ipynb" in nbval_settings.remedy("notes/draft.ipynb")


class Translation:
    """As much of a collected cell of chapter 13 as the settings look at."""

    def __init__(self, name):
        self.path, self.marks = nb.NOTEBOOKS / name, []

    def add_marker(self, mark):
        self.marks.append(mark.kwargs["reason"])


def collected(monkeypatch, pytestconfig, local=None, script="raise OSError('no way to the Hub')", required="0"):
    """The reasons for which a cell of chapter 13 and one of chapter 12 are skipped."""
    monkeypatch.delenv("MULTI30K", raising=False)
    monkeypatch.setenv("BOOK_REQUIRE_DATA", required)
    if local:
        monkeypatch.setenv("MULTI30K", local)
    plain = subprocess.run
    monkeypatch.setattr(
        nbval_settings.subprocess, "run", lambda command, **options: plain([*command[:2], script], **options)
    )
    items = [Translation("13_translation.ipynb"), Translation("12_transformer.ipynb")]
    nbval_settings.pytest_collection_modifyitems(pytestconfig, items)
    return {item.path.name[:2]: item.marks for item in items}


def test_translation_is_skipped_with_a_reason_without_its_data(monkeypatch, pytestconfig):
    marks = collected(monkeypatch, pytestconfig)
    assert "no way to the Hub" in marks["13"][0] and "MULTI30K" in marks["13"][0]
    assert marks["12"] == []


def test_translation_runs_where_its_data_is(monkeypatch, pytestconfig):
    assert collected(monkeypatch, pytestconfig, script="pass")["13"] == []
    assert collected(monkeypatch, pytestconfig, local="/a/copy")["13"] == []


def test_data_that_is_required_fails_and_is_not_skipped(monkeypatch, pytestconfig):
    with pytest.raises(pytest.UsageError, match="there is no Multi30k: .*no way to the Hub"):
        collected(monkeypatch, pytestconfig, required="1")


def test_a_hub_that_does_not_answer_is_a_reason(monkeypatch):
    monkeypatch.delenv("MULTI30K", raising=False)

    def never(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(nbval_settings.subprocess, "run", never)
    assert "within 3 s" in nbval_settings.no_translations(patience=3)
