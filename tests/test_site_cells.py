"""Code, folds, solutions and printed outputs: what is typeset, on the site and in a browser.

What a chapter printed is compared with what its page shows, word by word: nothing is lost and nothing changes places.
"""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from sphinx.errors import ExtensionError

from tests.support import pages
from tests.support.site import WIDTHS, no, visit
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_cells  # noqa: E402
import cells_printed  # noqa: E402

CHAPTERS = nb.notebook_paths()
NAMES = [path.stem for path in CHAPTERS]
SHORT, LONG = "notebooks/05_gru.html", "notebooks/12_transformer.html"
TABLE = "notebooks/10_self_attention.html"  # prints a table of eight columns
WIDE_ENOUGH = {"1280": (1280, 900), "1440": (1440, 900)}
NARROW = {"390": (390, 844), "320": (320, 700)}


def outputs(path):
    """[(whether of the claims, text)] of all that a chapter printed."""
    found = []
    for cell in nb.code_cells(nb.read(path)):
        for output in cell.outputs:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            if output.get("name") == "stdout" or list(output.get("data", {})) == ["text/plain"]:
                found.append(("claims" in nb.tags(cell), text))
    return found


def words(html):
    """The words that HTML shows, cell by cell of a table."""
    return pages.soup(re.sub(r"(?=</?(?:td|th|tr|li|p|pre|caption|table)\b)", " ", html)).get_text().split()


def without_recorded(html):
    page = pages.soup(html)
    for element in page.select(".recorded"):
        element.decompose()
    return str(page)


# ---------------------------------------------------------------- what was printed, typeset


@pytest.mark.parametrize("path", CHAPTERS, ids=NAMES)
def test_every_word_printed_is_shown_and_in_order(path):
    for claimed, text in outputs(path):
        plain = "\n".join(line for line in text.split("\n") if not cells_printed.MACHINE.match(line))
        shown = words(without_recorded(cells_printed.printed(text, claimed)))
        assert shown == ["–" if word == "nan" and "–" in shown else word for word in plain.split()], text


@pytest.mark.parametrize("path", CHAPTERS, ids=NAMES)
def test_every_record_is_shown_and_none_is_raw(path):
    for claimed, text in outputs(path):
        html = cells_printed.printed(text, claimed)
        shown = " ".join(words(html))
        assert not re.search(r"(record|timed|curve|signature) \|", shown)
        for line in filter(cells_printed.MACHINE.match, text.split("\n")):
            for part in cells_printed.parse(line)[1:]:
                assert " ".join(words(part)) in shown, (line, shown)


def test_there_are_tables_and_captions_in_the_book():
    html = "".join(cells_printed.printed(text, claimed) for path in CHAPTERS for claimed, text in outputs(path))
    for sign in (
        '<div class="printed-table"><table>',
        '<p class="recorded">',
        '<ul class="claims">',
        'class="aligned"',
    ):
        assert sign in html, sign


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("word error, test", 0.3459, "34.6%"),
        ("phoneme error, test, beam 4", 0.1195, "11.9%"),
        ("WER, test", 0.3459, "34.6%"),
        ("parameters", 677674, "677,674"),
        ("parameters", 44, "44"),
        ("training operations", 9532888148329.4, "9.53 × 10<sup>12</sup>"),
        ("training time", 6.31, "6.3 min"),
        ("bits per letter, dev", 3.0829, "3.083"),
        ("BLEU, test 2016, sacreBLEU", 37.9639, "38.0"),
        ("share left", 6.3e-7, "6.30 × 10<sup>−7</sup>"),
        ("points", -12.345, "-12.35"),
        ("points", 0, "0.000"),
        ("perplexity", 123.456, "123.5"),
        ("rounds", 2048, "2,048"),
    ],
)
def test_a_recorded_value_has_its_unit(metric, value, shown):
    assert cells_printed.quantity(metric, value) == shown


