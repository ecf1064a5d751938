"""The list of planted mistakes, and the tool that plants them on a toy book. `make mutants` runs the list itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import mutants
from tools import notebooks as nb

# What has to be among the mistakes, wherever it can be made.
KINDS = [
    "no causal mask",
    "mask inverted",
    "padding not masked",
    "no square root",
    "softmax over the wrong axis",
    "heads mixed by a wrong reshape",
    "forget gate missing",
    "gates swapped",
    "reset gate applied in the other place",
    "tanh dropped",
    "context from the wrong step",
    "positions off by one",
    "residual dropped",
    "norm on the wrong side",
    "label smoothing on padding",
    "beam without its length rule",
    "cache off by one",
    "targets not shifted",
    "clipping by value",
    "edit distance without substitution",
    "a pronunciation list cut to its first",
]


@pytest.fixture(scope="module")
def table():
    return nb.definitions()


def test_every_mistake_can_be_planted_and_every_definition_has_one(table):
    assert mutants.complaints(mutants.mistakes(), table, list(table)) == []


def test_each_mistake_is_there_once_and_says_what_it_breaks():
    listed = mutants.mistakes()
    assert len(listed) == len(set(listed)) and all(m.breaks and "\n" not in m.breaks for m in listed)
    assert len({str(m) for m in listed}) == len(listed), "two mistakes of a definition have one name"


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_of_mistake_are_there(kind):
    assert any(mistake.breaks.startswith(kind) for mistake in mutants.mistakes())


# ---------------------------------------------------------------- on a toy

SETUP = "import math"
TWICE = 'def twice(x):\n    """Twice x."""\n    return x * 2'
THRICE = 'def thrice(x):\n    """Three times x."""\n    return 2 * x + x'
TOY = {
    "twice": nb.Definition("twice", TWICE, Path("01_toy.ipynb")),
    "thrice": nb.Definition("thrice", THRICE, Path("02_toy.ipynb")),
}
PLANTABLE = [mutants.Mistake("twice", "x * 2", "x * 3", "wrong"), mutants.Mistake("thrice", "+ x", "- x", "wrong")]


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ("x * 4", "x * 3", "'x * 4' stands 0 times in the definition, and must stand once"),
        ("x", "y", "'x' stands 3 times in the definition, and must stand once"),
        (
            "x * 2",
            "x *",
            "the mutant does not parse: the cell that begins 'def twice(x):' is no Python: invalid syntax, line 3: "
            "'return x *'",
        ),
        ("x * 2", "(x * 2)", "'(x * 2)' in place of 'x * 2' changes nothing that runs"),
        ("Twice", "Thrice", "changes nothing that runs"),
    ],
)
def test_a_mistake_that_cannot_be_planted_is_named(old, new, expected):
    assert mutants.complaints(PLANTABLE, TOY, list(TOY)) == []
    mistake = mutants.Mistake("twice", old, new, "a factor of three")
    (complaint,) = mutants.complaints([*PLANTABLE, mistake], TOY, list(TOY))
    assert complaint.startswith("twice: a factor of three: ") and complaint.endswith(expected)
    with pytest.raises(nb.BookError):
        mutants.plant(mistake, TOY)


def test_what_is_missing_or_unknown_is_named():
    assert mutants.complaints(PLANTABLE[:1], TOY, list(TOY)) == ["thrice has no mistake in tests/support/mutations/"]
    assert mutants.complaints(PLANTABLE[:1], TOY, ["twice"]) == []
    unknown = [*PLANTABLE, mutants.Mistake("four", "x", "y", "wrong")]
    assert mutants.complaints(unknown, TOY, ["twice"]) == ["four: wrong: no chapter defines four"]
    assert mutants.chosen([], TOY) == ["twice", "thrice"] and mutants.chosen(["02"], TOY) == ["thrice"]
    assert mutants.chosen(["thrice", "1"], TOY) == ["twice", "thrice"]
    for word in ("3", "four"):
        with pytest.raises(nb.BookError, match=f"'{word}' is neither a chapter with definitions nor one"):
            mutants.chosen([word], TOY)
    with pytest.raises(nb.BookError, match="test_definitions_99.py is missing"):
        mutants.tests_of(nb.Definition("f", "", Path("99_toy.ipynb")))


CONFTEST = """
import pytest
from tools import notebooks as nb


@pytest.fixture(scope="session")
def book():
    return nb.load(list(nb.definitions()))
"""
TEST = """
def test_twice(book):
    assert book["twice"](3) == 6


def test_thrice(book):
    assert book["thrice"](3) == 9
