"""The front door: descriptions, pictures and addresses of pages, the landing page, what was read."""

import json
import re
import struct
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import pages
from tests.support.site import WIDTHS, no, visit
from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_front  # noqa: E402
import book_links  # noqa: E402
import front_reading  # noqa: E402
from sphinx.errors import ExtensionError  # noqa: E402

ADDRESS = "https://owner.github.io/name/"
UNWRITTEN = {"search.html", "404.html"}
CHAPTERS = [c for _, those in front_reading.parts() for c in those]


def heads(built):
    """What each page says of itself, without the rest of it, which takes long to read."""
    return {
        path: pages.soup(html.partition("</head>")[0]) for path, html in built.pages.items() if path not in UNWRITTEN
    }


def meta(page, name):
    """What a page says of itself: a `meta` tag once, None without."""
    found = page.find_all("meta", attrs={"property": name}) + page.find_all("meta", attrs={"name": name})
    assert len(found) <= 1, f"{name} stands {len(found)} times"
    return found[0]["content"] if found else None


# ---------------------------------------------------------------- what is said about a page


def test_every_page_has_a_written_description(published):
    sentences = book_front.descriptions()
    for path, page in heads(published).items():
        sentence = sentences[path.removesuffix(".html")]
        assert meta(page, "description") == meta(page, "og:description") == sentence, path
        assert meta(page, "og:site_name") == "An Explanation Is All We Need"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "none for the page a"),
        ({"a": 70 * "x" + ".", "b": 70 * "x" + "."}, "describes b"),
        ({"a": "Short."}, "6 letters"),
        ({"a": 200 * "x" + "."}, "201 letters"),
        ({"a": 70 * "x"}, "full stop"),
    ],
)
def test_a_wrong_description_is_seen(found, said):
    assert said in "; ".join(book_front.description_complaints(found, {"a"}))
    assert book_front.description_complaints({"a": 70 * "x" + "."}, {"a"}) == []


def test_a_shared_link_has_a_picture(published):
    for path, page in heads(published).items():
        address = meta(page, "og:image")
        assert address.startswith(ADDRESS + "_static/cards/"), path
        file = published.root / address.removeprefix(ADDRESS)
        size = struct.unpack(">II", file.read_bytes()[16:24])
        assert size == (int(meta(page, "og:image:width")), int(meta(page, "og:image:height"))) == (1200, 630)
        assert "<" not in meta(page, "og:image:alt")
        assert meta(page, "twitter:card") == "summary_large_image"


def test_a_chapters_picture_is_its_own(published):
    """The cards of chapters differ, and not by their titles alone: a figure stands on each."""
    from PIL import Image

    for chapter in CHAPTERS:
        with Image.open(published.root / "_static/cards" / f"{chapter.document.replace('/', '-')}.png") as image:
            right = image.convert("L").crop((640, 40, 1200, 620))
            assert len(set(right.tobytes())) > 20, f"{chapter.document}: no figure on the card"


def test_without_an_address_no_picture_is_promised(site):
    for path, page in heads(site).items():
        assert meta(page, "og:image") is None, path
    assert not [f for f in site.files if "/cards/" in f]


def test_addresses_are_canonical(published):
    for path, page in heads(published).items():
        link = page.find("link", rel="canonical")["href"]
        assert link == ADDRESS + ("" if path == "index.html" else path) == meta(page, "og:url")
    listed = set(re.findall(r"<loc>(.*?)</loc>", (published.root / "sitemap.xml").read_text(encoding="utf-8")))
    assert listed == {ADDRESS + path for path in heads(published)}


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("", "https://owner.github.io/name/"),
        ("https://book.example.org", "https://book.example.org/"),
        ("https://example.org/a/book/", "https://example.org/a/book/"),
    ],
)
def test_a_domain_of_ones_own(monkeypatch, named, address):
    monkeypatch.setenv("BOOK_URL", named)
    assert book_links.site_address("Owner/name") == address


@pytest.mark.parametrize("wrong", ["book.example.org", "ftp://example.org", "https://", "https://a.org/?x=1"])
def test_an_address_that_is_none_is_refused(monkeypatch, wrong):
    monkeypatch.setenv("BOOK_URL", wrong)
    with pytest.raises(ExtensionError, match="BOOK_URL is "):
        book_links.site_address("Owner/name")


def test_questions_go_to_the_repository(published, site):
    """Beside each section's heading a link opens an issue with the section's address; without a repository none."""
    for path in heads(published):
        page = pages.soup(published.pages[path])
        headings = [h for h in page.select(".bd-article h2") if h.find("a", class_="headerlink")]
        links = [h.find("a", class_="ask-link") for h in headings]
        assert all(links), f"{path}: a section without"
        for heading, link in zip(headings, links):
            parts = urlsplit(link["href"])
            assert parts.path == "/Owner/name/issues/new"
            section = heading.find("a", class_="headerlink")["href"]
            assert f"{ADDRESS}{path}{section}" in parse_qs(parts.query)["body"][0]
            assert link["aria-label"]
    assert not any("ask-link" in html for html in site.pages.values())


