"""The search: what its index holds, which chapter answers a query, and what a reader sees of it.

The ranking is the site's own script, run in Chromium on the site's own index. A query is known by the chapter that
must answer it, never by the words of a section.
"""

import base64
import gzip
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError

from tests.support import pages
from tests.support.site import WIDTHS, no, on_pages, visit
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_search  # noqa: E402
from search_sections import Reader, spoken  # noqa: E402

QUERIES = {  # what a reader types: the chapter that answers it
    "vanishing gradient": 3, "teacher forcing": 7, "sqrt d": 9, "mask": 10, "KV cache": 14, "BLEU": 13, "warmup": 12,
    "positional encoding": 11, "why divide": 9, "beam": 7,
    "forget gate": 4, "kneser ney": 1, "layer norm": 12, "clipping": 3, "label smoothing": 12, "byte pair": 13,
    "LSTM": 4, "GRU": 5, "backprop": 2, "alignment": 8,
}  # fmt: skip
FIELDS = ("page", "anchor", "title", "path", "kind", "text", "other", "terms", "names", "code")
SIZE = 400_000  # bytes of the index
SCRIPTS = re.compile(r"searchtools|language_data|searchindex|sphinx_highlight|search_index\.js|search\.js")

# ---------------------------------------------------------------- the index


def read_index(script):
    packed = re.fullmatch(r'window\.bookSearchIndex="([\w+/=]+)";\n', script)
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


@pytest.fixture(scope="module")
def index(site):
    """The index as the pages load it: sections as objects, with the address and the chapter of their page."""
    held = read_index((site.root / "_static" / "search_index.js").read_text(encoding="utf-8"))
    sections = [SimpleNamespace(**dict(zip(FIELDS, row, strict=True))) for row in held["sections"]]
    for section in sections:
        section.address, _, section.chapter = held["pages"][section.page]
    return sections


def test_the_index_is_small(site):
    size = (site.root / "_static" / "search_index.js").stat().st_size
    assert size < SIZE, f"search_index.js has {size} bytes"


def test_every_section_has_a_place_to_land_on(site, index):
    known = {path: set(re.findall(r'\bid="([^"]+)"', site.pages[path])) for path in {s.address for s in index}}
    no(
        [f"{s.address}#{s.anchor}" for s in index if s.anchor not in known[s.address]],
        "sections of the index that are nowhere",
    )
    chapters = {f"notebooks/{path.stem}.html" for path in nb.notebook_paths()}
    assert chapters | {"book/glossary.html"} <= {s.address for s in index}


def test_a_definition_is_indexed_where_it_is_taught(index):
    """The copies in later chapters are not: each name belongs to one chapter, and it is that of its cell."""
    taught = {}
    for section in index:
        for name in section.names.split():
            taught.setdefault(name, set()).add(section.chapter)
    assert taught == {name: {definition.chapter} for name, definition in nb.definitions().items()}


def test_terms_and_solutions_are_sections_of_their_own(site, index):
    terms = pages.soup(site.pages["book/glossary.html"]).select("dl.glossary > dt")
    kinds = [s.kind for s in index]
    assert kinds.count("term") and kinds.count("term") <= len(terms)
    assert {s.anchor for s in index if s.kind == "term"} <= {term["id"] for term in terms}
    solutions = [s for s in index if s.kind == "solution"]
    assert solutions
    no([s.title for s in solutions if "solution" not in s.title], "solutions that are not called so")


TEX = re.compile(r"\\[a-zA-Z]+|\x02|[_^]\{")


def tex(text):
    """Commands of TeX, and marks that stand for what was to be filled in."""
    return TEX.findall(text)


def test_no_formula_is_raw(index):
    said = [(s, field) for s in index for field in ("title", "text", "other") if tex(getattr(s, field))]
    no([f"{s.address}#{s.anchor}: {tex(getattr(s, field))[:3]}" for s, field in said], "TeX in the index")


def test_planted_tex_is_seen():
    assert tex(r"is \sqrt d") and tex("e_{tj}") and not tex("sqrt(d) and e_tj, ^ and $, {a: 1}")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (r"\sqrt d", "sqrt(d)"),
        (r"\sqrt{1 - \rho^2}", "sqrt(1 - ρ^2)"),
        (r"\frac{q^\top k}{\sqrt d}", "(q^ᵀ k) / sqrt(d)"),
        (r"\frac12", "1/2"),
        (r"\alpha_{tj}", "α_tj"),
        (r"h_{t-1}", "h_(t-1)"),
        (r"\operatorname{softmax}(x)", "softmax(x)"),
        (r"\text{loss} \le \log V", "loss ≤ log V"),
        (r"\hat{y}", "y"),
        (r"\begin{aligned} a &= b \\ c &= \left( d \right) \end{aligned}", "a = b c = (d)"),
        (r"\unheard{x}", "x"),
    ],
)
def test_formulas_become_words(formula, words):
    assert spoken(formula) == words


