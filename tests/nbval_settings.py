"""How the stored outputs are compared with what the notebooks do now.  (pytest --nbval notebooks)

nbval re-runs each notebook and compares every cell. On top of that, here:

- each notebook runs in a kernel of its own, on one thread, in an empty folder: what it needs, it holds;
- text and integers are compared exactly, floats within rtol 1e-4 and atol 1e-8, or what the cell's metadata
  says: {"nbval": {"rtol": 0.05, "atol": 0.5}};
- warnings, whatever else goes to stderr, and progress bars are left out; a trailing `;` hides a result;
- a figure must be there, of the stored size, with about as much ink and colour, and never blank. (Comparing thumbnails
  was tried: an empty axis passed, and a heatmap with a little noise failed.)
- in cells tagged `timing` or `nbval-ignore-output` the text is not compared; figures must still be there and not blank;
- a cell that has never run, and so has nothing to compare with, fails;
- every failure ends with its remedy;
- chapter 13 is skipped, with the reason, where its data is neither local (MULTI30K) nor to be downloaded.

BOOK_CLAIMS_ONLY=1 runs every cell and compares nothing: what is left are the assertions in the notebooks.
"""

import base64
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from nbval import kernel as nbval_kernel
from nbval.plugin import IPyNbCell, IPyNbFile
from PIL import Image

RTOL, ATOL = 1e-4, 1e-8
FLOAT = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+")  # integers stay exact
TRANSLATION = "13_translation.ipynb"
SPACE = re.compile(r"[ \t]+")
THREADS = {
    name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
}


def claims_only():
    return os.environ.get("BOOK_CLAIMS_ONLY", "") not in ("", "0")


# ---------------------------------------------------------------- text


class Approximate(str):
    """A text that equals another when the words and integers agree and the floats are close."""

    rtol, atol = RTOL, ATOL

    def __eq__(self, other):
        if str.__eq__(self, other):
            return True
        if not isinstance(other, str):
            return NotImplemented
        # The spaces go too: a column moves by one when 9.99 becomes 10.01.
        words, others = (SPACE.sub(" ", FLOAT.sub(" # ", s)) for s in (self, other))
        return words == others and all(
            math.isclose(float(a), float(b), rel_tol=self.rtol, abs_tol=self.atol)
            for a, b in zip(FLOAT.findall(self), FLOAT.findall(other))
        )

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


def tolerance(cell):
    """(rtol, atol) of a cell."""
    options = cell.metadata.get("nbval", {})
    return float(options.get("rtol", RTOL)), float(options.get("atol", ATOL))


# ---------------------------------------------------------------- figures


class Figure:
    """What is compared of a picture: its size, and the shares of it that are inked and coloured."""

    def __init__(self, png):
        image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
        page = Image.new("RGBA", image.size, "white")
        pixels = np.asarray(Image.alpha_composite(page, image).convert("RGB"), dtype=int)
        self.size = pixels.shape[1::-1]
        inked = abs(pixels - pixels[0, 0]).max(axis=-1) > 16  # the corner is background
        self.ink = inked.mean()
        self.colour = ((pixels.max(axis=-1) - pixels.min(axis=-1)) > 40).mean()
        self.blank = self.ink < 1e-3 or (self.colour == 0 and empty_axes(inked))


def longest_run(line):
    """(start, stop) of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], line.astype(int), [0]))))
    runs = edges.reshape(-1, 2)
    return tuple(runs[(runs[:, 1] - runs[:, 0]).argmax()]) if len(runs) else (0, 0)


def empty_axes(inked):
    """Whether the picture is a frame, with or without a grid, and nothing in it."""
    straight = []  # for each direction: the lines that cross much of the picture, with their ends
    for lines in (inked, inked.T):
        found = {}
        for k in np.flatnonzero(lines.mean(axis=1) > 0.4):
            start, stop = longest_run(lines[k])
            if stop - start > 0.4 * lines.shape[1]:
                found[k] = (start, stop)
        straight.append(found)
    rows, columns = straight
    if not rows or not columns:
        return False
    top, bottom = min(a for a, _ in columns.values()), max(b for _, b in columns.values())
    left, right = min(a for a, _ in rows.values()), max(b for _, b in rows.values())
    inside = inked[top:bottom, left:right].copy()
    thin = 0.1 * inside.shape[0], 0.1 * inside.shape[1]
    if len(rows) > thin[0] or len(columns) > thin[1]:
        return False  # areas, not lines
    margin = 3
    for k in rows:
        inside[max(0, k - top - margin) : max(0, k - top + margin + 1)] = False
    for k in columns:
        inside[:, max(0, k - left - margin) : max(0, k - left + margin + 1)] = False
    ticks = max(4, inside.shape[0] // 40)  # ticks may point inwards
    inside = inside[ticks:-ticks, ticks:-ticks]
    return not inside.any()


def figures(outputs):
    return [Figure(o["data"]["image/png"]) for o in outputs if "image/png" in o.get("data", {})]


def about(new, old):
    """Whether two shares of ink are within a factor of two; a sprinkle counts as none."""
    return 0.5 < (new + 1e-3) / (old + 1e-3) < 2


def figure_complaints(new, old, ink=True):
    """What is wrong with the figures a cell draws now, given those that are stored."""
    if len(new) != len(old):
        return [f"The cell draws {len(new)} figure(s) now; {len(old)} are stored."]
    found = []
    for a, b in zip(new, old):
        if a.blank:
            found.append("The figure is blank." + (" So is the stored one." if b.blank else ""))
        elif ink and any(abs(x - y) > 0.05 * max(x, y) for x, y in zip(a.size, b.size)):
            found.append(f"The figure is {a.size[0]} x {a.size[1]} pixels now; {b.size[0]} x {b.size[1]} are stored.")
        elif ink and not (about(a.ink, b.ink) and about(a.colour, b.colour)):
            found.append(
                f"The figure has changed: {a.ink:.1%} of it is inked and {a.colour:.1%} coloured; "
                f"stored are {b.ink:.1%} and {b.colour:.1%}."
            )
    return found


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


def without_widgets(outputs):
    """Progress bars leave a widget behind, whose text holds the time it took."""
    return [o for o in outputs if not any("widget-view" in mime for mime in o.get("data", {}))]


def start_kernel(self):
    """Start the notebook's kernel, on one thread, in an empty folder that goes when the kernel goes."""
    self.box = tempfile.mkdtemp(prefix="book-")
    folder = Path(self.box) / "empty"
    folder.mkdir()
    # No PYTHONPATH, and an IPython without start-up files: the notebook stands alone.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {**THREADS, "IPYTHONDIR": str(Path(self.box) / "ipython")}

    def start_new_kernel(**options):
        return plain_start(**{**options, "cwd": str(folder), "env": environment})

    plain_start = nbval_kernel.start_new_kernel
    nbval_kernel.start_new_kernel = start_new_kernel
    try:
        plain_setup(self)
    finally:
        nbval_kernel.start_new_kernel = plain_start


