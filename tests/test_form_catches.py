"""The checks of tests/support/form, each seen to complain: a small chapter in good form, and one mistake at a time."""

import json

import nbformat
import pytest

from tests.support import form
from tools import notebooks as nb

ALT = {
    "mystnb": {
        "image": {"alt": "A line that falls from five bits at order one to two bits at order six."},
        "figure": {
            "caption": "Two more symbols of context are worth three bits; orders beyond the sixth bring nothing."
        },
    }
}
BIBLIOGRAPHY = r"""
@article{elman1990, author = {Elman, Jeffrey L.}, title = {Finding structure in time}, year = {1990},
  doi = {10.1207/s15516709cog1402_1}}
@inproceedings{bahdanau2015, author = {Bahdanau, Dzmitry and Cho, Kyunghyun and Bengio, Yoshua}, title = {Neural},
  year = {2015}, eprint = {1409.0473}, archiveprefix = {arXiv}}
@misc{cmudict, author = {{Carnegie Mellon University}}, title = {Dictionary}, year = {2014}, url = {https://example.org/cmu}}
@article{schutze1998, author = {Sch{\"u}tze, Hinrich and van der Berg, Jan}, title = {Senses}, year = {1998},
  url = {https://aclanthology.org/J98-1004}}
"""


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def code(source, *tags, outputs=(), **metadata):
    cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=list(outputs))
    cell.metadata.update(nbformat.from_dict({"tags": list(tags), **metadata}))
    return cell


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def displayed(**data):
    return nbformat.v4.new_output("display_data", data={mime.replace("_", "/"): value for mime, value in data.items()})


def good():
    """A chapter with nothing wrong: each cell by a name of its own."""
    cells = {
        "title": markdown(
            "# Sequences: what does a network see?\n\n"
            "It reads $h_t$, `{x}` and `!`, {as} in *braces*, at\n\n$$\nh = 1!\n$$\n\n"
            "after [Elman (1990)](https://doi.org/10.1207/s15516709cog1402_1) and\n"
            "[Schütze and van der Berg (1998)](https://aclanthology.org/J98-1004).\n\n"
            "> Call me Ishmael!\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```python\nprint('oh!')\n```\n\n"
            f"{PROMPT}\n\nIt is so.\n\n<!-- predict: end -->"
        ),
        "setup": code("# @title Setup\nimport math\nSEED = 0", "setup"),
        "recap": code("# @title From earlier chapters\ndef score():\n    return 2", "recap"),
        "section": markdown("## A step"),
        "definition": code('def step(h):\n    """One step."""\n    return h', "define:step"),
        "class": code('class Cell:\n    """A cell."""\n\n    def run(self):\n        return 1', "define:Cell"),
        "figure": code("draw()", outputs=[displayed(image_png="iVBORw0KGgo=", text_plain="<Figure>")], **ALT),
        "trained": code("loss, began = train(), time.perf_counter()\nassert loss < 2\nprint(loss)", "trained"),
        "timed": code("took = time.perf_counter() - began\nprint(took)", "timing"),
        "parity": code("# @title Show that it equals PyTorch's\nassert score() == loss", "hide-input"),
        "ignored": code("sample()", "nbval-ignore-output", outputs=[printed("https://example.org/home/ and 1/2")]),
        "measured": markdown("## What we measured"),
        "claims": code(
            "# @title The claims, checked\nclaim('it learns', loss, loss < 1)\nfall = 2 - loss\n"
            "claim(f'it falls', [fall], fall > 1)\nclaim('both', {'a': 1}, loss < 1 and fall > 1)",
            "claims",
            outputs=[printed("3\n")],
        ),
        "exercises": markdown(
            "## Exercises\n\n### Exercise 1\n\nShow it.\n\n<details><summary>Solution</summary>\n\nYes.\n\n</details>"
        ),
        "exercise 2": markdown("### Exercise 2\n\nCount."),
        "solution 2": code("# @title Solution to exercise 2\nprint(2)", "solution", outputs=[printed("2\n")]),
        "exercise 3": markdown("### Exercise 3: and more\n\nCount again."),
        "solution 3": code("# @title Solution to exercise 3\nprint(3)", "solution", outputs=[printed("3\n")]),
        "reading": markdown("## Further reading\n\nMuch."),
    }
    return cells


