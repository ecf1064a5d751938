"""The end of a chapter: its claims, which must be able to fail, and its exercises."""

import ast
import re

from tests.support.form.reading import cells_tagged, quoted, story
from tools import notebooks as nb

LEAST, CLOCKS = 3, {"perf_counter", "process_time", "monotonic", "time_ns", "median_time"}


def computed(notebook):
    """{name} that the chapter's own cells bind: not those of the setup and of copies."""
    names = set()
    for cell in nb.code_cells(notebook):
        if not {"setup", "recap"} & set(nb.tags(cell)):
            names |= nb.bound_names(cell.source)
    return names


def called(node, name):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def holds(call):
    """The condition of `claim(text, values, holds)`, None where it is missing."""
    return next((k.value for k in call.keywords if k.arg == "holds"), call.args[2] if len(call.args) > 2 else None)


def names_in(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def cannot_fail(condition, names):
    """Why an assertion is none, or None: it refers to nothing computed, or holds a constant that decides it."""
    if condition is None:
        return "has no condition"
    if not names_in(condition) & names:
        return "refers to nothing that a cell computed"
    for node in ast.walk(condition):
        if isinstance(node, ast.BoolOp) and any(isinstance(v, ast.Constant) for v in node.values):
            return "holds a constant beside `and` or `or`"
    return None


def claims(notebook, name):
    cells = cells_tagged(notebook, "claims")
    if len(cells) != 1:
        return [f"{len(cells)} cells are tagged `claims`; there must be one"]
    found, tree, names = [], nb.parse(cells[0].source), computed(notebook)
    calls = [node for node in ast.walk(tree) if called(node, "claim")]
    if len(calls) < LEAST:
        found.append(f"the claims cell makes {len(calls)} claims; a chapter claims at least {LEAST} things")
    if any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        found.append("the claims cell holds an assert: write claim(text, values, holds)")
    for call in calls:
        sentence = call.args[0] if call.args else None
        if not isinstance(sentence, (ast.Constant, ast.JoinedStr)) or not ast.unparse(sentence).strip("f'\"{} "):
            found.append(f"the claim {quoted(ast.unparse(call))} has no sentence")
        reason = cannot_fail(holds(call), names)
        if reason:
            found.append(f"the claim {quoted(ast.unparse(call.args[0]))} cannot fail: its condition {reason}")
    if not any(
        o.output_type == "stream" and o.name == "stdout" and o.text.strip() for o in cells[0].get("outputs", [])
    ):
        found.append("the claims cell prints nothing")
    before, after, seen = [], [], False
    for kind, *rest in story(notebook):
        seen = seen or (kind == "code" and "claims" in rest[0])
        if kind == "heading" and rest[0] == 2:
            (after if seen else before).append(rest[1])
    if "What we measured" not in before[-1:]:
        found.append('the claims cell must stand under the heading "## What we measured"')
    if after != ["Exercises", "Further reading"]:
        found.append(f'after the claims come "## Exercises" and "## Further reading", not {after}')
    return found


def assertions(notebook, name):
    """Every assertion of the chapter's own cells can fail."""
    found, names = [], computed(notebook)
    for cell in nb.code_cells(notebook):
        if {"setup", "recap"} & set(nb.tags(cell)):
            continue
        tree = nb.parse(cell.source)
        local = {a.arg for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.Lambda)) for a in f.args.args}
        local |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                reason = cannot_fail(node.test, names | local)
                if reason:
                    found.append(f"the assertion {quoted(ast.unparse(node))} cannot fail: it {reason}")
    return found


class Clock(ast.NodeVisitor):
    """The names that hold wall time: what comes from a clock, and what comes from that."""

    def __init__(self):
        self.names = set()

    def ticks(self, node):
        return any(
            (isinstance(n, ast.Name) and n.id in self.names | CLOCKS)
            or (isinstance(n, ast.Attribute) and n.attr in CLOCKS)
            for n in ast.walk(node)
        )

    def mark(self, target):
        while isinstance(target, (ast.Subscript, ast.Attribute, ast.Starred)):
            target = target.value
        if isinstance(target, ast.Name):
            self.names.add(target.id)
        for item in getattr(target, "elts", []):
            self.mark(item)

    def bind(self, target, value):
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts):
                self.bind(one, other)
        elif self.ticks(value):
            self.mark(target)
        else:  # bound anew
            self.names -= {n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

    def visit_Assign(self, node):
        for target in node.targets:
            self.bind(target, node.value)

    def visit_AugAssign(self, node):
        if self.ticks(node.value):
            self.mark(node.target)

    def visit_For(self, node):
        self.bind(node.target, node.iter)
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_Call(self, node):
        method = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if method in ("append", "extend", "add", "update") and any(self.ticks(a) for a in node.args):
            self.mark(node.func.value)
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        """A function's own names are its own; what it fills outside stays marked; so is one that returns time."""
        outside = set(self.names)
        own = {a.arg for a in [*node.args.args, *node.args.kwonlyargs]}
        own |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.names -= own
        for statement in node.body:
            self.visit(statement)
        timed = any(isinstance(n, ast.Return) and n.value is not None and self.ticks(n.value) for n in ast.walk(node))
        self.names = (self.names - own) | (outside & own)
        (self.names.add if timed else self.names.discard)(node.name)


def no_clock(notebook, name):
    """Wall time is printed and drawn and never asserted: a busy machine, or another one, would decide it."""
    found, clock = [], Clock()
    for cell in nb.code_cells(notebook):
        tree = nb.parse(cell.source)
        clock.visit(tree)
        conditions = [n.test for n in ast.walk(tree) if isinstance(n, ast.Assert)]
        conditions += [holds(n) for n in ast.walk(tree) if called(n, "claim") and holds(n) is not None]
        found += [f"{quoted(ast.unparse(c))} asserts wall time" for c in conditions if clock.ticks(c)]
    return found


def solutions(notebook, name):
    """The code of a solution does something and shows it."""
    found = []
    for cell in cells_tagged(notebook, "solution"):
        body = nb.parse(cell.source).body
        if not any(isinstance(n, (ast.Call, ast.Assert)) for s in body for n in ast.walk(s)):
            found.append(f"the solution {quoted(cell.source)} computes nothing")
        elif not cell.get("outputs"):
            found.append(f"the solution {quoted(cell.source)} shows nothing")
    return found


def exercises(notebook, name):
    """Three to five, numbered, each with a solution."""
    solved = []
    number = None
    found = []
    for kind, *rest in story(notebook):
        if kind == "heading":
            match = re.match(r"Exercise (\d+)\b", rest[1]) if rest[0] == 3 else None
            number = int(match[1]) if match else None
            if number is not None:
                solved.append([number, False])
        elif number is not None and (kind == "details" or (kind == "code" and "solution" in rest[0])):
            solved[-1][1] = True
    if not 3 <= len(solved) <= 5:
        found.append(f"there are {len(solved)} exercises (`### Exercise 1` ...); a chapter has three to five")
    if [n for n, _ in solved] != list(range(1, len(solved) + 1)):
        found.append(f"the exercises are numbered {[n for n, _ in solved]}")
    found += [
        f"exercise {n} has no solution: neither a code cell tagged `solution` nor a <details> follows it"
        for n, done in solved
        if not done
    ]
    return found