def test_recorded_lines_become_one_caption_or_table():
    one = "record | reading | RNN | word error, test | 0.3460 from 0.3440 to 0.3470\n"
    one += "record | reading | RNN | parameters | 92062"
    shown = " ".join(words(cells_printed.printed(one)))
    assert shown == "Recorded for RNN: word error, test 34.6% (34.4% to 34.7%) · parameters 92,062"
    two = "record | reading | RNN | parameters | 92\nrecord | reading | GRU | parameters | 93"
    assert " ".join(words(cells_printed.printed(two))) == "Recorded, parameters: RNN 92 · GRU 93"
    grid = "\n".join(f"record | reading | {m} | {k} | 0.5" for m in ("A", "B", "C") for k in ("word error", "loss"))
    table = pages.soup(cells_printed.printed(f"before\n{grid}\nafter")).find("table")
    rows = [[cell.text for cell in row(["th", "td"])] for row in table("tr")]
    assert rows == [["model", "word error", "loss"], *([m, "50.0%", "0.500"] for m in "ABC")]
    assert words(cells_printed.printed(f"before\n{grid}\nafter"))[:2] == ["before", "after"]
    assert words(cells_printed.printed("timed | reading | RNN | 6.3"))[-2:] == ["6.3", "min"]
    assert words(cells_printed.printed("signature | translation | a|b:1 | c"))[-3:] == ["a|b:1", "|", "c"]


@pytest.mark.parametrize("text", ["curve | reading | RNN | loss | 1 0.5, 2 0.25", "curve | a | b | c | 1 2\n", "\n"])
def test_what_is_not_for_a_reader_leaves_nothing(text):
    assert cells_printed.printed(text) == ""


@pytest.mark.parametrize(
    "line",
    [
        "record | reading | RNN | word error",
        "record | reading | RNN | word error | a third",
        "record | reading | RNN | word error | nan",
        "record | reading | RNN | word error | 0.3 to 0.4",
        "record | reading |  | word error | 0.3",
        "timed | reading | RNN | fast",
        "curve | reading | RNN | loss | 1 2 3",
        "signature | translation | ",
    ],
)
def test_a_line_for_the_machine_that_is_none_is_refused(line):
    with pytest.raises(ValueError, match=f"the form is `{line.split()[0]} "):
        cells_printed.printed(line)


GOOD = """\
letters back        1       2      10
RNN              1.00    0.43    0.04
LSTM, bias  1    0.87   10.32     nan
GRU, h           0.99    0.45    0.05"""


def test_columns_beyond_doubt_become_a_table():
    page = pages.soup(cells_printed.printed(f"a sentence\n{GOOD}\nand another"))
    rows = [[cell.get_text() for cell in row(["th", "td"])] for row in page("tr")]
    assert rows[0] == ["letters back", "1", "2", "10"] and rows[2] == ["LSTM, bias  1", "0.87", "10.32", "–"]
    assert all("number" in cell.get("class", []) for row in page("tr") for cell in row(["th", "td"])[1:])
    assert [cell["scope"] for cell in page("th")] == ["col"] * 4 + ["row"] * 3
    assert [pre.get_text() for pre in page("pre")] == ["a sentence\n", "and another\n"]


def test_a_corner_without_a_word_is_no_heading():
    text = GOOD.replace("letters back", " " * 12).replace("bias  1", "bias 1 ")
    corner = pages.soup(cells_printed.printed(text)).find("tr").find(["th", "td"])
    assert corner.name == "td" and not corner.text


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("two rows prove no column", "\n".join(GOOD.split("\n")[:3])),
        ("its first line is a row", "\n".join(GOOD.split("\n")[1:] + ["MLP              0.10    0.20    0.30"])),
        ("a row lacks a cell", GOOD.replace("0.87", "    ")),
        ("a heading is missing", GOOD.replace("      10\n", "\n")),
        ("a heading spans two columns", GOOD.replace(" 1       2 ", " one and two")),
        ("a heading stands above none", GOOD.replace("10\n", "10  letters\n")),
        ("the numbers are not in line", GOOD.replace("GRU, h           0.99", "GRU, h      0.99     ")),
        ("another block needs its heading", f"{GOOD}\nsteps to solve it\nRNN               900     nan     nan"),
        ("integers may be a row", re.sub(r"(\d+)\.(\d\d)", r"   \2", GOOD).replace("10\n", "10\n")),
        ("a line before it is in columns too", f"            name     share\n{GOOD}"),
        ("nothing is a number", GOOD.replace(".", "x").replace("nan", "n/a")),
        ("the rows are in two runs", GOOD.replace("\nGRU", "\n\nGRU")),
    ],
)
def test_columns_in_doubt_stay_as_they_were_printed(why, text):
    page = pages.soup(cells_printed.printed(text))
    assert not page("table"), why
    assert "".join(pre.get_text().rstrip("\n") + "\n" for pre in page("pre")).split() == text.split()


