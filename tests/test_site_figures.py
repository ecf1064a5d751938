"""Figures on the site: captions and numbers, the size of every image, plates in the dark, what a click enlarges."""

import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, SoupStrainer
from PIL import Image

from tests.support.drawn import PHONE
from tests.support.site import WIDTHS, no, visit
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_figures  # noqa: E402

CHAPTER = "notebooks/03_gradients.html"
LINK = f"a.{book_figures.LINK}"


def only(html, *names, **attributes):
    """The elements of a page that have one of these names. The rest of a chapter, with its formulas, takes seconds."""
    return BeautifulSoup(html, "html.parser", parse_only=SoupStrainer(names, **attributes))


# ---------------------------------------------------------------- captions


def drawn(path):
    """The metadata of the cells of a notebook that draw: [{"figure": {"caption"}, "image": {"alt"}}]."""
    return [
        cell.metadata.get("mystnb", {})
        for cell in nb.read(path).cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if any(mime.startswith("image/") for mime in output.get("data", {}))
    ]


def plain(markdown):
    """(words outside formulas, number of formulas) of a caption as it is written."""
    formula = r"\$[^$]+\$"
    return re.findall(r"\w+", re.sub(formula, " ", markdown)), len(re.findall(formula, markdown))


def caption_complaints(html, chapter, cells):
    """What is wrong with the figures of a chapter's page, given what its drawing cells say of them."""
    page, wrong = only(html, "div", class_=re.compile(r"\bcell_output\b")), []
    images = page.select(".cell_output .figure-view img")
    if len(images) != len(cells):
        return [f"the notebook draws {len(cells)} figures and the page has {len(images)}"]
    count = 0
    for image, said in zip(images, cells):
        caption, figure = said.get("figure", {}).get("caption"), image.find_parent("figure")
        view = image.find_parent(class_="figure-view")
        if image["alt"].split() != said["image"]["alt"].split():
            wrong.append(f"the description is {image['alt']!r}, not {said['image']['alt']!r}")
        if caption is None:
            wrong += [f"a figure has a caption and its cell has none: {figure.text!r}"] if figure else []
            continue
        count += 1
        number = f"{chapter}.{count}"
        if figure is None or figure.figcaption is None:
            wrong.append(f"figure {number} has no caption; its cell says {caption!r}")
            continue
        if figure.get("id") != f"figure-{chapter}-{count}":
            wrong.append(f"figure {number} has the address #{figure.get('id')}")
        name = view.select_one(LINK)["aria-label"]
        if name != f"Enlarge figure {number}":
            wrong.append(f"the link of figure {number} is named {name!r}")
        text = figure.select_one(".caption-text")
        shown = text.select_one(".caption-number").extract().text
        if shown != f"Figure {number}.":
            wrong.append(f"figure {number} is numbered {shown!r}")
        formulas = [formula.extract() for formula in text.select(".math")]
        if (re.findall(r"\w+", text.text), len(formulas)) != plain(caption):
            wrong.append(f"figure {number} says {text.text!r}, not {caption!r}")
    return wrong


def test_figures_have_their_numbers_and_captions(site):
    found, captions = [], 0
    for path in nb.notebook_paths():
        cells = drawn(path)
        captions += sum("figure" in said for said in cells)
        html = site.pages[f"notebooks/{path.stem}.html"]
        found += [f"{path.stem}: {text}" for text in caption_complaints(html, nb.chapter_number(path), cells)]
    assert captions
    no(found, "captions")


FIGURE = """<div class="cell_output"><figure id="figure-3-1"><span class="figure-view"><img alt="A line" src="a.png">
<a class="figure-enlarge" href="a.png" aria-label="Enlarge figure 3.1"></a></span><figcaption><p>
<span class="caption-text"><span class="caption-number">Figure 3.1.</span> It <em>falls</em> to
<span class="math">x</span></span></p></figcaption></figure></div>"""
SAID = {"figure": {"caption": "It *falls* to $x$"}, "image": {"alt": "A line"}}