# ---------------------------------------------------------------- sections of a planted page


def cell(code, *tags, picture=""):
    """A code cell as myst-nb makes it."""
    parts = [nodes.container("", nodes.literal_block(code, code), classes=["cell_input"])]
    if picture:
        parts.append(nodes.container("", nodes.image(uri="a.png", alt=picture), classes=["cell_output"]))
    return nodes.container("", *parts, classes=["cell", *(f"tag_{tag}" for tag in tags)])


def section(title, *children, ids=("here",)):
    return nodes.section("", nodes.title("", title), *children, ids=list(ids))


def read(*children):
    return Reader(nodes.section("", section("Title", *children))).sections


def paragraph(*children):
    return nodes.paragraph("", "", *(nodes.Text(c) if isinstance(c, str) else c for c in children))


@pytest.mark.parametrize("tag", ["setup", "recap", "claims", "study:letters"])
def test_cells_that_nobody_comes_to_read_are_left_out(tag):
    (found,) = read(cell("planted()", tag, "define:planted", picture="planted"))
    assert not (found.text or found.code or found.names)


def test_visible_code_is_read_as_names_and_folded_code_is_not():
    (found,) = read(cell("planted(1)  # words in a comment"), cell("folded(1)", "hide-input", picture="A curve"))
    assert (found.code, found.text) == (["planted"], ["A curve"])


def test_what_a_section_says():
    inner = section("Inner", paragraph("inside"), ids=["inner"])
    menu = nodes.compound("", paragraph("menu"), addnodes.toctree(), classes=["toctree-wrapper"])
    menu = nodes.container("", menu, nodes.paragraph("", "", nodes.Text("45 minutes"), classes=["chapter-line"]))
    word = nodes.emphasis("", "hidden state")
    outer, nested = read(paragraph("a ", word, " of ", nodes.math("", r"\sqrt d")), menu, inner)
    assert (outer.text, outer.terms, outer.path) == (["a hidden state of sqrt(d)"], ["hidden state"], [])
    assert (nested.text, nested.path, nested.anchor) == (["inside"], ["Title"], "inner")


def test_a_solution_is_a_section_of_its_own():
    answer = nodes.container("", paragraph("so"), cell("x = f(1)", "solution", "hide-input"))
    answer["kind"] = "solution"
    exercise, solution = read(paragraph("why"), answer)
    assert (exercise.text, solution.text, solution.kind) == (["why"], ["so"], "solution")
    assert solution.title == "Title, solution" and solution.anchor == exercise.anchor


def test_a_term_is_a_section_of_its_own():
    item = nodes.definition_list_item(
        "", nodes.term("", "", nodes.Text("gate"), ids=["term-gate"]), nodes.definition("", paragraph("opens"))
    )
    page, term = read(addnodes.glossary("", nodes.definition_list("", item)))
    assert (term.title, term.text, term.kind, term.anchor) == ("gate", ["opens"], "term", "term-gate")
    assert page.text == []


def test_a_section_without_an_anchor_stops_the_build():
    with pytest.raises(ExtensionError, match="'Title' has no anchor"):
        Reader(nodes.section("", section("Title", ids=[])))


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ([(["a"], ["b"], 99)], "chapter 99, which is not there"),
        ([(["a"], [], 1)], "does not say"),
        ([(["a"], ["b"], 1), (["A"], ["c"], 2)], "leads to chapter 1 and to 2"),
    ],
)
def test_a_wrong_alias_stops_the_build(monkeypatch, aliases, message):
    monkeypatch.setattr(book_search, "ALIASES", aliases)
    with pytest.raises(ExtensionError, match=message):
        book_search.check_aliases({1: 0, 2: 1})


# ---------------------------------------------------------------- pages that do not search


def test_only_the_search_loads_the_search(site):
    """Neither the book's index nor Sphinx's scripts stand on a page; search_load.js asks for them."""
    scripts = r'<script[^>]*src="([^"]*)"'
    no(on_pages(site, lambda html: filter(SCRIPTS.search, re.findall(scripts, html))), "scripts of a search")
    no(
        [file for file in site.files if re.search("searchtools|language_data|searchindex|sphinx_highlight", file)],
        "files",
    )
    assert all("search_load.js" in html for path, html in site.pages.items() if path.startswith("notebooks/"))


