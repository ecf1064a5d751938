"""Prompts: how they are read and refused, and in a browser what a reader meets before and after the guess.

The pages are those of a book of two small chapters, built with the book's own settings and extensions. They ask in
every way there is, whatever the chapters ask today.
"""

import json
import re
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document
from sphinx.errors import ExtensionError

from tests.support import pages
from tests.support.site import WIDTHS, build, no
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_predict  # noqa: E402
import predict_prompts as prompts  # noqa: E402
from results_records import Records  # noqa: E402

SHAPING = ("book_offline", "book_math", "book_cells", "book_figures", "book_icons", "book_predict")
NUMBER = (
    "<!-- predict: nudge | What share of a `nudge` is left? | number | share left, %, 1e-10 to 1000, log "
    "| record: a nudge; an RNN; share; x100 -->"
)
CHOICE = "<!-- predict: winner | Which one wins? | choice | the RNN / the GRU | claim: one of them wins; first -->"
LINEAR = "<!-- predict: share | How many are wrong? | number | %, 0 to 100 | record: reading; an RNN; error; x100 -->"
WORDS = "<!-- predict: letters | How far? | number | letters, 0 to 10 | record: reading; an RNN; error; x10 -->"
CURVE = (
    "<!-- predict: curve\n| Draw it.\n| curve | words wrong, %, 0 to 100; letters in the word\n"
    "| curve: reading; attention; error; given: reading; plain; error -->"
)
FIRST = [
    "# One\n\nBefore.\n\n## Section\n\nThe cell measures.",
    NUMBER,
    (
        "x = 'code of the cell'\nprint(x)",
        "printed by the cell\nrecord | a nudge | an RNN | share | 6.3e-07 from 4e-07 to 9e-07\n",
    ),
    "Prose after the cell.\n\n- a list\n\n<details><summary>More</summary>\n\nInside a fold.\n\n</details>\n\n"
    "| heading of a table |\n| --- |\n| value |\n\n<!-- predict: end -->\n\nOpen again.",
    f"## Which\n\n{CHOICE}\n\nThe winner is told here.\n\n## After\n\nNothing is hidden here.",
    f"## Linear\n\n{LINEAR}",
    ("print(1)", "record | reading | an RNN | error | 0.3460 from 0.3420 to 0.3490\n"),
    (
        "# @title The claims, checked\nclaim(1)",
        "one of them wins: first the GRU, by 0.06, 0.05\n",
        "claims",
        "hide-input",
    ),
]
SECOND = [
    "# Two\n\n## Curves",
    CURVE,
    (
        "print(2)",
        "curve | reading | attention | error | 3 50, 4 30, 5 32, 6 40\n"
        "curve | reading | plain | error | 3 52, 4 34, 5 44, 6 60\n",
    ),
    "The curve is described here.\n\n## Letters",
    WORDS,
    "The letters are told here.",
]
CHAPTERS = ("01_one", "02_two")


def chapter(cells):
    made = []
    for cell in cells:
        if isinstance(cell, str):
            made.append(nbformat.v4.new_markdown_cell(cell))
            continue
        source, text, *tags = cell
        output = nbformat.v4.new_output("stream", name="stdout", text=text)
        made.append(nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output]))
        made[-1].metadata["tags"] = tags
        if tags:
            nb.fold(made[-1])
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel})


