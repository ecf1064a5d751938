"""The PDF of the whole book, from a site of three pages: what is taken over, where links lead, what is refused."""

import re

import pytest
from pypdf import PdfReader

from tests.support.site import chromium_or_skip
from tools import chromium, pdf

TOC = """
root: index
parts:
  - caption: "Part I. Sequences"
    chapters:
      - file: notebooks/01_first
  - caption: Reference
    chapters:
      - file: book/terms
      - file: book/predictions
"""
CITATION = """
title: A Book
version: 1.2
date-released: 2026-02-03
abstract: What it is about.
keywords: [one, two]
authors: [{name: Somebody}]
"""
PAGE = """<html lang="en"><head>{head}<link rel="stylesheet" href="{up}_static/print.css"></head><body><nav>Menu</nav>
<article class="bd-article">{body}</article></body></html>"""
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>'
FIRST = """
<section id="first"><h1><span class="section-number">1. </span>First: why?<a class="headerlink" href="#first">#</a></h1>
<p>See <a href="../book/terms.html#term-a">a term</a>, <a href="#second">below</a>, <a href="../index.html">home</a>,
<a href="https://example.org/x">elsewhere</a> and <a href="../_sources/notebooks/01_first.ipynb">the notebook</a>.</p>
<div class="cell"><details class="fold fold-setup"><summary>Setup</summary><pre>import torch</pre></details></div>
<div class="cell"><details class="fold fold-code"><summary>Draw</summary><div class="fold-body">plot()</div></details>
<div class="cell_output">drawn</div></div>
<p>A formula
<span class="katex"><span class="katex-mathml"><math>xsquared</math></span><span class="katex-html">x</span></span>.</p>
<section id="second"><h2>1.1. Second<a class="ask-link" href="https://example.org/ask">?</a></h2>
<p style="break-before: page">Later.</p></section>
<section id="exercises"><h2>1.2. Exercises</h2>
<section id="exercise-1"><h3>Exercise 1</h3><p>How?</p>
<details class="fold fold-solution"><summary>Solution to exercise 1</summary><div class="fold-body"><p>Like this.</p>
<details class="fold fold-code"><summary>Code</summary><div class="fold-body">answer()</div></details>
<p>As in <a href="#second">the second</a>.</p></div></details></section></section></section>"""
TERMS = """<section id="terms"><h1>Terms</h1><dl class="glossary"><dt id="term-a">a term</dt><dd>What it means.
<img src="../_images/a.svg" alt="a box" loading="lazy"></dd></dl></section>"""
HOME = """<section id="a-book"><h1>A Book</h1><p>It begins.</p><p class="printed-book">One file</p>
<img src="_images/landing-light.svg" alt="A sketch" class="only-light"><img src="no.svg" alt="" class="only-dark">
</section>"""