def test_lines_in_columns_keep_them_and_sentences_may_wrap():
    text = "a sentence\nRNN    26.2 ms\nGRU    42.5 ms\nTransformer   needs positions to know the order\nthe end"
    boxes = [(pre["class"][0], pre.get_text().strip()) for pre in pages.soup(cells_printed.printed(text))("pre")]
    assert boxes[0] == ("said", "a sentence") and boxes[1] == ("aligned", "RNN    26.2 ms\nGRU    42.5 ms")
    assert boxes[2][0] == "said" and len(boxes) == 3
    for text in ("tensor([[ 1, 14],\n        [ 1,  4]])", "K =  1: 3.3\nK = 32: 3.4", "Net(\n  (a): B\n)"):
        assert pages.soup(cells_printed.printed(text)).find("pre")["class"] == ["aligned"], text
    indented = pages.soup(cells_printed.printed("it rises by\n   a little at a time")).select(".line")
    assert [line.get("style") for line in indented] == [None, "--i:3"]


def test_a_claim_ends_in_its_values_after_the_last_colon():
    items = pages.soup(cells_printed.printed("GRU: it fails: share 0.5, cost 2\nno values", claimed=True))("li")
    assert items[0].select_one(".values").text == "share 0.5, cost 2" and items[0].text.startswith("GRU: it fails: ")
    assert items[1].text == "no values"


def test_what_is_printed_is_escaped():
    for claimed in (False, True):
        html = cells_printed.printed("a <b> & c: <i>\nrecord | t | <u> | m | 1\n<s>    <p>\n<s>    <q>", claimed)
        assert not {"b", "i", "u", "s", "q"} & {element.name for element in pages.soup(html)(True)}


# ---------------------------------------------------------------- on the pages


@pytest.fixture(scope="module")
def chapters(site):
    """[(name, notebook, page)] of all chapters."""
    return [(p.stem, nb.read(p), pages.soup(site.pages[f"notebooks/{p.stem}.html"])) for p in CHAPTERS]


def solved(notebook):
    """The numbers of the exercises that a chapter solves, by a cell or in words."""
    found, number = set(), None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found |= {number} if "solution" in nb.tags(cell) else set()
            continue
        for line in cell.source.split("\n"):
            heading = re.match(r"#+ (?:Exercise (\d+))?", line)
            number = heading[1] if heading else number
            found |= {number} if "<details>" in line and number else set()
    return found


def test_every_solution_is_one_closed_fold(chapters):
    cells = 0
    for name, notebook, page in chapters:
        shown = {}
        for around in page.select("details.fold-solution"):
            section = around.find_parent("section")
            number = re.fullmatch(r"exercise-(\d+)", section["id"])[1]
            assert number not in shown, f"{name}: exercise {number} has two folds"
            shown[number] = around
            assert around.summary.text == f"Solution to exercise {number}" and not around.has_attr("open"), name
            assert around.find_next_sibling(True) is None, f"{name}: something stands after the solution {number}"
            assert around.select(".fold-body > *"), f"{name}: the solution {number} is empty"
        assert set(shown) == solved(notebook), name
        inside = page.select("details.fold-solution .tag_solution")
        assert inside == page.select(".tag_solution"), f"{name}: a solution's cell is outside"
        assert len(inside) == sum("solution" in nb.tags(cell) for cell in notebook.cells), name
        cells += len(inside)
        for cell in inside:
            hidden = [fold for fold in cell.select("details") if cell.pre in fold.descendants]
            lines = cell.select_one(".cell_input pre").get_text().count("\n")
            assert len(hidden) == (lines > book_cells.LONG_SOLUTION), f"{name}: {lines} lines of a solution's code"
            assert all(fold.summary.text == "Code" for fold in hidden)
    assert cells > 20


