"""What the tools and the tests share: finding notebooks, cells by tag, hashes, definitions.

A definition is a code cell tagged `define:NAME` that holds one top-level function or class of that
name. It is written once, in the chapter that explains it. Everything else (recaps in later chapters,
studies, tests) is made from that cell.
"""

import ast
import hashlib
import io
import json
import os
import re
import symtable
import tempfile
import tokenize
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

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
    """The notebook at `path`, in the newest format. Raises BookError, which names the file, if it is none."""
    text = Path(path).read_text(encoding="utf-8")
    if re.search(r"^(<{7}|>{7}) ", text, flags=re.M):
        raise BookError(f"{path} holds a merge conflict: settle it, then `make recaps`")
    try:
        version = json.loads(text)["nbformat"]
        if version != 4:
            raise BookError(
                f"{path} is in format {version} of notebooks; open and save it in JupyterLab, which writes format 4"
            )
        notebook = nbformat.reads(text, as_version=4)
    except (json.JSONDecodeError, KeyError, TypeError, nbformat.ValidationError) as error:
        raise BookError(f"{path} is no notebook, or only part of one: {error}") from None
    # Colab writes 4.0, whose cells have no ids.
    return nbformat.v4.upgrade(notebook) if notebook.nbformat_minor < 5 else notebook


def write_text(path, text):
    """Put `text` in the file, whole or not at all: a full disk or a stop half way leaves what was there."""
    path = Path(path)
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def write(notebook, path):
    text = nbformat.writes(notebook, version=4)
    write_text(path, text if text.endswith("\n") else text + "\n")


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
    """A hash of all that runs: not of comments, docstrings and layout. Stored outputs are valid as long as it stays
    the same. A `;` at a cell's end counts, since it hides the cell's result."""
    cells = [[shape(parse(c.source)), magics(c.source), c.source.rstrip().endswith(";")] for c in code_cells(notebook)]
    return hashlib.sha256(repr(cells).encode()).hexdigest()[:16]


# ---------------------------------------------------------------- folding


FOLDED = ("setup", "recap", "claims", "solution", "hide-input")  # and study:NAME


def is_folded(cell):
    return any(tag in FOLDED for tag in tags(cell)) or tagged(cell, "study") is not None


def title(cell):
    """The title of a folded cell, which its first line gives: `# @title Draw the three gates`. None without one."""
    match = re.match(r"# @title +(\S.*)", cell.source)
    return match[1].strip() if match else None


def fold(cell, where=""):
    """Fold a cell under its title on the site, in JupyterLab and in Colab; a cell that is not folded gets none of it.

    Raises BookError for a folded cell without a title.
    """
    folded = is_folded(cell)
    mystnb = {k: v for k, v in cell.metadata.get("mystnb", {}).items() if not k.startswith("code_prompt")}
    for key in ("jupyter", "cellView", "mystnb"):
        cell.metadata.pop(key, None)
    if folded:
        name = title(cell)
        if name is None:
            raise BookError(
                f"{where}a folded cell begins with its title, `# @title Draw the three gates`, which this one lacks: "
                f"{cell.source.strip().splitlines()[0]!r}"
            )
        cell.metadata["tags"] = [*tags(cell), *([] if "hide-input" in tags(cell) else ["hide-input"])]
        mystnb |= {"code_prompt_show": name, "code_prompt_hide": name}
        cell.metadata["jupyter"] = {"source_hidden": True}
        cell.metadata["cellView"] = "form"
    if mystnb:
        cell.metadata["mystnb"] = mystnb


# ---------------------------------------------------------------- names in code


MAGIC = re.compile(r"^(\s*)get_ipython\(\)\.\w+\(.*$", flags=re.M)


def plain_python(source):
    """A cell's source with IPython's magics as the calls they stand for, each on its line."""
    if not re.search(r"^\s*[%!?]|\?\s*$", source, flags=re.M):
        return source
    return TransformerManager().transform_cell(source)


def magics(source):
    """The lines of a cell that are no Python, such as `%config ...`."""
    if "get_ipython()" in source:
        return []
    return [match[0].strip() for match in MAGIC.finditer(plain_python(source))]


def strip_magics(source):
    """The source with `pass` for each magic. A line that starts with % inside a bracket is no magic."""
    return source if not magics(source) else MAGIC.sub(r"\1pass", plain_python(source))


def parse(source):
    """The syntax tree of a cell. Raises BookError, which shows the line, where it is no Python."""
    try:
        return ast.parse(strip_magics(source))
    except SyntaxError as error:
        first = next((line for line in source.splitlines() if line.strip()), "")
        raise BookError(
            f"the cell that begins {first.strip()!r} is no Python: {error.msg}, line {error.lineno}: "
            f"{(error.text or '').strip()!r}"
        ) from None


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

    parse(source)  # for its message
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
            try:
                body = parse(cell.source).body
            except BookError as error:
                raise BookError(f"{path.name}: {error}") from None
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
    source = strip_magics(source)
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
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
        if "recap" not in tags(cell) and tagged(cell, "study") is None:
            used |= used_names(cell.source)
    return [n for n in table if n in used and n not in own]