def assembled(cells, fold=True):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = list(cells.values())
    for cell in notebook.cells if fold else []:
        if cell.cell_type == "code" and (nb.title(cell) or not nb.is_folded(cell)):
            nb.fold(cell)
    notebook.metadata["book"] = {"source_hash": nb.source_hash(notebook)}
    return notebook


def edit(cell, old, new):
    def plant(cells):
        assert old in cells[cell].source
        cells[cell].source = cells[cell].source.replace(old, new)

    return plant


def write(text):
    """Put a paragraph into the chapter."""
    return lambda cells: cells["reading"].update(source=cells["reading"].source + "\n\n" + text)


def tag(cell, *tags):
    return lambda cells: cells[cell].metadata.update(tags=list(tags))


def output(cell, *outputs):
    return lambda cells: cells[cell].update(outputs=list(outputs))


def drop(*names):
    return lambda cells: [cells.pop(name) for name in names]


def move(name, before):
    def plant(cells):
        moved = cells.pop(name)
        rest = {}
        for key in list(cells):
            if key == before:
                rest[name] = moved
            rest[key] = cells.pop(key)
        cells.update(rest)

    return plant


def both(*plants):
    return lambda cells: [plant(cells) for plant in plants]


ERROR = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["no"])
WIDGET = nbformat.v4.new_output(
    "display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "0%"}
)
PNG = displayed(image_png="iVBORw0KGgo=")
PROMPT = "<!-- predict: a | How many? | number | %, 0 to 9 | record: b; c; d -->"

