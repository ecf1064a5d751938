"""What a page weighs and how still it stands: formulas set when the site is built, icons from a style sheet, no script
without use."""

import functools
import io
import re
import subprocess
import sys
from types import SimpleNamespace

import lxml.html
import nbformat
import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from tests.support import pages
from tests.support.site import WIDTHS, no, on_pages, visit
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_icons  # noqa: E402
import book_math  # noqa: E402
import book_offline  # noqa: E402

LIMIT = 180_000  # bytes of scripts on a page; the theme's own are 105,000
STILL = 0.1  # layout shift: what is called good
UNUSED = re.compile(r"mathjax|fontawesome|thebe|searchtools|language_data|searchindex|design-tabs", re.I)
CHAPTERS = [f"notebooks/{path.stem}.html" for path in nb.notebook_paths()]
LONGEST = next(path for path in CHAPTERS if "/12_" in path)
MATHEMATICAL = next(path for path in CHAPTERS if "/04_" in path)


@functools.cache
def tree(html):
    """The elements of a page. Chapters with their formulas are a megabyte each, and every page is looked at."""
    return lxml.html.document_fromstring(html)


def select(page, *classes, tag="*"):
    """The elements of a page, or within an element, that have one of some classes."""
    having = " or ".join(f"contains(concat(' ', normalize-space(@class), ' '), ' {name} ')" for name in classes)
    return page.xpath(f".//{tag}[{having}]")


def addresses(html, tag, attribute):
    """What the elements of a page fetch, without the hash that tells a browser of a new version."""
    return [address.partition("?")[0] for address in tree(html).xpath(f"//{tag}/@{attribute}")]


def scripts(html):
    return addresses(html, "script", "src")


# ---------------------------------------------------------------- what is loaded


@pytest.mark.parametrize("which", ["site", "published"])
def test_no_page_loads_a_script_without_use(which, request):
    built = request.getfixturevalue(which)
    no(on_pages(built, lambda html: [src for src in scripts(html) if UNUSED.search(src)]), "scripts without use")
    no([f for f in built.files if re.search(r"mathjax|fontawesome|fa-solid", f, re.I)], "files that nothing needs")


def test_scripts_are_light(site):
    def weight(path):
        folder = (site.root / path).parent
        return sum((folder / src).stat().st_size for src in scripts(site.pages[path]))

    heavy = {path: weight(path) for path in site.pages}
    assert min(weight(path) for path in CHAPTERS) > 50_000, "the theme's scripts are not counted"
    no([f"{path}: {size:,} bytes" for path, size in heavy.items() if size > LIMIT], f"scripts of more than {LIMIT:,}")


def test_mathematics_is_styled_only_where_there_is_some(site):
    def complaint(html):
        count, links = len(select(tree(html), "katex")), addresses(html, "link", "href")
        if bool(count) != any(href.endswith("/katex/katex.min.css") for href in links):
            yield f"{count} formulas, and their style sheet is {'not ' * bool(count)}there"
        if bool(select(tree(html), "katex-display")) != any(src.endswith("/math.js") for src in scripts(html)):
            yield "math.js is for displayed formulas"

    no(on_pages(site, complaint), "the style sheet of formulas")
    assert any("katex.min.css" in html for html in site.pages.values())
    assert any("katex.min.css" not in html for html in site.pages.values())


def test_every_font_of_a_style_sheet_is_there(site):
    found = []
    for file in sorted(f for f in site.files if f.endswith(".css")):
        css = (site.root / file).read_text(encoding="utf-8")
        for source in re.findall(r"@font-face\{[^}]*?src:([^}]*)", css):
            for address in re.findall(r"url\(([^)]*)\)", source):
                if (
                    not address.startswith("data:font/woff2")
                    and not (site.root / file).parent.joinpath(address).exists()
                ):
                    found.append(f"{file}: {address[:80]}")
    no(found, "fonts that are not there")


# ---------------------------------------------------------------- formulas


@pytest.fixture(scope="module")
def parser():
    config = yaml.safe_load((nb.ROOT / "_config.yml").read_text(encoding="utf-8"))
    return create_md_parser(
        MdParserConfig(enable_extensions=set(config["parse"]["myst_enable_extensions"])), RendererHTML
    )


