"""The built site: its links, what it fetches, and what a browser shows at the width of a desk and of a pocket.

The browser is Chromium. Where there is none its tests skip, unless BOOK_REQUIRE_BROWSER=1.
"""

import sys
from pathlib import Path

import pytest

from tests.support import pages
from tests.support.site import READABLE, WIDTHS, no, on_pages, visit
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_results  # noqa: E402

# ---------------------------------------------------------------- the files


def test_every_chapter_is_on_the_site(site):
    assert {f"notebooks/{path.stem}.html" for path in nb.notebook_paths()} <= set(site.pages)


def test_links_resolve(site):
    no(pages.broken_links(site.pages, site.files), "links that lead nowhere")


@pytest.mark.parametrize("which", ["site", "published"])
def test_nothing_is_fetched_from_elsewhere(which, request):
    built = request.getfixturevalue(which)
    found = on_pages(built, pages.external_resources)
    for file in sorted(f for f in built.files if f.endswith(".css")):
        css = (built.root / file).read_text(encoding="utf-8")
        found += [f"{file}: {address}" for address in pages.external_in_css(css)]
    no(found, "fetched from other sites")


def test_no_thebe_and_no_requirejs(site):
    no(on_pages(site, pages.unwanted_scripts), "scripts that fetch from other sites")


def test_images_have_alt_text(site):
    no(on_pages(site, pages.images_without_alt), "images without alt text")


def test_chapters_can_be_downloaded(site):
    for path in nb.notebook_paths():
        links = [e.get("href", "") for e in pages.soup(site.pages[f"notebooks/{path.stem}.html"]).find_all("a")]
        assert f"../_sources/notebooks/{path.name}" in links, f"{path.stem} has no link to its notebook"


def test_every_term_of_the_glossary_is_linked(site):
    chapters = [html for path, html in site.pages.items() if path.startswith("notebooks/")]
    no(
        pages.unlinked_terms(site.pages["book/glossary.html"], chapters),
        "terms that no chapter links to (write *the term* where a chapter introduces it, or leave it out)",
    )


def test_the_results_page_shows_every_number(site):
    """Its tables hold what the notebooks recorded, and its figures say it to those who cannot see them."""
    page, records = pages.soup(site.pages["book/results.html"]), book_results.Records()
    shown = [[[cell.text.strip() for cell in row("td")] for row in table("tr")[1:]] for table in page("table")]
    expected, described = [], set()
    for table in map(book_results.chosen, book_results.on_page()):
        lines = book_results.table_lines(table, records)
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][2:]
        expected.append([[row.title, *numbers] for (_, *numbers), row in zip(rows, table.rows)])
        described.add(book_results.alt_text(table, records) if table.columns[-1].metric == book_results.MINUTES else "")
    assert shown == expected
    if "translation" in book_results.on_page():
        assert records.signature("translation") in page.text
    for theme in book_results.THEMES:
        figures = page.find_all("img", class_=f"only-{theme}", src=lambda src: "results-" in src)
        assert {figure["alt"] for figure in figures} == described - {""}


# ---------------------------------------------------------------- the repository


def test_buttons_lead_to_the_repository(published):
    for path in nb.notebook_paths():
        html = published.pages[f"notebooks/{path.stem}.html"]
        links = {e.get("href", "") for e in pages.soup(html).find_all("a")}
        assert f"https://colab.research.google.com/github/Owner/name/blob/main/notebooks/{path.name}" in links
        assert "https://github.com/Owner/name" in links
        assert any(link.startswith("https://github.com/Owner/name/issues/new") for link in links)
    assert "sitemap.xml" in published.files
    assert "https://owner.github.io/name/" in (published.root / "sitemap.xml").read_text(encoding="utf-8")


def test_without_a_repository_the_buttons_are_absent(site):
    found = [
        f"{path}: {e['href']}"
        for path, html in site.pages.items()
        for e in pages.soup(html).find_all("a", href=True)
        if "colab.research" in e["href"] or "/blob/" in e["href"] or "/issues/new" in e["href"]
    ]
    no(found, "buttons that cannot know where they lead")
    assert "sitemap.xml" not in site.files


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def visits(browser, address, site):
    """Every page at every width: {(path, width): what is seen}."""
    paths = list(site.pages)
    return {(path, name): visit(browser, address, path, size) for path in paths for name, size in WIDTHS.items()}


def seen(visits, complaint):
    """Complaints over all visits; `complaint` maps what is seen to a list."""
    return [f"{path} ({width}): {text}" for (path, width), page in visits.items() for text in complaint(page)]


def test_no_request_fails(visits):
    no(seen(visits, lambda page: page.failed), "requests that failed")


def test_no_request_leaves_the_site(visits):
    no(seen(visits, lambda page: page.external), "requests to other sites")