# (check, the mistake, what the complaint says)
MISTAKES = [
    (form.has_run, lambda cells: cells["figure"].update(execution_count=None), "make run NB=01"),
    (form.has_run, output("figure", ERROR), "stored an error"),
    (form.no_widgets, output("ignored", WIDGET), "widget"),
    (form.no_stderr, output("ignored", printed("Warning", "stderr")), "stderr"),
    (form.no_absolute_paths, edit("figure", "draw()", "draw('/home/ada/words')"), "/home/ada"),
    (form.no_absolute_paths, write("See /tmp/words."), "/tmp/"),
    (form.no_absolute_paths, output("ignored", printed("read C:\\words")), "C:\\words"),
    (form.no_absolute_paths, output("figure", displayed(text_plain="'/Users/ada/x'")), "/Users/"),
    (form.alt_text, lambda cells: cells["figure"].metadata.pop("mystnb"), "alt text of 0 letters"),
    (form.alt_text, lambda cells: cells["figure"].metadata.mystnb.image.update(alt="A plot."), "alt text of 7 letters"),
    (form.alt_text, output("figure", PNG, PNG), "draws 2 figures"),
    (form.captions, lambda cells: cells["figure"].metadata.mystnb.pop("figure"), "has 0 words"),
    (form.captions, lambda cells: cells["figure"].metadata.mystnb.figure.update(caption="It falls."), "has 2 words"),
    (
        form.captions,
        lambda cells: cells["figure"].metadata.mystnb.figure.update(caption=cells["figure"].metadata.mystnb.image.alt),
        "is its alt text",
    ),
    (form.captions, output("figure"), "draws nothing"),
    (form.columns, edit("parity", "score() ==", "score() " + 90 * " " + " ==" + 20 * " "), "88 are the most"),
    (form.first_cells, edit("title", "# Seq", "## Seq"), "begins with the title"),
    (form.first_cells, edit("measured", "## What", "# What"), "one title"),
    (form.first_cells, drop("setup"), "0 cells are tagged `setup`"),
    (form.first_cells, move("recap", "setup"), "first code cell must be"),
    (form.first_cells, move("definition", "recap"), "second code cell must be"),
    (form.first_cells, move("recap", "title"), "first cell must be markdown"),
    (form.first_cells, tag("parity", "recap"), "2 cells are tagged `recap`"),
    (form.first_cells, both(drop("section"), move("measured", "exercises")), "4 folded bars"),
    (form.folds, edit("parity", "# @title", "# title"), "begins with its title"),
    (form.folds, edit("parity", "Show that it equals PyTorch's", "Draw the next figure"), "does not say what"),
    (form.tolerances, lambda cells: cells["trained"].metadata.update(nbval={"rtol": 10}), "tolerance rtol 10"),
    (form.tolerances, lambda cells: cells["trained"].metadata.update(nbval={"atol": 0.5}), "tolerance atol 0.5"),
    (form.tolerances, lambda cells: cells["trained"].metadata.update(nbval={"tol": 0.001}), "tolerance tol"),
    (form.records, edit("timed", "print(took)", 'record("a", "b", "c", took)'), "tagged `timing`"),
    (form.records, edit("ignored", "sample()", 'record("a", "b", "c", 1)'), "tagged `nbval-ignore-output`"),
    (form.assertions, edit("parity", "score() == loss", "True"), "refers to nothing that a cell computed"),
    (form.assertions, edit("parity", "score() == loss", "score() == loss or True"), "constant beside"),
    (form.assertions, edit("trained", "assert loss < 2", "assert 1 < 2"), "refers to nothing"),
    (form.no_clock, edit("timed", "print(took)", "assert took < 2"), "asserts wall time"),
    (form.no_clock, edit("claims", "fall > 1)", "time.perf_counter() < 9)"), "asserts wall time"),
    (
        form.no_clock,
        edit("timed", "print(took)", "def speed():\n    return took\nrates = [speed()]\nassert rates[0] > 1"),
        "asserts wall time",
    ),
    (form.solutions, edit("solution 2", "print(2)", "pass"), "computes nothing"),
    (form.solutions, output("solution 2"), "shows nothing"),
    (form.known_tags, tag("figure", "remove-input"), "remove-input"),
    (form.known_tags, tag("figure", "define:"), "define:"),
    (form.ignored_outputs, tag("figure", "nbval-skip"), "nbval-skip"),
    (form.ignored_outputs, tag("figure", "nbval-raises-exception"), "nbval-raises-exception"),
    (form.ignored_outputs, edit("figure", "draw()", "# NBVAL_SKIP\ndraw()"), "NBVAL_SKIP"),
    (
        form.ignored_outputs,
        both(*(tag(name, "nbval-ignore-output") for name in ("figure", "definition", "class"))),
        "4 cells are tagged",
    ),
    (form.definition_cells, edit("definition", '    """One step."""\n', ""), "step has no docstring"),
    (form.definition_cells, edit("class", '    """A cell."""\n\n', ""), "Cell has no docstring"),
    (form.definition_cells, edit("definition", "def step", "def stop"), "one function or class of that name"),
    (form.definition_cells, edit("definition", "return h", "return h\n\nprint(step(1))"), "nothing else"),
    (form.definition_cells, edit("class", "return 1", "return (\n" + "1 +\n" * 60 + "1)"), "takes 66 lines"),
    (form.recap_length, edit("recap", "return 2", "pass\n" + "    pass\n" * 245), "247 lines"),
    (form.claims, tag("claims"), "0 cells are tagged"),
    (form.claims, tag("figure", "claims"), "2 cells are tagged"),
    (form.claims, edit("claims", "claim('both', {'a': 1}, loss < 1 and fall > 1)", "pass"), "makes 2 claims"),
    (form.claims, edit("claims", "loss, loss < 1)", "loss, True)"), "refers to nothing that a cell computed"),
    (form.claims, edit("claims", "loss, loss < 1)", "loss)"), "has no condition"),
    (form.claims, edit("claims", "[fall], fall > 1)", "[fall], SEED == 0)"), "refers to nothing"),
    (form.claims, edit("claims", "[fall], fall > 1)", "[fall], fall > 1 or True)"), "constant beside"),
    (form.claims, edit("claims", "'it learns'", "''"), "has no sentence"),
    (form.claims, edit("claims", "fall = 2 - loss", "fall = 2 - loss\nassert fall"), "holds an assert"),
    (form.claims, output("claims"), "prints nothing"),
    (form.claims, drop("measured"), "What we measured"),
    (form.claims, move("measured", "reading"), "What we measured"),
    (form.claims, drop("reading"), "Further reading"),
    (form.claims, move("reading", "exercises"), "Exercises"),
    (form.exercises, drop("exercise 3", "solution 3"), "there are 2 exercises"),
    (
        form.exercises,
        write("\n\n".join(f"### Exercise {n}\n\n<details>\n" for n in (4, 5, 6))),
        "there are 6 exercises",
    ),
    (form.exercises, drop("solution 2"), "exercise 2 has no solution"),
    (form.exercises, tag("solution 3", "hide-input"), "exercise 3 has no solution"),
    (form.exercises, edit("exercises", "<details>", ""), "exercise 1 has no solution"),
    (form.exercises, edit("exercise 3", "Exercise 3", "Exercise 4"), "numbered [1, 2, 4]"),
    (form.plain_markdown, write("See {term}`gate`."), "role"),
    (form.plain_markdown, write("```{note}\nMind.\n```"), "directive"),
    (form.plain_markdown, write(":::{note}\nMind.\n:::"), "colon fence"),
    (form.plain_markdown, write("% a comment"), "comment"),
    (form.plain_markdown, write("$$\nh = 1\n$$ (state)"), "label after $$"),
    (form.plain_markdown, write("A word{#id} here."), "attribute"),
    (form.plain_markdown, write("(target)=\n## Heading"), "target"),
    (form.plain_markdown, write("It is {{ value }}."), "substitution"),
    (form.plain_markdown, write("It is so.[^1]"), "footnote"),
    (form.plain_markdown, write("\\begin{align}\nh\n\\end{align}"), "outside $$"),
    (form.plain_markdown, write("It cost a $ or so."), "dollar"),
    (form.plain_markdown, write('<img src="https://example.org/x.png">'), "<img>"),
    (form.links_stand_alone, write("See [chapter 2](02_rnn.ipynb)."), "leads nowhere"),
    (form.links_stand_alone, write("See [](#gates)."), "leads nowhere"),
    (form.links_stand_alone, write("![a plot](plot.png)"), "does not travel"),
    (form.plain_prose, write("It is Important to note that."), "important to note"),
    (form.plain_prose, write("Let us delve in."), "delve"),
    (form.plain_prose, write("It is important to\nnote this."), "important to note"),
    (form.plain_prose, write("A crucial step."), "crucial"),
    (form.plain_prose, write("Simply put, it fails."), "simply put"),
    (form.plain_prose, write("It works!"), "exclamation"),
    (form.plain_prose, write("It works \u2014 often."), "em dash"),
    (form.plain_prose, write("It works --- often."), "em dash"),
    (form.plain_prose, write("It works \U0001f680."), "emoji"),
    (form.predictions, write(PROMPT.replace("| %, 0 to 9 ", "")), "has 4 fields"),
    (form.predictions, write(PROMPT.replace("predict:", "predict")), "a colon is missing"),
    (form.predictions, write(f"Guess. {PROMPT}"), "'a' must stand in lines of its own"),
    (form.predictions, write(f"- {PROMPT}"), "'a' must stand in lines of its own"),
    (form.predictions, write(f"{PROMPT} Guess."), "'a' must stand in lines of its own"),
    (form.predictions, write("So. <!-- predict: end -->"), "'end' must stand in lines of its own"),
    (form.predictions, write(PROMPT), "two prompts have the id 'a'"),
    (form.predictions, write("\n\n".join(PROMPT.replace(": a", f": {c}") for c in "bcd")), "asks 4 times"),
]