def formulas(parser, text):
    """How many formulas a text in Markdown holds, those within directives among them."""
    count = 0
    for token in parser.parse(text):
        if token.type in ("fence", "colon_fence") and token.info.startswith("{"):
            count += formulas(parser, token.content)
        count += sum("math" in t.type for t in (token, *(token.children or [])))
    return count


def sources_of(path):
    """The texts of a page's source."""
    source = nb.ROOT / path.replace(".html", ".ipynb")
    if source.exists():
        return [cell.source for cell in nb.read(source).cells if cell.cell_type == "markdown"]
    return [(nb.ROOT / path.replace(".html", ".md")).read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", [*CHAPTERS, "book/notation.html", "book/glossary.html"])
def test_every_formula_is_set(site, parser, path):
    (article,) = select(tree(site.pages[path]), "bd-article")
    found = [f for f in select(article, "math") if not f.xpath("ancestor::figcaption")]  # those stand in a cell's data
    expected = sum(formulas(parser, text) for text in sources_of(path))
    assert expected and len(found) == expected


def unset(html):
    """Formulas of a page that lack what they need."""
    page = tree(html)
    for formula in select(page, "math"):
        for name, parts in {
            "MathML": formula.xpath(".//math//annotation"),
            "a drawing": [part for part in select(formula, "katex-html") if part.get("aria-hidden") == "true"],
        }.items():
            if not parts:
                yield f"{formula.text_content().strip()[:60]}: no {name}"
    for error in (*select(page, "katex-error"), *page.xpath("//merror")):
        yield f"{error.text_content()[:60]}: an error"


def test_every_formula_is_there_for_the_eye_and_for_the_ear(site):
    no(on_pages(site, unset), "formulas")


@pytest.mark.parametrize(
    "html",
    [
        '<span class="math">\\(x\\)</span>',
        '<span class="math"><span class="katex"><math><annotation>x</annotation></math></span></span>',
        '<span class="math"><span class="katex"><span class="katex-html" aria-hidden="true">x</span></span></span>',
        '<span class="katex-error">x</span>',
    ],
)
def test_a_formula_that_is_not_set_is_seen(html):
    assert list(unset(html))


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"\nonsense", "Undefined control sequence: \\nonsense"),
        (r"\left(x", "Expected '\\right'"),
        ("x^", "Expected group after '^'"),
        (r"\begin{pmatrix} a", "pmatrix"),
        ("é", "é"),
        (r"\href{https://example.org}{x}", "href"),
    ],
)
def test_a_wrong_formula_is_refused(tex, said):
    with pytest.raises(book_math.FormulaError) as caught:
        book_math.set_formula(tex)
    assert said in str(caught.value)


def document(*formulas_):
    """A page's tree with a paragraph for each formula."""
    tree = new_document("/book/notebooks/01_toy.ipynb")
    for k, formula in enumerate(formulas_):
        paragraph = nodes.paragraph("", "", formula)
        paragraph.line = 20_004 + k
        tree += paragraph
    return tree


def test_all_wrong_formulas_of_a_page_are_named():
    tree = document(nodes.math("", r"\nonsense"), nodes.math("", "x"), nodes.math_block("", r"\frac{1", number=None))
    with pytest.raises(ExtensionError) as caught:
        book_math.check(None, tree)
    first, second, third = str(caught.value).split("\n")
    assert first == "KaTeX cannot set"
    assert second.startswith("/book/notebooks/01_toy.ipynb, cell 2, line 3: `\\nonsense`: Undefined control sequence")
    assert third.startswith("/book/notebooks/01_toy.ipynb, cell 2, line 5: `\\frac{1`: ")
    book_math.check(None, document(nodes.math("", "x")))
    with pytest.raises(ExtensionError, match="cell 2, line 3: `x_`"):  # made by another extension, after the check
        book_math.finished(document(nodes.math("", "x_"))[0][0])