def test_every_fold_is_named(chapters):
    for name, notebook, page in chapters:
        expected = [nb.title(cell) for cell in nb.code_cells(notebook) if nb.title(cell)]
        expected = [f"{t.replace('_', ' ')}, measured beforehand" if t.startswith("Study") else t for t in expected]
        expected = [title for title in expected if not title.startswith("Solution")]
        folds = [fold for fold in page.select(".bd-article details") if not fold.find_parent(class_="fold-solution")]
        folds = [fold for fold in folds if "fold-solution" not in fold["class"] and "fold-details" not in fold["class"]]
        assert [fold.summary.get_text() for fold in folds] == expected, name
        for summary in page.select("details > summary"):
            assert summary.get_text().strip() and not summary.has_attr("aria-label"), f"{name}: {summary}"
        assert not re.search(r"Toggle hidden|code cell source", str(page.select_one(".bd-article"))), name


def test_no_code_says_again_what_its_fold_says(chapters):
    for name, notebook, page in chapters:
        sources = [re.sub(r"^# @title.*\n", "", cell.source) for cell in nb.code_cells(notebook)]
        shown = [pre.get_text().rstrip("\n") for pre in page.select(".cell_input pre")]
        assert shown == [source.strip("\n") for source in sources], f"{name}: the code that a reader copies"


def test_notes_of_studies_are_in_their_folds(chapters):
    notes = 0
    for name, notebook, page in chapters:
        studies = [nb.tagged(cell, "study") for cell in notebook.cells if nb.tagged(cell, "study")]
        folds = page.select("details.fold-study")
        for study, fold in zip(studies, folds, strict=True):
            assert fold.p and f"studies/{study}.json" in fold.p.get_text(), (
                f"{name}: the fold of {study} lacks its note"
            )
        outside = [p for p in page.select(".bd-article p") if not p.find_parent(class_="fold-study")]
        assert not any("was measured beforehand" in p.get_text() for p in outside), name
        notes += len(folds)
    assert notes


def test_setup_and_recap_share_a_row(chapters):
    rows = 0
    for name, notebook, page in chapters:
        if not any("recap" in nb.tags(cell) for cell in notebook.cells):
            continue
        row = page.select_one(".fold-row")
        kinds = [fold["class"][1] for fold in row.select("details")]
        assert kinds == ["fold-setup", "fold-recap"], name
        assert row.find_previous_sibling("p"), f"{name}: the chapter does not open with a paragraph"
        rows += 1
    assert rows > 10


def test_no_box_is_empty_and_no_line_is_raw(chapters):
    for name, _, page in chapters:
        for box in page.select(".cell_output, .printed, .cell_input, .fold-body"):
            assert box.get_text().strip() or box.find("img"), f"{name}: {box}"
        for box in page.select(".cell_output"):
            assert not re.search(r"(record|timed|curve|signature) \|", box.get_text()), name
        assert page.select(".tag_claims ul.claims > li .values"), name


# ---------------------------------------------------------------- what stops the build


def code_cell(source, *tags, printed="", index=1):
    """A code cell as myst-nb leaves it in a page's doctree."""
    hidden = {"hide_mode": "input"} if "hide-input" in tags else {}
    cell = nodes.container(nb_element="cell_code", cell_index=index, cell_metadata={"tags": list(tags)}, **hidden)
    cell += nodes.container("", nodes.literal_block(source, source), nb_element="cell_code_source")
    if printed:
        block = nodes.literal_block(printed, printed, classes=["output", "stream"])
        cell += nodes.container("", block, nb_element="cell_code_output")
    return cell


def exercise(number, *children):
    return nodes.section("", nodes.title("", f"Exercise {number}"), nodes.paragraph("", "Do it."), *children)


def raw(text):
    return nodes.raw("", text, format="html")


def arranged(*children, notebook='{"cells": []}', folder=None):
    path = Path(folder or "/nowhere") / "05_page.ipynb"
    if folder:
        path.write_text(notebook, encoding="utf-8")
    doctree = new_document("05_page")
    doctree += list(children)
    app = SimpleNamespace(env=SimpleNamespace(docname="notebooks/05_page", doc2path=lambda name: str(path)))
    book_cells.arrange(app, doctree)
    return doctree


