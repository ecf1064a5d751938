"""A cell that trains builds what it trains: run twice, with a few steps and a small dictionary, it gives the same."""

import ast
import contextlib
import functools
import hashlib
import io
import os
import random
import time

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from torch import nn

from tests.support import smoke
from tools import notebooks as nb

# ---------------------------------------------------------------- which cells train


def loops_that_train(tree):
    """Whether a loop has a step backwards and one of an optimizer in it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.While)):
            called = {n.func.attr for n in ast.walk(node) if isinstance(n, ast.Call) and hasattr(n.func, "attr")}
            if {"backward", "step"} <= called:
                return True
    return False


def training_cells(notebook):
    """The numbers of the cells that call something that trains: a definition, a function of the chapter, or a loop."""
    trainers, found = set(smoke.TRAINERS), []
    for k, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip() or {"setup", "recap"} & set(nb.tags(cell)):
            continue
        if nb.tagged(cell, "define") or nb.tagged(cell, "study"):
            continue
        tree = nb.parse(cell.source)
        defined = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
        trainers |= {f.name for f in defined if loops_that_train(f) or trainers & nb.used_names(ast.unparse(f))}
        plain = ast.Module([n for n in tree.body if n not in defined], [])
        if loops_that_train(plain) or trainers & nb.used_names(ast.unparse(plain)):
            found.append(k)
    return found


# ---------------------------------------------------------------- what a cell needs


def written_into(source):
    """Names whose items or attributes a cell sets, or on which it calls a method as a statement."""
    names = set()
    for node in ast.walk(nb.parse(source)):
        target = None
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            target = node.value
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            target = node.value.func
        while isinstance(target, (ast.Subscript, ast.Attribute, ast.Call)):
            target = target.func if isinstance(target, ast.Call) else target.value
        if isinstance(target, ast.Name):
            names.add(target.id)
    return names - {"plt", "print", "figure", "axis", "axes", "record", "claim", "torch"}


def read_first(statements):
    """Names that statements read and have not bound themselves before."""
    names, bound = set(), set()
    for node in statements:
        if isinstance(node, (ast.For, ast.With)):
            if isinstance(node, ast.For):
                heads, targets = [node.iter], [node.target]
            else:
                heads = [item.context_expr for item in node.items]
                targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
            here = set().union(*(nb.used_names(ast.unparse(head)) for head in heads))
            inner = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
            here |= read_first(node.body) - inner
            here |= read_first(getattr(node, "orelse", []))
        else:
            here = nb.used_names(ast.unparse(node))
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                here = here | {node.target.id}
        names |= here - bound
        if not isinstance(node, (ast.If, ast.Try, ast.While)):
            bound |= nb.bound_names(ast.unparse(node))
    return names


def needs(cell):
    return read_first(nb.parse(cell.source).body)


def needed_before(notebook, number):
    """The numbers of the cells before cell `number` that it needs, in order."""
    names, found = needs(notebook.cells[number]), []
    for k in range(number - 1, -1, -1):
        cell = notebook.cells[k]
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if "setup" in nb.tags(cell) or (nb.bound_names(cell.source) | written_into(cell.source)) & names:
            names = (names - nb.bound_names(cell.source)) | needs(cell)
            names |= written_into(cell.source)
            found.append(k)
    return found[::-1]


# ---------------------------------------------------------------- running


def execute(cell, namespace, where):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(smoke.compiled(cell, where, loops=True), namespace)
    smoke.patch(namespace)
    if "setup" in nb.tags(cell):
        namespace["record"], namespace["claim"] = (lambda *given: None for _ in range(2))
    plt.close("all")


def disturb(seed):
    """Another state of chance than a cell would find after those before it."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextlib.contextmanager
def even_clock():
    """A clock that goes on by one second whenever it is read, so that measured times are the same twice."""
    real, read = {name: getattr(time, name) for name in ("perf_counter", "process_time")}, iter(range(10**9))
    for name in real:
        setattr(time, name, lambda: float(next(read)))
    try:
        yield
    finally:
        for name, clock in real.items():
            setattr(time, name, clock)


def digest(array):
    return hashlib.blake2b(array.tobytes()).hexdigest()