@pytest.mark.parametrize(
    ("html", "cells"),
    [
        (FIGURE, []),
        (FIGURE, [{"image": {"alt": "A line"}}]),
        (FIGURE, [{**SAID, "image": {"alt": "Another"}}]),
        (FIGURE, [{**SAID, "figure": {"caption": "It *rises* to $x$"}}]),
        (FIGURE, [{**SAID, "figure": {"caption": "It falls to x"}}]),
        (FIGURE.replace("figure-3-1", "figure-3-2"), [SAID]),
        (FIGURE.replace("Figure 3.1.", "Figure 3.2."), [SAID]),
        (FIGURE.replace("Enlarge figure 3.1", "Enlarge"), [SAID]),
        (FIGURE.replace("figure id", "div id").replace("</figure>", "</div>"), [SAID]),
    ],
)
def test_a_planted_fault_in_a_caption_is_seen(html, cells):
    assert caption_complaints(FIGURE, 3, [SAID]) == []
    assert caption_complaints(html, 3, cells)


def notebook(caption="It falls.", alt="A line", outputs=("image/png",), **figure):
    said = {"figure": {"caption": caption, **figure}, "image": {"alt": alt}}
    shown = [{"output_type": "display_data", "data": {mime: ""}} for mime in outputs]
    cell = {"cell_type": "code", "source": "draw()", "metadata": {"mystnb": said}, "outputs": shown}
    if caption is None:
        del said["figure"]
    return {"cells": [{"cell_type": "markdown", "source": "x", "metadata": {}}, cell]}


def test_figures_without_captions_stop_the_build_once_that_is_asked_for():
    assert book_figures.figure_complaints(notebook(None)) == []
    assert len(book_figures.figure_complaints(notebook(None), need_captions=True)) == 1
    assert book_figures.figure_complaints(notebook(), need_captions=True) == []
    assert book_figures.figure_complaints(notebook(None, outputs=["text/html"]), need_captions=True) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"caption": " "},
        {"caption": 3},
        {"caption": "Figure 3.2. It falls."},
        {"caption": "**Fig. 2**: it falls."},
        {"caption": "It falls.\n\nAnd rises."},
        {"alt": ""},
        {"outputs": []},
        {"outputs": ["text/html"]},
        {"outputs": ["image/png", "image/png"]},
        {"outputs": ["image/png", "text/html"]},
    ],
)
def test_a_caption_that_the_site_cannot_show_stops_the_build(changes):
    assert book_figures.figure_complaints(notebook()) == []
    assert len(book_figures.figure_complaints(notebook(**changes))) == 1


# ---------------------------------------------------------------- sizes


def size_complaints(html, ratio):
    """What is wrong with the images of a page. `ratio` maps an address to (width in pixels, height) of the file."""
    around = re.split(r"(<article\b.*?</article>)", html, maxsplit=1, flags=re.S)  # [before, article, after]
    images = [(k == 1, at, image) for k, part in enumerate(around) for at, image in enumerate(only(part, "img")("img"))]
    wrong = []
    for in_article, at, image in images:
        sides = image.get("width", ""), image.get("height", "")
        if not all(side.isdigit() and int(side) for side in sides):
            wrong.append(f"{image['src']} has no size: {sides}")
            continue
        wide, high = map(int, sides)
        width, height = ratio(image["src"])
        if abs(wide * height / width - high) > 1:
            wrong.append(f"{image['src']} is {wide} x {high} on the page and {width} x {height} in the file")
        if re.search(r"/[0-9a-f]{64}\.png$", image["src"]) and wide != width // 2:  # by a notebook
            wrong.append(f"{image['src']} has {width} pixels across and is {wide} wide, not half of it")
        waits = image.get("loading") == "lazy", image.get("decoding") == "async"
        if in_article and waits != (at > 0, at > 0):
            wrong.append(f"{image['src']} has loading {image.get('loading')}, decoding {image.get('decoding')}")
    return wrong


@pytest.mark.parametrize("which", ["site", "published"])
def test_every_image_has_its_size_and_waits_its_turn(which, request):
    built, found, sizes = request.getfixturevalue(which), [], {}

    def size(file):
        if file not in sizes:
            if file.suffix == ".svg":
                numbers = re.search(r'viewBox="([^"]*)"', file.read_text(encoding="utf-8"))[1]
                sizes[file] = tuple(map(float, numbers.split()[2:]))
            else:
                with Image.open(file) as image:
                    sizes[file] = image.size
        return sizes[file]

    for path, html in built.pages.items():
        beside = (built.root / path).parent.joinpath
        found += [f"{path}: {text}" for text in size_complaints(html, lambda src, at=beside: size(at(src).resolve()))]
    assert sizes
    no(found, "sizes of images")