SOLUTION = ("# @title Solution to exercise 2\nx = 1\n", "solution", "hide-input")
OPEN, CLOSE = "<details><summary>Solution</summary>", "</details>"


def test_a_solution_in_words_and_code_is_one_fold():
    words_first = [raw(OPEN), nodes.paragraph("", "Because."), raw(CLOSE), code_cell(*SOLUTION, printed="1\n")]
    section = arranged(exercise(2, *words_first, nodes.paragraph("", "So it is.")))[0]
    (around,) = section.findall(book_cells.fold)
    assert around["title"] == "Solution to exercise 2" and section[-1] is around
    assert [type(child).__name__ for child in around] == ["paragraph", "container", "paragraph"]
    hint = [raw("<details><summary>Hint</summary>"), nodes.paragraph("", "Count."), raw(CLOSE)]
    section = arranged(exercise(2, *hint, nodes.paragraph("", "How many?"), code_cell(*SOLUTION)))[0]
    assert [fold["title"] for fold in section.findall(book_cells.fold)] == ["Hint", "Solution to exercise 2"]


def test_a_cell_that_prints_for_the_machine_only_has_no_output():
    doctree = arranged(code_cell("f()", printed="curve | a | b | c | 1 2\n"))
    assert [child["nb_element"] for child in doctree[0]] == ["cell_code_source"]


@pytest.mark.parametrize(
    ("children", "message"),
    [
        ([exercise(3, code_cell(*SOLUTION))], "'Solution to exercise 2' stands under exercise 3"),
        ([code_cell(*SOLUTION)], "stands under no heading"),
        ([exercise(2, code_cell(*SOLUTION), exercise(3))], "heading inside the solution to exercise 2"),
        ([raw(OPEN), nodes.paragraph("", "Because.")], "`</details>` is missing"),
        ([raw(OPEN), nodes.paragraph("", "x"), raw(OPEN), nodes.paragraph("", "x"), raw(CLOSE)], "is missing after"),
        ([raw(OPEN), raw(CLOSE)], "there is nothing between"),
        ([nodes.paragraph("", "x"), raw(CLOSE)], "closes nothing"),
        ([raw("<details>More</details>")], "write `<details><summary>"),
        ([code_cell("x = 1", "hide-input")], "has no `# @title`: it begins 'x = 1'"),
        ([code_cell("# @title Nothing\n", "hide-input")], "no code under the title 'Nothing'"),
        ([code_cell("f()", printed="record | a | b | c\n")], "the form is `record"),
        ([code_cell("# @title Study: a\nx = 1", "study:a", "hide-input", index=0)], "is not its note"),
    ],
)
def test_what_cannot_be_shown_right_stops_the_build(children, message, tmp_path):
    with pytest.raises(ExtensionError, match=f"05_page.ipynb: .*{re.escape(message)}"):
        arranged(*children, folder=tmp_path)


# ---------------------------------------------------------------- in a browser

OPENED = "() => document.querySelectorAll('details').forEach(fold => { fold.open = true; })"

# Each returns complaints.
CUT = """() => [...document.querySelectorAll('.highlight pre, .printed pre.said')]
  .filter(box => box.scrollWidth > box.clientWidth + 1).map(box => `cut: ${box.textContent.slice(0, 40)}`)"""
SMALL = """() => [...document.querySelectorAll('.bd-article .highlight pre')]
  .filter(box => parseFloat(getComputedStyle(box).fontSize) < 13.5)
  .map(box => `small: ${box.textContent.slice(0, 40)}`)"""
WRAPPED = """() => [...document.querySelectorAll('.bd-article .highlight pre .line')]
  .filter(line => line.textContent.trimEnd().length <= 88
    && line.offsetHeight > 1.4 * parseFloat(getComputedStyle(line).lineHeight))
  .map(line => `wrapped: ${line.textContent}`)"""