def write_notebooks(folder, first=FIRST, second=SECOND):
    folder.mkdir(exist_ok=True)
    for name, cells in zip(CHAPTERS, (first, second)):
        nb.write(chapter(cells), folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The small book, built."""
    folder = tmp_path_factory.mktemp("small")
    for name in ("assets", "ext", "vendor"):
        if (nb.ROOT / "book" / name).is_dir():
            shutil.copytree(nb.ROOT / "book" / name, folder / "book" / name)
    for name in ("predictions.md", "references.bib"):
        shutil.copy(nb.ROOT / "book" / name, folder / "book")
    settings = yaml.safe_load((nb.ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = settings["sphinx"]["local_extensions"]
    settings["sphinx"]["local_extensions"] = {name: at for name, at in extensions.items() if name in SHAPING}
    (folder / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    contents = {
        "format": "jb-book",
        "root": "index",
        "parts": [
            {"caption": "Part", "numbered": True, "chapters": [{"file": f"notebooks/{n}"} for n in CHAPTERS]},
            {"caption": "Reference", "chapters": [{"file": "book/predictions"}]},
        ],
    }
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents), encoding="utf-8")
    (folder / "index.md").write_text("# Front\n\nA page without a prompt.\n", encoding="utf-8")
    write_notebooks(folder / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nb, "ROOT", folder)
        return build(folder / "out")


# ---------------------------------------------------------------- reading a prompt


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return Records(write_notebooks(tmp_path_factory.mktemp("notebooks")))


def read(comment, records, first=True):
    asked = prompts.parse(comment)
    return prompts.specification(asked, prompts.answer(asked, records, records.paths[0] if first else None))


def test_a_number_is_read(records):
    asked = read(NUMBER, records)
    assert asked["question"] == "What share of a nudge is left?"
    assert (asked["label"], asked["unit"], asked["low"], asked["high"]) == ("share left", "%", 1e-10, 1000)
    assert asked["log"] and asked["value"] == 6.3e-05 and asked["seeds"] == [4e-05, 9e-05]
    assert read(LINEAR, records)["value"] == 34.6 and not read(LINEAR, records)["log"]


def test_a_choice_is_read(records):
    assert read(CHOICE, records) | {"question": ""} == {
        "id": "winner",
        "kind": "choice",
        "question": "",
        "options": ["the RNN", "the GRU"],
        "answer": 1,
    }
    assert read(CHOICE, records, first=False)["answer"] == 1, "a page may mean any chapter's claim"


def test_a_curve_is_read(records):
    asked = read(CURVE, records)
    assert asked["points"] == [[3, 50], [4, 30], [5, 32], [6, 40]] and asked["given"][-1] == [6, 60]
    assert (asked["label"], asked["unit"], asked["across"]) == ("words wrong", "%", "letters in the word")
    assert (asked["model"], asked["givenModel"]) == ("attention", "plain")


@pytest.mark.parametrize(
    ("where", "value"), [("first", "the GRU"), ("by", 0.06), ("2", 0.06), ("3", 0.05)], ids=lambda v: str(v)
)
def test_a_value_of_a_claim_by_name_and_by_place(records, where, value):
    line = CHOICE.replace("; first", f"; {where}")
    if isinstance(value, float):
        line = line.replace("choice | the RNN / the GRU", "number | points, 0 to 1")
    asked = read(line, records)
    assert value == (asked["options"][asked["answer"]] if isinstance(value, str) else asked["value"])


def test_an_option_with_a_comma_and_a_colon(tmp_path):
    said = "neither: one, or the other"
    cells = [*FIRST[:-1], (FIRST[-1][0], f"one of them wins: first {said}, by 0.1\n", "claims", "hide-input")]
    line = CHOICE.replace("the GRU", said).replace("/", "/ neither /")
    assert read(line, Records(write_notebooks(tmp_path / "n", cells)))["answer"] == 2


def test_the_end_of_a_prompt_is_none():
    assert prompts.parse("<!-- predict: end -->") is None


CASES = [  # (a prompt, what is changed, what the error says)
    (NUMBER, "predict:", "predict", "a colon is missing"),
    (NUMBER, "| share left, %, 1e-10 to 1000, log ", "", "4 fields"),
    (NUMBER, "1000, log", "1000, log | more", "6 fields"),
    (NUMBER, " nudge |", " Nudge! |", "its id 'Nudge!'"),
    (NUMBER, "| number |", "| guess |", "its kind 'guess'"),
    (NUMBER, "`nudge`", "$nudge$", "dollar"),
    (NUMBER, "1e-10 to 1000", "much to 1000", "is not of the form"),
    (NUMBER, "1e-10 to 1000", "1000 to 10", "does not rise"),
    (NUMBER, "1e-10 to 1000", "0 to 1000", "begins above 0"),
    (NUMBER, "1e-10 to 1000", "1e-10 to 7e-5", "9e-05, lies outside its range"),
    (NUMBER, "1e-10 to 1000", "5e-5 to 1000", "4e-05, lies outside its range"),
    (NUMBER, "an RNN; share", "an LSTM; share", "record | a nudge | an LSTM | share | ...`"),
    (NUMBER, "an RNN; share", "an RNN", "`record:` takes 3 names"),
    (NUMBER, "record: a", "a", "begins with none of record, claim"),
    (NUMBER, "record: a", "curve: a", "a number has no answer `curve:`"),
    (NUMBER, "x100 -->", "claim: one of them wins; by -->", "names 2 answers"),
    (CHOICE, " / the GRU", "", "not two or more different ones"),
    (CHOICE, "the RNN /", "the GRU /", "not two or more different ones"),
    (CHOICE, "the GRU |", "the LSTM |", "'the GRU, by 0.06, 0.05', which is none of"),
    (CHOICE, "one of them", "none of them", "no claims begin with 'none of them wins'"),
    (CHOICE, "; first", "; last", "has no values called 'last'"),
    (CHOICE, "; first", "; 4", "has no values called '4'"),
    (CHOICE, "; first", "; first; x100", "a choice has no factor"),
    (
        CHOICE,
        "choice | the RNN / the GRU",
        "number | points, 0 to 1",
        "'the GRU, by 0.06, 0.05' there, which is no number",
    ),
    (CURVE, "; letters in the word", "", "what the curve is drawn against"),
    (CURVE, "0 to 100;", "1 to 100, log;", "a curve is drawn on a linear scale"),
    (CURVE, "0 to 100;", "0 to 45;", "a value of the curve `attention`, 50, lies outside"),
    (CURVE, "0 to 100;", "0 to 55;", "a value of the curve `plain`, 60, lies outside"),
    (CURVE, "curve: reading; attention", "curve: reading; nothing", "curve | reading | nothing | error | ...`"),
    (CURVE, "curve: reading; attention; error; given", "given", "names 1 answers"),
    (CURVE, "given: reading; plain", "curve: reading; plain", "two answers with `curve:`"),
]


@pytest.mark.parametrize(("comment", "old", "new", "said"), CASES, ids=[f"{c[2]}-{c[3]}"[:50] for c in CASES])
def test_a_malformed_prompt_is_refused(records, comment, old, new, said):
    assert comment.count(old) == 1
    with pytest.raises(prompts.Malformed) as caught:
        read(comment.replace(old, new), records)
    assert said in str(caught.value)


def test_curves_that_do_not_meet_and_short_ones_are_refused(tmp_path):
    def changed(name, old, new):
        cells = [SECOND[0], SECOND[1], (SECOND[2][0], SECOND[2][1].replace(old, new)), SECOND[3]]
        return Records(write_notebooks(tmp_path / name, second=cells))

    with pytest.raises(prompts.Malformed, match="not measured at the same x"):
        read(CURVE, changed("a", "6 60", "7 60"))
    with pytest.raises(prompts.Malformed, match="has 2 points"):
        read(CURVE, changed("b", "3 50, 4 30, ", ""))


def test_a_claim_that_begins_as_another_does_is_refused(tmp_path):
    twice = (
        FIRST[-1][0],
        "one of them wins: first the GRU\none of them wins late: first the RNN\n",
        "claims",
        "hide-input",
    )
    records = Records(write_notebooks(tmp_path / "n", [*FIRST[:-1], twice]))
    with pytest.raises(prompts.Malformed, match="2 claims begin with"):
        read(CHOICE, records)
    assert read(CHOICE.replace("wins;", "wins late;"), records)["answer"] == 0


# ---------------------------------------------------------------- a page that is read


def page_of(*texts, name="notebooks/01_one"):
    """(app, doctree) of a page whose section holds raw html and, for other texts, paragraphs."""
    doctree = new_document("page")
    section = nodes.section()
    doctree += section
    for text in texts:
        raw = text.startswith("<")
        section += nodes.raw("", text, format="html") if raw else nodes.paragraph("", text)
    path = f"{name}.ipynb"
    env = SimpleNamespace(docname=name, doc2path=lambda _: path, note_dependency=lambda _: None)
    return SimpleNamespace(env=env), doctree


@pytest.fixture
def reading(monkeypatch, tmp_path):
    """What is done to a page when it has been read, with the records of the small book."""
    folder = write_notebooks(tmp_path / "notebooks")
    monkeypatch.setattr(book_predict, "ROOT", tmp_path)

    def read_page(*texts, name="notebooks/01_one"):
        app, doctree = page_of(*texts, name=str(folder / Path(name).name))
        app.env.docname = name
        book_predict.find_prompts(app, doctree)
        return app.env, doctree

    return read_page


def test_a_prompt_is_known_to_the_book(reading):
    env, doctree = reading("Before.", NUMBER, "After.", "<!-- a comment -->", "<!-- predict: end -->", "Open.")
    assert [known["id"] for known in book_predict.kept(env)["notebooks/01_one"]] == ["nudge"]
    (asked,) = doctree.findall(book_predict.prompt)
    assert [node.astext() for node in book_predict.following(asked)] == ["After.", "<!-- a comment -->"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ((NUMBER.replace("an RNN", "a GRU"), "After."), "'nudge': no notebook prints a line `record | a nudge | a GRU"),
        (("Before.", NUMBER), "'nudge': nothing stands between it and the next heading"),
        ((NUMBER, CHOICE, "After."), "'nudge': nothing stands between"),
        (("Before.", "<!-- predict: end -->"), "'end': no prompt of its section stands open"),
        ((NUMBER, "After.", *["<!-- predict: end -->"] * 2), "'end': no prompt of its section stands open"),
        ((NUMBER + " and more", "After."), "'nudge': the comment stands in a line with something else"),
        (("<!-- predict nudge -->", "After."), "a colon is missing"),
    ],
)
def test_a_wrong_page_stops_the_build_and_is_named(reading, texts, said):
    with pytest.raises(ExtensionError) as caught:
        reading(*texts)
    assert str(caught.value).startswith("notebooks/01_one: the prompt ") and said in str(caught.value)


def test_a_prompt_in_a_list_stops_the_build(reading):
    app, doctree = page_of()
    item = nodes.list_item("", nodes.raw("", NUMBER, format="html"))
    doctree[0] += nodes.bullet_list("", item)
    with pytest.raises(ExtensionError, match="01_one: the prompt 'nudge': it must stand in a paragraph of its own"):
        book_predict.find_prompts(app, doctree)


def test_an_id_that_repeats_stops_the_build():
    pages_said = {"a": {}, "list": {book_predict.LIST: "yes"}}
    env = SimpleNamespace(book_prompts={"a": [{"id": "x"}], "b": [{"id": "y"}]}, metadata=pages_said)
    assert book_predict.check_book(None, env) == ["list"], "which is written again"
    env.book_prompts["b"].append({"id": "x"})
    with pytest.raises(ExtensionError, match="b: the prompt 'x': a has a prompt of that id already"):
        book_predict.check_book(None, env)


# ---------------------------------------------------------------- the built pages


def test_nothing_is_hidden_in_the_html(small):
    """Nor is any form there: it lies in a template."""
    for path, html in small.pages.items():
        page = pages.soup(html)
        assert not page.select("[data-veil][hidden], [data-veil][style]")
        for template in page.find_all("template"):
            template.decompose()
        assert not page.select(".predict form, .predict input, .predict-book button"), path


def test_what_is_veiled_and_what_is_not(small):
    page = pages.soup(small.pages["notebooks/01_one.html"])
    veiled = " ".join(e.get_text(" ") for e in page.select("[data-veil=nudge]"))
    for text in ("printed by the cell", "Prose after the cell", "a list", "Inside a fold", "heading of a table"):
        assert text in veiled, text
    for text in ("code of the cell", "Before.", "The cell measures", "Open again", "winner"):
        assert text not in veiled, text
    assert "The winner is told here" in page.select_one("[data-veil=winner]").get_text()
    assert not page.find(string=re.compile("Nothing is hidden here")).find_parent(attrs={"data-veil": True})
    assert page.find(string=re.compile("code of the cell"))


def test_scripts_come_only_where_they_are_used(small):
    having = {path for path, html in small.pages.items() if "predict.js" in html or "bookPredict" in html}
    assert having == {"notebooks/01_one.html", "notebooks/02_two.html", "book/predictions.html"}


def test_the_list_names_every_prompt_and_no_answer(small):
    page = pages.soup(small.pages["book/predictions.html"])
    listed = page.select(".predict-book li")
    assert [json.loads(e["data-prompt"])["id"] for e in listed] == ["nudge", "winner", "share", "curve", "letters"]
    assert [e.get_text() for e in page.select(".predict-book h2")] == ["1. One", "2. Two"]
    assert not any(re.search(r"[0-9]", e.get_text()) for e in listed), "a number is shown that nobody has guessed"
    links = [text for text in pages.broken_links(small.pages, small.files) if "predict-" in text]
    no(links, "links that lead nowhere")


def test_the_search_index_knows_the_text_and_not_the_form(small):
    index = (small.root / "searchindex.js").read_text(encoding="utf-8").lower()
    assert "prose" in index and "mous" not in index and "slider" not in index


def test_the_chapters_prompts_are_on_the_site(site):
    """Of the book itself: each comment in a notebook is a prompt on its page, and the list has them all."""
    written = {}
    for path in nb.notebook_paths():
        text = "\n\n".join(c.source for c in nb.read(path).cells if c.cell_type == "markdown")
        found = [asked.id for asked in map(prompts.parse, prompts.comments(text)) if asked]
        if found:
            written[f"notebooks/{path.stem}.html"] = found
    shown = {
        path: [e["id"].removeprefix("predict-") for e in pages.soup(html).select(".predict")]
        for path, html in site.pages.items()
    }
    assert {path: ids for path, ids in shown.items() if ids} == written
    listed = pages.soup(site.pages["book/predictions.html"]).select(".predict-book li")
    assert [json.loads(e["data-prompt"])["id"] for e in listed] == sum(written.values(), [])


# ---------------------------------------------------------------- in a browser


@contextmanager
def opened(browser, small, path, size=WIDTHS["desk"], before=None, **options):
    """A page of the small book, read from the disk as by a reader without a server. An error of the prompts fails."""
    width, height = size
    touch = width < 500
    context = browser.new_context(
        viewport={"width": width, "height": height}, is_mobile=touch, has_touch=touch, **options
    )
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error.stack) if "predict" in error.stack.lower() else None)
    try:
        if before:
            before(page)
        page.goto(address(small, path), wait_until="load")
        yield page
        assert not errors
    finally:
        context.close()


def address(small, path):
    return (small.root / path).as_uri() if "#" not in path else f"{small.root.as_uri()}/{path}"


ONE, TWO, LIST = "notebooks/01_one.html", "notebooks/02_two.html", "book/predictions.html"
SEEN = """texts => {
  const found = {}, walker = document.createTreeWalker(document.querySelector('.bd-article'), NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) for (const text of texts) if (node.data.includes(text)) {
    const own = document.createRange();
    own.selectNodeContents(node);
    const visible = node.parentElement.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true});
    found[text] = found[text] || (visible && own.getClientRects().length > 0);
  }
  return found;
}"""
CODE, AFTER = "code of the cell", ("printed by the cell", "Prose after the cell", "a list", "heading of a table")


def seen(page, *texts):
    """Which of the texts a reader sees."""
    return [text for text, visible in page.evaluate(SEEN, list(texts)).items() if visible]


def spoken(page):
    """All that a screen reader is given."""
    session = page.context.new_cdp_session(page)
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    return " | ".join(str(node.get("name", {}).get("value", "")) for node in tree if not node["ignored"])


def box(page, name):
    return page.locator(f"#predict-{name}")


def state(page, name):
    return box(page, name).get_attribute("data-state")


def kept(page):
    return page.evaluate("JSON.parse(localStorage.getItem(bookPredict.key) || 'null')")


def said(page, name):
    return box(page, name).locator(".predict-said").inner_text()


def answer(page, name, value):
    """Type a number and look."""
    box(page, name).locator(".predict-entry input").fill(str(value))
    box(page, name).locator(".predict-go").click()


def test_what_follows_is_veiled_until_the_reader_answers(browser, small):
    with opened(browser, small, ONE) as page:
        assert seen(page, "Before.", CODE, *AFTER, "Open again") == ["Before.", CODE, "Open again"]
        bars = [bar.bounding_box()["height"] for bar in page.locator(".predict-veil").all()]
        assert min(bars) > 40, "where something waits stands a bar"
        heard = spoken(page)
        assert "What share of a nudge is left?" in heard and "Open again" in heard
        assert not any(text in heard for text in (*AFTER, "Inside a fold", "The winner is told here"))
        box(page, "nudge").locator(".predict-go").click()
        assert box(page, "nudge").locator(".predict-error").inner_text() == "Move the slider or type a number first."
        assert page.evaluate("document.activeElement.type") == "range" and state(page, "nudge") == "asking"
        answer(page, "nudge", 5000)
        assert "from 10⁻¹⁰ to 1,000" in box(page, "nudge").locator(".predict-error").inner_text()
        assert seen(page, *AFTER) == []
        answer(page, "nudge", 3)
        assert said(page, "nudge") == (
            "You said 3%; measured 0.000063%, which is 48,000 times less. "
            "Over the seeds it ranges from 0.00004% to 0.00009%."
        )
        assert page.evaluate("document.activeElement.className") == "predict-outcome"
        assert seen(page, *AFTER) == list(AFTER) and all(text in spoken(page) for text in AFTER[:2])
        assert state(page, "winner") == "asking" and seen(page, "The winner is told here") == []
        assert kept(page)["answers"] == {"nudge": 3}
        page.reload(wait_until="load")
        assert seen(page, *AFTER) == list(AFTER) and "48,000 times less" in said(page, "nudge")
        box(page, "nudge").get_by_role("button", name="Take the guess back").click()
        assert seen(page, *AFTER) == [] and kept(page)["answers"] == {} and state(page, "nudge") == "asking"
        assert page.evaluate("document.activeElement.type") == "range"
        box(page, "nudge").get_by_role("button", name="Show without guessing").click()
        assert said(page, "nudge") == "Measured: 0.000063%, over the seeds 0.00004% to 0.00009%."
        assert seen(page, *AFTER) == list(AFTER) and kept(page)["answers"] == {"nudge": None}


SHARES, NUDGES = "Over the seeds it ranges from 34.2% to 34.9%.", "Over the seeds it ranges from 0.00004% to 0.00009%."
SENTENCES = [  # (prompt, guess, what is said of it, where its mark stands)
    ("share", 46, f"You said 46%; measured 34.6%: 11.4 points too high. {SHARES}", "right"),
    ("share", 33.6, f"You said 33.6%; measured 34.6%: 1 point too low. {SHARES}", "left"),
    ("share", 34.3, "You said 34.3%; measured 34.6%: inside the range of the seeds, 34.2% to 34.9%.", "left"),
    (
        "nudge",
        6e-5,
        "You said 0.00006%; measured 0.000063%: inside the range of the seeds, 0.00004% to 0.00009%.",
        "left",
    ),
    ("nudge", 1e-8, f"You said 10⁻⁸%; measured 0.000063%, which is 6,300 times more. {NUDGES}", "left"),
    ("nudge", 1e-4, f"You said 0.0001%; measured 0.000063%, which is 37% less. {NUDGES}", "right"),
]


def test_what_is_said_of_a_number(browser, small):
    with opened(browser, small, ONE) as page:
        for name, guess, sentence, side in SENTENCES:
            answer(page, name, guess)
            assert said(page, name) == sentence
            marks = box(page, name).locator(".predict-drawing")
            assert marks.locator("rect.seeds").count() == 1
            x = {kind: float(marks.locator(f"line.{kind}").get_attribute("x1")) for kind in ("guess", "measured")}
            assert (x["guess"] > x["measured"]) == (side == "right")
            box(page, name).locator(".predict-back").click()
        page.goto(address(small, TWO), wait_until="load")
        answer(page, "letters", 8)
        assert said(page, "letters") == (
            "You said 8 letters; measured 3.46: 4.54 letters too high. Over the seeds it ranges from 3.42 to 3.49."
        )
        labels = box(page, "letters").locator(".predict-drawing text:not(.tick)").all_text_contents()
        assert labels == ["measured 3.46", "you 8"], "a unit in words is said once"


def test_the_slider_and_the_field_say_the_same(browser, small):
    with opened(browser, small, ONE) as page:
        slider, live = box(page, "share").locator(".predict-range"), box(page, "share").locator(".predict-live")
        assert live.inner_text() == "Move the slider" and slider.get_attribute("aria-valuetext") == "nothing set yet"
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert live.inner_text() == slider.get_attribute("aria-valuetext") == "50.5%"
        assert box(page, "share").locator(".predict-entry input").input_value() == "50.5"
        box(page, "share").locator(".predict-entry input").fill("20")
        assert live.inner_text() == "20%" and slider.input_value() == "40"
        log = box(page, "nudge").locator(".predict-range")
        log.focus()
        page.keyboard.press("Home")
        assert log.get_attribute("aria-valuetext") == "10⁻¹⁰%"
        page.keyboard.press("End")
        assert log.get_attribute("aria-valuetext") == "1,000%"
        for _ in range(20):
            page.keyboard.press("ArrowLeft")
        assert log.get_attribute("aria-valuetext") == "100%", "twenty steps are a factor of ten"


def test_a_choice(browser, small):
    with opened(browser, small, ONE) as page:
        winner = box(page, "winner")
        winner.locator(".predict-go").click()
        assert winner.locator(".predict-error").inner_text() == "Choose one first."
        winner.get_by_label("the RNN").check()
        winner.locator(".predict-go").click()
        assert said(page, "winner") == "You said “the RNN”. Measured: “the GRU”."
        marked = winner.locator(".predict-drawing li").all_inner_texts()
        assert marked == ["the RNN you", "the GRU measured"] and seen(page, "The winner is told here")
        winner.locator(".predict-back").click()
        winner.get_by_label("the GRU").check()
        winner.locator(".predict-go").click()
        assert said(page, "winner") == "You said “the GRU”, and that was measured."


def plot(page):
    """The places in the window of the four points, and of a share of the height between 0 and 100."""
    bounds = page.locator("#predict-curve .predict-plot").bounding_box()
    lines = page.locator("#predict-curve .predict-plot line.grid")
    places = lines.evaluate_all("all => all.map(l => ['x1', 'x2', 'y1', 'y2'].map(n => Number(l.getAttribute(n))))")
    columns = sorted(a for a, b, *_ in places if a == b)
    rows = [y for *_, y, other in places if y == other]
    top, bottom = min(rows), max(rows)
    return [bounds["x"] + x for x in columns], lambda y: bounds["y"] + bottom + (top - bottom) * y / 100


def test_a_curve_drawn_with_the_mouse(browser, small):
    with opened(browser, small, TWO) as page:
        curve = box(page, "curve")
        assert seen(page, "The curve is described here") == []
        assert curve.locator("path.given").count() == 2, "the given curve and its swatch"
        curve.locator(".predict-go").click()
        assert curve.locator(".predict-error").inner_text() == "Draw the curve first, from 3 to 6."
        columns, y = plot(page)
        page.mouse.move(columns[0], y(40))
        page.mouse.down()
        page.mouse.move(columns[1], y(40), steps=3)
        page.mouse.up()
        curve.locator(".predict-go").click()
        assert "Missing: 5, 6." in curve.locator(".predict-error").inner_text()
        page.mouse.move(columns[1], y(40))
        page.mouse.down()
        page.mouse.move(columns[3], y(60))  # in one leap: the point between is drawn too
        page.mouse.up()
        curve.locator(".predict-go").click()
        assert kept(page)["answers"]["curve"] == [40, 40, 50, 60]
        assert said(page, "curve") == (
            "On average your curve is 14.5 points from the measured one, on the whole 9.5 points too high. "
            "It is furthest off at 6 (letters in the word): 20 points too high."
        )
        assert seen(page, "The curve is described here")
        drawn = curve.locator(".predict-drawing .predict-plot")
        assert [drawn.locator(f"path.{kind}[fill=none]").count() for kind in ("measured", "given", "guess")] == [
            1,
            1,
            1,
        ]
        assert "at 6 40%, you 60%" in drawn.get_attribute("aria-label")


def test_a_curve_drawn_with_a_finger(browser, small):
    """The page does not scroll away under it."""
    with opened(browser, small, TWO, size=WIDTHS["pocket"]) as page:
        page.locator("#predict-curve .predict-plot").scroll_into_view_if_needed()
        columns, y = plot(page)
        before = page.evaluate("scrollY")
        session = page.context.new_cdp_session(page)

        def touch(kind, *points):
            session.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [dict(zip("xy", p)) for p in points]}
            )

        touch("touchStart", (columns[0], y(80)))
        for column, level in zip(columns[1:], (60, 40, 20)):
            touch("touchMove", (column, y(level)))
        touch("touchEnd")
        assert page.locator("#predict-curve .predict-plot").get_attribute("aria-valuetext") == "6: 20%, 4 of 4 drawn"
        box(page, "curve").locator(".predict-go").click()
        assert page.evaluate("scrollY") == pytest.approx(before, abs=200)
        assert kept(page)["answers"]["curve"] == [80, 60, 40, 20]


def test_a_curve_drawn_with_the_keyboard_and_typed(browser, small):
    with opened(browser, small, TWO) as page:
        svg = page.locator("#predict-curve .predict-controls .predict-plot")
        svg.focus()
        assert svg.get_attribute("aria-valuetext") == "nothing drawn yet" or "3: not drawn" in svg.get_attribute(
            "aria-valuetext"
        )
        page.keyboard.press("ArrowUp")  # from the given curve, 52
        assert svg.get_attribute("aria-valuetext") == "3: 53%, 1 of 4 drawn"
        page.keyboard.press("ArrowRight")  # the curve is carried along
        assert svg.get_attribute("aria-valuetext") == "4: 53%, 2 of 4 drawn"
        page.keyboard.press("PageDown")
        assert (
            svg.get_attribute("aria-valuetext") == "4: 43%, 2 of 4 drawn" and svg.get_attribute("aria-valuenow") == "43"
        )
        page.keyboard.press("ArrowLeft")
        assert svg.get_attribute("aria-valuetext") == "3: 53%, 2 of 4 drawn"
        page.locator("#predict-curve summary").click()
        fields = page.locator("#predict-curve .predict-grid input")
        assert [field.input_value() for field in fields.all()] == ["53", "43", "", ""]
        fields.nth(2).fill("200")
        fields.nth(3).fill("10")
        page.keyboard.press("Enter")
        assert "Missing: 5." in box(page, "curve").locator(".predict-error").inner_text()
        fields.nth(2).fill("20.5")
        page.keyboard.press("Enter")
        assert kept(page)["answers"]["curve"] == [53, 43, 20.5, 10]


def test_the_switch_shows_everything_from_then_on(browser, small):
    with opened(browser, small, ONE) as page:
        box(page, "winner").get_by_label("Show everything without guessing").check()
        assert seen(page, *AFTER, "The winner is told here") == [*AFTER, "The winner is told here"]
        page.goto(address(small, TWO), wait_until="load")
        assert seen(page, "The curve is described here") and state(page, "curve") == "passed"
        page.goto(address(small, LIST), wait_until="load")
        shown = page.locator(".predict-book").inner_text()
        assert shown.count("Not answered yet.") == 5 and "Measured" not in shown, "what was not looked at is not told"
        page.get_by_label("Show everything without guessing").uncheck()
        page.goto(address(small, TWO), wait_until="load")
        assert seen(page, "The curve is described here") == []


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("#:~:text=Prose%20after%20the%20cell", "Prose after the cell"),
        ("#inside", "Inside a fold"),
    ],
)
def test_a_link_or_a_search_into_a_veil_opens_it(browser, small, where, found):
    """A search in the page goes the way of a link to a text."""

    def name_the_fold(page):
        page.add_init_script(
            "new MutationObserver(() => { const e = document.querySelector('[data-veil=nudge] details');"
            " if (e && !e.id) e.id = 'inside'; }).observe(document, {childList: true, subtree: true})"
        )

    with opened(browser, small, f"{ONE}{where}", before=name_the_fold) as page:
        page.wait_for_function("!document.querySelector('[data-veil=nudge]').hidden", timeout=5000)
        assert seen(page, *AFTER) == list(AFTER)
        assert seen(page, "The winner is told here") == [], "the other prompt still asks"
        assert kept(page) is None, "nothing was guessed"
        if where == "#inside":  # an older browser knows only that it is hidden
            page.evaluate("document.querySelectorAll('[data-veil=nudge]').forEach(e => e.setAttribute('hidden', ''))")
            page.evaluate("location.hash = ''")
            assert seen(page, *AFTER) == []
            page.evaluate("location.hash = '#inside'")
            page.wait_for_function("!document.querySelector('[data-veil=nudge]').hidden", timeout=5000)
            assert seen(page, *AFTER) == list(AFTER)


def test_a_hit_of_the_books_search_opens_its_veil(browser, small):
    with opened(browser, small, f"{ONE}?highlight=prose#") as page:
        assert seen(page, *AFTER) == []
        page.evaluate("document.querySelectorAll('[data-veil=nudge] p')[0].classList.add('search-landed')")
        page.wait_for_function("!document.querySelector('[data-veil=nudge]').hidden")
        assert seen(page, *AFTER, "The winner is told here") == list(AFTER)


def test_nothing_flashes_before_the_script_has_come(browser, small):
    """What is veiled is veiled from the first paint; the form stands; and should the script not come, all opens."""
    waiting = []
    with opened(browser, small, "index.html") as page:
        page.route("**/predict.js*", lambda route: waiting.append(route))
        page.goto(address(small, ONE), wait_until="commit")
        page.wait_for_function(
            "document.querySelectorAll('[data-veil]').length > 3 && document.readyState != 'loading'"
        )
        assert seen(page, CODE, *AFTER) == [CODE] and box(page, "nudge").locator("form").is_visible()
        waiting.pop().abort()
        page.wait_for_load_state("load")
        page.wait_for_function("!document.documentElement.classList.contains('predict-on')")
        assert seen(page, *AFTER) == list(AFTER) and not box(page, "nudge").is_visible()


def test_without_scripts_everything_stands_open(browser, small):
    with opened(browser, small, ONE, java_script_enabled=False) as page:
        for text in AFTER:
            assert page.get_by_text(text).first.is_visible(), text
        assert page.locator("form:visible input[type=range], .predict-go:visible").count() == 0
        assert not any(text in page.locator(".bd-article").inner_text() for text in ("Before you look", "guessing"))
    with opened(browser, small, LIST, java_script_enabled=False) as page:
        assert "switched off" in page.locator(".predict-book").inner_text()


def test_on_paper_everything_stands_open(browser, small):
    with opened(browser, small, ONE) as page:
        page.emulate_media(media="print")
        page.wait_for_function(  # it takes a frame
            "document.querySelector('[data-veil] p').checkVisibility({contentVisibilityAuto: true})", timeout=10_000
        )
        assert seen(page, *AFTER, "The winner is told here") == [*AFTER, "The winner is told here"]
        assert not box(page, "nudge").is_visible()


def test_a_reader_whose_browser_keeps_nothing(browser, small):
    closed = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"

    def close(page):
        page.add_init_script(closed)

    with opened(browser, small, TWO, before=close) as page:  # the theme's own script cannot do without
        page.locator("#predict-curve .predict-pass").click()
        assert seen(page, "The curve is described here") and said(page, "curve").startswith("Measured: 50% at 3, 40%")
        box(page, "curve").locator(".predict-back").click()
        assert seen(page, "The curve is described here") == []


def test_a_guess_that_no_longer_fits_is_asked_for_again(browser, small):
    kept_before = {"answers": {"winner": "the LSTM", "nudge": "much", "share": 12}, "all": False}

    def keep(page):
        page.goto(address(small, ONE))
        page.evaluate("kept => localStorage.setItem(bookPredict.key, JSON.stringify(kept))", kept_before)

    with opened(browser, small, ONE, before=keep) as page:
        assert [state(page, name) for name in ("nudge", "winner", "share")] == ["asking", "asking", "answered"]
        assert seen(page, *AFTER, "The winner is told here") == []
        for broken in ("not json", "[]", "3", '{"answers": 3}', "null"):
            page.evaluate("text => localStorage.setItem(bookPredict.key, text)", broken)
            page.reload(wait_until="load")
            assert state(page, "share") == "asking", broken


SHIFT = """() => new Promise(resolve => {
  const article = document.querySelector('.bd-article');
  new PerformanceObserver(list => resolve(list.getEntries().filter(entry => !entry.hadRecentInput
    && entry.sources.some(source => article.contains(source.node))).reduce((sum, entry) => sum + entry.value, 0)
  )).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => resolve(0), 300);
})"""


@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_the_page_does_not_jump(browser, small, size):
    """Neither where a prompt asks nor where it has been answered, though the script comes after the first paint; and
    when it opens, it stays where it is."""

    def late(route):
        time.sleep(0.2)
        route.continue_()

    with opened(browser, small, ONE, size=size) as page:
        page.route("**/predict.js*", late)
        for path, names in ((ONE, ("nudge", "winner", "share")), (TWO, ("curve",))):
            page.goto(address(small, path), wait_until="load")
            for name in names:
                box(page, name).evaluate("e => e.scrollIntoView({block: 'center'})")
                page.reload(wait_until="load")
                assert page.evaluate(SHIFT) < 0.01, f"{name} asks"
                top = box(page, name).bounding_box()["y"]
                box(page, name).locator(".predict-pass").click()
                assert box(page, name).bounding_box()["y"] == pytest.approx(top, abs=2), name
                page.reload(wait_until="load")
                assert page.evaluate(SHIFT) < 0.01, f"{name} was answered"


def test_the_list(browser, small):
    with opened(browser, small, LIST) as page:
        assert page.locator(".predict-summary").inner_text() == "You have answered none of 5 prompts."
        text = page.locator(".predict-book").inner_text()
        assert text.count("Not answered yet.") == 5 and "Measured" not in text and "the GRU" not in text
        page.goto(address(small, ONE), wait_until="load")
        answer(page, "nudge", 3)
        answer(page, "share", 34.5)
        box(page, "winner").get_by_label("the GRU").check()
        box(page, "winner").locator(".predict-go").click()
        page.goto(address(small, LIST), wait_until="load")
        assert page.locator(".predict-summary").inner_text() == (
            "You have answered 3 of 5 prompts. Numbers and curves: 1 too high, none too low, 1 within the range of the "
            "seeds. Choices: 1 of 1 right."
        )
        rows = page.locator(".predict-list > li").all_inner_texts()
        assert "48,000 times less" in rows[0] and "inside the range" in rows[2] and "Not answered yet." in rows[3]
        assert page.locator(".predict-list > li svg").count() == 2
        page.evaluate("() => { navigator.clipboard.writeText = async text => { window.copied = text; }; }")
        page.get_by_role("button", name="Copy as text").click()
        page.wait_for_function("window.copied")
        copied = page.evaluate("window.copied")
        assert (
            "1. One\n- What share of a nudge is left? You said 3%; measured" in copied
            and "2. Two\n- Draw it. Not" in copied
        )
        page.evaluate("() => { navigator.clipboard.writeText = async () => { throw new Error('closed'); }; }")
        page.get_by_role("button", name="Copy as text").click()
        page.wait_for_selector(".predict-text:visible")
        assert page.evaluate("getSelection().toString() || document.activeElement.value") == copied
        page.get_by_role("button", name="Forget all guesses").click()
        assert kept(page)["answers"] == {} and "none of 5" in page.locator(".predict-summary").inner_text()
        page.get_by_role("button", name="Undo").click()
        assert kept(page)["answers"] == {"nudge": 3, "share": 34.5, "winner": "the GRU"}
        page.get_by_role("link", name="What share of a nudge is left?").click()
        page.wait_for_url("**/01_one.html#predict-nudge")
        assert box(page, "nudge").is_visible()


AXE = """async () => {
  const found = await axe.run(document.querySelector('.bd-article'), {resultTypes: ['violations']});
  return found.violations.map(rule => `${rule.id}: ${rule.nodes.map(n => n.html.slice(0, 120)).join(' and ')}`);
}"""
SMALL_TARGETS = """() => {
  const targets = '.predict :is(button, summary, label, input), .predict-tools :is(button, label)';
  return [...document.querySelectorAll(targets)]
    .filter(e => e.checkVisibility() && !(e.matches('input') && e.closest('label')))
    .map(e => [e.outerHTML.slice(0, 60), e.getBoundingClientRect().height])
    .filter(([, height]) => height < 44).map(([html, height]) => `${html} is ${height} high`);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_prompts_are_accessible(browser, small, scheme):
    """axe finds nothing, asked and answered; a finger meets 44 pixels; 320 pixels are wide enough."""
    from axe_playwright_python.base import AXE_FILE_PATH

    axe, found = Path(AXE_FILE_PATH).read_text(encoding="utf-8"), []

    def check(page, when):
        page.evaluate(axe)
        found.extend(f"{when}: {text}" for text in [*page.evaluate(AXE), *page.evaluate(SMALL_TARGETS)])
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{when}: the page scrolls sideways")

    with opened(browser, small, ONE, size=(320, 700), color_scheme=scheme, reduced_motion="reduce") as page:
        check(page, "asking")
        for name in ("nudge", "share", "winner"):
            box(page, name).locator(".predict-pass").click()
        check(page, "passed")
        page.goto(address(small, TWO), wait_until="load")
        check(page, "asking for a curve")
        page.locator("#predict-curve summary").click()
        for field in page.locator("#predict-curve .predict-grid input").all():
            field.fill("50")
        check(page, "curve drawn")
        box(page, "curve").locator(".predict-go").click()
        check(page, "curve answered")
        page.goto(address(small, LIST), wait_until="load")
        check(page, "list")
    no(found, scheme)