NOTEBOOKS = "/" + 64 * "0" + ".png"
ARTICLE = f"""<img src="m.svg" width="4" height="2"><article class="bd-article"><img src="a.png" width="4" height="2">
<img src="{NOTEBOOKS}" width="4" height="2" loading="lazy" decoding="async"></article>"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (' width="4"', ""),
        ('height="2"', 'height="4"'),
        (f'{NOTEBOOKS}" width="4" height="2"', f'{NOTEBOOKS}" width="8" height="4"'),
        (' loading="lazy"', ""),
        (' decoding="async"', ""),
        ('"a.png"', '"a.png" loading="lazy"'),
    ],
)
def test_a_planted_fault_in_a_size_is_seen(before, after):
    assert size_complaints(ARTICLE, lambda src: (8, 4)) == []
    assert size_complaints(ARTICLE.replace(before, after), lambda src: (8, 4))


def test_sizes_are_written_into_a_page():
    html = (
        "<script>'<img src=\"no\">'</script><img src=m.svg class='logo' alt=\"a &gt; b\">"
        '<article class="x"><img src="a.png" style="width: 601px;"/><img src="b.png" width="10" height="3">'
        '<img class="only-dark" src="a.png"></article><img src="c.png">'
    )
    written = book_figures.with_sizes(html, lambda src: (100, 50))
    assert written == (
        '<script>\'<img src="no">\'</script><img src="m.svg" class="logo" alt="a &gt; b" width="100" '
        'height="50" /><article class="x"><img src="a.png" width="601" height="300" />'
        '<img src="b.png" width="10" height="3" loading="lazy" decoding="async" />'
        '<img class="only-dark" src="a.png" width="100" height="50" loading="lazy" decoding="async" /></article>'
        '<img src="c.png" width="100" height="50" loading="lazy" decoding="async" />'
    )
    assert book_figures.with_sizes(written, lambda src: 1 / 0) == written, "a second build changes it"


def test_an_image_of_unknown_size_stops_the_build(tmp_path):
    for name, content in [("a.png", b"no image"), ("a.svg", b"<svg></svg>"), ("a.gif", b"GIF89a")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="it is no PNG|neither"):
            book_figures.file_size(tmp_path / name)
    (tmp_path / "b.svg").write_text('<svg width="432pt" viewBox="0 0 432 480.5">')
    assert book_figures.file_size(tmp_path / "b.svg") == (432, 480.5)


def test_without_scripts_and_before_the_images_come_their_places_are_kept(browser, address):
    """The place of an image is that of its size, and the link leads to its file."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    try:
        page = context.new_page()
        page.route("**/*.png", lambda route: None)  # they are asked for and do not come
        page.goto(address + CHAPTER, wait_until="domcontentloaded")
        for view in page.locator(".cell_output .figure-view").all()[:3]:
            image, box = view.locator("img"), view.locator("img").bounding_box()
            expected = box["width"] * int(image.get_attribute("height")) / int(image.get_attribute("width"))
            assert box["width"] > 300 and abs(box["height"] - expected) < 1
        page.unroute("**/*.png")
        page.locator(LINK).first.click()
        page.wait_for_url("**/_images/*.png")
    finally:
        context.close()


# ---------------------------------------------------------------- in the dark

PLATES = """() => [...document.querySelectorAll('.cell_output .figure-view')].map(view => {
  const plate = view.querySelector('.figure-plate'), image = view.querySelector('img');
  const [of_plate, of_image] = [plate, image].map(e => getComputedStyle(e));
  const caption = view.parentElement.querySelector('figcaption');
  return {
    around: [of_plate.backgroundColor, of_plate.filter, of_plate.paddingLeft],
    image: [of_image.backgroundColor, of_image.filter, of_image.padding, of_image.borderRadius],
    width: image.getBoundingClientRect().width, left: image.getBoundingClientRect().left,
    caption: caption && [
      plate.contains(caption), caption.getBoundingClientRect().top - plate.getBoundingClientRect().bottom
    ],
  };
})"""
BARE = ["rgba(0, 0, 0, 0)", "none", "0px", "0px"]