def test_the_page_for_wrong_addresses(published):
    page = pages.soup(published.pages["404.html"])
    assert page.find("base")["href"] == "/name/"
    assert {"index.html", "search.html"} <= {a["href"] for a in page.select(".bd-article a[href]")}
    assert meta(page, "robots") == "noindex"


# ---------------------------------------------------------------- the landing page


def test_the_root_is_a_page(site):
    page = pages.soup(site.pages["index.html"])
    assert page.find("meta", attrs={"http-equiv": re.compile("refresh", re.I)}) is None
    assert page.find("h1").text.startswith("An Explanation Is All We Need")


def test_the_landing_page_lists_every_chapter(site):
    page = pages.soup(site.pages["index.html"])
    rows = [row("td") for row in page.select(".chapter-table tbody tr")]
    assert len(rows) == len(CHAPTERS) == len(nb.notebook_paths())
    for (name, minutes, way), chapter in zip(rows, CHAPTERS):
        assert name.find("a")["href"].endswith(f"{chapter.document}.html")
        assert chapter.question in name.text
        assert int(minutes.text) == front_reading.rounded(chapter.minutes)
        assert ("●" in way.text) == (chapter.fast is not None) and (chapter.fast or "") in way.text
    assert page.select_one(".start-here a")["href"].endswith("notebooks/01_sequences.html")
    drawn = page.find_all("img", src=lambda src: "results-" in src)
    assert drawn and page.select_one(".captioned .caption-text"), "no measured figure"


def test_citation_and_licence_are_on_the_site(site):
    page = pages.soup(site.pages["book/about.html"])
    assert "@book{explanation2026" in page.text and "MIT" in page.text and "CC BY 4.0" in page.text
    assert "Unreleased" in pages.soup(site.pages["book/changes.html"]).text


# ---------------------------------------------------------------- minutes


def test_each_chapter_says_how_long_it_takes(site):
    for chapter in CHAPTERS:
        line = pages.soup(site.pages[f"{chapter.document}.html"]).select_one("p.chapter-line").text
        assert line.startswith(f"{front_reading.rounded(chapter.minutes)} minutes to read.") and "one core" in line


def cells(*sources):
    return [{"cell_type": kind, "source": source, "metadata": {"tags": list(tags)}} for kind, source, *tags in sources]


def test_minutes_count_what_is_read():
    words = " ".join(["word"] * front_reading.WORDS_A_MINUTE)
    lines = "\n".join(["x = 1"] * front_reading.LINES_A_MINUTE)
    read = front_reading.reading_minutes
    assert read(cells(("markdown", words), ("code", lines))) == 2
    assert read(cells(("markdown", f"<details>{words}</details><!-- {words} -->"), ("code", lines, "recap"))) == 0
    assert (
        read(cells(("code", lines, "study:a"), ("markdown", f"{words}\n## Exercises\n{words}"), ("code", lines))) == 1
    )
    assert front_reading.prose("a $x + y$ [b](https://c.d/e) `f` **g**") == ["a", "formula", "b", "f", "g"]


@pytest.mark.parametrize(("minutes", "said"), [(0.2, 1), (7.4, 7), (19.4, 19), (22.4, 20), (23, 25), (61, 60)])
def test_minutes_are_rounded(minutes, said):
    assert front_reading.rounded(minutes) == said


def test_a_chapter_without_a_question_is_refused(tmp_path):
    path = tmp_path / "03_a.ipynb"
    path.write_text(json.dumps({"cells": cells(("markdown", "# Gradients"))}))
    with pytest.raises(ExtensionError, match="Name: question"):
        front_reading.read_chapter(path)


# ---------------------------------------------------------------- what was read


def test_what_was_read_is_marked_and_forgotten(browser, address):
    """A chapter read to its end is marked there, in the contents and on the landing page, until it is forgotten."""
    document = CHAPTERS[1].document

    def read(page):
        page.clock.install()
        page.reload()
        page.clock.run_for(1_000)
        assert page.locator(".read-mark").count() == 0
        page.locator(".bd-article h2").last.scroll_into_view_if_needed()
        page.clock.run_for(40_000)
        page.wait_for_selector(".chapter-line .read-line")
        assert page.locator(".bd-links .is-read").count() == 1
        page.goto(address + "index.html")
        row = page.locator(f'.chapter-table a[href$="{document}.html"]')
        assert row.locator(".read-mark").count() == 1 and page.locator(".chapter-table .read-mark").count() == 1
        page.get_by_role("button", name="Forget what was read").click()
        assert page.locator(".read-mark").count() == 0
        page.reload()
        return page.locator(".read-mark, .forget-read").count()

    seen = visit(browser, address, f"{document}.html", then=read)
    assert seen.then == 0 and not seen.errors


def test_a_glance_is_no_reading(browser, address):
    def glance(page):
        page.locator(".bd-article h2").last.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        return page.locator(".read-line").count()

    assert visit(browser, address, f"{CHAPTERS[1].document}.html", then=glance).then == 0


@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_the_table_of_chapters_fits(browser, address, size):
    def cut(page):
        return page.evaluate(
            """() => [...document.querySelectorAll('.chapter-table :is(td, th)')]
            .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.trim())"""
        )

    no(visit(browser, address, "index.html", size=size, then=cut).then, "cells of the table that are cut")
