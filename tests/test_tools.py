"""The tools on small books made for the purpose: executing, copying recaps, running studies."""

import base64
import io
import json

import nbformat
import numpy as np
import pytest
from PIL import Image

from tools import execute, recaps, study
from tools import notebooks as nb


def code(source, *tags):
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata["tags"] = list(tags)
    return cell


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def save(path, *cells):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = list(cells)
    nb.write(notebook, path)
    return path


# ---------------------------------------------------------------- execute

NOISY = """
import sys, warnings
from tqdm.auto import tqdm
print("before")
for _ in tqdm(range(3)):
    warnings.warn("mind the gap")
print("after")
"""


def test_a_figure_shrinks_once_and_looks_the_same():
    grey = np.random.default_rng(0).integers(0, 256, (120, 160, 1), dtype=np.uint8)
    picture = grey.repeat(3, axis=2)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    big = base64.b64encode(stream.getvalue()).decode()
    small = execute.shrink(big)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(small))).convert("RGB")).astype(int)
    assert len(small) < 0.9 * len(big) and shown.shape == picture.shape
    assert abs(shown - picture).max() <= 16 and execute.shrink(small) == small


def test_a_second_run_writes_the_same_bytes_and_no_noise(tmp_path, capsys):
    path = save(
        tmp_path / "01_small.ipynb",
        markdown("# Small"),
        code("# @title Setup\nimport os, random\nrandom.seed(0)\nprint(random.random(), os.listdir())", "setup"),
        code(NOISY),
        code("\n2 + 2\n"),
        code(""),
        code("import matplotlib.pyplot as plt\nplt.plot([0, 1]);"),
    )
    assert execute.main([str(path)]) == 0
    first = path.read_bytes()
    assert "[  2/4]" in capsys.readouterr().out  # progress is shown
    assert execute.main([str(path)]) == 0
    assert path.read_bytes() == first

    notebook = nb.read(path)
    assert notebook.metadata.book.source_hash == nb.source_hash(notebook)
    _, setup, noisy, result, empty, figure = notebook.cells
    assert setup.outputs[0].text.endswith(" []\n")  # the folder was empty
    assert [(o.output_type, o.text) for o in noisy.outputs] == [("stream", "before\nafter\n")]
    assert result.outputs[0].data == {"text/plain": "4"} and result.execution_count == 3
    assert empty.execution_count is None
    assert "image/png" in figure.outputs[0].data
    assert "widgets" not in notebook.metadata


def test_a_failing_cell_is_shown_and_the_notebook_left_alone(tmp_path, capsys):
    path = save(
        tmp_path / "01_small.ipynb", code("word = 'queue'"), code("def spell(w):\n    return w[9]\n\nspell(word)")
    )
    before = path.read_bytes()
    assert execute.main([str(path)]) == 1
    said = execute.ANSI.sub("", capsys.readouterr().err)
    assert "01_small.ipynb, code cell 2 of 2 failed" in said
    assert "return w[9]" in said and "IndexError: string index out of range" in said  # the traceback
    assert "left as it was" in said
    assert path.read_bytes() == before


def test_a_missing_package_is_named_with_its_remedy(tmp_path, capsys):
    path = save(tmp_path / "01_small.ipynb", code("import no_such_package.part"))
    before = path.read_bytes()
    assert execute.main([str(path)]) == 1
    said = capsys.readouterr().err
    assert "The package 'no_such_package' is missing" in said and "pip install -r requirements.txt" in said
    assert path.read_bytes() == before


TRAINED = [
    code("import os\nother = 0.01 * (os.environ.get('ATEN_CPU_CAPABILITY') == 'default')", "hide"),
    code("weights = [1.0 + other]\nhistory = {}"),
    code("history['loss'] = 0.5 + other\nseconds = other"),
    code("print('no training', 2 + 2)"),
    code("print(f'{weights[0]:.0f} is rounded')"),
    code("print('a history', round(history['loss'], 1))"),
    code("def show():\n    return weights[0]"),
    code("print(f'through a function {show():.1f}')"),
    code("weights = [3.0]\nprint('bound anew', weights[0])"),
    code("print(f'took {seconds}')", "timing"),
]


def elsewhere(tmp_path, *cells):
    cells = [nbformat.from_dict(cell) for cell in (*TRAINED, *cells)]
    cells[0].metadata.tags = []
    path = save(tmp_path / "01_small.ipynb", *cells)
    return path, execute.main(["--elsewhere", str(path)])