@pytest.fixture
def root(tmp_path):
    """A repository with a site of three pages in it."""
    site = tmp_path / "_build" / "html"
    files = {
        tmp_path / "_toc.yml": TOC,
        tmp_path / "CITATION.cff": CITATION,
        site / "_static/print.css": (pdf.ROOT / "book/assets/print.css").read_text(encoding="utf-8"),
        site / "_static/math.css": ".katex { color: black }",
        site / "_images/a.svg": PICTURE,
        site / "_images/landing-light.svg": PICTURE,
        site / "index.html": PAGE.format(head="", up="", body=HOME),
        site / "notebooks/01_first.html": PAGE.format(
            head='<link rel="stylesheet" href="../_static/math.css?v=1">', up="../", body=FIRST
        ),
        site / "book/terms.html": PAGE.format(head="", up="../", body=TERMS),
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def combined(root):
    return pdf.combine(pdf.Book(root / "_build" / "html", root))


def change(root, name, old, new):
    path = root / "_build" / "html" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# ---------------------------------------------------------------- the one page


def test_pages_come_in_the_order_of_the_contents(root):
    text = combined(root)
    order = ["A Book</h1>", "Contents</a>", "It begins", "Part I</span>", "Later", "Reference</h1>", "What it means"]
    assert [text.find(words) for words in order] == sorted(text.find(words) for words in order)
    assert min(text.find(words) for words in order) > 0
    assert "3 February 2026" in text and "Version 1.2" in text
    assert "Menu" not in text and "predictions" not in text


def test_links_between_pages_lead_within_the_book(root):
    text = combined(root)
    for href in ("#terms.term-a", "#01_first.second", "#index", "https://example.org/x"):
        assert f'<a href="{href}">' in text, href
    assert 'id="terms.term-a"' in text and 'id="01_first.second"' in text
    assert not re.search(r'href="[^"#]*\.(html|ipynb)', text)


def test_a_link_to_a_file_of_the_site_needs_its_address(root):
    assert "and the notebook." in combined(root)
    change(root, "index.html", "<head>", '<head><link rel="canonical" href="https://book.example.org/">')
    text = combined(root)
    assert '<a href="https://book.example.org/_sources/notebooks/01_first.ipynb">the notebook</a>' in text
    assert '<a href="#terms.term-a">' in text
    assert ">https://book.example.org/</a>" in text, "the cover says where the site is"


def test_what_is_folded_is_left_out(root):
    text = combined(root)
    for gone in (
        "import torch",
        "plot()",
        "ask-link",
        "xsquared",
        "headerlink",
        "One file",
        "no.svg",
        'loading="lazy"',
        "Draw<",
    ):
        assert gone not in text, gone
    assert "drawn" in text


def test_solutions_stand_at_the_end(root):
    text = combined(root)
    assert text.count("Like this.") == text.count("answer()") == 1
    assert text.index("Like this.") > text.index("What it means")
    assert '<a href="#solutions.01_first.exercise-1">Solution on page ' in text
    assert 'href="#01_first.exercise-1">on page ' in text


def test_a_style_sheet_of_one_page_keeps_its_place(root):
    text = combined(root)
    assert text.index("_static/math.css") < text.index("_static/print.css")
    assert text.count("_static/print.css") == 1


def test_words_of_code_without_colour_are_no_elements(root):
    words = '<span class="k">if</span> <span class="n">x</span>'
    code = f'<div class="highlight"><pre><span></span><span class="line">{words}</span></pre></div>'
    change(root, "book/terms.html", "What it means.", code)
    assert '<span class="line"><span class="k">if</span> x</span></pre>' in combined(root)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("notebooks/01_first.html", "#term-a", "#term-b", "lead nowhere: terms.term-b"),
        ("book/terms.html", "../_images/a.svg", "../_images/b.svg", "book/terms shows ../_images/b.svg"),
        ("book/terms.html", "../_static/print.css", "../_static/x.css", "book/terms shows ../_static/x.css"),
        ("book/terms.html", 'class="bd-article"', "", "book/terms has no article"),
        ("book/terms.html", 'id="term-a"', 'id="terms"', "the same name: terms.terms"),
    ],
)
def test_what_is_wrong_with_a_site_is_said(root, name, old, new, said):
    change(root, name, old, new)
    with pytest.raises(pdf.PdfError, match=re.escape(said)):
        combined(root)


def test_a_page_that_is_missing_is_named(root):
    (root / "_build/html/book/terms.html").unlink()
    with pytest.raises(pdf.PdfError, match="names book/terms, and .* has no such page"):
        combined(root)


def test_without_a_site_it_says_what_makes_one(root, capsys):
    assert pdf.main(["--site", str(root / "nothing")]) == 1
    assert "make book" in capsys.readouterr().err


# ---------------------------------------------------------------- Chromium


def test_without_chromium_it_says_how_to_get_it(root, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(root))
    assert pdf.main(["--check"]) == 1
    assert "apt-get install chromium" in capsys.readouterr().err


