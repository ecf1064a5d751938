"""A page on paper: what Chromium would print of it, at the width of a sheet between its margins."""

import io
import re
import sys

import pytest
from pypdf import PdfReader
from sphinx.application import Sphinx

from tests.support import pages
from tests.support.site import no, visit
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_paper  # noqa: E402
from sphinx.errors import ExtensionError  # noqa: E402

SHEET = (700, 900)
CHAPTER, WIDE, FRONT = "notebooks/03_gradients.html", "book/results.html", "index.html"
SHORT = "book/about.html"

LOOK = """async () => {
  for (let k = 0; k < 100 && document.documentElement.dataset.theme !== 'light'; k++)
    await new Promise(resolve => setTimeout(resolve, 50));
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
  const wrong = [], article = document.querySelector('.bd-article');
  const seen = element => element.checkVisibility() && element.getBoundingClientRect().height > 0;
  const say = (what, element) =>
    wrong.push(`${what}: ${element.tagName}.${element.className} ${element.textContent.slice(0, 40)}`);
  const grey = colour => colour.match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part) / 765, 0);
  const clear = colour => /, 0\\)$/.test(colour);

  if (document.documentElement.scrollWidth > innerWidth) wrong.push('wide: the page');
  for (const element of article.querySelectorAll('*')) {
    if (!seen(element) || element.closest('svg, .katex-mathml')) continue;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (box.right > innerWidth + 1 && !element.closest('.hide-tail')) say('wide', element);
    if (/auto|scroll|hidden/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1
        && !element.matches('.hide-tail, .vlist, span')) say('cut', element);
    if (!clear(style.backgroundColor) && grey(style.backgroundColor) < .9) say('dark', element);
    if (element.childNodes.length && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
        && grey(style.color) > .55) say('pale', element);
  }
  if (getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)') wrong.push('dark: the sheet');
  for (const element of document.querySelectorAll('img.only-dark')) if (seen(element)) say('dark', element);
  const menus = 'header, footer, nav, dialog, button, input, select, textarea, .bd-sidebar, .headerlink, '
    + '.ask-link, .figure-enlarge, .fold, #jb-print-docs-body, .printed-book, .skip-link';
  for (const element of document.querySelectorAll(menus)) if (seen(element)) say('menu', element);
  for (const cell of article.querySelectorAll('.cell, .fold-row'))
    if (seen(cell) && !cell.innerText.trim() && !cell.querySelector('img')) say('empty', cell);
  for (const image of article.querySelectorAll('img')) if (seen(image) && !image.naturalWidth) say('missing', image);
  return [...new Set(wrong)];
}"""


INSERT = "html => document.querySelector('.bd-article section').insertAdjacentHTML('beforeend', html)"


def printed(browser, address, path, style="", html="", then=None):
    """What is wrong with a page on paper, for who reads in the dark; with a style sheet and some html more."""

    def look(page):
        page.evaluate(INSERT, html)
        page.emulate_media(media="print")
        if style:
            page.add_style_tag(content=style)
        wrong = page.evaluate(LOOK)
        return wrong, then(page) if then else None

    seen = visit(browser, address, path, size=SHEET, scheme="dark", then=look)
    assert seen.theme == "dark"
    return seen.then


@pytest.mark.parametrize("path", [CHAPTER, WIDE, FRONT])
def test_a_page_fits_on_paper_and_is_light(browser, address, path):
    def back(page):
        kept = page.evaluate(
            """() => ({head: document.querySelector('.bd-article h1').checkVisibility(),
              claims: [...document.querySelectorAll('.claims li')].filter(e => e.checkVisibility()).length,
              tables: [...document.querySelectorAll('.bd-article table')].map(e => getComputedStyle(e).display),
              wrap: [...document.querySelectorAll('.highlight pre')].map(e => getComputedStyle(e).whiteSpace),
              size: getComputedStyle(document.querySelector('.bd-article p:not(.chapter-line)')).fontSize})"""
        )
        page.emulate_media(media="screen")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        kept["only on paper"] = page.evaluate(
            "[...document.querySelectorAll('.paper-only')].filter(e => e.checkVisibility()).length"
        )
        return kept

    wrong, kept = printed(browser, address, path, then=back)
    no(wrong, f"{path} on paper")
    assert kept["head"] and 10 <= float(kept["size"].removesuffix("px")) * 0.75 <= 11.5
    assert kept["only on paper"] == 0
    assert set(kept["tables"]) == {"table"}, "a table in a box of its own that scrolls does not go on on the next sheet"
    if path == CHAPTER:
        assert kept["claims"] > 3 and set(kept["wrap"]) == {"pre-wrap"}


LONG = "x" * 300
COLUMNS = f"<table><tr>{9 * '<th>autoregressive</th>'}</tr><tr>{9 * '<td>autoregressive</td>'}</tr></table>"
CODE = '<div class="cell"><div class="cell_input"><div class="highlight"><pre>{}</pre></div></div></div>'


