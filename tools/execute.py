"""Execute chapters in place:  python tools/execute.py 02   (or: make run NB=02)

Each notebook runs in a fresh kernel, from a copy alone in an empty folder, on one thread. What is
stored is normalised, so that a second run writes the same bytes (cells tagged `timing` aside). A stamp
of the code is kept in the notebook's metadata; a test compares it with the code. Time and peak memory
go to book/measured.json, from which the page on reproducibility takes them.

If a cell fails, its traceback is printed and the notebook is left as it was.
"""

import argparse
import base64
import io
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

from tools import notebooks as nb

CELL_METADATA = {"tags", "mystnb", "nbval", "jupyter", "cellView"}  # the last two fold cells in JupyterLab and Colab
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
MEMORY = "import resource, sys; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def kept(output):
    """Outputs that are stored: not progress bars, not warnings."""
    if output.output_type == "stream":
        return output.name == "stdout"
    return not any("widget-view" in mime for mime in output.get("data", {}))


def merge_streams(outputs):
    """One block of printed text where bars or warnings between the lines had split it."""
    merged = []
    for output in outputs:
        if output.output_type == "stream" and merged and merged[-1].output_type == "stream":
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def shrink(png):
    """A base64 PNG with a palette of 256 colours, which a chart does not miss and a notebook's size does."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.mode == "P":
        return png
    stream = io.BytesIO()
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def normalise(notebook):
    """Drop all that differs from run to run and is not a result."""
    notebook.metadata = nbformat.from_dict({**KERNEL, "book": {"source_hash": nb.source_hash(notebook)}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})
        if cell.cell_type != "code":
            continue
        cell.source = cell.source.strip("\n")
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        cell.outputs = merge_streams([o for o in cell.outputs if kept(o)])
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = shrink(output.data["image/png"])
    return notebook


def label(cell):
    named = [t for t in nb.tags(cell) if ":" in t or t in ("needs", "setup", "claims")]
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return named[0] if named else first[:60]


def remedy(error):
    text = ANSI.sub("", str(error))
    missing = re.search(r"No module named '([\w.]+)'", text)
    if missing:
        return (
            f"The package {missing[1]!r} is missing from {sys.executable}. "
            "Install what the book needs with `pip install -r requirements.txt`."
        )
    return "The notebook was left as it was. Mend the cell and run the same command again."


def execute(path, timeout=3600, log=print):
    """Run the notebook at `path` and return (notebook, seconds, peak MB). Nothing is written.

    Raises BookError, with the cell's traceback in the message, when a cell fails.
    """
    notebook = nb.read(path)
    cells = [(i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip()]
    for _, cell in cells:
        cell.outputs, cell.execution_count = [], None
    environment = {**os.environ, **THREADS}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        )
        started = time.perf_counter()
        with client.setup_kernel(env=environment):
            for k, (index, cell) in enumerate(cells, 1):
                before = time.perf_counter()
                log(f"[{k:3d}/{len(cells)}] {label(cell):<62}", end="", flush=True)
                try:
                    client.execute_cell(cell, index)
                except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                    log(" failed")
                    raise nb.BookError(
                        f"{Path(path).name}, code cell {k} of {len(cells)} failed:\n\n{error}\n{remedy(error)}"
                    ) from None
                log(f" {time.perf_counter() - before:7.1f} s")
                for output in cell.outputs:
                    if output.output_type == "stream" and output.name == "stderr" and "Warning" in output.text:
                        log(ANSI.sub("", output.text))
            seconds = time.perf_counter() - started
            probe = nbformat.v4.new_code_cell(MEMORY)
            notebook.cells.append(probe)
            client.execute_cell(probe, len(notebook.cells) - 1)
            notebook.cells.pop()
            peak = int(probe.outputs[0].text) / (2**20 if sys.platform == "darwin" else 2**10)
    return normalise(notebook), seconds, peak


def keep_measurement(path, seconds, peak):
    target = nb.ROOT / "book" / "measured.json"
    measured = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    measured[path.stem] = {"seconds": round(seconds, 1), "peak_mb": round(peak)}
    target.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", help="a chapter number such as 02, a name, or a path")
    options = parser.parse_args(arguments)
    try:
        for name in options.notebooks:
            path = nb.find_notebook(name)
            print(f"{path.name}")
            notebook, seconds, peak = execute(path)
            nb.write(notebook, path)
            if path.resolve().parent == nb.NOTEBOOKS and not os.environ.get("BOOK_SEED"):
                keep_measurement(path, seconds, peak)
            print(f"{path.name}: {seconds:.0f} s, {peak:.0f} MB, {path.stat().st_size / 1000:.0f} kB")
    except nb.BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