def test_the_console_is_quiet(visits):
    no(seen(visits, lambda page: page.errors), "errors in the console")


def test_mathematics_is_rendered(visits):
    def complaint(page):
        missing = page.rendered < page.sources
        return page.errors_in_math + ([f"{page.rendered} of {page.sources} formulas are rendered"] if missing else [])

    assert any(page.sources for (path, _), page in visits.items() if path.startswith("notebooks/"))
    no(seen(visits, complaint), "mathematics")


def test_no_formula_is_cut(visits):
    no(seen(visits, lambda page: page.cut_math), "formulas that leave the column")


def test_no_page_scrolls_sideways(visits):
    def complaint(page):
        return [f"it is {page.scroll} pixels wide in a window of {page.client}"] if page.scroll > page.client else []

    no(seen(visits, complaint), "pages wider than the window")


def test_images_load_and_say_what_they_show(visits):
    def complaint(page):
        return [i["src"] for i in page.images if not i["width"] or not i["alt"].strip()]

    no(seen(visits, complaint), "images that do not load or have no alt text")


def test_text_is_large_enough(visits):
    no(seen(visits, lambda page: page.small), f"text smaller than {READABLE} pixels")


CONTRAST = """async () => {
  // Each kind of word in code once: axe takes a minute for the ten thousand words of a chapter.
  for (const details of document.querySelectorAll('details')) details.open = true;
  for (const fade of document.getAnimations()) fade.finish();  // axe passes over what is still transparent
  const kinds = new Set();
  for (const word of document.querySelectorAll('.highlight pre span')) {
    if (word.id || word.children.length) continue;
    if (kinds.has(word.className)) word.replaceWith(word.textContent);
    else kinds.add(word.className);
  }
  const found = await axe.run(document, {runOnly: ['color-contrast'], resultTypes: ['violations']});
  return found.violations.flatMap(rule => rule.nodes).map(node => {
    const {fgColor, bgColor, contrastRatio, expectedContrastRatio} = node.any[0].data;
    return `${fgColor} on ${bgColor} is ${contrastRatio}, not ${expectedContrastRatio}: ${node.html.slice(0, 80)}`;
  });
}"""


def pale(style=""):
    """What looks for text that its background drowns, with a style sheet more."""
    from axe_playwright_python.base import AXE_FILE_PATH

    def look(page):
        if style:
            page.add_style_tag(content=style)
        page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
        return page.evaluate(CONTRAST)

    return look


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["book/results.html", "notebooks/01_sequences.html"])
def test_text_stands_out_from_its_background(browser, address, path, scheme):
    no(visit(browser, address, path, scheme=scheme, then=pale()).then, f"{path} ({scheme}): text that is too pale")


@pytest.mark.parametrize(("scheme", "grey"), [("light", "#999"), ("dark", "#555")])
def test_planted_pale_text_is_seen(browser, address, scheme, grey):
    for words in (".bd-article p", ".highlight pre span.c1"):
        style = f"{words} {{ color: {grey} !important }}"
        assert visit(browser, address, "notebooks/01_sequences.html", scheme=scheme, then=pale(style)).then, style


@pytest.mark.parametrize("rule", ["div.highlight pre { font-size: .25rem }", "p { font-size: .6rem }"])
def test_planted_small_text_is_seen(browser, address, site, rule):
    sheet = site.root / "_static" / "cells.css"
    before = sheet.read_text(encoding="utf-8")
    try:
        sheet.write_text(f"{before}\n.bd-article {rule}\n", encoding="utf-8")
        assert visit(browser, address, "notebooks/01_sequences.html").small
    finally:
        sheet.write_text(before, encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colour_scheme_is_the_readers(browser, address, site, scheme):
    chapter = next(path for path in site.pages if path.startswith("notebooks/"))
    for path in ("index.html", chapter):
        page = visit(browser, address, path, scheme=scheme)
        assert page.theme == scheme
        red, green, blue = (float(v) for v in page.background.removeprefix("rgb(").removesuffix(")").split(",")[:3])
        assert (red + green + blue > 384) == (scheme == "light")


FOCUS = """() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  const name = e.getAttribute('aria-label') || e.title || e.textContent.trim().slice(0, 30) || e.outerHTML.slice(0, 80);
  const marked = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
  return {name, lost: !marked || !box.width || !box.height || box.left < -1 || box.right > innerWidth + 1};
}"""


@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_the_keyboard_is_enough(browser, address, site, size):
    """Every stop of the tabulator is on the page and marked, and a folded cell opens."""

    def walk(page):
        lost = []
        for _ in range(45):
            page.keyboard.press("Tab")
            stop = page.evaluate(FOCUS)
            lost += [stop["name"]] if stop["lost"] else []
        page.locator("details summary").first.focus()
        page.keyboard.press("Enter")
        return lost, page.evaluate("document.querySelector('details').open")

    chapter = "notebooks/02_rnn.html"  # long enough for so many stops
    lost, opened = visit(browser, address, chapter, size=size, then=walk).then
    no(lost, "stops of the keyboard that cannot be seen")
    assert opened


def test_search_finds_a_word(browser, address):
    def results(page):
        page.wait_for_selector("#search-results li", timeout=15_000)
        return page.locator("#search-results li").count()

    assert visit(browser, address, "search.html?q=padding", then=results).then >= 1


# ---------------------------------------------------------------- the checks themselves


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example.org/a.js"></script>',
        '<script src="//cdn.example.org/a.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example.org/a.css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<img src="https://example.org/a.png" alt="a">',
        '<img srcset="//example.org/a.png 2x" alt="a">',
        '<iframe src="https://example.org/"></iframe>',
        "<style>@import 'https://example.org/a.css';</style>",
        '<p style="background: url(https://example.org/a.png)">',
    ],
)
def test_a_planted_request_is_seen(html):
    assert pages.external_resources(html)