@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_in_the_dark_figures_lie_on_a_plate_and_are_no_smaller(browser, address, size):
    light, dark = (
        visit(browser, address, CHAPTER, size, scheme, then=lambda page: page.evaluate(PLATES)).then
        for scheme in ("light", "dark")
    )
    assert light and len(light) == len(dark)
    for a, b in zip(light, dark):
        assert a["around"] == ["rgba(0, 0, 0, 0)", "none", "0px"]
        assert b["around"] == ["rgb(255, 255, 255)", "brightness(0.9)", "8px"]
        assert a["image"] == b["image"] == BARE
        assert abs(a["width"] - b["width"]) < 1 and abs(a["left"] - b["left"]) < 1
        assert 0 < a["width"] <= 610 and (size[0] > 500 or a["width"] > 0.9 * size[0])
        for caption in (a["caption"], b["caption"]):
            assert caption is None or (not caption[0] and 0 <= caption[1] < 24)


def test_planted_frames_are_seen(browser, address):
    def look(page):
        page.add_style_tag(content=".bd-content img { background-color: slategray !important }")
        return page.evaluate(PLATES)

    assert all(p["image"] != BARE for p in visit(browser, address, CHAPTER, scheme="dark", then=look).then)


# ---------------------------------------------------------------- enlarged

STATE = """() => {
  const dialog = document.querySelector('.figure-dialog'), image = dialog?.querySelector('img');
  const stage = dialog?.querySelector('.figure-dialog-stage'), box = image?.getBoundingClientRect();
  return {
    open: !!dialog?.open,
    name: document.getElementById('figure-dialog-name')?.textContent,
    caption: dialog?.querySelector('.figure-dialog-caption').textContent,
    src: image?.src, alt: image?.alt, width: box?.width, height: box?.height,
    whole: !!box && box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight,
    scrolls: stage && [stage.scrollWidth > stage.clientWidth, stage.scrollHeight > stage.clientHeight],
    inside: !!dialog?.contains(document.activeElement),
    focus: document.activeElement.getAttribute('aria-label'),
    page: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}"""


def figure(page, number):
    """What a figure of the page shows, and its link."""
    link = page.locator(f'{LINK}[aria-label="Enlarge figure {number}"]')
    about = link.evaluate("""link => {
      const image = link.parentElement.querySelector('img');
      const text = link.closest('figure').querySelector('.caption-text');
      return {src: link.href, alt: image.alt, width: image.getBoundingClientRect().width,
              caption: text.textContent.replace(/^Figure [\\d.]+ /, '')};
    }""")
    return about, link


def is_open_on(page, number):
    state, (about, _) = page.evaluate(STATE), figure(page, number)
    assert state["open"] and state["inside"]
    assert state["name"] == f"Figure {number}"
    assert [state[key] for key in ("src", "alt", "caption")] == [about[key] for key in ("src", "alt", "caption")]
    return state


def is_closed_and_back_at(page, number):
    state = page.evaluate(STATE)
    assert not state["open"] and state["focus"] == f"Enlarge figure {number}"


def test_a_click_enlarges_a_figure(browser, address):
    """The mouse: a click opens; the button, and a click beside the image, close."""

    def look(page):
        about, link = figure(page, "3.3")
        assert link.get_attribute("role") == "button" and link.get_attribute("aria-haspopup") == "dialog"
        link.click()
        state = is_open_on(page, "3.3")
        assert state["whole"] and state["width"] > about["width"]
        assert max(state["width"] / WIDTHS["desk"][0], state["height"] / WIDTHS["desk"][1]) > 0.75
        page.get_by_role("button", name="Close").click()
        is_closed_and_back_at(page, "3.3")
        link.click()
        page.get_by_role("button", name="Next figure").click()
        is_open_on(page, "3.4")
        page.mouse.click(6, 450)
        is_closed_and_back_at(page, "3.4")

    assert visit(browser, address, CHAPTER, then=look).errors == []


def test_the_keyboard_enlarges_a_figure(browser, address):
    """Enter and the space bar open, arrows turn to the next figure, the tabulator stays inside, Escape closes."""

    def look(page):
        link = figure(page, "3.2")[1]
        for key in ("Enter", " "):
            link.focus()
            page.keyboard.press(key)
            is_open_on(page, "3.2")
            page.keyboard.press("ArrowRight")
            is_open_on(page, "3.3")
            page.keyboard.press("ArrowLeft")
            page.keyboard.press("ArrowLeft")
            page.keyboard.press("ArrowLeft")  # before the first there is none
            is_open_on(page, "3.1")
            for tab in ["Tab"] * 7 + ["Shift+Tab"] * 7:
                page.keyboard.press(tab)
                assert page.evaluate(STATE)["inside"], f"{tab} leaves the dialog"
            page.keyboard.press("Escape")
            is_closed_and_back_at(page, "3.1")

    assert visit(browser, address, CHAPTER, then=look).errors == []


