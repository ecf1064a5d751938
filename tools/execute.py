"""Execute chapters in place:  python tools/execute.py 02   (or: make run NB=02)

Each notebook runs in a fresh kernel, from a copy alone in an empty folder, on one thread. What is stored is
normalised, so that a second run writes the same bytes (cells tagged `timing` aside). A stamp of what runs is kept in
the notebook's metadata; a test compares it with the code. Time and peak memory go to book/measured.json, from which
the page on reproducibility takes them.

With --elsewhere (make run NB=02 ELSEWHERE=1) the chapter runs a second time, with other arithmetic and on another
number of threads, as a stand-in for another make of processor. Cells that depend on a training, whose digits move
then, get the tag `trained`, and others lose it. It fails if a claim falls, or if what such a cell says in words moves.
Where there is a real other machine: `--keep FOLDER` on each writes what came out to FOLDER/02_rnn.json (with
`--stand-in` under the other arithmetic, and nothing else is written), and `--compare HERE THERE` tags by two such.

With BOOK_SEED set the claims are checked and nothing is written: a book holds the outputs of seed 0.
If a cell fails, its traceback is printed and the notebook is left as it was.
"""

import argparse
import ast
import base64
import io
import json
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

from tools import compare, fingerprint, kernel
from tools import notebooks as nb

CELL_METADATA = {"tags", "mystnb", "nbval", "jupyter", "cellView"}  # the last two fold cells in JupyterLab and Colab
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
MEMORY = "import resource, sys; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
FILLS = ("append", "extend", "update", "add", "load_state_dict")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


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
        if cell.cell_type == "code":
            nb.fold(cell)
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})
        if cell.cell_type != "code":
            continue
        cell.source = cell.source.strip("\n")
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        cell.outputs = compare.merge_streams([o for o in cell.outputs if compare.kept(o)])
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = shrink(output.data["image/png"])
    return notebook


def label(cell):
    named = [t for t in nb.tags(cell) if ":" in t or t in ("setup", "recap", "claims")]
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return named[0] if named else (nb.title(cell) or first)[:60]


def remedy(error):
    text = ANSI.sub("", str(error))
    missing = re.search(r"No module named '([\w.]+)'", text)
    if missing:
        return (
            f"The package {missing[1]!r} is missing from {sys.executable}. "
            "Install what the book needs with `pip install -r requirements.txt`."
        )
    return "The notebook was left as it was. Mend the cell and run the same command again."


@dataclass
class Run:
    """What came of running a notebook: the notebook with its new outputs, seconds, peak memory in MB, the error of
    each cell that failed {index: text}, which cells were reached, and with fingerprints what the names of each cell
    held {index: {name: contents}}."""

    notebook: nbformat.NotebookNode
    seconds: float = 0.0
    peak: float = 0.0
    errors: dict = field(default_factory=dict)
    reached: set = field(default_factory=set)
    held: dict = field(default_factory=dict)


def extra(client, source):
    """The printed text of a cell that is run and not kept."""
    cell = nbformat.v4.new_code_cell(source)
    client.nb.cells.append(cell)
    try:
        client.execute_cell(cell, len(client.nb.cells) - 1)
    finally:
        client.nb.cells.pop()
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")