def stop_kernel(self):
    plain_teardown(self)
    shutil.rmtree(self.box, ignore_errors=True)


def collect(self):
    self.skip_compare += ("stderr",)
    for item in plain_collect(self):
        item.output_timeout = 60  # nbval's 5 s are short on a busy machine
        if claims_only() or "timing" in item.cell.metadata.get("tags", []):
            item.options["check"] = False
        yield item


def execute_cell_input(self, cell_input, allow_stdin=None):
    # nbval passes store_history=False, and IPython then ignores a trailing `;`.
    return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


def sanitize(self, text):
    text = plain_sanitize(self, text)
    if isinstance(text, str):
        text = Approximate(text)
        text.rtol, text.atol = tolerance(self.cell)
    return text


def compare_outputs(self, test, ref, skip_compare=None):
    test, ref = without_widgets(test), without_widgets(ref)
    same = plain_compare(self, test, ref, skip_compare)
    complaints = figure_complaints(figures(test), figures(ref))
    self.comparison_traceback += complaints
    if not same and not complaints:
        rtol, atol = tolerance(self.cell)
        self.comparison_traceback.append(
            f"Floats may differ by rtol {rtol:g} and atol {atol:g}, unless the cell's metadata says otherwise; "
            "integers and text not at all."
        )
    return same and not complaints


def runtest(self):
    ran_before = self.cell.execution_count is not None or not self.cell.source.strip()
    if not ran_before and not claims_only():
        self.raise_cell_error("The cell has no stored output: it has not run since it was written")
    plain_runtest(self)
    if not self.options["check"] and not claims_only():
        complaints = figure_complaints(figures(self.test_outputs), figures(self.cell.outputs), ink=False)
        if complaints:
            self.raise_cell_error("Cell outputs differ", "\n".join(complaints))


def repr_failure(self, excinfo):
    return f"{plain_repr_failure(self, excinfo)}\n\n{remedy(self.path)}"


plain_setup, plain_teardown, plain_collect = IPyNbFile.setup, IPyNbFile.teardown, IPyNbFile.collect
plain_sanitize, plain_compare = IPyNbCell.sanitize, IPyNbCell.compare_outputs
plain_runtest, plain_repr_failure = IPyNbCell.runtest, IPyNbCell.repr_failure

IPyNbFile.setup, IPyNbFile.teardown, IPyNbFile.collect = start_kernel, stop_kernel, collect
IPyNbCell.sanitize, IPyNbCell.compare_outputs = sanitize, compare_outputs
IPyNbCell.runtest, IPyNbCell.repr_failure = runtest, repr_failure
nbval_kernel.RunningKernel.execute_cell_input = execute_cell_input


# ---------------------------------------------------------------- pytest


def pytest_configure(config):
    config.option.nbval_current_env = True  # the kernel of this Python, not one of the same name elsewhere
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # keep the order below: xdist's own goes by the number of cells


def no_translations(patience=120):
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
    for item in translation if reason else []:
        item.add_marker(pytest.mark.skip(reason=f"no Multi30k: MULTI30K names no local copy, and {reason}"))
    measured = config.rootpath / "book" / "measured.json"
    seconds = json.loads(measured.read_text(encoding="utf-8")) if measured.is_file() else {}
    items.sort(
        key=lambda item: -seconds.get(item.path.stem, {}).get("seconds", 0) if item.path.suffix == ".ipynb" else 1
    )