def test_cells_that_depend_on_a_training_are_found(tmp_path):
    path, status = elsewhere(tmp_path, code("print('no longer', 1)", "trained"))
    assert status == 0
    found = [cell.source for cell in nb.read(path).cells if "trained" in nb.tags(cell)]
    assert found == [TRAINED[k].source for k in (4, 5, 7)]


def test_what_comes_of_a_training_is_found_though_it_did_not_move():
    cells = [
        "def fit(model):\n    optimizer = make(model)\n    optimizer.step()",
        "def run(model):\n    return fit(model)",
        "STEPS, data = 100, load()",
        "model, LIMIT = build(), 3\nrun(model)\ncurves = {}",
        "curves['loss'] = score(model)",
        "print(curves)",
        "print(STEPS, LIMIT, data)",
        "def show():\n    return model",
        "print(show())",
        "model = load()",
        "figures = {}\nfor optimizer in made:\n    optimizer.step()\n    figures.update(a=1)",
        "print(figures)",
    ]
    found = execute.downstream(nbformat.v4.new_notebook(cells=[code(source) for source in cells]))
    assert [index for index, trained in found.items() if trained] == [3, 4, 5, 7, 8, 10, 11]


def test_a_claim_that_falls_elsewhere_fails(tmp_path, capsys):
    path, status = elsewhere(tmp_path, code("assert other == 0, 'it moved'"))
    assert status == 1 and "it moved" in capsys.readouterr().err
    assert nb.read(path).cells[4].outputs, "the outputs of the plain run are stored all the same"


def test_words_that_move_elsewhere_fail(tmp_path, capsys):
    _, status = elsewhere(tmp_path, code("print('ball' if other else 'bell')"))
    assert status == 1 and "'bell' as stored and 'ball' now" in capsys.readouterr().err


def test_with_a_seed_nothing_is_written(tmp_path, monkeypatch, capsys):
    path = save(tmp_path / "01_small.ipynb", code("import os\nprint(os.environ['BOOK_SEED'])"))
    before = path.read_bytes()
    monkeypatch.setenv("BOOK_SEED", "1")
    assert execute.main([str(path)]) == 0
    assert path.read_bytes() == before and "Nothing is written" in capsys.readouterr().out


def test_both_executors_use_one_kernel(tmp_path, monkeypatch):
    """One thread, no GPU, no Python path, no start-up files, an empty folder."""
    monkeypatch.setenv("PYTHONPATH", str(nb.ROOT))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    source = (
        "import os, sys\nprint([os.environ.get(n) for n in ('OMP_NUM_THREADS', 'CUDA_VISIBLE_DEVICES', 'PYTHONPATH')],"
        " os.listdir(), 'book-' in os.environ['IPYTHONDIR'], 'tools' in sys.modules)"
    )
    path = save(tmp_path / "01_small.ipynb", code(source))
    assert execute.main([str(path)]) == 0
    assert nb.read(path).cells[0].outputs[0].text == "['1', '', None] [] True False\n"
    from tests.support import nbval_settings

    assert nbval_settings.execute is execute and not hasattr(nbval_settings, "start_kernel")


def test_an_unknown_chapter_is_named(capsys):
    assert execute.main(["99"]) == 1
    assert "no notebook called '99'; there are:" in capsys.readouterr().err


# ---------------------------------------------------------------- reading and writing