BOXES = """function boxes(line) {  // of what is not white
  const found = [], words = document.createTreeWalker(line, NodeFilter.SHOW_TEXT), range = document.createRange();
  while (words.nextNode()) {
    const text = words.currentNode.data, start = text.search(/\\S/);
    if (start < 0) continue;
    range.setStart(words.currentNode, start);
    range.setEnd(words.currentNode, text.trimEnd().length);
    found.push(...range.getClientRects());
  }
  return found;
}"""
# A line that wraps begins where its indentation puts it, and goes on further to the right.
HANGING = (
    """() => {
  const found = [];
  let wrapped = 0;
  BOXES
  for (const line of document.querySelectorAll('.highlight pre .line')) {
    const [first, ...others] = boxes(line);
    if (!first) continue;
    const indent = line.textContent.search(/\\S/), place = line.getBoundingClientRect();
    if (indent && first.left - place.left < indent * 7) found.push(`no indentation: ${line.textContent}`);
    if (first.top > place.top + 10) found.push(`it begins a line below: ${line.textContent}`);
    const below = others.filter(box => box.top > first.bottom - 4);
    if (!below.length) continue;
    wrapped += 1;
    const hangs = Math.min(...below.map(box => box.left)) >= first.left + 10;
    if (indent <= 16 && !hangs) found.push(`no hang: ${line.textContent}`);
  }
  return wrapped ? found : ['nothing wraps'];
}"""
).replace("BOXES", BOXES)
# A box that scrolls can be reached and has a name; nothing else in an output reaches beyond it.
SCROLLS = """async () => {
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const found = [];
  for (const box of document.querySelectorAll('.printed pre, .printed-table')) {
    if (!box.checkVisibility()) continue;  // a prompt hides what it asks for
    if (parseFloat(getComputedStyle(box).fontSize) < 11) found.push(`small: ${box.textContent.slice(0, 40)}`);
    if (box.scrollWidth <= box.clientWidth + 1) continue;
    const name = box.getAttribute('role') === 'group' && box.getAttribute('aria-label');
    if (getComputedStyle(box).overflowX !== 'auto' || box.tabIndex !== 0 || !name)
      found.push(`cut: ${box.textContent.slice(0, 40)}`);
    if (!getComputedStyle(box).backgroundImage.includes('gradient'))
      found.push(`no shade says that there is more: ${box.textContent.slice(0, 40)}`);
  }
  for (const box of document.querySelectorAll('.cell_output, .printed'))
    if (box.scrollWidth > box.clientWidth + 1) found.push(`too wide: ${box.textContent.slice(0, 40)}`);
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide`);
  return found;
}"""
PROSE = """() => {
  const found = [];
  let characters = 0, lines = 0;
  for (const veil of document.querySelectorAll('[data-veil]')) veil.removeAttribute('hidden');  // as when answered
  for (const p of document.querySelectorAll('.bd-article :is(section, [data-veil]) > p:not([class])')) {
    const most = document.querySelector('.bd-article section > p:not([class])').getBoundingClientRect().width;
    if (p.getBoundingClientRect().width > most + 1) found.push(`wider than the others: ${p.textContent.slice(0, 40)}`);
    const style = getComputedStyle(p), high = Math.round(p.clientHeight / parseFloat(style.lineHeight));
    if (parseFloat(style.fontSize) !== 17) found.push(`${style.fontSize}: ${p.textContent.slice(0, 40)}`);
    if (high < 4 || p.querySelector('.math, code')) continue;
    characters += p.textContent.length;
    lines += high - 0.5;  // the last is half full
  }
  const mean = characters / lines;
  return mean >= 65 && mean <= 80 ? found : [...found, `${mean} characters in a line`];
}"""
COVERED = """() => {
  const found = [];
  BOXES
  for (const button of document.querySelectorAll('.highlight button.copybtn')) {
    const icon = button.querySelector('svg').getBoundingClientRect();
    if (getComputedStyle(button).opacity < 0.5) found.push('the button cannot be seen');
    for (const line of [...button.parentElement.querySelectorAll('.line')].slice(0, 3)) {
      for (const box of boxes(line)) {
        const beside = box.right <= icon.left || box.left >= icon.right;
        const apart = box.bottom - 4 <= icon.top || box.top + 4 >= icon.bottom;
        if (!beside && !apart) found.push(`covered: ${line.textContent}`);
      }
    }
  }
  return found;
}""".replace("BOXES", BOXES)
UNSEEN = """() => {
  const found = [];
  const solutions = document.querySelectorAll('.fold-solution');
  for (const fold of solutions) {
    const seen = [...fold.querySelectorAll('.fold-body, .fold-body *')].filter(e => e.checkVisibility());
    if (fold.open || seen.length) found.push(`visible: ${seen[0] && seen[0].textContent.slice(0, 40)}`);
    if (fold.getBoundingClientRect().height > 80) found.push(`it takes ${fold.getBoundingClientRect().height} pixels`);
    if (!fold.querySelector('summary').checkVisibility()) found.push('its title is hidden');
  }
  return solutions.length ? found : ['no solution'];
}"""


