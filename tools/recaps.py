"""Write each chapter's recap and study cells:  python tools/recaps.py   (--check: only say what is stale)

A chapter uses a definition of an earlier chapter by calling it. This tool sees the name and writes one folded
cell, `From earlier chapters`, with copies of all that the chapter borrows and what those rest on, in dependency
order. A name `study_NAME` likewise brings a folded cell with the stored results of studies/NAME.json. Copies that
are no longer used are taken out. Never edit a copy: edit the definition and run this again.
"""

import argparse
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import nbformat

from tools import notebooks as nb
from tools.study import stored

NOT_CARRIED = ("definitions", "command", "checksum")  # what a study's file holds for the tools
REMEDY = "run `make recaps`, then `make run NB={number:02d}`"


def cell_id(text):
    """A stable cell id (nbformat allows letters, digits, - and _)."""
    return "".join(c if c.isalnum() else "-" for c in text)[:64]


def folded(tag, source):
    """A code cell that is folded, on the site, in JupyterLab and in Colab, under the title its first line gives."""
    cell = nbformat.v4.new_code_cell(source, id=cell_id(tag))
    cell.metadata = nbformat.from_dict({"tags": [tag]})
    nb.fold(cell)
    return cell


def note(tag, text):
    cell = nbformat.v4.new_markdown_cell(text, id=cell_id(tag))
    cell.metadata = nbformat.from_dict({"tags": [tag]})
    return cell


def copy_of(definition):
    source = re.sub(r"\A# @title .*\n", "", definition.source)  # of a definition that its chapter folds
    return f"# chapter {definition.chapter}: {definition.name}\n{source}\n"


def recap_cells(names, table):
    """One cell with all that a chapter borrows, each under a comment that names its chapter."""
    if not names:
        return []
    copies = [copy_of(table[n]) for n in names]
    head = "# @title From earlier chapters\n# Copies, so that this notebook runs by itself: `make recaps` writes them."
    return [folded("recap", "\n\n".join([head + "\n", *copies]).rstrip("\n"))]


def compact(data, width=88):
    """The data as JSON in lines of about `width`, broken after commas only."""
    lines, line = [], ""
    for part in re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^",])+,?', json.dumps(data)):
        if line and len(line) + len(part) > width:
            lines.append(line)
            line = part.lstrip()
        else:
            line += part
    return "\n".join([*lines, line])


def study_cells(name):
    study = stored(name)
    text = (
        f"What follows was measured beforehand, because it takes longer than a chapter should: {study['about']} "
        f"The folded cell holds the results as `make study NAME={name}` stored them in `studies/{name}.json`."
    )
    carried = {key: value for key, value in study.items() if key not in NOT_CARRIED}
    source = f'# @title Study: {name}\nimport json\n\nstudy_{name} = json.loads(r"""\n{compact(carried)}\n""")'
    return [note(f"study-note:{name}", text), folded(f"study:{name}", source)]


def generated(cell):
    return "recap" in nb.tags(cell) or nb.tagged(cell, "study") or nb.tagged(cell, "study-note")


def with_copies(notebook, table, path):
    """The notebook's cells as they should be."""
    own = {n for n, d in table.items() if d.path == path}
    names = [n for n in nb.needed(nb.free_book_names(notebook, table, own), table) if n not in own]
    later = [n for n in names if table[n].chapter > nb.chapter_number(path)]
    if later:
        raise nb.BookError(f"{path.name} uses {later[0]}, which chapter {table[later[0]].chapter} only builds later")
    plain = [c for c in notebook.cells if not generated(c)]
    wanted = []
    written = set()
    for cell in plain:
        if cell.cell_type == "code":
            used = nb.used_names(cell.source)
            for study in sorted(u[len(nb.STUDY_PREFIX) :] for u in used if u.startswith(nb.STUDY_PREFIX)):
                if study not in written and f"study_{study}" not in table:
                    wanted += study_cells(study)
                    written.add(study)
        wanted.append(cell)
        if "setup" in nb.tags(cell):
            wanted += recap_cells(names, table)
    return wanted


def differences(cell, kept, table):
    """What is wrong with a generated cell as it stands, None where it is missing: a sentence each."""
    if "recap" in nb.tags(cell):
        wanted, standing = (c.source + "\n" if c is not None else "" for c in (cell, kept))
        wrong = [n for n, d in table.items() if copy_of(d) in wanted and copy_of(d) not in standing]
        found = [f"its copy of {n} is not define:{n} in {table[n].path.name}" for n in wrong]
        gone = [n for n, d in table.items() if copy_of(d) in standing and copy_of(d) not in wanted]
        found += [f"its copy of {n} is no longer used" for n in gone]
        return found or ["its cell of copies, tagged recap, is not as `make recaps` writes it"]
    study = nb.tagged(cell, "study") or nb.tagged(cell, "study-note")
    return [f"{nb.tags(cell)[0]} is not a copy of studies/{study}.json"]


def same(a, b):
    return a.cell_type == b.cell_type and a.source == b.source and a.metadata == b.metadata


def update(path, table, check):
    """Return what was stale: [] when the notebook was as it should be."""
    notebook = nb.read(path)
    old = {c.id: c for c in notebook.cells}
    wanted = with_copies(notebook, table, path)
    stale = []
    for cell in wanted:
        kept = old.get(cell.id)
        if generated(cell) and (kept is None or not same(kept, cell)):
            stale += [f"{path.name}: {text}" for text in differences(cell, kept, table)]
        if generated(cell) and kept is not None and kept.cell_type == "code":
            cell.outputs, cell.execution_count = kept.outputs, kept.execution_count
    gone = [c for c in notebook.cells if c.id not in {w.id for w in wanted}]
    stale += [f"{path.name}: {nb.tags(c)[0]} is no longer used" for c in gone]
    if not stale and [c.id for c in wanted] != [c.id for c in notebook.cells]:
        stale.append(f"{path.name}: its copies are out of order")
    if stale and not check:
        notebook.cells = wanted
        nb.write(notebook, path)
    return stale


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="chapter numbers; all if none is given")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything is stale")
    options = parser.parse_args(arguments)
    try:
        table, stale = nb.definitions(), []
        for path in [nb.find_notebook(name) for name in options.notebooks] or nb.notebook_paths():
            found = update(path, table, options.check)
            if found and options.check:
                found.append(
                    "  remedy: edit the source, not the copy; " + REMEDY.format(number=nb.chapter_number(path))
                )
            stale += found
    except nb.BookError as error:
        print(error, file=sys.stderr)
        return 2
    for line in stale:
        print(line if options.check else f"{line}: written")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