def test_what_is_not_fetched_passes():
    html = '<link rel="canonical" href="https://a.org/"><a href="https://a.org">a</a><script src="a.js"></script>'
    assert pages.external_resources(html + '<img src="data:image/png;base64,AAAA">') == []
    assert pages.external_in_css("/* url(https://a.org/x) */ a { background: url(data:image/svg+xml;x) }") == []


def test_a_planted_font_is_seen():
    assert pages.external_in_css("@font-face { src: url('https://fonts.example.org/a.woff2') }")


@pytest.mark.parametrize(
    "html", ['<script src="_static/sphinx-thebe.js"></script>', "<script>load('https://unpkg.com/thebe')</script>"]
)
def test_a_planted_script_is_seen(html):
    assert pages.unwanted_scripts(html)
    assert pages.unwanted_scripts('<script src="_static/doctools.js"></script>') == []


@pytest.mark.parametrize(
    "image", ['<img src="a.png">', '<img src="a.png" alt=" ">', '<img src="a" alt="../_images/3f.png">']
)
def test_a_planted_image_without_alt_is_seen(image):
    assert pages.images_without_alt(image)
    assert pages.images_without_alt('<img src="a.png" alt="A line that falls">') == []


@pytest.mark.parametrize("link", ["c.html", "b.html#no", "#no", "../a.html", "d/b.html"])
def test_a_planted_broken_link_is_seen(link):
    good = {"a.html": '<p id="x"><a href="b.html#y">b</a><a href="#x">x</a><a href="#">top</a>', "b.html": '<p id="y">'}
    assert pages.broken_links(good, set(good)) == []
    planted = {**good, "a.html": good["a.html"] + f'<a href="{link}">?</a>'}
    assert pages.broken_links(planted, set(good))


def test_a_planted_refresh_is_seen():
    assert pages.broken_links({"index.html": '<meta http-equiv="Refresh" content="0; url=no.html">'}, {"index.html"})


def test_a_planted_term_is_seen():
    glossary = (
        '<dl class="glossary"><dt id="term-a">a</dt><dt id="term-b">b</dt><dd></dd><dt id="term-c">c</dt><dd></dd></dl>'
    )
    chapter = '<a class="term-link" href="../book/glossary.html#term-b">b</a>'
    assert pages.unlinked_terms(glossary, [chapter]) == ["term-c"]


PLANTED = """<html><head><title>x</title><meta name="viewport" content="width=device-width, initial-scale=1">
</head><body style="margin: 0">
<span class="math"><span class="katex"><math><mi>x</mi></math><span class="katex-html">x</span></span></span>
<span class="math"><span class="katex-error" title="no such command">\\nonsense</span></span>
<span class="math"><span class="katex-html">x</span></span><p class="math">x</p>
<p style="width: 50px"><span class="math"><span class="katex-base" style="display: inline-block; width: 80px">y</span>
<div style="width: 600px">wide</div>
<img src="missing.png" alt="gone"><script src="http://127.0.0.1:9/x.js"></script><script>throw Error("planted")</script>
"""


def test_planted_mistakes_are_seen_in_the_browser(browser, address, site):
    """A page that fails in every way, opened as the others are."""
    (site.root / "planted.html").write_text(PLANTED, encoding="utf-8")
    page = visit(browser, address, "planted.html", size=WIDTHS["pocket"])
    Path(site.root / "planted.html").unlink()
    assert any("missing.png" in url for url in page.failed)
    assert page.external == ["http://127.0.0.1:9/x.js"]
    assert any("planted" in text for text in page.errors)
    assert page.scroll > page.client == WIDTHS["pocket"][0]
    assert page.sources == 5 and page.rendered == 1 and page.errors_in_math == ["no such command"]
    assert page.cut_math == ["y"]
    assert [i["width"] for i in page.images] == [0]
    assert page.theme is None
