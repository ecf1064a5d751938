"""Every page by axe in Chromium, light and dark, folds open; at 320 pixels; and for those whom motion disturbs."""

from pathlib import Path

import pytest

from tests.support.site import no, visit

AXE = """async (rules) => {
  for (const fold of document.querySelectorAll('details')) fold.open = true;
  for (const fade of document.getAnimations()) fade.finish();  // axe passes over what is still transparent
  // Each kind of word in code, and of piece in a formula, once: axe takes a minute for the ten thousand of a chapter.
  const kinds = new Set();
  for (const word of document.querySelectorAll('.highlight pre span')) {
    if (word.id || word.children.length) continue;
    if (kinds.has(word.className)) word.replaceWith(word.textContent);
    else kinds.add(word.className);
  }
  for (const box of document.querySelectorAll('.highlight pre')) {
    if (![...box.querySelectorAll('span')].some(e => kinds.has(e.className))) box.textContent = box.textContent;
  }
  for (const formula of [...document.querySelectorAll('.katex')].slice(12)) formula.replaceWith('x');
  const options = {resultTypes: ['violations'], ...(rules ? {runOnly: rules} : {})};
  const found = await axe.run(document, options);
  return found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 140)}`));
}"""


def audit(rules=None, style="", script=""):
    from axe_playwright_python.base import AXE_FILE_PATH

    def look(page):
        if style:
            page.add_style_tag(content=style)
        if script:
            page.evaluate(script)
        page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
        return page.evaluate(AXE, rules)

    return look


def test_every_page_passes_axe(browser, address, site):
    """All of axe's rules on light pages; in the dark what depends on colours."""
    found = []
    for path in site.pages:
        for scheme, rules in (("light", None), ("dark", ["color-contrast", "link-in-text-block"])):
            seen = visit(browser, address, path, scheme=scheme, then=audit(rules)).then
            found += [f"{path} ({scheme}): {text}" for text in seen]
    no(found, "what axe finds")


@pytest.mark.parametrize(
    ("said", "planted"),
    [
        ("image-alt", "document.querySelector('.bd-article img').removeAttribute('alt')"),
        ("button-name", "document.querySelector('.bd-article').append(document.createElement('button'))"),
        ("summary-name", "document.querySelector('.bd-article summary').textContent = ''"),
        ("empty-table-header", "document.querySelector('.bd-article th').textContent = ''"),
        ("region", "document.body.append(Object.assign(document.createElement('p'), {textContent: 'lost'}))"),
    ],
)
def test_planted_faults_are_found(browser, address, said, planted):
    seen = visit(browser, address, "notebooks/10_self_attention.html", then=audit(script=f"() => {{ {planted} }}"))
    assert any(text.startswith(said) for text in seen.then), seen.then


def test_no_page_scrolls_sideways_at_320_pixels(browser, address, site):
    found = []
    for path in site.pages:
        page = visit(browser, address, path, size=(320, 640))
        if page.scroll > page.client:
            found.append(f"{path} is {page.scroll} pixels wide")
    no(found, "pages wider than 320 pixels")


STILL = """() => {
  const moving = [...document.querySelectorAll('*')].filter(e => {
    const style = getComputedStyle(e);
    return [style.transitionDuration, style.animationDuration].some(d => d.split(',').some(x => parseFloat(x) > 0.02));
  });
  const smooth = getComputedStyle(document.documentElement).scrollBehavior === 'smooth' ? ['smooth scrolling'] : [];
  return [...new Set(moving.map(e => `${e.tagName} ${e.className}`.slice(0, 60))), ...smooth];
}"""


@pytest.mark.parametrize("path", ["index.html", "notebooks/03_gradients.html"])
def test_nothing_moves_where_motion_is_not_wanted(browser, address, path):
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.goto(address + path)
        no(page.evaluate(STILL), f"{path}: what moves")
    finally:
        context.close()