def test_the_good_chapter_is_good():
    notebook = assembled(good())
    bibliography = form.read_bibliography(BIBLIOGRAPHY)
    found = {check.__name__: check(notebook, "01_good") for check in form.CHECKS}
    assert found == {check.__name__: [] for check in form.CHECKS}
    assert form.citations(notebook, bibliography) == []
    assert form.rebound(notebook, {"step", "Cell", "score"}) == []
    assert form.setup_cells({"01_good": notebook, "02_good": notebook}) == []


@pytest.mark.parametrize(("check", "mistake", "said"), MISTAKES, ids=[f"{c.__name__}-{s}" for c, _, s in MISTAKES])
def test_a_planted_mistake_is_seen(check, mistake, said):
    cells = good()
    mistake(cells)
    complaints = check(assembled(cells), "01_planted")
    assert complaints, "the mistake went unseen"
    assert any(said in text for text in complaints), complaints


def test_every_check_has_a_planted_mistake():
    planted = {check for check, _, _ in MISTAKES} | {form.stamp}
    assert planted == set(form.CHECKS)


def test_a_fold_that_its_tags_do_not_ask_for():
    cells = good()
    notebook = assembled(cells)
    cells["figure"].metadata["cellView"] = "form"
    assert "is not folded as its tags say" in form.folds(notebook, "01_planted")[0]