"""
MISTAKES = """
MISTAKES = {
    "twice": [
        ("x * 2", "x * 3", "a factor of three"),
        ("x * 2", "x + x", "the same by other means"),
        ("x * 2", "x * two", "an unknown name"),
        ("return x * 2", "while True: pass", "an endless loop"),
    ],
    "thrice": [("+ x", "+ 2 * x", "one too many")],
}
"""
SCENARIOS = {  # name: (arguments, the file that is changed, what is changed, into what)
    "as it is": (["--verbose"], "test_definitions_01", "", ""),
    "failing": (["-v"], "test_definitions_01", "== 9", "== 10"),
    "no import": (["-v"], "test_definitions_01", "def test_thrice(book):", "import nothing"),
    "no test": (["-v"], "test_definitions_01", "def test_", "def check_"),
    "no definition": (["-v", "thrice"], "mutations", '("+ x", "+ 2 * x"', '("(x):", "(x, y=two):"'),
    "no start": (["thrice"], "conftest", "return", "assert '+ 2' not in nb.definitions()['thrice'].source\n    return"),
}
RUN = """
import json, os, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from tools import mutants
from tools import notebooks as nb

nb.definitions(sys.argv[2])  # importing takes longer than all the rest, and happens once
for folder in map(Path, sys.argv[2:]):
    if os.fork() == 0:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), stream)
        nb.NOTEBOOKS, mutants.TESTS, mutants.SPARE = folder, folder, 0
        sys.exit(mutants.main(json.loads((folder / "arguments").read_text())))
    _, status = os.wait()
    (folder / "status").write_text(str(os.waitstatus_to_exitcode(status)))
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The tool on a book of one chapter, whole and spoilt in several ways: {scenario: (status, output, errors)}."""
    home = tmp_path_factory.mktemp("toys")
    notebook = nbformat.v4.new_notebook()
    for source, tag in [(SETUP, "setup"), (TWICE, "define:twice"), (THRICE, "define:thrice")]:
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": [tag]}))
    for scenario, (arguments, changed, old, new) in SCENARIOS.items():
        folder = home / scenario
        folder.mkdir()
        nb.write(notebook, folder / "01_toy.ipynb")
        (folder / "arguments").write_text(json.dumps(arguments))
        listed = folder / "support" / "mutations"
        listed.mkdir(parents=True)
        for name, text in {"conftest": CONFTEST, "test_definitions_01": TEST, "mutations": MISTAKES}.items():
            assert name != changed or old in text
            path = listed / "chapter_01.py" if name == "mutations" else folder / f"{name}.py"
            path.write_text(text.replace(old, new) if name == changed and old else text)
    (home / "run.py").write_text(RUN)
    folders = [str(home / scenario) for scenario in SCENARIOS]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run([sys.executable, str(home / "run.py"), str(nb.ROOT), *folders], env=environment, check=True)
    return {
        s: (int((home / s / "status").read_text()), *((home / s / name).read_text() for name in ("out", "err")))
        for s in SCENARIOS
    }


def test_a_mistake_is_caught_and_an_equivalent_is_missed(done):
    status, said, errors = done["as it is"]
    assert status == 1 and not errors, said + errors
    said = said.splitlines()
    assert said[0].startswith("test_definitions_01.py: 2 tests pass without a mistake")
    after = {line: following.strip() for line, following in zip(said, said[1:])}
    assert after["caught  01 twice: a factor of three"] == "test_twice: assert 9 == 6"
    assert after["caught  01 twice: an unknown name"].startswith("test_twice: NameError")
    assert after["caught  01 thrice: one too many"] == "test_thrice: assert 12 == 9"
    assert after["MISSED  01 twice: the same by other means"] == "'x * 2' became 'x + x'"
    assert "caught, out of time  01 twice: an endless loop" in said
    assert [line.split() for line in said[-3:-1]] == [["01", "5", "4", "1", "1"], ["all", "5", "4", "1", "1"]]


@pytest.mark.parametrize(
    "scenario, expected",
    [
        ("failing", "does not pass without a mistake: failed, test_thrice: assert 9 == 10"),
        ("no import", "the tests cannot be collected:"),
        ("no test", "the tests cannot be collected:"),
        ("no definition", "thrice: one too many: the mutant cannot be defined: NameError"),
    ],
)
def test_what_does_not_run_is_not_caught(done, scenario, expected):
    status, said, errors = done[scenario]
    assert status == 2 and expected in errors and "caught" not in said, said + errors


def test_a_mutant_whose_tests_cannot_start_is_not_caught(done):
    """The fixture that loads the definitions cannot, with the mistake only: no test has failed."""
    status, said, errors = done["no start"]
    assert status == 2 and "BROKEN  01 thrice: one too many" in said, said + errors
    assert "the definitions cannot be loaded: AssertionError" in said