@pytest.mark.parametrize("size", [WIDTHS["pocket"], (320, 640)], ids=["pocket", "narrow"])
def test_a_small_window_shows_a_figure_at_its_own_size_or_whole(browser, address, size):
    def look(page):
        overflow = page.evaluate(STATE)["page"]
        about, link = figure(page, "3.2")
        link.tap()
        state = is_open_on(page, "3.2")
        own = int(page.locator("#figure-3-2 img").get_attribute("width"))
        assert abs(state["width"] - own) < 1 and state["scrolls"][0]
        page.get_by_role("button", name="Show the whole figure").tap()
        state = is_open_on(page, "3.2")
        assert state["whole"] and state["scrolls"] == [False, False] and state["width"] > 0.8 * about["width"]
        page.locator(".figure-dialog img").tap()
        assert is_open_on(page, "3.2")["scrolls"][0]
        return overflow, state["page"]

    seen = visit(browser, address, CHAPTER, size, then=look)
    assert seen.then == (0, 0) and seen.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_a_figure_as_wide_as_its_words_were_measured_for(browser, address, scheme):
    def look(page):
        return page.evaluate("document.querySelector('#figure-3-2 img').getBoundingClientRect().width")

    shown = visit(browser, address, CHAPTER, WIDTHS["pocket"], scheme, then=look).then
    assert shown == pytest.approx(PHONE, abs=1)


def test_only_figures_that_can_be_seen_are_turned_to(browser, address):
    def look(page):
        page.evaluate("document.querySelector('#figure-3-3').style.display = 'none'")
        page.evaluate("document.querySelector('#figure-3-4').style.contentVisibility = 'hidden'")
        figure(page, "3.2")[1].click()
        page.keyboard.press("ArrowRight")
        is_open_on(page, "3.5")

    visit(browser, address, CHAPTER, then=look)


def test_motion_and_paper(browser, address):
    """Where less motion is asked for the dialog does not fade in; on paper there is neither dialog nor sign."""

    def look(page):
        motion = []
        figure(page, "3.2")[1].click()
        for wish in ("no-preference", "reduce"):
            page.emulate_media(reduced_motion=wish)
            motion.append(page.evaluate("getComputedStyle(document.querySelector('.figure-dialog')).animationName"))
        page.emulate_media(media="print")
        hidden = f"[...document.querySelectorAll('.figure-dialog, {LINK}')].every(e => !e.checkVisibility())"
        return motion, page.evaluate(hidden)

    assert visit(browser, address, CHAPTER, then=look).then == (["figure-in", "none"], True)


AXE = """async () => (await axe.run(document.querySelector('.figure-dialog'), {resultTypes: ['violations']}))
  .violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 120)}`))"""


def assess(style=""):
    from axe_playwright_python.base import AXE_FILE_PATH

    def look(page):
        page.add_style_tag(content=style + ".figure-dialog { animation: none !important }")
        page.locator(LINK).locator("visible=true").nth(1).click()
        page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
        return page.evaluate(AXE)

    return look


@pytest.mark.parametrize(
    ("path", "size", "scheme"), [(CHAPTER, WIDTHS["desk"], "light"), ("index.html", WIDTHS["pocket"], "dark")]
)
def test_the_dialog_is_accessible(browser, address, path, size, scheme):
    no(visit(browser, address, path, size, scheme, then=assess()).then, f"an enlarged figure of {path} ({scheme})")


def test_a_planted_pale_dialog_is_seen(browser, address):
    assert visit(browser, address, "index.html", then=assess(".figure-dialog p { color: #aaa !important }")).then


def test_pictures_outside_chapters_enlarge_too(browser, address):
    """They have two versions, and the one that is shown is the one that opens."""

    def look(page):
        link = page.locator(f".captioned {LINK}").locator("visible=true")
        link.click()
        state = page.evaluate(STATE)
        assert state["open"] and state["name"] == "Picture 1" and state["caption"]
        return state["src"].rpartition("/")[2]

    for scheme in ("light", "dark"):
        assert (
            visit(browser, address, "index.html", scheme=scheme, then=look).then
            == f"results-reading-aloud-{scheme}.svg"
        )
