"""Prompts: a reader predicts before the measurement is shown.

A comment `<!-- predict: ... -->` (predict_prompts.py says what it holds) becomes a small form, and what follows it is
veiled until the reader has answered: prose and outputs, not code, up to the next heading, the next prompt or a comment
`<!-- predict: end -->`. Nothing is hidden in the html itself. The form lies in a <template>, and a script in the head
veils before the first paint, so without scripts, on paper and for a search engine everything stands open. The measured
value is read from the stored outputs; `predictions` lists all prompts of the book. A prompt that is malformed, that
repeats an id or has no measurement stops the build.
"""

import json
import re
from html import escape
from pathlib import Path

from docutils import nodes
from predict_prompts import Malformed, answer, comments, parse, specification
from results_records import ROOT, Records
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

SCRIPT = "predict.js"
LIST = "predictions"  # in the metadata of the page that lists them
SITES = {"html", "dirhtml"}  # the builders whose pages have scripts


class prompt(nodes.General, nodes.Element):
    """A question: `asked` is what the page's script knows, `html` the question as it is set."""


class prompt_end(nodes.General, nodes.Element):
    """Where a prompt's veil ends before the next heading."""


class veil(nodes.General, nodes.Element):
    """Content that a prompt hides."""


class predictions(nodes.General, nodes.Element):
    """The list of all prompts."""


def stop(page, about, wrong):
    raise ExtensionError(f"{page}: the prompt {about}: {wrong}")


def name_of(comment):
    """How an error names a prompt: by its id, as far as there is one."""
    match = re.match(r"<!--\s*predict:\s*([^|]*?)\s*\|", comment)
    return repr(match[1] if match else " ".join(comment.split())[:80])


# ---------------------------------------------------------------- reading


def kept(env):
    """{page: prompts} of the whole book."""
    if not hasattr(env, "book_prompts"):
        env.book_prompts = {}
    return env.book_prompts


def purge(app, env, docname):
    kept(env).pop(docname, None)


def merge(app, env, docnames, other):
    kept(env).update({name: asked for name, asked in kept(other).items() if name in docnames})