def test_visible_lines_are_those_not_folded():
    cells = good()
    before = form.visible_lines(assembled(cells))
    cells["parity"].source += "\nprint(1)"
    assert form.visible_lines(assembled(cells)) == before
    cells["figure"].source += "\nprint(1)\nprint(2)"
    assert form.visible_lines(assembled(cells)) == before + 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It has two million numbers and they take their places.", {"numbers, for parameters": 1}),
        ("The place it stands in. It takes place in place of that.", {"place, for position": 1}),
        ("Look back: a look at each piece, one bet.", {"look, for attention": 2, "piece, for subword or token": 1,
                                                      "bet, for prediction": 1}),
        ("Better alphabets `bet` $bet$.", {}),
        ("Misread words fall; 3.1% of words wrong, a floor.", {"words wrong, for word error rate": 2,
                                                              "floor, for baseline": 1}),
        ("It is turned by an angle, hears a lot, a thousand million.", {"turn, for rotation": 1,
                                                                       "hears, deaf, loudness, lots, debts": 1,
                                                                       "numbers hard to read": 1}),
    ],
)  # fmt: skip
def test_words_to_avoid_are_counted(text, found):
    cells = good()
    write(text)(cells)
    assert form.avoided(assembled(cells)) == found


def test_code_changed_since_it_ran():
    notebook = assembled(good())
    notebook.cells[1].source += "\nSEED = 1"
    assert "run `make run NB=01`" in form.stamp(notebook, "01_planted")[0]


def test_a_comment_or_docstring_changed_since_it_ran_is_nothing():
    cells = good()
    notebook = assembled(cells)
    cells["definition"].source = cells["definition"].source.replace("One step.", "A single step.") + "  # so"
    assert form.stamp(notebook, "01_planted") == []


def test_widget_state_in_the_metadata():
    notebook = assembled(good())
    notebook.metadata["widgets"] = {}
    assert "widget state" in form.no_widgets(notebook, "01_planted")[0]