@pytest.mark.parametrize(
    ("tex", "parts"),
    [
        (r"a = b, \qquad c = d.", ["a = b,", "c = d."]),
        (r"a, \quad b, \qquad \text{or} \qquad c", ["a,", "b,", r"\text{or}", "c"]),
        (r"\text{a \qquad b}", [r"\text{a \qquad b}"]),
        (r"\left( a \quad b \right) \quad c", [r"\left( a \quad b \right)", "c"]),
        (r"\begin{pmatrix} a \quad b \end{pmatrix}", [r"\begin{pmatrix} a \quad b \end{pmatrix}"]),
        (r"\{ a \quad b \}", [r"\{ a", r"b \}"]),
        (r"a \quadratic b", [r"a \quadratic b"]),
        (r"a \leftarrow b \quad c", [r"a \leftarrow b", "c"]),
        (r"a &= b \\ &= c", [r"\begin{split}a &= b \\ &= c\end{split}"]),
        (r"\begin{pmatrix} a \\ b \end{pmatrix}", [r"\begin{pmatrix} a \\ b \end{pmatrix}"]),
        (r"\begin{align} a &= b \end{align}", [r"\begin{align*} a &= b \end{align*}"]),
    ],
)
def test_displayed_formulas(tex, parts):
    assert book_math.prepared(nodes.math_block("", tex)) == parts
    assert book_math.prepared(nodes.math("", tex)) == [tex]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("where ", ", and", "where [x,] and"),
        ("(", ") is", "[(x)] is"),
        ("of ", "’s size", "of [x’s] size"),
        ("a ", " b", "a x b"),
        ("a–", "—b", "a–x—b"),
        ("", ".", "[x.]"),
    ],
)
def test_a_formula_stays_with_what_touches_it(before, after, expected):
    tree = new_document("toy")
    tree += nodes.paragraph(
        "", "", *filter(None, (before and nodes.Text(before), nodes.math("", "x"), nodes.Text(after)))
    )
    book_math.keep_with_words(None, tree, "toy")
    shown = "".join(f"[{n.astext()}]" if isinstance(n, nodes.inline) else n.astext() for n in tree[0])
    assert shown == expected


def test_python_ends_after_a_formula():
    """V8 runs in a thread that would not end by itself."""
    code = "import book_math; book_math.set_formula('x')"
    subprocess.run([sys.executable, "-c", code], cwd=book_math.VENDOR.parents[1] / "ext", check=True, timeout=60)


def small_site(folder, *cells, **files):
    """Build some pages with book_math alone, and return where they are."""
    nbformat.write(new_notebook(cells=list(cells)), folder / "index.ipynb")
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    settings = {
        "extensions": ["myst_nb", "book_math"],
        "html_math_renderer": "katex",
        "myst_enable_extensions": ["amsmath", "dollarmath"],
        "nb_execution_mode": "off",
        "html_theme": "basic",
        "suppress_warnings": ["toc.not_included"],
    }
    log = io.StringIO()
    with docutils_namespace():
        Sphinx(folder, None, folder / "html", folder / "trees", "html", settings, status=None, warning=log).build()
    assert "math" not in log.getvalue()
    return folder / "html"


def test_a_wrong_formula_stops_the_build(tmp_path):
    cells = [
        new_markdown_cell("# Toy"),
        new_code_cell("1"),
        new_markdown_cell("Text.\n\nRight $x$,\nwrong $\\nonsense$."),
        new_markdown_cell("$$\\frac{1$$"),
    ]
    with pytest.raises(ExtensionError) as caught:
        small_site(tmp_path, *cells)
    _, first, second = str(caught.value).split("\n")  # both, for the page is checked before it is written
    assert "index.ipynb, cell 3, line 3: `\\nonsense`: Undefined control sequence" in first
    assert "index.ipynb, cell 4, line 1: `\\frac{1`: " in second


