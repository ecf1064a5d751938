"""The built site and a browser to look at it with, for every test of a page.

The fixtures are registered in tests/conftest.py. The browser is Chromium; where there is none its tests skip, unless
BOOK_REQUIRE_BROWSER=1.
"""

import functools
import http.server
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from tools import notebooks as nb
from tools.chromium import ChromiumError, find

BUILD = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."]
WIDTHS = {"desk": (1280, 900), "pocket": (390, 844)}
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def build(folder, **environment):
    """Build the book into `folder` and return what is there. Only `environment` can name a repository."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "BOOK_PDF", "BOOK_URL"))}
    done = subprocess.run(
        [*BUILD, "--path-output", str(folder), "--all", "-W", "-n", "--keep-going"],
        cwd=nb.ROOT,
        env={**plain, "GIT_DIR": str(folder / "no-git"), **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail("the site does not build:\n" + (done.stdout + done.stderr)[-4000:], pytrace=False)
    root = folder / "_build" / "html"
    files = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    html = {f: (root / f).read_text(encoding="utf-8") for f in sorted(files) if f.endswith(".html")}
    html = {f: text for f, text in html.items() if not f.startswith("_static/")}
    return SimpleNamespace(root=root, files=files, pages=html)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    return build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The site as GitHub Actions builds it."""
    return build(tmp_path_factory.mktemp("published"), GITHUB_REPOSITORY="Owner/name")


def no(complaints, about):
    if complaints:
        pytest.fail(f"{about}:\n" + "\n".join(f"- {text}" for text in complaints), pytrace=False)


def on_pages(site, check):
    return [f"{path}: {text}" for path, html in site.pages.items() for text in check(html)]


def chromium_or_skip():
    """The path of Chromium. Where there is none the test is skipped, or fails if BOOK_REQUIRE_BROWSER=1."""
    try:
        return find()
    except ChromiumError as error:
        if os.environ.get("BOOK_REQUIRE_BROWSER", "") not in ("", "0"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def browser():
    path = chromium_or_skip()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def address(browser, site):
    """The site, served on this machine only. It asks for the browser first: without one nothing need be built."""
    handler = functools.partial(Quiet, directory=str(site.root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


READABLE = 11  # pixels: the smallest text of an article, code with it

LOOK = """async () => {
  function small() {  // visible text of the article that is set smaller than can be read, each kind once
    const found = {}, walker = document.createTreeWalker(document.querySelector('.bd-article') || document.body, 4);
    while (walker.nextNode()) {
      const e = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || e.closest('svg, .katex, script, style, kbd')) continue;
      const size = parseFloat(getComputedStyle(e).fontSize);
      if (size >= READABLE || !e.checkVisibility()) continue;
      found[`${e.tagName} ${e.className} ${size}`] = e.textContent.slice(0, 30);
    }
    return Object.entries(found).map(([kind, text]) => `${kind}: ${text}`);
  }
  await document.fonts.ready;
  for (const image of document.images) image.loading = 'eager';  // a lazy one is not decoded before it is near
  await Promise.all([...document.images].map(i => i.decode().catch(() => null)));
  const root = document.documentElement;
  return {
    sources: document.querySelectorAll('.math').length,
    rendered: document.querySelectorAll('.math:has(.katex-html):has(math)').length,
    errors_in_math: [...document.querySelectorAll('.katex-error, .math merror')].map(e => e.title || e.textContent),
    cut_math: [...document.querySelectorAll('.katex-display, span.math .katex-base')].filter(e => {
      if (!e.checkVisibility() || e.closest('table')) return false;  // a table scrolls
      const block = e.closest('p, li, dd, dt, summary, figcaption, h1, h2, h3, div').getBoundingClientRect();
      return e.getBoundingClientRect().right > Math.min(innerWidth, block.right) + 1;
    }).map(e => e.textContent.slice(0, 60)),
    scroll: root.scrollWidth, client: root.clientWidth,
    small: small(),
    images: [...document.images].map(i => ({src: i.getAttribute('src'), alt: i.alt, width: i.naturalWidth})),
    theme: root.dataset.theme,
    background: getComputedStyle(document.body).backgroundColor,
  };
}""".replace("READABLE", str(READABLE))


def visit(browser, address, path, size=WIDTHS["desk"], scheme="light", then=None):
    """Open a page and return what is seen, with the requests that were made and the errors that were logged."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, is_mobile=width < 500, has_touch=width < 500
    )
    page = context.new_page()
    external, failed, errors = [], [], []

    def requested(request):
        if not request.url.startswith((address, "data:", "blob:")):
            external.append(request.url)

    page.on("request", requested)
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("response", lambda r: failed.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    try:
        page.goto(address + path, wait_until="load")
        seen = page.evaluate(LOOK)
        seen["then"] = then(page) if then else None
    finally:
        context.close()
    return SimpleNamespace(external=external, failed=failed, errors=errors, **seen)
