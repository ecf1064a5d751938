"""What built pages are checked for without a browser. Each check takes HTML or files and returns complaints."""

import posixpath
import re
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

# Addresses in these links are read by people and search engines; a browser does not fetch them.
NOT_FETCHED = {"canonical", "index", "search", "next", "prev", "author", "copyright", "license"}
FETCHED = {
    "script": ["src"],
    "img": ["src", "srcset"],
    "source": ["src", "srcset"],
    "iframe": ["src"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "link": ["href"],
}
THIRD_PARTY = re.compile(r"^\s*(?:https?:)?//", re.I)
CSS_ADDRESS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""", re.I)
UNWANTED = re.compile(r"thebe|require(?:js|\.min\.js|\.js)\b|jsdelivr|unpkg\.com|cdnjs", re.I)


def soup(html):
    return BeautifulSoup(html, "html.parser")


def external_in_css(css):
    """Addresses elsewhere that a style sheet fetches."""
    return CSS_ADDRESS.findall(re.sub(r"/\*.*?\*/", "", css, flags=re.S))


def external_resources(html):
    """Addresses elsewhere that a page fetches when it is read."""
    found = []
    page = soup(html)
    for tag, attributes in FETCHED.items():
        for element in page.find_all(tag):
            if tag == "link" and set(element.get("rel", [])) & NOT_FETCHED:
                continue
            found += [element[a] for a in attributes if THIRD_PARTY.match(element.get(a, ""))]
    for element in page.find_all("style"):
        found += external_in_css(element.text)
    for element in page.find_all(style=True):
        found += external_in_css(element["style"])
    return found


def unwanted_scripts(html):
    """Scripts that fetch from elsewhere at run time: thebe, requirejs, anything from a CDN."""
    scripts = [(script.get("src", ""), script.text) for script in soup(html).find_all("script")]
    return [match[0] for script in scripts for text in script for match in [UNWANTED.search(text)] if match]


def images_without_alt(html):
    """Images that say nothing, or a file's path, to those who cannot see them."""
    bad = []
    for image in soup(html).find_all("img"):
        alt = image.get("alt", "").strip()
        if not alt or re.fullmatch(r"\S*\.(?:png|svg|jpe?g)", alt):
            bad.append(image.get("src", ""))
    return bad


def anchors(html):
    page = soup(html)
    return {e["id"] for e in page.find_all(id=True)} | {e["name"] for e in page.find_all("a", attrs={"name": True})}


def broken_links(pages, files):
    """Links within the site that lead nowhere.

    `pages` maps each page's path to its HTML, `files` holds the path of every file of the site.
    """
    known, found = {path: anchors(html) for path, html in pages.items()}, []
    for path, html in pages.items():
        page = soup(html)
        addresses = [e["href"] for e in page.find_all(["a", "link"], href=True)]
        addresses += [e["src"] for e in page.find_all(["img", "script"], src=True)]
        for refresh in page.find_all("meta", attrs={"http-equiv": re.compile("^refresh$", re.I)}):
            addresses.append(refresh["content"].partition("url=")[2])
        for address in addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (
                posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path))) if parts.path else path
            )
            fragment = unquote(parts.fragment)
            if target not in files:
                found.append(f"{path} links to {address}, and there is no {target}")
            elif fragment and target in known and fragment not in known[target]:
                found.append(f"{path} links to {address}, and {target} has no such anchor")
    return found


def unlinked_terms(glossary, chapters):
    """Terms of the glossary's page that no chapter links to. Terms that share a definition count as one."""
    linked = set()
    for html in chapters:
        for link in soup(html).find_all("a", class_="term-link"):
            linked.add(unquote(urlsplit(link["href"]).fragment))
    groups, last = [], None
    for element in soup(glossary).select("dl.glossary > dt, dl.glossary > dd"):
        if element.name == "dt":
            if last != "dt":
                groups.append([])
            groups[-1].append(element["id"])
        last = element.name
    return [" / ".join(group) for group in groups if not linked & set(group)]