def test_a_small_site(tmp_path):
    """Numbers of equations, links to them, and pages without a formula, none of which the book has today."""
    text = "# Toy\n\n$$a = b$$ (first)\n\n\\begin{align}a &= b \\\\ c &= d\\end{align}\n\nAs {eq}`first` says, $x$."
    root = small_site(tmp_path, new_markdown_cell(text), plain="# Plain\n\nNothing.\n")
    page, plain = (pages.soup((root / f"{name}.html").read_text(encoding="utf-8")) for name in ("index", "plain"))
    first, second = page.select("div.math")
    assert first.select_one(".eqno").text.startswith("(1)") and second.select_one(".eqno").text.startswith("(2)")
    assert page.select_one(f'a[href="#{first["id"]}"] .math, p a[href="#{first["id"]}"]').text == "(1)"
    assert not page.select(".tag"), "an environment numbers itself beside Sphinx"
    assert len(second.select("math")) == 1 and len(page.select("span.math")) == 1
    assert page.select_one('link[href*="katex.min.css"]') and not plain.select('link[href*="katex.min.css"]')


def test_the_style_sheet_of_formulas_asks_for_no_older_font():
    css = book_math.style_sheet()
    assert len(re.findall(r"url\(fonts/[\w-]+\.woff2\)", css)) == len(list(book_math.VENDOR.glob("fonts/*"))) - 4
    assert css.count("url(data:font/woff2;base64,") == 4 and not re.search(r"\.(?:woff|ttf)\b", css)


# ---------------------------------------------------------------- icons


def undrawn(html, css):
    """Icons of a page that the style sheet does not draw."""
    named = {name for names in tree(html).xpath("//i/@class") for name in names.split() if name.startswith("fa-")}
    return sorted(n for n in named - set(book_icons.STYLES) - book_icons.SIZES if f".{n}::before {{ width" not in css)


@pytest.mark.parametrize("which", ["site", "published"])
def test_every_icon_is_drawn(which, request):
    built = request.getfixturevalue(which)
    css = (built.root / "_static" / "icons.css").read_text(encoding="utf-8")
    no(on_pages(built, lambda html: undrawn(html, css)), "icons that are not drawn")
    assert "fa-bars" in css and ("fa-github" in css) == (which == "published")
    assert undrawn('<i class="fa-solid fa-planet-ringed"></i>', css) == ["fa-planet-ringed"]


SCRIPT = (
    'var p={"beer":[512,512,[],"f0fc","M1z"]};b("fab",p),b("fa-brands",p);'
    'var q={"bars":[448,512,["navicon"],"f0c9","M2z"],moon:[384,512,[127769,9214],"f186","M3z"]};b("far",q);'
    'var r={"bars":[448,512,[],"f0c9","M4z"]};b("fas",r)'
)


def test_icons_are_read_from_the_themes_script():
    icons = book_icons.find_icons(SCRIPT)
    assert icons["fab", "beer"] == (512, 512, "M1z")
    assert icons["far", "bars"] == icons["far", "navicon"] == (448, 512, "M2z")
    assert icons["far", "moon"] == (384, 512, "M3z") and icons["fas", "bars"] == (448, 512, "M4z")
    assert len(icons) == 5


def test_icons_are_found_where_they_are_named():
    texts = ['<i class="theme-switch fa-solid  fa-sun fa-lg">', 'i.classList="fab fa-github"', '<p class="fast fa-x">']
    assert book_icons.used_icons(texts) == {("fas", "sun"), ("fab", "github")}


def test_an_icon_that_the_theme_does_not_have_is_named():
    icons = dict.fromkeys([("fas", name) for _, name in book_icons.BESIDE], (512, 512, "M1z"))
    assert ".fa-bars" not in book_icons.sheet(set(), icons)
    with pytest.raises(ExtensionError, match="no icon bars"):
        book_icons.sheet({("fas", "bars")}, icons)
    with pytest.raises(ExtensionError, match="no part of Font Awesome"):
        book_icons.without_fonts("p{color:red}")


def test_the_themes_own_rules_stay():
    css = 'a{b:c}/*!\n * Font Awesome Free */.fa{x:y}.fa-k:before{content:"\\f1"}html{z:1}i.fa-k:hover{content:none}'
    assert book_icons.without_fonts(css) == "a{b:c}html{z:1}i.fa-k:hover{content:none}"


