"""The form of the chapters, of the pages and of the studies: tests/support/form says what is checked.

ledger.json holds what may only shrink until every chapter is rewritten: the visible lines of chapters over their
budget, and how often words to avoid still stand.  `python -m tests.test_form` writes today's numbers into it, where
they are smaller.
"""

import contextlib
import io
import json
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.support import form, symbols
from tools import notebooks as nb
from tools import recaps, study

PATHS = nb.notebook_paths()
LEDGER = Path(__file__).with_name("ledger.json")
PAGES = sorted([nb.ROOT / "index.md", *(nb.ROOT / "book").glob("*.md")])
STUDIES = sorted({*study.names(), *(p.stem for p in nb.STUDIES.glob("*.json"))})


def stem(path):
    return path.stem


def no(complaints, where):
    if complaints:
        pytest.fail(f"{where}:\n" + "\n".join(f"- {text}" for text in complaints), pytrace=False)


@pytest.fixture(scope="module")
def notebooks():
    return {path.stem: nb.read(path) for path in PATHS}


def test_the_book_has_chapters_and_its_contents_lists_them():
    contents = yaml.safe_load((nb.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [c["file"] for part in contents["parts"] for c in part["chapters"] if c["file"].startswith("notebooks/")]
    assert listed and sorted(listed) == [f"notebooks/{path.stem}" for path in PATHS]


@pytest.mark.parametrize("path", PATHS, ids=stem)
@pytest.mark.parametrize("check", form.CHECKS, ids=lambda check: check.__name__)
def test_chapter(check, path, notebooks):
    complaints = check(notebooks[path.stem], path.stem)
    no(complaints, f"notebooks/{path.name}")


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_every_citation_is_in_the_bibliography(path, notebooks):
    bibliography = form.read_bibliography((nb.ROOT / "book" / "references.bib").read_text(encoding="utf-8"))
    complaints = form.citations(notebooks[path.stem], bibliography)
    no(complaints, f"notebooks/{path.name}")


NOTATION = (nb.ROOT / "book" / "notation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_every_symbol_has_a_row_of_the_notation_page(path, notebooks):
    missing = symbols.unexplained(notebooks[path.stem], NOTATION)
    assert not missing, f"{path.name} uses {', '.join(missing)}, which no row of book/notation.md explains"


def test_a_symbol_without_a_row_is_seen():
    page = "| $W_x$ | weights |\n| $h_t$, $\\alpha$ | $\\sum_j h_j$ |\n"

    def missing(text):
        return symbols.unexplained(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]), page)

    assert missing(r"$\alpha h_{t-1} \log \text{what} W_x$ and `$z$`") == []
    assert missing(r"$\Xi + \tilde z_t$, $W_q$") == ["W_q", "Xi", "z"]
    assert missing("$$\nb_{ij} = W_{ij}\n$$") == ["W", "b", "i"]


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_the_file_is_small_enough(path):
    size = path.stat().st_size
    assert size <= form.NOTEBOOK_BYTES, (
        f"{path.name} takes {size} bytes; {form.NOTEBOOK_BYTES} are allowed: fewer or smaller figures"
    )


def ledger():
    return json.loads(LEDGER.read_text(encoding="utf-8"))


def today():
    """What stands in the ledger, as it is now."""
    notebooks = {path.stem: nb.read(path) for path in PATHS}
    lines = {name: form.visible_lines(notebook) for name, notebook in notebooks.items()}
    return {
        "visible lines": {name: count for name, count in lines.items() if count > form.VISIBLE_LINES},
        "words to avoid": {name: form.avoided(notebook) for name, notebook in notebooks.items()},
    }


def shrunk(name, now, most, remedy="python -m tests.test_form"):
    """Complaints about a count that may only shrink."""
    if now > most:
        return [f"{name}: {now} now, and {most} are allowed; the number may only shrink"]
    return [f"{name}: {now} now, and the ledger still allows {most}: run `{remedy}`"] if now < most else []


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_visible_code_is_within_its_budget(path, notebooks):
    """350 lines a chapter; those not yet rewritten are listed with today's number."""
    lines, listed = form.visible_lines(notebooks[path.stem]), ledger()["visible lines"].get(path.stem)
    if listed is None:
        assert lines <= form.VISIBLE_LINES, f"{path.name}: {lines} visible lines; {form.VISIBLE_LINES} are the budget"
    else:
        no(shrunk("visible lines", max(lines, form.VISIBLE_LINES), listed), f"notebooks/{path.name}")


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_words_to_avoid_become_fewer(path, notebooks):
    found, listed = form.avoided(notebooks[path.stem]), ledger()["words to avoid"].get(path.stem, {})
    complaints = [shrunk(word, found.get(word, 0), listed.get(word, 0)) for word in {*found, *listed}]
    no(sum(complaints, []), f"notebooks/{path.name}")


def test_a_ledger_may_only_shrink():
    assert shrunk("lines", 400, 400) == []
    assert "may only shrink" in shrunk("lines", 401, 400)[0] and "tests.test_form" in shrunk("lines", 399, 400)[0]


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_one_name_one_meaning(path, notebooks):
    complaints = form.rebound(notebooks[path.stem], nb.definitions())
    no(complaints, f"notebooks/{path.name}")


def test_the_setup_cell_is_the_same_everywhere(notebooks):
    complaints = form.setup_cells(notebooks)
    no(complaints, "setup cells")


def test_recaps_and_study_cells_are_copies_of_their_sources():
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = recaps.main(["--check"])
    no(said.getvalue().splitlines() if status else [], "recaps and study cells")


@pytest.mark.parametrize("path", PAGES, ids=stem)
def test_the_prose_of_a_page(path):
    complaints = form.page_prose(path.read_text(encoding="utf-8"))
    no(complaints, f"book/{path.name}")


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_stored_and_current(name):
    path = nb.STUDIES / f"{name}.json"
    assert path.is_file(), f"studies/{name}.py has no result: run `make study NAME={name}`"
    complaints = form.study_complaints(path.read_text(encoding="utf-8"))
    if not complaints and not study.is_current(name):
        complaints.append("its definitions or its script have changed since it ran")
    no(complaints, f"studies/{path.name}: run `make study NAME={name}`")


if __name__ == "__main__":
    old, new = (ledger() if LEDGER.exists() else None), today()
    for kind in new if old else []:
        for name, value in new[kind].items():
            before = old[kind].get(name, {} if isinstance(value, dict) else form.VISIBLE_LINES)
            if isinstance(value, dict):
                new[kind][name] = {word: min(count, before.get(word, 0)) for word, count in value.items()}
            else:
                new[kind][name] = min(value, before)
    nb.write_text(LEDGER, json.dumps(new, indent=1, sort_keys=True) + "\n")