def run_cells(notebook, elsewhere=False, fingerprints=False, log=lambda *_, **__: None, timeout=kernel.CELL_SECONDS):
    """Run a notebook's cells, all of them even if one fails, and return a Run. The notebook given is changed."""
    cells = [(i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip()]
    for _, cell in cells:
        cell.outputs, cell.execution_count = [], None
    run, started = Run(notebook), time.perf_counter()
    with kernel.started(notebook, elsewhere, timeout) as client:
        if fingerprints:
            module = Path(fingerprint.__file__).read_text(encoding="utf-8")
            setup = f"import types as _t; _fingerprint = _t.ModuleType('fp'); exec({module!r}, _fingerprint.__dict__)"
            extra(client, setup)
        for k, (index, cell) in enumerate(cells, 1):
            before = time.perf_counter()
            run.reached.add(index)
            log(f"[{k:3d}/{len(cells)}] {label(cell):<62}", end="", flush=True)
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                run.errors[index] = ANSI.sub("", str(error))
            except (CellTimeoutError, DeadKernelError) as error:
                run.errors[index] = f"{type(error).__name__}: {error}"
                log(" failed")
                return run
            log(f" {time.perf_counter() - before:7.1f} s" + (" failed" if index in run.errors else ""))
            for output in cell.outputs:
                if output.output_type == "stream" and output.name == "stderr" and "Warning" in output.text:
                    log(ANSI.sub("", output.text))
            if fingerprints and "recap" not in nb.tags(cell) and nb.tagged(cell, "study") is None:
                names = sorted(nb.bound_names(cell.source) | nb.used_names(cell.source))
                path = Path(client.resources["metadata"]["path"]).parent / "fingerprint.json"
                extra(client, f"_fingerprint.report({names}, globals(), {str(path)!r})")
                run.held[index] = json.loads(path.read_text(encoding="utf-8"))
        run.seconds = time.perf_counter() - started
        run.peak = int(extra(client, MEMORY)) / (2**20 if sys.platform == "darwin" else 2**10)
    return run


def complain(path, run):
    """Raise BookError, with the traceback of the first cell that failed in the message, if one did."""
    if run.errors:
        cells = [i for i, c in enumerate(run.notebook.cells) if c.cell_type == "code" and c.source.strip()]
        index, text = min(run.errors.items())
        also = f"\n{len(run.errors) - 1} more failed after it." if len(run.errors) > 1 else ""
        raise nb.BookError(
            f"{Path(path).name}, code cell {cells.index(index) + 1} of {len(cells)} failed:\n\n{text}\n"
            f"{remedy(text)}{also}"
        )


def execute(path, log=print, **options):
    """Run the notebook at `path` and return its Run, outputs normalised. Nothing is written.

    Raises BookError, with the cell's traceback in the message, when a cell fails.
    """
    run = run_cells(nb.read(path), log=log, **options)
    complain(path, run)
    normalise(run.notebook)
    return run


# ---------------------------------------------------------------- elsewhere


def reads(notebook):
    """{index: names that a cell reads, those read by the notebook's functions that it calls among them}."""
    used_by, found = {}, {}
    cells = {i: c for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip()}
    for cell in cells.values():
        for node in nb.parse(cell.source).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                used_by[node.name] = nb.used_names(ast.unparse(node)) - {node.name}
    for index, cell in cells.items():
        names, new = set(), nb.used_names(cell.source)
        while new:
            names |= new
            new = set().union(*(used_by.get(name, set()) for name in new)) - names
        found[index] = names
    return found


def trains(nodes, trainers):
    """Whether code takes a step of an optimizer, or names a function that does."""
    for node in (n for top in nodes for n in ast.walk(top)):
        if isinstance(node, ast.Name) and node.id in trainers:
            return True
        if isinstance(node, ast.Attribute) and node.attr == "step" and "optim" in ast.unparse(node.value):
            return True
    return False


def changed_names(body):
    """The names that statements bind or fill, other than by a constant, an import or a definition."""
    found = set()
    for node in (n for top in body if not isinstance(top, DEFINITIONS) for n in ast.walk(top)):
        targets = [getattr(node, "target", None)]
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(node.targets[0].elts, node.value.elts)
            targets = [t for t, value in pairs if any(isinstance(n, (ast.Name, ast.Call)) for n in ast.walk(value))]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FILLS:
            targets = [node.func.value]
        for target in targets:
            while isinstance(target, (ast.Subscript, ast.Attribute)):
                target = target.value
            if target is not None:
                found |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    return found


def downstream(notebook):
    """{index: whether a cell trains, or reads what comes of a training}, by the names that cells bind and read.

    The stand-in moves a short training by less than another make of processor may: this does not rest on how much.
    """
    cells = {i: nb.parse(c.source).body for i, c in enumerate(notebook.cells) if c.cell_type == "code"}
    functions = [node for body in cells.values() for node in body if isinstance(node, DEFINITIONS)]
    trainers, before = set(), None
    while trainers != before:
        before = set(trainers)
        trainers |= {node.name for node in functions if trains(node.body, trainers)}
    read, names, found = reads(notebook), set(), {}
    for index, body in cells.items():
        if index in read:
            outside = [node for node in body if not isinstance(node, DEFINITIONS)]
            found[index] = trains(outside, trainers) or bool(read[index] & names)
            changed = changed_names(body)
            names = names | changed if found[index] else names - changed
    return found


def depends_on_training(here, there):
    """The indices of the cells whose output depends on a training: it moved, or they read a name that did; or they
    stand downstream of a training and read a name that differs by whatever little.

    here, there: two Runs of one notebook with fingerprints, under two kinds of arithmetic.
    """
    names, little, read, found = set(), set(), reads(here.notebook), set()
    after = downstream(here.notebook)
    for index, cell in enumerate(here.notebook.cells):
        if index not in read or {"recap", "setup"} & set(nb.tags(cell)):
            continue
        held, other = here.held.get(index, {}), there.held.get(index, {})
        names -= set(held)  # bound anew
        names |= {name for name in held if name in other and fingerprint.moved(held[name], other[name])}
        little = (little - set(held)) | {name for name in held if name in other and held[name] != other[name]}
        speaks = bool(cell.outputs) and not any(tag in nb.tags(cell) for tag in compare.IGNORED)
        if not speaks:
            continue
        strict = nbformat.from_dict({"metadata": {}})
        differs = compare.cell_complaints(strict, there.notebook.cells[index].outputs, cell.outputs)
        if differs or read[index] & names or (after[index] and read[index] & little):
            found.add(index)
    return found


def retag(notebook, trained):
    """Tag these cells and no others. A tolerance of a cell's own goes: what is not trained needs none."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.metadata.pop("nbval", None)
            others = [tag for tag in nb.tags(cell) if tag != "trained"]
            new = [*others, "trained"] if index in trained else others
            if new or "tags" in cell.metadata:
                cell.metadata["tags"] = new


def keep(run, path):
    """Write a Run with its fingerprints, for `--compare`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held, errors = ({str(k): v for k, v in d.items()} for d in (run.held, run.errors))
    path.write_text(json.dumps({"notebook": nbformat.writes(run.notebook), "held": held, "errors": errors}))


def kept(path):
    """The Run that `keep` wrote. Raises BookError if there is none."""
    if not path.is_file():
        raise nb.BookError(f"{path} is missing: write it with `python tools/execute.py ... --keep {path.parent}`")
    data = json.loads(path.read_text())
    held, errors = ({int(k): v for k, v in data[name].items()} for name in ("held", "errors"))
    return Run(nbformat.reads(data["notebook"], as_version=4), errors=errors, held=held)


def elsewhere(path, here, there):
    """Tag the cells of `here` that depend on a training, given a Run under other arithmetic, and return what is wrong:
    claims that fall, and cells whose words or orders of magnitude move."""
    found = [f"{Path(path).name}, elsewhere, cell {index} fails:\n{text}" for index, text in there.errors.items()]
    if not there.errors:
        normalise(there.notebook)
    retag(here.notebook, depends_on_training(here, there))
    for index, cell in enumerate(here.notebook.cells):
        if "trained" in nb.tags(cell) and index not in there.errors:
            for complaint in compare.cell_complaints(cell, there.notebook.cells[index].outputs, cell.outputs):
                found.append(
                    f"{Path(path).name}, cell {index}, {label(cell)!r}, says something else under other arithmetic: "
                    f"{complaint}"
                )
    return found


def keep_measurement(path, seconds, peak):
    """Note a chapter's time and memory. The file is read and replaced under a lock: two runs lose nothing."""
    import fcntl

    target = nb.ROOT / "book" / "measured.json"
    with open(Path(tempfile.gettempdir()) / f"book-{fingerprint.digest(str(nb.ROOT))}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        measured = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        measured[path.stem] = {"seconds": round(seconds, 1), "peak_mb": round(peak)}
        nb.write_text(target, json.dumps(measured, indent=1, sort_keys=True) + "\n")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", help="a chapter number such as 02, a name, or a path")
    parser.add_argument("--elsewhere", action="store_true", help="run it under other arithmetic too, and tag `trained`")
    parser.add_argument("--stand-in", action="store_true", help="run it under other arithmetic only; needs --keep")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write what came out there")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("HERE", "THERE"), help="only tag, by what was kept")
    options = parser.parse_args(arguments)
    seed, status = os.environ.get("BOOK_SEED"), 0
    try:
        for name in options.notebooks:
            path = nb.find_notebook(name)
            print(f"{path.name}")
            fingerprints = bool(options.elsewhere or options.keep)
            if options.stand_in:
                run = run_cells(nb.read(path), elsewhere=True, fingerprints=fingerprints, log=print)
                keep(run, options.keep / f"{path.stem}.json")
                status |= bool(run.errors)
                continue
            there = None
            if options.compare:
                run, there = (kept(folder / f"{path.stem}.json") for folder in options.compare)
                if nb.source_hash(run.notebook) != nb.source_hash(nb.read(path)):
                    raise nb.BookError(f"{path.name} has changed since {options.compare[0]} was written")
            else:
                run = execute(path, fingerprints=fingerprints)
                if options.keep:
                    keep(run, options.keep / f"{path.stem}.json")
            if options.elsewhere:
                print(f"{path.name}, once more with other arithmetic")
                there = run_cells(nb.read(path), elsewhere=True, fingerprints=True, log=print)
            for complaint in elsewhere(path, run, there) if there else []:
                print(complaint, file=sys.stderr)
                status = 1
            if seed:
                print(f"{path.name}: its claims hold with BOOK_SEED={seed}. Nothing is written, since a seed is set.")
                continue
            nb.write(run.notebook, path)
            if path.resolve().parent == nb.NOTEBOOKS and not options.compare:
                keep_measurement(path, run.seconds, run.peak)
            print(f"{path.name}: {run.seconds:.0f} s, {run.peak:.0f} MB, {path.stat().st_size / 1000:.0f} kB")
    except nb.BookError as error:
        print(error, file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
