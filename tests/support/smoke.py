"""Run a chapter's cells in seconds:  python -m tests.support.smoke 07

Every training takes three steps, the dictionary has one word in forty and Multi30k four hundred pairs, assertions are
taken out and a claim that does not hold only prints. What is left are errors: a name that no longer exists, a shape
that does not fit. Not a test of what a chapter says; `make run` is that.
"""

import ast
import contextlib
import inspect
import io
import sys
import time
import traceback
from pathlib import Path

from tools import notebooks as nb

STEPS, ONE_IN, PAIRS = 3, 40, 400
TRAINERS = [
    "train_letter_model",
    "train_adding",
    "train_reader",
    "train_tagger",
    "train_transformer",
    "train_translator",
]


CACHED = {}  # the small dictionary, which takes a second to make


class Shorten(ast.NodeTransformer):
    """No assertions; a constant called STEPS or ..._STEPS is small. With `loops`, a loop over a range that has a step
    of training in it takes few of them.
    """

    def __init__(self, loops=False):
        self.loops = loops

    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)

    def visit_Assign(self, node):
        names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        if any(n.endswith("STEPS") for n in names) and isinstance(node.value, ast.Constant):
            node.value = ast.copy_location(ast.Constant(STEPS), node.value)
        return self.generic_visit(node)

    def visit_For(self, node):
        self.generic_visit(node)
        if self.loops and any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in ast.walk(node)):
            for call in ast.walk(node.iter):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range":
                    whole = ast.Call(call.func, call.args, call.keywords)
                    few = ast.Slice(upper=ast.Constant(STEPS))
                    call.func, call.keywords = ast.Name("list", ast.Load()), []
                    call.args = [ast.Subscript(whole, few, ast.Load())]
        return node


def short_trainer(train):
    """A few steps of training, after which `watch` is called for every step for which it would have been, or, where
    these few are all, for each of them.
    """
    signature = inspect.signature(train)

    def wrapped(*arguments, **options):
        given = signature.bind(*arguments, **options)
        given.apply_defaults()
        steps, watch, every = (given.arguments.get(name) for name in ("steps", "watch", "every"))
        seen = []
        given.arguments["steps"] = min(steps, STEPS)
        given.arguments["every"] = 1
        if watch is not None:
            given.arguments["watch"] = lambda step, *values: seen.append(values)
        result = train(*given.args, **given.kwargs)
        expected = range(every, steps + 1, every) or range(1, steps + 1)
        for k, step in enumerate(expected if seen else ()):
            watch(step, *seen[min(k, len(seen) - 1)])
        return result

    return wrapped


def fewer_words(load):
    """One word in forty, and those that chapters show."""

    def wrapped():
        if "words" not in CACHED:
            dataset, shown = load(), {}
            exec(nb.definitions()["showcase_words"].source, shown)
            showcase = set(shown["showcase_words"]())
            words = dataset[:]["word"]
            kept = [i for i, word in enumerate(words) if i % ONE_IN == 0 or word in showcase]
            CACHED["words"] = dataset.select(kept)
        return CACHED["words"]

    return wrapped


def fewer_pairs(load):
    def wrapped():
        data = load()
        for name in data:
            data[name] = data[name].select(range(PAIRS))
        return data

    return wrapped


def patch(namespace):
    """Shorten what the namespace holds by now."""
    for name in TRAINERS:
        if name in namespace and not getattr(namespace[name], "short", False):
            namespace[name] = short_trainer(namespace[name])
            namespace[name].short = True
    for name, make in {"load_cmudict": fewer_words, "load_multi30k": fewer_pairs}.items():
        if name in namespace and not getattr(namespace[name], "short", False):
            namespace[name] = make(namespace[name])
            namespace[name].short = True


def compiled(cell, label, loops=False):
    tree = ast.fix_missing_locations(Shorten(loops).visit(nb.parse(cell.source)))
    return compile(tree, label, "exec")


def run(path, report=print, after=None):
    """Run the cells and return [(number, title, traceback)] of those that fail.

    `after(number, cell, namespace)` is called after each cell, while its figures are there.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import torch

    torch.set_num_threads(1)
    namespace, failed = {"__name__": "__main__"}, []
    for k, cell in enumerate(nb.read(path).cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        first = cell.source.strip().splitlines()[0][:70]
        began, said = time.perf_counter(), io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
                exec(compiled(cell, f"<{Path(path).name} cell {k}>"), namespace)
        except (Exception, SystemExit):
            failed.append((k, first, traceback.format_exc()))
            report(f"cell {k} failed: {first}\n{failed[-1][2]}")
        patch(namespace)
        if "setup" in nb.tags(cell):
            namespace["claim"] = lambda text, values, holds: print(f"{text}: {values} ({bool(holds)})")
        if after is not None:
            after(k, cell, namespace)
        plt.close("all")
        seconds = time.perf_counter() - began
        if seconds > 10:
            report(f"cell {k} took {seconds:.0f} s: {first}")
    return failed


if __name__ == "__main__":
    for name in sys.argv[1:]:
        broken = run(nb.find_notebook(name))
        print(f"{name}: {len(broken)} cells failed")
