"""How the stored outputs are compared with what the notebooks do now.  (pytest --nbval notebooks)

nbval collects the notebooks, a test for each cell, and reports. What it would do otherwise is replaced here:

- a notebook is run whole, when its first cell is asked for, by tools/execute.py: the outputs are those that
  `make run` would store. A cell that fails does not stop those after it;
- a cell is compared by tools/compare.py, which says what is compared how: text and integers exactly, floats within
  rtol 1e-4 and atol 1e-8 or what the cell's metadata says ({"nbval": {"rtol": 0.01, "atol": 0.01}}), cells tagged
  `trained` in words, count and orders of magnitude, figures in size and ink; of `timing` and `nbval-ignore-output`
  cells only that a figure is there and not blank, and of the figures of `trained` cells no more;
- a cell that has never run, and so has nothing to compare with, fails;
- every failure names the first number or line that is out, and ends with its remedy;
- chapter 13 is skipped, with the reason, where its data is neither local (MULTI30K) nor to be downloaded. With
  BOOK_REQUIRE_DATA set it fails instead.

BOOK_CLAIMS_ONLY=1 runs every cell and compares nothing: what is left are the assertions in the notebooks.
BOOK_ELSEWHERE=1 runs them under the stand-in for another make of processor (tools/kernel.py).
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tools import compare, execute
from tools import notebooks as nb

TRANSLATION = "13_translation.ipynb"
PATIENCE = 120  # seconds for the Hub to answer


def flag(name):
    return os.environ.get(name, "") not in ("", "0")


def claims_only():
    return flag("BOOK_CLAIMS_ONLY")


# ---------------------------------------------------------------- the remedy


def command(path):
    """The command that runs a notebook and stores its outputs."""
    path = Path(path)
    return f"make run NB={path.name[:2]}" if re.match(r"\d\d_", path.name) else f"python tools/execute.py {path}"


def remedy(path):
    path = Path(path)
    return (
        f"Remedy, for {path.parent.name}/{path.name}: if the change is meant, run `{command(path)}`, look at "
        "the outputs and figures, and commit. If it is not, undo what changed them."
    )


# ---------------------------------------------------------------- what nbval does otherwise


def setup(self):
    """No kernel of nbval's: the notebook is run when its first cell is asked for."""
    self.kernel, self.run, self.places = None, None, {}


def teardown(self):
    self.run = None


def run_of(file):
    """The Run of a notebook; it is made once. Also which of nbval's cells is which of the notebook's."""
    if file.run is None:
        notebook = nb.read(file.path)
        code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        file.places = dict(enumerate(code))
        file.run = execute.run_cells(notebook, elsewhere=flag("BOOK_ELSEWHERE"))
    return file.run


def runtest(self):
    if not self.cell.source.strip():
        return
    if self.cell.execution_count is None and not claims_only():
        self.raise_cell_error("The cell has no stored output: it has not run since it was written")
    run = run_of(self.parent)
    index = self.parent.places[self.cell_num]
    if index in run.errors:
        self.raise_cell_error("The cell failed", run.errors[index])
    if index not in run.reached:
        self.raise_cell_error("The cell did not run: the kernel stopped at an earlier one")
    new = run.notebook.cells[index]
    if claims_only():
        return
    complaints = compare.cell_complaints(self.cell, new.outputs, self.cell.outputs)
    if complaints:
        cause = compare.ELSEWHERE.format(number=Path(self.path).name[:2])
        self.raise_cell_error("\n".join(["Cell outputs differ:", *complaints, cause]))


def repr_failure(self, excinfo):
    return f"{plain_repr_failure(self, excinfo)}\n\n{remedy(self.path)}"


plain_repr_failure = IPyNbCell.repr_failure
IPyNbFile.setup, IPyNbFile.teardown = setup, teardown
IPyNbCell.runtest, IPyNbCell.repr_failure = runtest, repr_failure
IPyNbCell.setup = lambda self: None


# ---------------------------------------------------------------- pytest


def pytest_configure(config):
    config.option.nbval_current_env = True  # the kernel of this Python, not one of the same name elsewhere
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # keep the order below: xdist's own goes by the number of cells


def no_translations(patience=PATIENCE):
    """Why chapter 13 cannot have its data, or None if it can.

    A MULTI30K that names a wrong folder is no reason: the chapter then fails with its own message.
    """
    if os.environ.get("MULTI30K"):
        return None
    load = "from datasets import load_dataset; load_dataset('bentrevett/multi30k')"
    try:
        done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        return f"the Hub did not answer within {patience} s"
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def pytest_collection_modifyitems(config, items):
    """Start the chapters that take longest first, so that two processes end at about the same time."""
    translation = [item for item in items if item.path.name == TRANSLATION]
    reason = no_translations() if translation else None
    if reason and flag("BOOK_REQUIRE_DATA"):
        raise pytest.UsageError(f"BOOK_REQUIRE_DATA is set and there is no Multi30k: MULTI30K is not set, and {reason}")
    for item in translation if reason else []:
        item.add_marker(pytest.mark.skip(reason=f"no Multi30k: MULTI30K names no local copy, and {reason}"))
    measured = config.rootpath / "book" / "measured.json"
    seconds = json.loads(measured.read_text(encoding="utf-8")) if measured.is_file() else {}
    items.sort(
        key=lambda item: -seconds.get(item.path.stem, {}).get("seconds", 0) if item.path.suffix == ".ipynb" else 1
    )