def test_a_write_that_fails_leaves_the_file(tmp_path, monkeypatch):
    path = save(tmp_path / "01_small.ipynb", code("print(1)"))
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nb.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        nb.write(nb.read(path), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"cells": [', "is no notebook, or only part of one"),
        ("[]", "is no notebook"),
        ('<<<<<<< ours\n{"cells": []}\n=======\n{}\n>>>>>>> theirs\n', "holds a merge conflict"),
        ('{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}', "is in format 3 of notebooks"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(tmp_path, text, said):
    path = tmp_path / "07_half.ipynb"
    path.write_text(text)
    with pytest.raises(nb.BookError, match=said) as caught:
        nb.read(path)
    assert "07_half.ipynb" in str(caught.value)


def test_a_notebook_as_colab_writes_it_gets_ids(tmp_path):
    cell = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": [], "execution_count": None}
    path = tmp_path / "01_colab.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 0, "metadata": {}, "cells": [cell, cell]}))
    ids = [cell.id for cell in nb.read(path).cells]
    assert len(set(ids)) == 2
    nb.write(nb.read(path), path)
    assert nb.read(path).nbformat_minor == 5


def test_two_runs_at_once_lose_no_measurement(tmp_path, monkeypatch):
    import threading

    monkeypatch.setattr(nb, "ROOT", tmp_path)
    (tmp_path / "book").mkdir()
    names = [f"{n:02d}_chapter" for n in range(1, 15)]
    threads = [threading.Thread(target=execute.keep_measurement, args=(nb.Path(name), 1.0, 2.0)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(json.loads((tmp_path / "book" / "measured.json").read_text())) == names


def test_a_percent_sign_inside_a_bracket_is_no_magic():
    source = "%config InlineBackend.figure_formats = ['retina']\nx = (7\n% 4)\nif x:\n    %time y = x\n"
    assert nb.strip_magics(source) == "pass\nx = (7\n% 4)\nif x:\n    pass\n"
    assert nb.strip_magics("x = (7\n% 4)") == "x = (7\n% 4)"
    notebooks = [nbformat.v4.new_notebook(cells=[code(f"%config A.b = {n}")]) for n in (1, 2)]
    assert nb.source_hash(notebooks[0]) != nb.source_hash(notebooks[1])


def test_code_that_does_not_parse_is_shown_with_its_notebook(book, capsys):
    change("01", 2, "return 2", "return (2")
    assert recaps.main(["--check"]) == 2
    said = capsys.readouterr().err
    assert "01_one.ipynb" in said and "is no Python" in said and "def f(x):" in said


def test_a_semicolon_that_hides_a_result_counts():
    a, b, c = (nbformat.v4.new_notebook(cells=[code(s)]) for s in ("plot()", "plot();", "plot()  # so"))
    assert nb.source_hash(a) == nb.source_hash(c) != nb.source_hash(b)


def test_a_folded_cell_needs_a_title():
    cell = code("draw()", "hide-input")
    with pytest.raises(nb.BookError, match="begins with its title"):
        nb.fold(cell)
    cell.source = "# @title Draw the gates\ndraw()"
    nb.fold(cell)
    assert cell.metadata.mystnb.code_prompt_show == "Draw the gates" and cell.metadata.cellView == "form"
    cell.metadata.tags = []
    nb.fold(cell)
    assert cell.metadata == {"tags": []}


# ---------------------------------------------------------------- recaps and studies

SETUP = "import json\nfrom types import SimpleNamespace\n\ndevice = SimpleNamespace(type='cpu')"
F = 'def f(x):\n    """Twice x."""\n    return 2 * x  # doubled'
G = 'def g(x):\n    """f, and one more."""\n    return f(x) + 1'
STUDY = """
ABOUT = "a tiny study."
USES = ["g"]


def run(book, report):
    report("running")
    return {"seeds": [0, 1], "values": [book["g"](seed) for seed in (0, 1)]}
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of two chapters: the first defines f and g, which uses f; the second uses g."""
    monkeypatch.setattr(nb, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(nb, "STUDIES", tmp_path / "studies")
    for folder in (nb.NOTEBOOKS, nb.STUDIES):
        folder.mkdir()
    save(
        nb.NOTEBOOKS / "01_one.ipynb", markdown("# One"), code(SETUP, "setup"), code(F, "define:f"), code(G, "define:g")
    )
    save(nb.NOTEBOOKS / "02_two.ipynb", markdown("# Two"), code(SETUP, "setup"), code("print(g(3))"))
    (nb.STUDIES / "tiny.py").write_text(STUDY)
    return tmp_path


def chapter(number):
    return nb.read(nb.find_notebook(number))


def change(number, index, old, new):
    path = nb.find_notebook(number)
    notebook = nb.read(path)
    assert old in notebook.cells[index].source
    notebook.cells[index].source = notebook.cells[index].source.replace(old, new)
    nb.write(notebook, path)


def test_copies_are_written_in_one_folded_cell_in_order(book):
    one = nb.find_notebook("01").read_bytes()
    assert recaps.main([]) == 0
    assert nb.find_notebook("01").read_bytes() == one  # nothing to copy there
    title, setup, recap, use = chapter("02").cells
    assert recap.source == (
        "# @title From earlier chapters\n"
        "# Copies, so that this notebook runs by itself: `make recaps` writes them.\n\n\n"
        f"# chapter 1: f\n{F}\n\n\n# chapter 1: g\n{G}"
    )
    assert recap.metadata == {
        "tags": ["recap", "hide-input"],
        "mystnb": {f"code_prompt_{way}": "From earlier chapters" for way in ("show", "hide")},
        "jupyter": {"source_hidden": True},
        "cellView": "form",
    }
    namespace = {}
    for cell in (setup, recap):
        exec(cell.source, namespace)
    assert namespace["g"](3) == 7


def test_what_was_written_passes_the_check_and_stays(book):
    assert recaps.main(["--check"]) == 1  # nothing has been written yet
    assert recaps.main([]) == 0
    written = nb.find_notebook("02").read_bytes()
    assert recaps.main(["--check"]) == 0
    assert recaps.main([]) == 0
    assert nb.find_notebook("02").read_bytes() == written


def test_one_chapter_alone_can_be_asked_for(book):
    save(nb.NOTEBOOKS / "03_three.ipynb", markdown("# Three"), code(SETUP, "setup"), code("print(f(3))"))
    assert recaps.main(["03"]) == 0
    assert len(chapter("02").cells) == 3 and len(chapter("03").cells) == 4


def test_an_edited_copy_fails_the_check(book, capsys):
    recaps.main([])
    change("02", 2, "+ 1", "+ 2")
    before = nb.find_notebook("02").read_bytes()
    capsys.readouterr()
    assert recaps.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert "02_two.ipynb: its copy of g is not define:g in 01_one.ipynb" in said
    assert "edit the source, not the copy" in said and "`make recaps`" in said and "`make run NB=02`" in said
    assert nb.find_notebook("02").read_bytes() == before  # --check writes nothing
    assert recaps.main([]) == 0
    assert G in chapter("02").cells[2].source


@pytest.mark.parametrize("old, new", [("2 * x", "3 * x"), ("Twice", "Two times")])
def test_an_edited_definition_fails_the_check(book, capsys, old, new):
    recaps.main([])
    change("01", 2, old, new)
    capsys.readouterr()
    assert recaps.main(["--check"]) == 1
    assert "02_two.ipynb: its copy of f is not define:f in 01_one.ipynb" in capsys.readouterr().out
    assert recaps.main([]) == 0 and recaps.main(["--check"]) == 0
    assert new in chapter("02").cells[2].source


def test_a_docstring_asks_for_no_execution_anywhere(book):
    """After a changed docstring or comment `make recaps` is all there is to do: what runs is as it was."""
    recaps.main([])
    hashes = [nb.source_hash(chapter(number)) for number in ("01", "02")]
    change("01", 2, "Twice x", "Two times x")
    change("01", 2, "  # doubled", "")
    assert recaps.main([]) == 0 and "Two times" in chapter("02").cells[2].source
    assert [nb.source_hash(chapter(number)) for number in ("01", "02")] == hashes
    change("01", 2, "2 * x", "3 * x")
    recaps.main([])
    assert all(nb.source_hash(chapter(n)) != before for n, before in zip(("01", "02"), hashes))


@pytest.mark.parametrize("plant", ["tags", "cellView", "order"])
def test_a_copy_unfolded_or_moved_fails_the_check(book, plant):
    recaps.main([])
    path = nb.find_notebook("02")
    notebook = nb.read(path)
    if plant == "tags":
        notebook.cells[2].metadata.tags.remove("hide-input")
    elif plant == "cellView":
        del notebook.cells[2].metadata["cellView"]
    else:
        notebook.cells[2:4] = notebook.cells[3:1:-1]
    nb.write(notebook, path)
    assert recaps.main(["--check"]) == 1


def test_a_later_chapters_definition_is_refused(book, capsys):
    save(nb.NOTEBOOKS / "03_three.ipynb", code(SETUP, "setup"), code("def later():\n    return 1", "define:later"))
    change("02", 2, "g(3)", "g(later())")
    assert recaps.main([]) == 2
    assert "02_two.ipynb uses later, which chapter 3 only builds later" in capsys.readouterr().err


def test_copies_that_nobody_uses_are_removed(book, capsys):
    recaps.main([])
    change("02", 3, "g(3)", "f(3)")
    assert recaps.main(["--check"]) == 1
    assert "02_two.ipynb: its copy of g is no longer used" in capsys.readouterr().out
    recaps.main([])
    assert "def g" not in chapter("02").cells[2].source and "def f" in chapter("02").cells[2].source
    change("02", 3, "f(3)", "3")
    recaps.main([])
    assert [c.cell_type for c in chapter("02").cells] == ["markdown", "code", "code"]


def test_a_local_name_brings_no_recap(book):
    change("02", 2, "print(g(3))", "def h(g):\n    f = g\n    return [f for f in range(3)]")
    assert recaps.main([]) == 0
    assert len(chapter("02").cells) == 3


def test_outputs_of_a_cell_that_stays_are_kept(book):
    path = nb.find_notebook("02")
    notebook = nb.read(path)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="7\n")]
    nb.write(notebook, path)
    recaps.main([])
    assert chapter("02").cells[-1].outputs[0].text == "7\n"


def test_a_name_defined_twice_is_refused(book, capsys):
    save(nb.NOTEBOOKS / "03_three.ipynb", code(F, "define:f"))
    assert recaps.main(["--check"]) == 2
    assert "f is defined in 01_one.ipynb and again in 03_three.ipynb" in capsys.readouterr().err


def test_a_definition_cell_with_two_things_is_refused(book, capsys):
    change("01", 2, F, F + "\n\nf(1)")
    assert recaps.main(["--check"]) == 2
    assert "define:f must hold one function or class called f" in capsys.readouterr().err


def test_an_unknown_definition_is_named(book):
    with pytest.raises(nb.BookError, match="no chapter defines 'h'; there are: f, g"):
        nb.load(["h"])


def test_a_study_runs_from_end_to_end(book, capsys):
    assert study.main(["tiny"]) == 0
    stored = json.loads((nb.STUDIES / "tiny.json").read_text())
    assert stored["results"] == {"seeds": [0, 1], "values": [1, 3]}
    assert stored["definitions"]["names"] == ["f", "g"]
    assert stored["command"] == "make study NAME=tiny" and stored["machine"] and stored["about"] == "a tiny study."
    assert study.is_current("tiny")

    change("02", 2, "g(3)", "study_tiny['results']['values']")
    assert recaps.main([]) == 0
    *_, note, cell, use = chapter("02").cells
    assert "takes longer than a chapter should: a tiny study." in note.source and "make study NAME=tiny" in note.source
    assert nb.tags(cell) == ["study:tiny", "hide-input"] and cell.metadata.cellView == "form"
    namespace = {}
    exec(cell.source, namespace)
    assert namespace["study_tiny"] == {k: v for k, v in stored.items() if k not in recaps.NOT_CARRIED}
    assert namespace["study_tiny"]["results"] == stored["results"] and "hash" not in cell.source
    assert recaps.main(["--check"]) == 0
    stored["results"]["values"] = [1, 4]
    (nb.STUDIES / "tiny.json").write_text(json.dumps(stored))
    capsys.readouterr()
    assert recaps.main(["--check"]) == 1
    assert "study:tiny is not a copy of studies/tiny.json" in capsys.readouterr().out


def test_a_study_knows_when_its_code_has_changed(book):
    study.run("tiny")
    change("01", 2, "Twice x", "Two times x")  # a docstring
    change("01", 2, "# doubled", "# two of it")  # a comment
    assert study.is_current("tiny")
    change("01", 2, "2 * x", "3 * x")
    assert not study.is_current("tiny")
    change("01", 2, "3 * x", "2 * x")
    assert study.is_current("tiny")
    (nb.STUDIES / "tiny.py").write_text(STUDY.replace("[0, 1]", "[0, 2]"))
    assert not study.is_current("tiny")


def test_code_only_keeps_what_runs():
    source = 'def f(x):  # twice\n    """Twice x."""\n    # so\n\n    return "#" * x  # (B, T)\n'
    assert nb.code_only(source) == 'def f(x):\n    return "#" * x'


def test_a_study_that_has_not_run_cannot_be_shown(book, capsys):
    change("02", 2, "g(3)", "study_tiny")
    assert recaps.main([]) == 2
    assert "studies/tiny.json is missing: run `make study NAME=tiny`" in capsys.readouterr().err


def test_an_unknown_study_is_named(book, capsys):
    assert study.main(["nothing"]) == 1
    assert "there is no study called 'nothing'; there are: tiny" in capsys.readouterr().err


def test_a_study_too_large_for_a_chapter_is_refused(book, capsys):
    (nb.STUDIES / "tiny.py").write_text(STUDY.replace('"values": [', '"values": list(range(9000)) + ['))
    assert study.main(["tiny"]) == 1
    assert "20000 is the most a chapter can carry" in capsys.readouterr().err
    assert not (nb.STUDIES / "tiny.json").exists()