def test_a_page_fetches_no_index(browser, address):
    fetched = "performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('search'))"
    names = visit(browser, address, "notebooks/03_gradients.html", then=lambda page: page.evaluate(fetched)).then
    assert {urlsplit(name).path.rpartition("/")[2] for name in names} <= {"search.css", "search_load.js"}


# ---------------------------------------------------------------- which chapter answers

READY = "() => window.bookSearch && document.querySelector('#search-results ol')"
FIND = """([queries, limit]) => Object.fromEntries(queries.map(query => [query, bookSearch.find(query, limit)]))"""


@pytest.fixture(scope="module")
def found(browser, address):
    """What the first results are: {query: [section]}. Everything is asked on one page."""
    forms = [form for forms, _, _ in book_search.ALIASES for form in forms]
    inflected = [word for pair in INFLECTED for word in pair]

    def ask(page):
        page.wait_for_function(READY)
        return page.evaluate(FIND, [[*QUERIES, *forms, *inflected, "gradi"], 3])

    return visit(browser, address, "search.html", then=ask).then


INFLECTED = [("gradients", "gradient"), ("clipped", "clipping"), ("padded", "padding"), ("Gates", "gate")]


@pytest.mark.parametrize(("query", "chapter"), QUERIES.items())
def test_the_right_chapter_is_among_the_first_three(found, query, chapter):
    assert chapter in [section["chapter"] for section in found[query]], [s["href"] for s in found[query]]


@pytest.mark.parametrize("query", QUERIES)
def test_the_first_three_teach(found, query):
    """They are not numbers alone, nor a heading alone. That copies are not in the index is seen to above."""
    assert found[query][0]["address"] != "book/results.html"
    assert sum(s["address"] == "book/results.html" for s in found[query]) < 2
    assert all(s["text"] or s["names"] for s in found[query])


def test_what_is_said_of_the_first_three(found):
    """An excerpt is prose of the section, a sentence or two, around what was looked for."""
    sections = [s for query in QUERIES for s in found[query]]
    for section in sections:
        said = " ".join(section["text"].split())
        parts = section["excerpt"].removeprefix("… ").removesuffix(" …")
        assert parts in said, f"{section['href']}: {parts!r} is not its prose"
        assert len(parts) < 320 and not tex(parts)
    assert sum(bool(s["excerpt"]) for s in sections) > 0.9 * len(sections)


@pytest.mark.parametrize(
    "form,chapter", [(form, chapter) for forms, _, chapter in book_search.ALIASES for form in forms]
)
def test_an_alias_finds_what_the_book_calls_it(found, form, chapter):
    assert chapter in [section["chapter"] for section in found[form]], [s["href"] for s in found[form]]


@pytest.mark.parametrize(("one", "other"), INFLECTED)
def test_inflections_are_one_word(found, one, other):
    assert found[one]
    assert [s["href"].partition("?")[0] for s in found[one]] == [s["href"].partition("?")[0] for s in found[other]]


def test_the_last_word_may_be_unfinished(found):
    assert found["gradi"] and all("gradient" in unquote(s["href"]) for s in found["gradi"])


PLANTED = {
    "pages": [["a.html", "Chapter 1. A", 1], ["b.html", "Chapter 2. B", 2], ["c.html", "C", None]],
    "aliases": [[["zed"], ["zebra crossing"], 2]],
    "sections": [
        [1, "solution", "Three, solution", "", "solution", "A quagga once. And then the rest.", "", "", "", ""],
        [0, "code", "Two", "", "", "Nothing.", "", "", "", "quagga"],
        [0, "prose", "One", "", "", "A quagga once. And then the rest.", "", "", "", ""],
        [0, "title", "Quagga", "", "", "Nothing else.", "", "", "", ""],
        [0, "apart", "Four", "", "", "A zebra saw the crossing of an okapi and a tapir.", "", "", "", ""],
        [1, "near", "Five", "", "", "The zebra crossing: okapi tapir <img src=x onerror=alert(1)>", "", "", "", ""],
        [0, "hyphen", "Six", "", "", "A one-off.", "", "", "", ""],
        [1, "name", "Seven", "", "", "Read it.", "", "", "MultiHeadGnu read_gnu", ""],
    ],
}


@pytest.fixture(scope="module")
def planted(browser, address):
    """Anchors of what is found in a planted index."""
    queries = ["quagga", "okapi tapir", "zed", "oneoff", "one off", "zebracrossing", "gnu", "quagga wanting", "quagg"]

    def ask(page):
        page.wait_for_function(READY)
        page.evaluate("index => bookSearch.use(index)", PLANTED)
        results = page.evaluate(FIND, [queries, 10])
        page.locator("#search-words").fill("okapi")
        page.wait_for_selector("#search-results li")
        return results, page.locator("#search-results img").count()

    return visit(browser, address, "search.html", then=ask).then