@pytest.mark.parametrize(
    "link",
    [
        "[Elman (1991)](https://doi.org/10.1207/s15516709cog1402_1)",
        "[Ellman (1990)](https://doi.org/10.1207/s15516709cog1402_1)",
        "[Elman (1990)](https://doi.org/10.1207/another)",
        "[Elman and Cho (1990)](https://doi.org/10.1207/s15516709cog1402_1)",
        "[Bahdanau and Cho (2015)](https://arxiv.org/abs/1409.0473)",
        "[Cho et al. (2015)](https://arxiv.org/abs/1409.0473)",
        "[Elman et al. (1990)](https://doi.org/10.1207/s15516709cog1402_1)",
        "[Nobody (2020)](https://example.org)",
        "[the paper](https://arxiv.org/abs/1409.0473)",
        "<https://doi.org/10.1207/s15516709cog1402_1>",
    ],
)
def test_a_wrong_citation_is_seen(link):
    cells = good()
    write(link)(cells)
    assert form.citations(assembled(cells), form.read_bibliography(BIBLIOGRAPHY))


@pytest.mark.parametrize(
    "link",
    [
        "[Bahdanau et al. (2015)](https://arxiv.org/abs/1409.0473)",
        "[Bahdanau, Cho and Bengio (2015)](https://arxiv.org/abs/1409.0473)",
        "[Carnegie Mellon University (2014)](https://example.org/cmu)",
        "[a tutorial](https://example.org/tutorial)",
    ],
)
def test_a_right_citation_passes(link):
    cells = good()
    write(link)(cells)
    assert form.citations(assembled(cells), form.read_bibliography(BIBLIOGRAPHY)) == []


def test_setup_cells_that_differ_or_grow():
    one, other, long = good(), good(), good()
    edit("setup", "SEED = 0", "SEED = 1")(other)
    edit("setup", "SEED = 0", "SEED = 0\n" * 100)(long)
    assert "differs from 01_a" in form.setup_cells({"01_a": assembled(one), "02_b": assembled(other)})[0]
    assert "takes 102 lines" in form.setup_cells({"01_a": assembled(long)})[0]


@pytest.mark.parametrize(
    "source",
    [
        "def step(x):\n    return x",
        "step = 3",
        "step += 1",
        "for step in range(3):\n    pass",
        "with open(name) as step:\n    pass",
        "import numpy as step",
        "if (step := 3) > 2:\n    pass",
        "a, (b, *step) = 1, (2, 3)",
        "try:\n    pass\nexcept ValueError as step:\n    pass",
        "match 1:\n    case step:\n        pass",
        "total = sum(step := k for k in range(3))",
    ],
)
def test_a_definition_bound_again(source):
    cells = good()
    cells["figure"].source = source
    assert "binds step" in form.rebound(assembled(cells), {"step"})[0]


def test_a_local_name_does_not_bind():
    cells = good()
    cells["figure"].source = "def draw(step):\n    cell = step\n    return [step for step in range(3)]"
    assert form.rebound(assembled(cells), {"step", "cell"}) == []


def test_studies():
    keys = {"study": "a", "about": "b", "command": "c", "machine": "d", "seconds": 1, "definitions": {}}
    assert form.study_complaints(json.dumps({**keys, "results": {"runs": [{"seed": 0}]}})) == []
    assert "which seeds" in form.study_complaints(json.dumps({**keys, "results": {"bits": [1]}}))[0]
    assert "bytes" in form.study_complaints(json.dumps({**keys, "results": {"seeds": [0] * 20_000}}))[0]
    assert "machine" in form.study_complaints(json.dumps({"results": {"seeds": [0]}}))[0]


def test_pages_of_the_book():
    page = (
        "---\ntitle: Hello!\n---\n% note!\n:::{admonition} Note\nRead {term}`gate` on.\n:::\n\n```{figure} a.png\n```\n"
    )
    assert form.page_prose(page) == []
    assert "exclamation" in form.page_prose(page + "\nHow nice!")[0]
    assert "em dash" in form.page_prose(page + "\n:::{note}\nGates \u2014 all.\n:::")[0]