def complaints(page, *checks):
    return [text for check in checks for text in page.evaluate(check)]


def at_sizes(sizes, *checks):
    """What runs the checks at each size, with all folds open. Before that nothing of a solution is seen."""

    def look(page):
        found = complaints(page, UNSEEN)
        page.evaluate(OPENED)
        for name, (width, height) in sizes.items():
            page.set_viewport_size({"width": width, "height": height})
            found += [f"{name}: {text}" for text in complaints(page, *checks)]
        return found

    return look


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_code_fits_a_desk(browser, address, path):
    look = at_sizes(WIDE_ENOUGH, CUT, SMALL, WRAPPED, SCROLLS, PROSE)
    no(visit(browser, address, path, then=look).then, path)


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_code_wraps_in_a_pocket(browser, address, path):
    look = at_sizes(NARROW, CUT, SMALL, HANGING, SCROLLS, COVERED)
    no(visit(browser, address, path, size=WIDTHS["pocket"], then=look).then, path)


PLANTED = {
    1280: [
        (UNSEEN, "details.fold-solution::details-content { content-visibility: visible; }"),
        (CUT, ".bd-article .printed pre.said { white-space: pre; }"),
        (SMALL, ".bd-article div.highlight pre { font-size: 13px; }"),
        (WRAPPED, ".bd-article div.highlight pre { padding-right: 6rem; }"),
        (WRAPPED, ".bd-sidebar-primary { flex-basis: 20rem; }"),
        (PROSE, ".bd-article section > p { max-width: none !important; }"),
        (PROSE, ".bd-article section > p { font-size: 1rem; }"),
    ],
    320: [
        (UNSEEN, "details.fold-solution > summary { padding: 3rem; }"),
        (CUT, ".bd-article div.highlight pre { white-space: pre; }"),
        (HANGING, ".bd-article pre .line { padding: 0; text-indent: 0; }"),
        (HANGING, ".bd-article div.highlight pre .line *::after { content: none !important; }"),
        (HANGING, ".bd-article div.highlight pre { white-space: normal; }"),
        (SCROLLS, ".bd-article .printed pre.aligned { overflow: hidden; }"),
        (SCROLLS, ".bd-article .printed pre.aligned { font-size: 10px; }"),
        (SCROLLS, ".bd-article .printed pre.aligned { background: none !important; }"),
        (SCROLLS, ".bd-article .printed .printed-table { overflow-x: hidden; }"),
        (SCROLLS, ".bd-article .printed .printed-table { overflow-x: visible; }"),
        (COVERED, ".bd-article div.highlight pre > .line { padding-right: 0 !important; }"),
        (COVERED, "button.copybtn { opacity: 0 !important; transition: none !important; }"),
    ],
}


@pytest.mark.parametrize("width", PLANTED)
def test_planted_faults_of_style_are_seen(browser, address, width):
    def look(page):
        passed = []
        page.set_viewport_size({"width": width, "height": 800})
        for check, style in PLANTED[width]:
            if check is not UNSEEN:
                page.evaluate(OPENED)
            planted = page.add_style_tag(content=style)
            passed += [] if complaints(page, check) else [style]
            planted.evaluate("style => style.remove()")
        return passed

    size = WIDTHS["desk" if width == 1280 else "pocket"]
    no(visit(browser, address, TABLE, size=size, then=look).then, "faults that pass")


def test_a_box_that_scrolls_is_named_by_the_script(browser, address, site):
    """Without it none is: the test of the boxes can fail."""
    script = site.root / "_static" / "cells.js"
    before = script.read_text(encoding="utf-8")
    try:
        script.write_text("", encoding="utf-8")
        assert visit(browser, address, TABLE, size=WIDTHS["pocket"], then=lambda page: complaints(page, SCROLLS)).then
    finally:
        script.write_text(before, encoding="utf-8")