@pytest.mark.parametrize(
    ("query", "anchors"),
    [
        ("quagga", ["title", "prose", "solution", "code"]),  # a title weighs most, code least
        ("okapi tapir", ["near", "apart"]),  # words that stand together
        ("zed", ["near"]),  # another name, and only where its words stand together
        ("oneoff", ["hyphen"]),
        ("one off", ["hyphen"]),
        ("zebracrossing", ["near"]),
        ("gnu", ["name"]),  # inside a name of code
        ("quagga wanting", ["title", "prose", "solution", "code"]),  # what has most of the words
        ("quagg", ["title", "prose", "solution", "code"]),
    ],
)
def test_ranking(planted, query, anchors):
    assert [section["anchor"] for section in planted[0][query]] == anchors


def test_text_of_the_index_is_never_html(planted):
    assert planted[1] == 0


# ---------------------------------------------------------------- what a reader sees


def shown(page):
    page.wait_for_selector("#search-results li")
    return page.evaluate(
        """() => [...document.querySelectorAll('#search-results li')].map(item => ({
          href: item.querySelector('a').href, path: item.querySelector('.search-path')?.textContent || '',
          title: item.querySelector('.search-title').textContent, marks: item.querySelectorAll('mark').length,
        }))"""
    )


LANDED = """() => {
  const marks = [...document.querySelectorAll('mark.search-hit')], here = document.querySelector('.search-landed');
  const box = here && here.getBoundingClientRect(), id = decodeURIComponent(location.hash.slice(1));
  return {
    count: marks.length, words: [...new Set(marks.map(mark => mark.textContent.toLowerCase()))],
    seen: !!box && box.height > 0 && box.top >= 0 && box.bottom <= innerHeight,
    inside: !!here && !!document.getElementById(id)?.contains(here),
    closed: !!here && !!here.closest('details:not([open])'), fold: !!here && !!here.closest('details'),
    bar: document.querySelectorAll('.search-bar').length, url: location.href,
    wrong: document.querySelectorAll(':is(.math, nav, svg, button) mark').length,
  };
}"""
LAND = "() => document.querySelector('.search-landed')"


def land(page):
    page.wait_for_function(LAND)
    page.wait_for_load_state("load")
    page.wait_for_timeout(100)
    return page.evaluate(LANDED)


@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_a_result_leads_to_its_words(browser, address, size):
    """From the list to the section: marked, scrolled to, and cleared by Escape."""

    def follow(page):
        results = shown(page)
        chapter = next(i for i, result in enumerate(results) if "/notebooks/" in result["href"])
        page.locator("#search-results li a").nth(chapter).click()
        landed = land(page)
        page.keyboard.press("Escape")
        return results, results[chapter], landed, page.evaluate(LANDED)

    page = visit(browser, address, "search.html?q=vanishing+gradient", size=size, then=follow)
    results, followed, landed, cleared = page.then
    assert not page.errors and not page.failed
    assert all(result["title"] and result["path"] for result in results)
    assert sum(result["marks"] > 0 for result in results) > len(results) / 2
    assert landed["url"] == followed["href"]
    assert landed["count"] and landed["seen"] and landed["inside"] and landed["bar"] == 1, landed
    assert any("gradient" in word for word in landed["words"])
    assert cleared["count"] == cleared["bar"] == 0 and "highlight" not in cleared["url"]
    assert urlsplit(cleared["url"]).fragment == urlsplit(followed["href"]).fragment


def longest_word(*texts):
    """The longest plain word that all of the texts hold, or "" if they share none."""
    return max(set.intersection(*(set(re.findall(r"\b[a-z]{5,}\b", text)) for text in texts)), key=len, default="")


def test_a_hit_in_a_fold_opens_it(browser, address, index):
    """A solution is closed until its words are what was looked for, even where its exercise has them too."""
    pairs = [(e, s) for e, s in zip(index, index[1:]) if s.kind == "solution" and s.anchor == e.anchor]
    exercise, solution = next(pair for pair in pairs if longest_word(*(section.text for section in pair)))
    word = longest_word(exercise.text, solution.text)

    def look(page):
        return land(page), page.locator(".search-bar button").click(), page.evaluate(LANDED)

    marked = f"{solution.address}?highlight={word}+x+d&in=solution#{solution.anchor}"
    landed, _, cleared = visit(browser, address, marked, then=look).then
    assert landed["fold"] and not landed["closed"] and landed["seen"] and word in landed["words"], landed
    assert landed["wrong"] == 0, "marks inside formulas or menus"
    assert cleared["count"] == cleared["bar"] == 0
    page = f"{solution.address}#{solution.anchor}"
    look = "id => [document.getElementById(id).querySelectorAll('details[open], mark').length, !!window.bookSearch]"
    assert visit(browser, address, page, then=lambda page: page.evaluate(look, solution.anchor)).then == [0, False]


