"""The form of the chapters, of the pages and of the studies: form.py says what is checked."""

import contextlib
import io

import pytest
import yaml

from tests import form
from tools import notebooks as nb
from tools import recaps, study

PATHS = nb.notebook_paths()
PAGES = sorted((nb.ROOT / "book").glob("*.md"))
STUDIES = sorted({p.stem for p in nb.STUDIES.glob("*") if p.suffix in (".py", ".json")})


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


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_the_file_is_small_enough(path):
    size = path.stat().st_size
    assert size <= form.NOTEBOOK_BYTES, (
        f"{path.name} takes {size} bytes; {form.NOTEBOOK_BYTES} are allowed: fewer or smaller figures"
    )


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