def prints(value, seen=()):
    """What a value holds, as something that can be compared: numbers, tensors, parameters, and what holds them."""
    if id(value) in seen or len(seen) > 8:
        return "..."
    inside = functools.partial(prints, seen=(*seen, id(value)))
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return str(value.dtype), tuple(value.shape), digest(value.double().numpy())
    if isinstance(value, nn.Module):
        return [value.training, *((name, inside(part)) for name, part in value.state_dict().items())]
    if isinstance(value, np.ndarray):
        return value.shape, inside(value.tolist()) if value.dtype == object else digest(value)
    if isinstance(value, dict):
        return [(inside(key), inside(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [inside(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(repr(inside(item)) for item in value)
    if isinstance(value, (bool, int, float, complex, str, bytes, np.generic, type(None))):
        return repr(value)
    return type(value).__name__


def modules(value, seen=()):
    """The networks in a value."""
    if isinstance(value, nn.Module):
        return [value]
    if id(value) in seen or len(seen) > 4 or not isinstance(value, (dict, list, tuple)):
        return []
    items = value.values() if isinstance(value, dict) else value
    return [module for item in items for module in modules(item, (*seen, id(value)))]


def complaints(notebook, number):
    """What is wrong with the training cell `number`: a sentence each."""
    cell, namespace = notebook.cells[number], {"__name__": "__main__"}
    torch.set_num_threads(1)
    broken = []
    for k in needed_before(notebook, number):
        try:
            execute(notebook.cells[k], namespace, f"<cell {k}>")
        except Exception as error:  # a word that the small dictionary lacks: it matters if the training cell fails too
            broken.append(f"cell {k}: {error!r}")
    used, bound = nb.used_names(cell.source), nb.bound_names(cell.source)
    given = {name: modules(namespace.get(name)) for name in used - bound}
    before = {name: prints(found) for name, found in given.items()}
    runs = []
    for seed in (101, 202):
        disturb(seed)
        try:
            with even_clock():
                execute(cell, namespace, f"<cell {number}>")
        except Exception as error:
            raise RuntimeError(f"the cell failed, and before it {broken or 'none'}") from error
        runs.append({name: prints(namespace.get(name)) for name in used | bound})
        wrong = [n for n, found in given.items() if prints(found) != before[n]]
        if wrong:
            return [f"it trains {', '.join(sorted(wrong))}, which another cell built: build it here, after a seed"]
    differ = sorted(name for name in used | bound if runs[0][name] != runs[1][name])
    return [f"run twice it gives something else for {', '.join(differ)}"] if differ else []


# ---------------------------------------------------------------- the book

plt.switch_backend("Agg")
CELLS = [(path, k) for path in nb.notebook_paths() for k in training_cells(nb.read(path))]


@functools.cache
def chapter(path):
    return nb.read(path)


@pytest.mark.parametrize(
    ("path", "number"), CELLS, ids=[f"{path.stem}-{chapter(path).cells[number].id}" for path, number in CELLS]
)
def test_a_training_cell_run_twice_gives_the_same(path, number, tmp_path, monkeypatch):
    if path.name.startswith("13") and not os.environ.get("MULTI30K"):
        pytest.skip("Multi30k is not here: set MULTI30K to its folder")
    monkeypatch.chdir(tmp_path)
    found = complaints(chapter(path), number)
    first = chapter(path).cells[number].source.splitlines()[0]
    assert not found, f"{path.name}, the cell that begins {first!r}: {found[0]}"


def test_every_chapter_that_trains_is_here():
    assert {path.stem[:2] for path, _ in CELLS} >= {
        "02",
        "03",
        "04",
        "05",
        "07",
        "08",
        "09",
        "10",
        "11",
        "12",
        "13",
        "14",
    }


# ---------------------------------------------------------------- planted

SETUP = "import torch\nfrom torch import nn\nimport time\nrate = 0.1"
LOOP = """losses = []
optimizer = torch.optim.SGD(model.parameters(), rate)
for step in range(200):
    loss = model(torch.ones(1, 2)).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())"""
BUILT = "torch.manual_seed(0)\nmodel = nn.Linear(2, 1)"
FUNCTION = (
    "def fit(model):\n    losses = []\n"
    + "\n".join(f"    {line}" for line in LOOP.splitlines())
    + "\n    return losses"
)


def toy(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *sources)]
    cells[0].metadata["tags"] = ["setup"]
    return nbformat.v4.new_notebook(cells=cells)


def found_in(*sources):
    notebook = toy(*sources)
    numbers = training_cells(notebook)
    return [complaint for number in numbers for complaint in complaints(notebook, number)], len(numbers)


@pytest.mark.parametrize("sources", [
    (f"{BUILT}\n{LOOP}",),
    ("width = 2", BUILT.replace("2", "width"), f"{BUILT}\n{LOOP}"),
    (FUNCTION, f"{BUILT}\nlosses = fit(model)"),
    (FUNCTION, f"{BUILT}\nbegan = time.perf_counter()\nlosses = fit(model)\nseconds = time.perf_counter() - began"),
    ("import copy", "curves = {}", f"{BUILT}\nuntrained = copy.deepcopy(model)\n{LOOP}\ncurves['a'] = losses"),
])  # fmt: skip
def test_what_is_built_where_it_is_trained_passes(sources):
    assert found_in(*sources) == ([], 1)


@pytest.mark.parametrize(("sources", "said"), [
    ((BUILT, LOOP), "trains model, which another cell built"),
    (("model = nn.Linear(2, 1)", f"torch.manual_seed(0)\n{LOOP}"), "trains model"),
    (("models = {'a': nn.Linear(2, 1)}", LOOP.replace("model(", "models['a'](").replace("model.p", "models['a'].p")),
     "trains models"),
    ((f"model = nn.Linear(2, 1)\n{LOOP}",), "something else for loss, losses, model"),
    ((FUNCTION, BUILT, "losses = fit(model)"), "trains model"),
    (("count = 0", f"{BUILT}\n{LOOP}\ncount = count + 1"), "something else for count"),
    (("curve = []", f"{BUILT}\n{LOOP}\ncurve.append(losses[-1])"), "something else for curve"),
])  # fmt: skip
def test_what_is_built_elsewhere_is_named(sources, said):
    found, _ = found_in(*sources)
    assert len(found) == 1 and said in found[0], found


def test_a_cell_needs_what_was_written_into_its_names():
    notebook = toy("table = {}", "other = {}", "table['rate'] = 1", "other['rate'] = 2", "table['rate']")
    assert needed_before(notebook, 5) == [0, 1, 3]


def test_a_cell_does_not_need_what_it_binds_itself():
    notebook = toy("word, n = 1, 2", "for word in 'ab':\n    print(word, n)", "word = 3\nprint(word, n)", "n += 1")
    assert [needed_before(notebook, k) for k in (2, 3, 4)] == [[0, 1], [0, 1], [0, 1]]
    assert needs(notebook.cells[4]) == {"n"} and needs(notebook.cells[3]) == {"n", "print"}