NAMED = """async (size) => {
  const table = document.querySelector('.pst-scrollable-table-container > table');
  table.style.fontSize = size;
  await new Promise(done => setTimeout(done, 300));
  const box = table.parentElement;
  return [box.scrollWidth > box.clientWidth + 1, box.tabIndex, box.getAttribute('aria-label')];
}"""


def test_a_table_of_the_text_that_scrolls_can_be_reached(browser, address):
    """Whether it scrolls depends on the fonts of the machine, so it is made to."""

    def look(page):
        return [page.evaluate(NAMED, size) for size in ("4rem", ".3rem")]

    wide, narrow = visit(browser, address, TABLE, size=WIDTHS["pocket"], then=look).then
    assert wide == [True, 0, "Table, scrolls sideways"]
    assert narrow == [False, -1, None]


REVEAL = """async () => {
  const paragraph = document.querySelector('.fold-solution .fold-body p');
  paragraph.id = 'inside';
  history.replaceState(null, '', '#inside');  // the browser itself does not look for it
  const before = paragraph.checkVisibility();
  dispatchEvent(new HashChangeEvent('hashchange'));
  await new Promise(done => setTimeout(done, 300));
  const box = paragraph.getBoundingClientRect();
  return [before, paragraph.checkVisibility(), box.top >= 0 && box.bottom <= innerHeight];
}"""


def test_a_link_into_a_fold_opens_it(browser, address):
    assert visit(browser, address, LONG, then=lambda page: page.evaluate(REVEAL)).then == [False, True, True]


OUTLINE = """e => {
  const {outlineStyle, outlineWidth} = getComputedStyle(e);
  return outlineStyle === 'none' ? 0 : parseFloat(outlineWidth);
}"""


def test_folds_are_worked_by_keyboard_and_read_by_name(browser, address):
    def walk(page):
        summary = page.locator("details.fold-solution > summary").first
        page.keyboard.press("Tab")
        summary.focus()
        outline = summary.evaluate(OUTLINE)
        high = summary.evaluate("e => e.getBoundingClientRect().height")
        page.keyboard.press("Enter")
        opened = page.locator("details.fold-solution").first.evaluate("e => e.open")
        page.keyboard.press("Space")
        closed = not page.locator("details.fold-solution").first.evaluate("e => e.open")
        session = page.context.new_cdp_session(page)
        tree = session.send("Accessibility.getFullAXTree")["nodes"]
        names = [node["name"]["value"] for node in tree if node["role"]["value"] == "DisclosureTriangle"]
        titles = page.locator("summary:visible").and_(page.locator(".bd-article summary")).all_inner_texts()
        return outline, high, opened, closed, names, titles

    outline, high, opened, closed, names, titles = visit(browser, address, SHORT, then=walk).then
    assert outline >= 2 and high >= 24 and opened and closed
    assert len(titles) > 10 and [name for name in names if name in titles] == titles


AXE = """async () => {
  document.querySelectorAll('details').forEach(fold => { fold.open = true; });
  await new Promise(done => setTimeout(done, 300));
  const rules = ['scrollable-region-focusable', 'empty-table-header', 'summary-name', 'list', 'listitem',
    'th-has-data-cells', 'td-headers-attr', 'scope-attr-valid', 'aria-allowed-role', 'aria-allowed-attr'];
  const found = await axe.run('.bd-article', {runOnly: rules, resultTypes: ['violations']});
  const kinds = new Set();  // each kind of word in code once
  for (const word of document.querySelectorAll('.highlight pre span:not(.line)')) {
    if (kinds.has(word.className)) word.replaceWith(word.textContent);
    else kinds.add(word.className);
  }
  const pale = await axe.run('.bd-article', {runOnly: ['color-contrast'], resultTypes: ['violations']});
  return [...found.violations, ...pale.violations].flatMap(
    rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 90)}`));
}"""


def axe(page):
    from axe_playwright_python.base import AXE_FILE_PATH

    page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
    return page.evaluate(AXE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_nothing_to_say_of_cells(browser, address, scheme):
    no(visit(browser, address, TABLE, size=WIDTHS["pocket"], scheme=scheme, then=axe).then, f"{TABLE} ({scheme})")