@pytest.mark.parametrize(
    ("file", "body", "expected"),
    [
        ("_static/copybutton.js", '<div class="highlight"><pre>', True),
        ("_static/copybutton.js", '<div class="highlighted">', False),
        ("_static/design-tabs.js", '<div class="sd-tab-set docutils">', True),
        ("_static/design-tabs.js", '<div class="sd-card">', False),
        ("_static/sphinx-design.min.css", '<div class="sd-card">', True),
        ("_static/togglebutton.js", '<div class="dropdown admonition">', True),
        ("_static/togglebutton.js", "<p>toggle</p>", False),
        ("_static/sphinx-thebe.js", '<div class="highlight">', False),
        ("_static/book.js", "", True),
    ],
)
def test_scripts_go_where_they_are_used(file, body, expected):
    assert book_offline.is_used(SimpleNamespace(filename=file, attributes={}), body) == expected


def test_settings_go_with_their_script():
    setting = SimpleNamespace(filename=None, attributes={"body": "let toggleHintShow = 'Click to show';"})
    assert not book_offline.is_used(setting, "<p>") and book_offline.is_used(setting, '<div class="toggle">')
    assert book_offline.is_used(SimpleNamespace(filename=None, attributes={"body": "let x = 1"}), "<p>")


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def desk_and_pocket(browser, address):
    """A chapter with many formulas, opened once at either width. Who changes it changes it back."""
    opened = []
    for width, height in WIDTHS.values():
        phone = {"is_mobile": width < 500, "has_touch": width < 500}
        context = browser.new_context(viewport={"width": width, "height": height}, **phone)
        opened.append(context.new_page())
        opened[-1].goto(address + MATHEMATICAL, wait_until="load")
        opened[-1].evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    yield opened
    for page in opened:
        page.context.close()


def with_style(page, css, look):
    """What is seen while a style sheet more is on the page."""
    sheet = page.add_style_tag(content=css)
    try:
        return look(page)
    finally:
        sheet.evaluate("element => element.remove()")


SHIFT = """() => new Promise(resolve => {
  let shift = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
  }).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => resolve(shift), 600);
})"""


def shift(page):
    """How far the page has moved by itself since it was opened, before anybody scrolls; then with a planted fault."""
    push = "document.querySelector('.bd-article').insertAdjacentHTML('beforebegin', '<hr style=height:400px>')"
    return page.evaluate(SHIFT), page.evaluate(push), page.evaluate(SHIFT)


@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_a_page_stands_still_while_it_loads(browser, address, size):
    moved, _, pushed = visit(browser, address, LONGEST, size, then=shift).then
    assert moved < STILL < pushed - moved, "the page moves by itself, or a planted shift is not seen"


CUT = """() => {
  const tex = e => e.querySelector('annotation').textContent.trim().slice(0, 60), cut = [], stops = [];
  for (const box of document.querySelectorAll('.katex-display')) {
    const {left, right} = box.getBoundingClientRect(), wide = box.scrollWidth > box.clientWidth + 1;
    const scrolls = getComputedStyle(box).overflowX === 'auto';
    if (left < -1 || right > innerWidth + 1 || (wide && !scrolls)) cut.push(tex(box));
    if (box.scrollHeight > box.clientHeight + 1) cut.push(`${tex(box)}: above or below`);
    if (wide !== (box.tabIndex === 0)) stops.push(tex(box));
  }
  for (const part of document.querySelectorAll('span.math .katex-base')) {
    const block = part.closest('p, li, dd, dt, td, th, summary, figcaption, h1, h2, h3');
    const over = part.getBoundingClientRect().right - block.getBoundingClientRect().right;
    if (!part.closest('table') && over > 1) cut.push(tex(part.closest('.math')));  // a table scrolls
    if (part.closest('[tabindex]')) stops.push(tex(part.closest('.math')));
  }
  return {cut, stops, wide: document.querySelectorAll('.katex-display[tabindex]').length};
}"""


def cut(page):
    page.wait_for_timeout(200)  # the observer of widths has its turn
    return page.evaluate(CUT)