def typeset(question):
    """The question as html: what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(question, quote=False))


def find_prompts(app, doctree):
    """Put a node in place of each comment, with what was measured."""
    env, records = app.env, None
    page, path = env.docname, Path(env.doc2path(env.docname))
    for raw in list(doctree.findall(nodes.raw)):
        found = comments(raw.astext()) if "html" in raw.get("format", "").split() else []
        if not found:
            continue
        name = name_of(found[0])
        if not isinstance(raw.parent, (nodes.section, nodes.document)):
            stop(page, name, "it must stand in a paragraph of its own, and in no list, quotation or fold")
        records = records or Records(ROOT / "notebooks")
        try:
            asked = parse(raw.astext())
            if asked is None:
                raw.replace_self(prompt_end())
                continue
            measured = answer(asked, records, path if path.suffix == ".ipynb" else None)
        except Malformed as error:
            stop(page, name, error)
        for notebook in records.paths:
            env.note_dependency(str(notebook))
        known = specification(asked, measured)
        kept(env).setdefault(page, []).append(known | {"html": typeset(asked.question)})
        raw.replace_self(prompt(asked=known, html=typeset(asked.question)))
    check_ends(page, doctree)


def following(node):
    """The siblings after a prompt, up to what ends its veil."""
    siblings = node.parent.children[node.parent.index(node) + 1 :]
    for k, sibling in enumerate(siblings):
        if isinstance(sibling, (nodes.section, prompt, prompt_end)):
            return siblings[:k]
    return siblings


def check_ends(page, doctree):
    for node in doctree.findall(prompt):
        if not following(node):
            stop(page, repr(node["asked"]["id"]), "nothing stands between it and the next heading, prompt or end")
    for end in doctree.findall(prompt_end):
        before = end.parent.children[: end.parent.index(end)]
        asks = [n for n in before if isinstance(n, (prompt, prompt_end))]
        if not asks or isinstance(asks[-1], prompt_end):
            stop(page, "'end'", "no prompt of its section stands open before it")


def check_book(app, env):
    """Ids are keys of what a reader said: one prompt, one id. The list is written again whenever a page was read."""
    pages = {}
    for page, asked in sorted(kept(env).items()):
        for known in asked:
            if known["id"] in pages:
                stop(page, repr(known["id"]), f"{pages[known['id']]} has a prompt of that id already")
            pages[known["id"]] = page
    return [page for page, said in env.metadata.items() if LIST in said]


class Predictions(SphinxDirective):
    def run(self):
        self.env.metadata[self.env.docname][LIST] = "yes"
        return [predictions()]


# ---------------------------------------------------------------- veiling


def holds(node, kind):
    return any(kind in part.get("classes", []) for part in node.findall(nodes.Element))


def wrap(siblings, name):
    """Veil runs of nodes, and leave the code that stands among them: of a cell that shows both, only what it shows."""
    run = []

    def close():
        if run:
            cover = veil(name=name)
            run[0].replace_self(cover)
            for node in run[1:]:
                node.parent.remove(node)
            cover.extend(run)
            run.clear()

    for node in siblings:
        if not isinstance(node, nodes.Element) or not holds(node, "cell_input"):
            run.append(node)
            continue
        close()
        if holds(node, "cell_output"):
            wrap(list(node.children), name)
    close()


def veil_what_follows(app, doctree, docname):
    site = app.builder.name in SITES
    for node in list(doctree.findall(prompt)):
        if site:
            wrap(following(node), node["asked"]["id"])
    for node in [*doctree.findall(prompt), *doctree.findall(predictions)] if not site else []:
        node.parent.remove(node)
    for node in list(doctree.findall(prompt_end)):
        node.parent.remove(node)


# ---------------------------------------------------------------- writing


def attribute(known):
    return escape(json.dumps(known, ensure_ascii=False, separators=(",", ":")))


def said_range(asked):
    return f"{asked['low']:g} to {asked['high']:g}"


def number_control(asked):
    unit = f'<span class="predict-unit">{escape(asked["unit"])}</span>' if asked["unit"] else ""
    limits = f'min="{asked["low"]:g}" max="{asked["high"]:g}"'
    scale = "logarithmic scale" if asked["log"] else "scale"
    return (
        '<div class="predict-live" aria-hidden="true"></div>'
        f'<input class="predict-range" type="range" aria-label="Your guess, on a {scale} from {said_range(asked)}">'
        '<div class="predict-ticks" aria-hidden="true"></div>'
        f'<label class="predict-entry">or type it <input type="number" step="any" {limits}>{unit}</label>'
    )


def choice_control(asked):
    return "".join(
        f'<label class="predict-option"><input type="radio" name="predict-{asked["id"]}" value="{k}">'
        f"<span>{escape(option)}</span></label>"
        for k, option in enumerate(asked["options"])
    )


def curve_control(asked):
    label, unit = escape(asked["label"] or "value"), escape(asked["unit"])
    limits = f'min="{asked["low"]:g}" max="{asked["high"]:g}"'
    typed = "".join(
        f'<label><span>{x:g}</span><input type="number" step="any" {limits}></label>' for x, _ in asked["points"]
    )
    return (
        f'<p class="predict-hint" id="predict-hint-{asked["id"]}">Draw with the mouse or a finger. With the keyboard, '
        "left and right choose a point, up and down move it.</p>"
        f'<svg class="predict-plot" role="slider" tabindex="0" aria-orientation="vertical" '
        f'aria-label="Your curve: {label} by {escape(asked["across"])}" aria-describedby="predict-hint-{asked["id"]}" '
        f'aria-valuemin="{asked["low"]:g}" aria-valuemax="{asked["high"]:g}" aria-valuenow="{asked["low"]:g}" '
        'aria-valuetext="nothing drawn yet"></svg><p class="predict-key"></p>'
        f'<details class="predict-typed"><summary>Type the values</summary>'
        f"<p>{label}{', ' + unit if unit else ''}, {said_range(asked)}, by {escape(asked['across'])}:</p>"
        f'<div class="predict-grid">{typed}</div></details>'
    )


CONTROLS = {"number": number_control, "choice": choice_control, "curve": curve_control}
SWITCH = (
    '<label class="predict-switch"><input type="checkbox" class="predict-all">'
    "<span>Show everything without guessing from now on</span></label>"
)


def form(asked, question):
    return (
        '<form novalidate autocomplete="off"><fieldset><legend><span class="predict-kicker">Before you look</span> '
        f'<span class="predict-question">{question}</span></legend><div class="predict-controls">'
        f"{CONTROLS[asked['kind']](asked)}"
        '<p class="predict-error" role="alert"></p><div class="predict-actions">'
        '<button type="submit" class="predict-go">Show the measurement</button>'
        '<button type="button" class="predict-pass">Show without guessing</button></div>'
        '<p class="predict-note">The outputs and the text below, up to the next heading, open then.</p>'
        "</div></fieldset>"
        '<div class="predict-outcome" tabindex="-1" role="group" aria-label="Guess and measurement">'
        '<div class="predict-drawing"></div><p class="predict-said" role="status"></p>'
        '<button type="button" class="predict-back">Take the guess back</button></div>'
        f"{SWITCH}</form>"
    )


def visit_prompt(self, node):
    asked = node["asked"]
    rows = f' style="--rows: {len(asked["options"])}"' if asked["kind"] == "choice" else ""  # what its answer will take
    self.body.append(
        f'<div class="predict" id="predict-{asked["id"]}" data-kind="{asked["kind"]}"{rows} '
        f'data-prompt="{attribute(asked)}">'
        f"<template>{form(asked, node['html'])}</template>"
        "<script>window.bookPrompt && bookPrompt(document.currentScript)</script></div>\n"
    )
    raise nodes.SkipNode


def visit_veil(self, node):
    self.body.append(
        f'<div class="predict-veil"><div data-veil="{node["name"]}">'
        "<script>window.bookVeil && bookVeil(document.currentScript)</script>\n"
    )


def depart_veil(self, node):
    self.body.append("</div></div>\n")


def reading_order(env):
    """The pages as the contents list them."""
    order, waiting = [], [env.config.root_doc]
    while waiting:
        page = waiting.pop(0)
        if page not in order:
            order.append(page)
            waiting[:0] = env.toctree_includes.get(page, [])
    return order


def visit_predictions(self, node):
    env, here = self.builder.env, self.builder.current_docname
    self.body.append(
        '<div class="predict-book"><noscript><p>Your predictions are kept and compared by a script, and scripts are '
        "switched off here. These are the prompts.</p></noscript>"
        '<p class="predict-summary" role="status"></p>'
        '<template><div class="predict-tools"><button type="button" class="predict-copy">Copy as text</button>'
        '<button type="button" class="predict-forget">Forget all guesses</button>'
        f'{SWITCH}</div><p class="predict-done" role="status"></p><textarea class="predict-text" readonly hidden '
        'aria-label="Your predictions as text"></textarea></template>\n'
    )
    pages = [page for page in reading_order(env) if kept(env).get(page)]
    if not pages:
        self.body.append("<p>No chapter asks for a prediction yet.</p>")
    for page in pages:
        secnumber = env.toc_secnumbers.get(page, {}).get("", ())
        title = "".join(f"{n}." for n in secnumber) + " " * bool(secnumber) + env.titles[page].astext()
        link = relative_uri(self.builder.get_target_uri(here), self.builder.get_target_uri(page))
        self.body.append(f'<h2><a href="{link}">{escape(title)}</a></h2>\n<ul class="predict-list">\n')
        for known in kept(env)[page]:
            asked = {name: value for name, value in known.items() if name != "html"}
            self.body.append(
                f'<li data-prompt="{attribute(asked)}"><p class="predict-question">'
                f'<a href="{link}#predict-{asked["id"]}">{known["html"]}</a></p></li>\n'
            )
        self.body.append("</ul>\n")
    self.body.append("</div>\n")
    raise nodes.SkipNode


# Runs before anything is painted. It asks what was answered, and as the page is read it veils what was not and sets up
# each form where it stands, so that nothing moves; predict.js makes the forms work. Should that file not come,
# everything opens again. until-found: what is searched for in the page, or linked to, opens.
HEAD = """<script>
(function (key) {
  var root = document.documentElement, kept, answers;
  try { kept = JSON.parse(localStorage.getItem(key)); } catch (error) {}
  kept = kept || {};
  answers = kept.answers || {};
  function state(id) {
    if (!Object.prototype.hasOwnProperty.call(answers, id)) return kept.all ? "passed" : "asking";
    return answers[id] === null ? "passed" : "answered";
  }
  root.classList.add("predict-on");
  window.bookPredict = {key: key, ready: false};
  window.bookPrompt = function (script) {
    var box = script.parentNode;
    box.appendChild(box.firstElementChild.content.cloneNode(true));
    box.dataset.state = state(box.id.slice(8));
    box.querySelector(".predict-all").checked = !!kept.all;
  };
  window.bookVeil = function (script) {
    var veil = script.parentNode;
    if (state(veil.dataset.veil) === "asking") veil.setAttribute("hidden", "until-found");
    script.remove();
  };
  addEventListener("load", function () {
    if (bookPredict.ready) return;
    document.querySelectorAll("[data-veil]").forEach(function (veil) { veil.removeAttribute("hidden"); });
    root.classList.remove("predict-on");
  });
})(%s);
</script>"""


def add_scripts(app, pagename, templatename, context, doctree):
    """Scripts stand only on the pages that have prompts, and on the list."""
    if doctree is None or app.builder.name not in SITES:
        return
    if not any(isinstance(node, (prompt, predictions)) for node in doctree.findall()):
        return
    key = re.sub(r"\W+", "-", app.config.html_title.lower()).strip("-") + ".predictions"
    context["metatags"] = context.get("metatags", "") + HEAD % json.dumps(key)
    app.add_js_file(SCRIPT, defer="defer")


def setup(app):
    app.add_node(prompt, html=(visit_prompt, None))
    app.add_node(veil, html=(visit_veil, depart_veil))
    app.add_node(predictions, html=(visit_predictions, None))
    app.add_directive("predictions", Predictions)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("doctree-read", find_prompts)
    app.connect("env-updated", check_book)
    app.connect("doctree-resolved", veil_what_follows, priority=900)
    app.connect("html-page-context", add_scripts)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
