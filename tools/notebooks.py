"""What the tools and the tests share: finding notebooks, cells by tag, hashes, definitions.

A definition is a code cell tagged `define:NAME` that holds one top-level function or class of that
name. It is written once, in the chapter that explains it. Everything else (recaps in later chapters,
studies, tests) is made from that cell.
"""

import ast
import hashlib
import io
import re
import symtable
import tokenize
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
STUDIES = ROOT / "studies"
STUDY_PREFIX = "study_"


class BookError(Exception):
    """Something the author can mend; the message says what and how."""


def notebook_paths(folder=None):
    """The chapters in reading order."""
    return sorted(Path(folder or NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))


def chapter_number(path):
    return int(Path(path).name[:2])


def find_notebook(name, folder=None):
    """The notebook that `name` means: a path, a stem, or a chapter number such as 02."""
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    matches = [
        p for p in notebook_paths(folder) if p.stem == name or (name.isdigit() and chapter_number(p) == int(name))
    ]
    if len(matches) != 1:
        known = ", ".join(p.stem for p in notebook_paths(folder))
        raise BookError(f"no notebook called {name!r}; there are: {known}")
    return matches[0]


def read(path):
    return nbformat.read(path, as_version=4)


def write(notebook, path):
    text = nbformat.writes(notebook, version=4)
    Path(path).write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def tags(cell):
    return cell.metadata.get("tags", [])


def tagged(cell, prefix):
    """NAME where the cell carries the tag `prefix:NAME`, else None."""
    for tag in tags(cell):
        if tag.startswith(prefix + ":"):
            return tag.split(":", 1)[1]
    return None


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]


def source_hash(notebook):
    """A hash of all that runs. Stored outputs are valid as long as it stays the same."""
    joined = "\n\0".join(c.source.strip() for c in code_cells(notebook))
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


# ---------------------------------------------------------------- names in code


def strip_magics(source):
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M)


def parse(source):
    return ast.parse(strip_magics(source))


def bound_names(source):
    """Names that a cell binds at its top level."""
    names = set()

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(child.name)
            elif isinstance(child, (ast.Import, ast.ImportFrom)):
                names.update((a.asname or a.name).split(".")[0] for a in child.names)
            elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                names.add(child.id)
            elif isinstance(child, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                names.update(n.target.id for n in ast.walk(child) if isinstance(n, ast.NamedExpr))
            elif not isinstance(child, ast.Lambda):
                if isinstance(child, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and child.name:
                    names.add(child.name)
                visit(child)

    visit(parse(source))
    return names


def used_names(source):
    """Every module-level name that a cell reads, wherever it stands; parameters and locals do not count."""
    names = set()

    def visit(table):
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
                names.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    visit(symtable.symtable(strip_magics(source), "<cell>", "exec"))
    return names


# ---------------------------------------------------------------- definitions


@dataclass(frozen=True)
class Definition:
    name: str
    source: str
    path: Path

    @property
    def chapter(self):
        return chapter_number(self.path)


def definitions(folder=None):
    """Every definition of the book by name, in the order in which chapters give them."""
    found = {}
    for path in notebook_paths(folder):
        for cell in read(path).cells:
            name = tagged(cell, "define")
            if name is None:
                continue
            if name in found:
                raise BookError(f"{name} is defined in {found[name].path.name} and again in {path.name}")
            body = parse(cell.source).body
            if len(body) != 1 or getattr(body[0], "name", None) != name:
                raise BookError(f"{path.name}: the cell define:{name} must hold one function or class called {name}")
            found[name] = Definition(name, cell.source.strip(), path)
    return found


def needed(names, table):
    """`names` and all they rest on, each after what it uses."""
    order, active = [], []

    def visit(name):
        if name in order or name in active:
            return
        active.append(name)
        for other in sorted(used_names(table[name].source)):
            if other in table and other != name:
                visit(other)
        active.pop()
        order.append(name)

    for name in table:  # the book's order keeps recaps readable
        if name in names:
            visit(name)
    return order


def code_only(source):
    """The lines that run: no docstrings, no comments, none blank."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(strip_magics(source)).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(parse(source)):
        if (
            isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            text = node.body[0]
            lines[text.lineno - 1 : text.end_lineno] = [""] * (text.end_lineno - text.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def shape(node):
    """A syntax tree as nested lists, without docstrings, positions and empty fields: the same for the same
    code, however it is laid out, on every version of Python."""
    if isinstance(node, list):
        return [shape(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if (
        isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
        and ast.get_docstring(node, clean=False) is not None
    ):
        fields["body"] = fields["body"][1:]
    return [type(node).__name__, *([name, shape(value)] for name, value in fields.items() if value not in (None, []))]


def definitions_hash(names, table, script=""):
    """A hash of what the definitions and a study's script do: not of docstrings, comments or layout."""
    shapes = [shape(parse(source)) for source in [*(table[n].source for n in needed(names, table)), script]]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()[:16]


def setup_source(folder=None):
    """The setup cell, which is the same in every chapter."""
    for path in notebook_paths(folder):
        for cell in read(path).cells:
            if "setup" in tags(cell):
                return cell.source
    raise BookError("no notebook has a cell tagged setup")


def load(names, folder=None, namespace=None):
    """Run the setup cell and the definitions `names` rest on; return the namespace.

    Raises BookError for a name that no chapter defines.
    """
    table = definitions(folder)
    for name in names:
        if name not in table:
            raise BookError(f"no chapter defines {name!r}; there are: {', '.join(table)}")
    namespace = {"__name__": "book"} if namespace is None else namespace
    exec(compile(strip_magics(setup_source(folder)), "<setup>", "exec"), namespace)
    for name in needed(names, table):
        label = f"<{table[name].path.name} define:{name}>"
        exec(compile(table[name].source, label, "exec"), namespace)
    return namespace


def free_book_names(notebook, table, own):
    """Definitions of other chapters that this notebook's own cells use."""
    used = set()
    for cell in code_cells(notebook):
        if tagged(cell, "recap") is None and tagged(cell, "study") is None:
            used |= used_names(cell.source)
    return [n for n in table if n in used and n not in own]