def test_no_formula_is_cut_and_only_what_scrolls_is_a_stop_of_the_keyboard(desk_and_pocket):
    for page in desk_and_pocket:
        found, size = cut(page), page.viewport_size["width"]
        no(found["cut"], f"formulas that are cut at {size} pixels")
        no(found["stops"], f"stops of the keyboard at {size} pixels")
    assert found["wide"], "no formula of this chapter is wider than a phone: choose another"


@pytest.mark.parametrize(
    "style",
    [
        ".equations > .katex-display { overflow: hidden; }",
        ".equations { flex-wrap: nowrap; } .equations > .katex-display { max-width: none; flex-shrink: 0; }",
        ".bd-content span.math .katex { font-size: 5em; }",
        ".equations > .katex-display { padding: 0; height: 1em; }",
    ],
)
def test_a_planted_cut_is_seen(desk_and_pocket, style):
    assert with_style(desk_and_pocket[1], style, cut)["cut"]


def test_planted_stops_of_the_keyboard_are_seen(desk_and_pocket):
    pocket = desk_and_pocket[1]
    for plant, mend in (
        ("e => e.removeAttribute('tabindex')", "e => e.tabIndex = 0"),
        ("e => e.closest('section').tabIndex = 0", "e => e.closest('section').removeAttribute('tabindex')"),
    ):
        wide = pocket.locator(".katex-display[tabindex]").first.element_handle()
        wide.evaluate(plant)
        assert pocket.evaluate(CUT)["stops"]
        wide.evaluate(mend)
        assert not pocket.evaluate(CUT)["stops"]


ICONS = """() => {
  for (const fade of document.getAnimations()) fade.finish();
  const clear = colour => /^rgba.*, 0\\)$/.test(colour), back = getComputedStyle(document.body).backgroundColor;
  const icons = [...document.querySelectorAll('i[class*=fa-]')].filter(e => e.checkVisibility()).map(e => {
    const {maskImage, width, height, backgroundColor, forcedColorAdjust} = getComputedStyle(e, '::before');
    const drawn = maskImage.startsWith('url(') && parseFloat(width) > 4 && parseFloat(height) > 4;
    const kept = forcedColorAdjust === 'none' || !matchMedia('(forced-colors: active)').matches;
    const seen = drawn && kept && backgroundColor !== back && !clear(backgroundColor);
    return seen ? '' : `${e.className} ${backgroundColor}`;
  });
  const names = [...document.querySelectorAll('button, a.btn')].filter(e => e.checkVisibility()).map(e =>
    (e.ariaLabel || e.title || e.textContent).trim() ? '' : 'no name: ' + e.outerHTML.slice(0, 80));
  return [icons.length, names.length, [...icons, ...names].filter(text => text)];
}"""


def icons(page):
    count, buttons, found = page.evaluate(ICONS)
    assert count > 5 and buttons > 5
    return found


@pytest.fixture(
    params=[(scheme, forced) for scheme in ("light", "dark") for forced in ("none", "active")], ids="-".join
)
def colours(request, desk_and_pocket):
    scheme, forced = request.param
    for page in desk_and_pocket:
        page.emulate_media(color_scheme=scheme, forced_colors=forced)
        page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
    yield request.param
    for page in desk_and_pocket:
        page.emulate_media(color_scheme="light", forced_colors="none")


def test_buttons_show_their_icons_and_have_names(desk_and_pocket, colours):
    for page in desk_and_pocket:
        no(icons(page), f"icons ({', forced colours '.join(colours)}, {page.viewport_size['width']} pixels)")


def test_planted_faults_of_icons_are_seen(desk_and_pocket, colours):
    faults = [".fa-solid::before { mask: none }", ".fa-solid::before { background: Canvas }"]
    if colours[1] == "active":
        faults = [".fa-solid::before { forced-color-adjust: auto !important }"]
    for fault in faults:
        assert with_style(desk_and_pocket[0], fault, icons)


def test_a_button_without_a_name_is_seen(desk_and_pocket):
    desk = desk_and_pocket[0]
    desk.evaluate("document.querySelector('.bd-article').insertAdjacentHTML('beforebegin', '<button id=planted>')")
    assert any("planted" in text for text in icons(desk))
    desk.evaluate("document.getElementById('planted').remove()")
