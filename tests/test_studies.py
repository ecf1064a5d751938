"""The studies of the book as they are stored; and on a small book made for the purpose, how a study runs, is
recognised as out of date, and is declared to do the same after a change."""

import json
import re

import nbformat
import pytest

from tools import notebooks as nb
from tools import study

STORED = sorted({p.stem for p in nb.STUDIES.glob("*") if p.suffix in (".py", ".json")} - {study.COMMON})


# ---------------------------------------------------------------- the book's own


@pytest.mark.parametrize("name", STORED)
def test_the_results_are_those_of_a_run(name):
    found = study.stored(name)
    assert not study.by_hand(found), f"studies/{name}.json was edited by hand: run `make study NAME={name}`"


@pytest.mark.parametrize("name", STORED)
def test_code_that_changed_since_the_run_says_why_it_does_the_same(name):
    definitions = study.stored(name)["definitions"]
    assert set(definitions) in ({"names", "hash"}, {"names", "hash", "ran", "since"})
    if "ran" in definitions:
        assert definitions["ran"] != definitions["hash"] and len(definitions["since"].split()) >= 5


@pytest.mark.parametrize("name", study.names())
def test_a_script_has_what_a_study_needs(name):
    module = study.script(name)
    assert module.ABOUT.endswith(".")
    assert hasattr(module, "run") != all(hasattr(module, part) for part in ("plan", "measure", "gather"))
    assert set(module.USES) <= set(nb.definitions()) and len(set(module.USES)) == len(module.USES)
    taken = set(re.findall(r'book\["(\w+)"\]', study.source(name))) - {"device"}
    assert taken <= set(module.USES), f"{name} takes {taken - set(module.USES)} from the book, which USES does not list"


def test_data_and_scores_of_the_readers_stand_once():
    """Chapter 7 defines them and studies/common.py the rest: no script writes them out again."""
    for name in study.names():
        text = study.source(name)
        for written_out in ("sum(p.numel()", "(edits > 0).mean()", "edits.sum()", "key=rates.get", "part.get(key"):
            assert written_out not in text, f"{name} writes out {written_out}: see studies/common.py"
        assert 'load_cmudict"]()' not in text, f"{name} reads the dictionary itself: see chapter 7's reading_data"


# ---------------------------------------------------------------- on a small book

SETUP = "from types import SimpleNamespace\n\ndevice = SimpleNamespace(type='cpu')"
F = 'def f(x):\n    """Twice x."""\n    return 2 * x  # doubled'
G = 'def g(x):\n    """f, and one more."""\n    return f(x) + 1'
COMMON = '''
"""Shared."""


def both(book, values):
    """Of each."""
    return [book["g"](value) for value in values]
'''
TINY = '''
"""A tiny study."""

from studies import common

ABOUT = "a tiny study."
USES = ["g"]


def run(book, report):
    report("running")
    return {"seeds": [0, 1], "rates": {0.5: 1, 2: 3}, "values": common.both(book, [0, 1])}
'''
ALONE = 'ABOUT = "alone."\nUSES = ["f"]\n\n\ndef run(book, report):\n    return {"seed": 0, "value": book["f"](3)}\n'
IN_RUNS = """
ABOUT = "in runs."
USES = ["f"]


def plan(done):
    first = [("rate", 1), ("rate", 2)]
    return first + [("seed", max(done["rate", 1], done["rate", 2]))] if len(done) >= 2 else first


def measure(book, kind, size):
    if size == STOP_AT:
        raise KeyboardInterrupt
    return book["f"](size)


def gather(done):
    return {"values": [done[job] for job in sorted(done)]}


STOP_AT = None
"""
REASON = "f was only written in another way"