def test_a_term_of_the_glossary_is_marked_in_its_own_words(browser, address, index):
    term = [s for s in index if s.kind == "term"][-1]  # far down the page
    word = longest_word(term.text)
    page = visit(browser, address, f"book/glossary.html?highlight={word}#{term.anchor}", then=land)
    inside = page.then["words"]
    assert word in inside and page.then["seen"], page.then


DIALOG = "#pst-search-dialog"
ACTIVE = "document.activeElement.getAttribute('href') || document.activeElement.name"


def test_the_dialog_answers_while_one_types(browser, address):
    """Ctrl+K, a word, arrows to a result and back, Enter on it; nothing is loaded before."""

    def type_(page):
        page.keyboard.press("Control+k")
        page.keyboard.type("vanishing gradi", delay=5)
        page.wait_for_selector(f"{DIALOG} li")
        page.wait_for_timeout(150)
        links = page.locator(f"{DIALOG} li a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
        status = page.locator(f"{DIALOG} [role=status]").text_content()
        stops = []
        for key in ["ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowDown"]:
            page.keyboard.press(key)
            stops.append(page.evaluate(ACTIVE))
        page.keyboard.press("Enter")
        return links, status, stops, land(page)

    page = visit(browser, address, "notebooks/01_sequences.html", then=type_)
    links, status, stops, landed = page.then
    assert stops == [links[0], links[1], links[0], "q", links[0]]
    assert re.match(r"\d+ sections found", status)
    assert landed["count"] and landed["seen"]
    assert not page.errors and not page.failed


def test_enter_in_the_dialog_leads_to_the_page(browser, address):
    def type_(page):
        page.keyboard.press("Control+k")
        page.keyboard.type("warmup")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?*")
        results = shown(page)
        page.keyboard.press("Control+a")
        page.keyboard.type("xyzzyx")
        page.wait_for_function("!document.querySelector('#search-results li')")
        return results, page.locator("#search-results [role=status]").text_content(), page.url

    results, status, url = visit(browser, address, "book/glossary.html", then=type_).then
    assert results and parse_qs(urlsplit(url).query) == {"q": ["xyzzyx"]}
    assert status == "Nothing was found."


def test_it_works_from_a_folder(browser, site):
    """Nothing is fetched in a way that browsers refuse to pages from a disk."""
    folder = site.root.as_uri() + "/"

    def follow(page):
        results = shown(page)
        page.locator("#search-results li a").first.click()
        return results, land(page)

    page = visit(browser, folder, "search.html?q=beam", then=follow)
    results, landed = page.then
    assert len(results) > 2 and landed["count"] and landed["seen"] and landed["url"] == results[0]["href"]
    assert not [url for url in page.failed + page.external if "_static/search" in url]


def test_without_scripts_the_page_says_where_to_look(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}search.html")
    article = page.locator("article.search-page")
    links = article.locator("noscript a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    text, field = article.inner_text(), article.locator("input").is_visible()
    context.close()
    assert "scripts" in text and "book/glossary.html" in links and any("index.html" in link for link in links)
    assert not field


AXE = """async () => {
  for (const fade of document.getAnimations()) fade.finish();
  const where = ['.search-page', '#pst-search-dialog', '.search-bar', 'mark'].filter(s => document.querySelector(s));
  const found = await axe.run({include: where}, {resultTypes: ['violations']});
  return found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 120)}`));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(browser, address, scheme):
    """axe on the list of results, the dialog and the marks of a page."""
    from axe_playwright_python.base import AXE_FILE_PATH

    axe = Path(AXE_FILE_PATH).read_text(encoding="utf-8")

    def results(page):
        shown(page)
        page.evaluate(axe)
        return page.evaluate(AXE)

    def dialog(page):
        land(page)
        page.locator(".search-button__button:visible").first.click()
        page.keyboard.type("gate")
        page.wait_for_selector(f"{DIALOG} li")
        page.evaluate(axe)
        return page.evaluate(AXE)

    no(visit(browser, address, "search.html?q=mask", scheme=scheme, then=results).then, "axe on the list")
    no(visit(browser, address, "index.html?highlight=the", scheme=scheme, then=dialog).then, "axe on marks and dialog")