def test_a_browser_that_ends_at_once_is_quoted(root, monkeypatch):
    (root / "chromium").write_text("#!/bin/sh\necho no screen >&2\n")
    (root / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{root}:/bin:/usr/bin")
    with pytest.raises(chromium.ChromiumError, match="(?s)Chromium ended before it answered.*no screen"):
        chromium.Chromium().__enter__()


def test_a_browser_that_does_not_answer_is_left(root, monkeypatch):
    (root / "chromium").write_text("#!/bin/sh\nexec sleep 60\n")
    (root / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{root}:/bin:/usr/bin")
    monkeypatch.setattr(chromium, "PATIENCE", 0.2)
    monkeypatch.setattr(chromium, "LEAVE", 0.2)
    with pytest.raises(chromium.ChromiumError, match="did not answer Target.createTarget in 0.2 seconds"):
        chromium.Chromium().__enter__()


@pytest.fixture
def browser_there():
    chromium_or_skip()


def outline(items, depth=0):
    for item in items:
        if isinstance(item, list):
            yield from outline(item, depth + 1)
        else:
            yield depth, item


def test_the_printed_book(root, browser_there):
    """Its outline, numbers, links, heads and metadata. One printing for all: Chromium takes some seconds to start."""
    site = root / "_build" / "html"
    change(root, "notebooks/01_first.html", "Later.", "Later. " + 40 * "<p>More.</p>")
    targets = [root / "a.pdf", site / "a.pdf"]
    said = pdf.make(site, targets, root)
    assert targets[0].read_bytes() == targets[1].read_bytes()
    reader = PdfReader(targets[0])
    texts = [" ".join(page.extract_text().split()) for page in reader.pages]
    assert said.startswith(f"{len(texts)} pages, ")

    def page_with(words):
        (found,) = [k for k, text in enumerate(texts) if words in text]
        return found

    # the outline leads to where its titles stand
    found = [(depth, item.title, reader.get_destination_page_number(item)) for depth, item in outline(reader.outline)]
    assert found == [
        (0, "Contents", 1),
        (0, "Introduction", page_with("It begins.")),
        (0, "Part I. Sequences", page_with("It begins.") + 1),
        (1, "1. First: why?", page_with("A formula x")),
        (2, "1.1. Second", page_with("A formula x")),
        (2, "1.2. Exercises", page_with("How?")),
        (0, "Reference", page_with("What it means") - 1),
        (1, "Terms", page_with("What it means")),
        (0, "Solutions", page_with("Like this.")),
        (1, "1. First", page_with("Like this.")),
    ]
    assert page_with("How?") > page_with("A formula x") + 1
    places = pdf.places(reader)
    (second,) = [item for _, item in outline(reader.outline) if item.title == "1.1. Second"]
    assert float(second.top) == places["01_first.second"][1] < places["01_first"][1]
    # the numbers in the contents and in references are those at the foot of the pages
    assert f"1.2. Exercises {page_with('How?') + 1}" in texts[1]
    assert f"Solution on page {page_with('Like this.') + 1}" in texts[page_with("How?")]
    assert not any("000" in text for text in texts)
    assert all(re.search(rf"\b{k + 1}\b", text) for k, text in enumerate(texts) if k)
    # heads
    assert "1. First" in texts[page_with("How?")] and "1. First" not in texts[page_with("What it means")]
    # links within the book lead within it, others out
    addresses, inside = set(), set()
    for page in reader.pages:
        for annotation in map(lambda a: a.get_object(), page.get("/Annots", [])):
            action = annotation.get("/A", {})
            if "/URI" in action:
                addresses.add(action["/URI"])
            else:
                inside.add(annotation["/Dest"].lstrip("/"))
    assert addresses == {"https://example.org/x"}
    assert {"terms.term-a", "01_first.second", "index", "solutions.01_first.exercise-1"} <= inside
    assert inside <= set(places)
    assert places["terms.term-a"][0] == page_with("What it means") + 1
    # what the file says of itself
    assert (reader.metadata.title, reader.metadata.author) == ("A Book", "Somebody")
    assert reader.metadata.subject == "What it is about."
    catalogue = reader.trailer["/Root"]
    assert catalogue["/Lang"] == "en" and catalogue["/MarkInfo"]["/Marked"] and catalogue["/PageMode"] == "/UseOutlines"


def test_what_does_not_load_is_named(root, browser_there):
    change(root, "_images/a.svg", "<svg", "nonsense")
    with pytest.raises(chromium.ChromiumError, match="could not be loaded: file://.*a.svg"):
        pdf.print_book(pdf.Book(root / "_build" / "html", root))