def code(source, *tags):
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata["tags"] = list(tags)
    return cell


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A chapter that defines f and g, which uses f; two studies, one of which imports what is shared."""
    monkeypatch.setattr(nb, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(nb, "STUDIES", tmp_path / "studies")
    for folder in (nb.NOTEBOOKS, nb.STUDIES):
        folder.mkdir()
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [code(SETUP, "setup"), code(F, "define:f"), code(G, "define:g")]
    nb.write(notebook, nb.NOTEBOOKS / "01_one.ipynb")
    for name, text in {"common": COMMON, "tiny": TINY, "alone": ALONE}.items():
        (nb.STUDIES / f"{name}.py").write_text(text)


@pytest.fixture
def in_runs(book):
    (nb.STUDIES / "in_runs.py").write_text(IN_RUNS)


def runs_kept():
    return [path.read_text().splitlines() for path in sorted((nb.STUDIES / ".runs").glob("*.jsonl"))]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_study_may_be_divided_into_runs(in_runs, monkeypatch, workers):
    """The third is only known when two are done; each is kept as it ends."""
    monkeypatch.setenv("BOOK_WORKERS", workers)
    found = study.run("in_runs")
    assert found["results"] == {"values": [2, 4, 8]} and study.is_current("in_runs")
    (lines,) = runs_kept()
    kept = [json.loads(line) for line in lines]
    assert sorted(line["job"] for line in kept) == [["rate", 1], ["rate", 2], ["seed", 4]]
    assert found["machine"] == kept[0]["machine"] and found["seconds"] == round(sum(line["seconds"] for line in kept))


def test_a_study_that_was_stopped_goes_on_where_it_was(in_runs):
    change_file("in_runs.py", "STOP_AT = None", "STOP_AT = 4")
    code_then = study.current_hash("in_runs")
    with pytest.raises(KeyboardInterrupt):
        study.run("in_runs")
    assert len(runs_kept()[0]) == 2 and not (nb.STUDIES / "in_runs.json").exists()
    change_file("in_runs.py", "STOP_AT = 4", "STOP_AT = None")
    folder = nb.STUDIES / ".runs"
    (folder / f"in_runs-{code_then}.jsonl").rename(folder / f"in_runs-{study.current_hash('in_runs')}.jsonl")
    (folder / f"in_runs-{study.current_hash('in_runs')}.jsonl").write_text(
        "\n".join(runs_kept()[0]).replace('"result": 2', '"result": 3') + "\n"
    )
    assert study.run("in_runs")["results"] == {"values": [3, 4, 8]}  # the first was not done again


def test_runs_of_other_code_are_passed_over(in_runs):
    study.run("in_runs")
    change_definition("2 * x", "x + x + x")
    assert study.run("in_runs")["results"] == {"values": [3, 6, 18]}
    assert [len(lines) for lines in runs_kept()] == [3, 3]


def change_definition(old, new):
    path = nb.find_notebook("01")
    notebook = nb.read(path)
    assert old in notebook.cells[1].source
    notebook.cells[1].source = notebook.cells[1].source.replace(old, new)
    nb.write(notebook, path)


def change_file(name, old, new):
    path = nb.STUDIES / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def text_of(name):
    return (nb.STUDIES / f"{name}.json").read_text()


def test_what_is_shared_is_no_study(book, capsys):
    assert study.names() == ["alone", "tiny"]
    assert study.main(["common"]) == 1
    assert "there is no study called 'common'; there are: alone, tiny" in capsys.readouterr().err


def test_a_run_uses_what_is_shared_and_stores_a_checksum(book):
    found = study.run("tiny")
    stored = json.loads(text_of("tiny"))
    assert stored["results"] == {"seeds": [0, 1], "rates": {"0.5": 1, "2": 3}, "values": [1, 3]}
    assert list(stored) == [
        *["study", "about", "command", "machine", "seconds", "definitions", "checksum", "results"],
    ]
    assert stored["definitions"] == {"names": ["f", "g"], "hash": study.current_hash("tiny")}
    assert stored["checksum"] == found["checksum"] == study.checksum(stored["results"])
    assert study.is_current("tiny")


def test_the_file_beside_a_study_is_what_it_imports(book):
    """Whatever was imported before, and as the file is now; and the name is free again afterwards."""
    import sys

    before = sys.modules.get("studies")
    assert study.script("tiny").common.both({"g": abs}, [-1]) == [1]
    change_file("common.py", "(value) for", "(value) + 1 for")
    assert study.script("tiny").common.both({"g": abs}, [-1]) == [2]
    assert sys.modules.get("studies") is before and "studies.common" not in sys.modules


@pytest.mark.parametrize(
    "name, old, new",
    [("common.py", '["g"](value)', '["g"](-value)'), ("tiny.py", "[0, 1])", "[0, 2])"), (None, "2 * x", "x + x")],
)
def test_changed_code_is_noticed(book, name, old, new):
    study.run("tiny")
    study.run("alone")
    (change_definition if name is None else lambda *a: change_file(name, *a))(old, new)
    assert not study.is_current("tiny")
    assert study.is_current("alone") == (name is not None)  # it imports nothing that is shared
    (change_definition if name is None else lambda *a: change_file(name, *a))(new, old)
    assert study.is_current("tiny") and study.is_current("alone")


def test_comments_docstrings_and_layout_are_no_change(book):
    study.run("tiny")
    change_file("common.py", '"""Of each."""', '"""Of all."""')
    change_file("common.py", '"""Shared."""', "# shared\n")
    change_file("tiny.py", '"""A tiny study."""\n', '"""A very small study."""\n\n')
    change_definition("# doubled", "# two of it")
    assert study.is_current("tiny")


@pytest.mark.parametrize("old, new", [('"values": [\n   1', '"values": [\n   2'), ('"0.5"', '"0.25"')])
def test_a_result_written_by_hand_is_noticed(book, capsys, old, new):
    study.run("tiny")
    change_file("tiny.json", old, new)
    assert study.by_hand(study.stored("tiny")) and not study.is_current("tiny")
    before = text_of("tiny")
    assert study.main(["tiny", "--same", REASON]) == 1  # which would make it look like a run's
    assert "are not those of a run: run `make study NAME=tiny`" in capsys.readouterr().err
    assert text_of("tiny") == before


def test_results_stored_before_there_were_checksums_get_one(book):
    study.run("tiny")
    old = json.loads(text_of("tiny"))
    del old["checksum"]
    (nb.STUDIES / "tiny.json").write_text(json.dumps(old))
    assert not study.is_current("tiny")
    assert study.same("tiny", REASON) and study.is_current("tiny")
    new = json.loads(text_of("tiny"))
    assert new["definitions"] == old["definitions"]  # no code has changed: there is nothing to say
    assert new == old | {"checksum": study.checksum(old["results"])}


def test_code_that_does_the_same_is_declared_with_a_reason(book, capsys):
    study.run("tiny")
    old = json.loads(text_of("tiny"))
    change_definition("2 * x", "x + x")
    assert study.main(["tiny", "--same", f"  {REASON} "]) == 0
    assert "studies/tiny.json: stored" in capsys.readouterr().out
    new = json.loads(text_of("tiny"))
    code_now = study.current_hash("tiny")
    assert new["definitions"] == {
        "names": ["f", "g"],
        "hash": code_now,
        "ran": old["definitions"]["hash"],
        "since": REASON,
    }
    assert {k: v for k, v in new.items() if k != "definitions"} == {k: v for k, v in old.items() if k != "definitions"}
    assert study.is_current("tiny")

    before = text_of("tiny")
    assert study.main(["tiny", "--same", "another reason"]) == 0  # nothing has changed since
    assert "as it was" in capsys.readouterr().out and text_of("tiny") == before


def test_the_first_run_stays_on_record(book):
    study.run("tiny")
    ran = study.stored("tiny")["definitions"]["hash"]
    change_definition("2 * x", "x + x")
    study.same("tiny", REASON)
    change_file("tiny.py", '"running"', '"it runs"')
    study.same("tiny", "The report has other words.")
    definitions = study.stored("tiny")["definitions"]
    assert definitions["ran"] == ran and definitions["since"] == f"{REASON} The report has other words."
    change_definition("x + x", "x * 2")
    study.same("tiny", REASON)
    assert study.stored("tiny")["definitions"]["since"] == f"{REASON} The report has other words."
    change_definition("x * 2", "2 * x")
    change_file("tiny.py", '"it runs"', '"running"')
    study.same("tiny", "all is as it was")
    assert study.stored("tiny")["definitions"] == {"names": ["f", "g"], "hash": ran}


def test_a_run_forgets_what_was_declared(book):
    study.run("tiny")
    change_definition("2 * x", "x + x")
    study.same("tiny", REASON)
    study.run("tiny")
    assert set(study.stored("tiny")["definitions"]) == {"names", "hash"}


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["tiny", "--same", ""], "--same wants a reason"),
        (["tiny", "--same", "  \n"], "--same wants a reason"),
        (["--all", "--same", ""], "--same wants a reason"),
        (["alone", "--same", REASON], "studies/alone.json is missing: run `make study NAME=alone`"),
        (["nothing", "--same", REASON], "studies/nothing.json is missing"),
        (["--all"], "--all goes with --same only"),
        ([], "name one study, or --all with --same; there are: alone, tiny"),
        (["tiny", "--all", "--same", REASON], "name one study, or --all with --same"),
    ],
)
def test_what_cannot_be_declared_is_refused(book, capsys, arguments, said):
    study.run("tiny")
    change_definition("2 * x", "x + x")
    before = text_of("tiny")
    capsys.readouterr()
    assert study.main(arguments) == 1
    assert said in capsys.readouterr().err and text_of("tiny") == before


def test_same_takes_its_reason_from_the_command_line(book, capsys):
    with pytest.raises(SystemExit):
        study.main(["tiny", "--same"])
    assert "expected one argument" in capsys.readouterr().err


def test_all_studies_are_declared_at_once_and_those_that_are_current_left(book):
    study.run("tiny")
    study.run("alone")
    change_file("common.py", '["g"](value)', '["g"](0 + value)')
    alone = text_of("alone")
    assert study.main(["--all", "--same", REASON]) == 0
    assert study.is_current("tiny") and study.stored("tiny")["definitions"]["since"] == REASON
    assert text_of("alone") == alone


def test_code_that_changes_while_a_study_runs_is_refused(book):
    change_file("tiny.py", 'report("running")', f'open({str(nb.STUDIES / "common.py")!r}, "a").write("x = 1\\n")')
    with pytest.raises(nb.BookError, match="the code of tiny was changed while it ran"):
        study.run("tiny")
    assert not (nb.STUDIES / "tiny.json").exists()


def test_declaring_keeps_to_the_limit_of_a_file(book):
    study.run("tiny")
    change_definition("2 * x", "x + x")
    before = text_of("tiny")
    with pytest.raises(nb.BookError, match="20000 is the most a chapter can carry"):
        study.same("tiny", "so " * 9000)
    assert text_of("tiny") == before