@pytest.mark.parametrize(
    ("kind", "style", "html"),
    [
        ("", "", CODE.format(f'<span class="line">{LONG}</span>')),
        ("", "", COLUMNS),
        ("wide", ".bd-article td { font-size: 14pt !important }", COLUMNS),
        ("", "", "<details><summary hidden></summary><p>Words in a fold of the text.</p></details>"),
        ("wide", "", f'<p style="white-space: nowrap">{LONG}</p>'),
        ("wide", ".highlight pre { white-space: pre !important }", CODE.format(f'<span class="line">{LONG}</span>')),
        ("cut", ".bd-article pre { white-space: pre !important; overflow-x: auto !important }", CODE.format(LONG)),
        ("dark", ".bd-article p { background: #222 }", ""),
        ("dark", "html body { background: #222 !important }", ""),
        ("pale", ".bd-article p { color: #999 }", ""),
        ("menu", ".bd-article details.fold { display: block !important }", ""),
        ("menu", ".headerlink { display: inline !important }", ""),
        ("empty", "", '<div class="cell" style="height: 20px"></div>'),
        ("missing", "", '<img src="no.png" alt="gone" width="30" height="30">'),
    ],
)
def test_planted_mistakes_are_seen(browser, address, kind, style, html):
    wrong, _ = printed(browser, address, CHAPTER if "fold" in style else SHORT, style, html)
    assert any(text.startswith(f"{kind}:") for text in wrong) if kind else not wrong, wrong


def test_a_fold_of_the_text_stands_open_on_paper(browser, address):
    def look(page):
        return page.evaluate("document.querySelector('.inside').checkVisibility()")

    def screen(page):
        page.evaluate(INSERT, fold)
        return look(page)

    fold = '<details><summary>More</summary><p class="inside">Inside.</p></details>'
    assert printed(browser, address, SHORT, html=fold, then=look)[1]
    assert not visit(browser, address, SHORT, then=screen).then


def test_sheets_have_heads_and_numbers(browser, address):
    """What Chromium makes of a chapter: its name above each sheet, a number below, the exercises without solutions."""
    data = visit(
        browser, address, CHAPTER, scheme="dark", then=lambda page: page.pdf(format="A4", prefer_css_page_size=True)
    ).then
    texts = [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]
    assert len(texts) > 5
    for number, text in enumerate(texts, 1):
        assert "3. Gradients" in text and str(number) in text.split()
    whole = " ".join(" ".join(texts).split())
    assert "Exercise 1" in whole and "Solutions are on the site." in whole
    assert "Setup" not in whole and "Solution to exercise" not in whole


# ---------------------------------------------------------------- what the extension writes


def test_only_pages_with_solutions_say_where_they_are(site, published):
    for built, place in ((site, "on the site"), (published, "on the site, at https://owner.github.io/name/")):
        for path, html in built.pages.items():
            said = re.findall(r'</h2>\s*<p class="paper-only">(.*?)</p>', html)
            assert said == ([f"Solutions are {place}."] if book_paper.SOLUTION in html else []), path


def test_solutions_without_a_section_of_exercises_stop_the_build():
    class app:
        class config:
            html_baseurl = ""

    context = {"body": f"<details {book_paper.SOLUTION}></details>"}
    with pytest.raises(ExtensionError, match="a/b: there are solutions, and no section `## Exercises`"):
        book_paper.where_solutions_are(app, "a/b", "page.html", context, None)


def test_a_title_is_quoted_for_the_style_sheet():
    assert book_paper.running_title('<span class="section-number">3. </span>A &amp; B: why?') == "3. A & B"
    assert book_paper.css_string('a "b" </style> \\') == '"a \\22 b\\22  \\3c /style\\3e  \\5c "'


@pytest.fixture
def small(tmp_path):
    """Builds a book of two pages with the sentence that leads to the PDF on one of them."""

    def build(on="index"):
        for name in ("index", "other"):
            text = "```{printed-book}\n```\n" if name == on else ""
            (tmp_path / f"{name}.md").write_text(f"# A page: why?\n\nWords.\n\n{text}", encoding="utf-8")
        settings = {"extensions": ["myst_parser", "book_paper"], "html_theme": "basic", "root_doc": "index"}
        folders = [str(tmp_path), None, str(tmp_path / "out"), str(tmp_path / "trees"), "html"]
        app = Sphinx(*folders, confoverrides=settings, status=None, warning=None, freshenv=True)
        app.build()
        return pages.soup((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))

    return build


@pytest.mark.parametrize(("value", "links"), [("1", [book_paper.FILE]), ("0", []), ("", [])])
def test_the_pdf_is_offered_only_where_it_is_made(small, monkeypatch, value, links):
    monkeypatch.setenv("BOOK_PDF", value)
    page = small()
    assert [e["href"] for e in page.select(".printed-book a")] == links
    assert '@top-left { content: "A page"; }' in page.find("style").text


@pytest.mark.parametrize(("value", "on", "said"), [("yes", "index", "BOOK_PDF is 'yes'"), ("1", "other", "other: ")])
def test_what_is_wrong_with_the_offer_is_said(small, monkeypatch, value, on, said):
    monkeypatch.setenv("BOOK_PDF", value)
    with pytest.raises(ExtensionError, match=said):
        small(on)


def test_the_front_page_has_the_offer_and_make_pdf_asks_for_it(site):
    assert book_paper.FILE not in site.pages[FRONT]
    assert "```{printed-book}\n```" in (nb.ROOT / "index.md").read_text(encoding="utf-8")
    assert "\npdf: export BOOK_PDF = 1\n" in (nb.ROOT / "Makefile").read_text(encoding="utf-8")
