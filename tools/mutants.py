"""Plant mistakes in the definitions and see the tests catch them:  python tools/mutants.py [CHAPTER or DEFINITION ...]

tests/support/mutations/ lists the mistakes, chapter by chapter. A mutant is the book's definitions with one mistake in
one of them; the chapter's definition tests run on it until the first fails. The mutant is caught if a test fails, an
error raised in a test included, or if the tests use up several times the processor time they need (an endless loop). It
is missed if all pass.
No file is changed: a mutant exists in memory only. Without a mistake the tests must pass.

torch, pytest and the tests are imported once; every mutant is a fork of that process, with one thread, at most two at a
time. The quickest tests go first, and each starts from the same random state, so that their order does not matter.

Exit status: 0 all caught; 1 one or more missed; 2 a mistake that cannot be planted, a definition without one, or tests
that fail without a mistake.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import random
import resource
import runpy
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest

from tools import kernel
from tools import notebooks as nb

TESTS = nb.ROOT / "tests"
THREADS = dict.fromkeys(kernel.LIBRARIES, "1")
SPARE, TIMES = 20, 3  # a mutant's tests may use 20 s of processor time and three times what they need without a mistake
PATIENCE = 10  # and ten times that by the clock, should they wait and not work


# ---------------------------------------------------------------- the list


@dataclasses.dataclass(frozen=True)
class Mistake:
    definition: str
    old: str  # a text that stands exactly once in the definition's source
    new: str  # what stands there in the mutant
    breaks: str  # what is wrong then, in a line

    def __str__(self):
        return f"{self.definition}: {self.breaks}"


def mistakes():
    """Every listed mistake, in the list's order."""
    listed = {}
    for path in sorted((TESTS / "support" / "mutations").glob("chapter_[0-9][0-9].py")):
        listed |= runpy.run_path(str(path))["MISTAKES"]
    return [Mistake(name, *entry) for name, entries in listed.items() for entry in entries]


def plant(mistake, table):
    """The source of a definition with the mistake in it.

    Raises BookError, which names the mistake, if there is no such definition, if the text is not found exactly
    once, or if what comes out does not parse or is the same code.
    """
    if mistake.definition not in table:
        raise nb.BookError(f"{mistake}: no chapter defines {mistake.definition}")
    source = table[mistake.definition].source
    found = source.count(mistake.old)
    if found != 1:
        raise nb.BookError(f"{mistake}: {mistake.old!r} stands {found} times in the definition, and must stand once")
    mutant = source.replace(mistake.old, mistake.new)
    try:
        parsed = nb.parse(mutant)
    except nb.BookError as error:
        raise nb.BookError(f"{mistake}: the mutant does not parse: {error}") from None
    if nb.shape(parsed) == nb.shape(nb.parse(source)):
        raise nb.BookError(f"{mistake}: {mistake.new!r} in place of {mistake.old!r} changes nothing that runs")
    return mutant


def complaints(listed, table, names):
    """What is wrong with the list, for the definitions `names`: mistakes that cannot be planted, definitions
    without one, and mistakes in what no chapter defines.
    """
    found, counts = [], Counter(mistake.definition for mistake in listed)
    for mistake in listed:
        if mistake.definition in names or mistake.definition not in table:
            try:
                plant(mistake, table)
            except nb.BookError as error:
                found.append(str(error))
    return found + [f"{name} has no mistake in tests/support/mutations/" for name in names if not counts[name]]


def chosen(words, table):
    """The definitions that `words`, chapter numbers and names of definitions, mean; all if there are none.

    Raises BookError for a word that is neither.
    """
    names = []
    for word in words:
        found = [n for n, d in table.items() if n == word or word.isdigit() and d.chapter == int(word)]
        if not found:
            raise nb.BookError(f"{word!r} is neither a chapter with definitions nor one; there are: {', '.join(table)}")
        names += found
    return [n for n in table if n in names or not words]


def tests_of(definition):
    """The test file that a definition's mutants have to fear. Raises BookError if there is none."""
    path = TESTS / f"test_definitions_{definition.chapter:02d}.py"
    if not path.is_file():
        raise nb.BookError(f"{definition.name} of {definition.path.name} has no tests: {path.name} is missing")
    return path


# ---------------------------------------------------------------- one run of the tests


class Watch:
    """A plugin for pytest: orders the tests, gives each the same random state, and notes how they went."""

    def __init__(self, costs=None, limit=None):
        self.costs, self.limit = costs or {}, limit
        self.failed, self.broken, self.run = None, None, 0
        self.seconds, self.fixtures, self.uses = Counter(), Counter(), {}

    def pytest_collectreport(self, report):
        if report.failed:
            self.broken = str(report.longrepr)

    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.costs.get(item.nodeid, 0.0))
        self.uses = {item.nodeid: item.fixturenames for item in items}

    def pytest_collection_finish(self):
        if self.limit:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _, most = resource.getrlimit(resource.RLIMIT_CPU)
            resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + self.limit) + 2, most))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        started = time.perf_counter()
        try:
            return (yield)
        except Exception as error:
            if fixturedef.argname == "book":  # a mutant that cannot be loaded says nothing about the tests
                self.broken = f"the definitions cannot be loaded: {type(error).__name__}: {error}"
            raise
        finally:
            took = time.perf_counter() - started
            self.fixtures[fixturedef.argname] = max(self.fixtures[fixturedef.argname], took)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self):
        random.seed(2017)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(2017)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(2017)

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.run += not report.skipped
            self.seconds[report.nodeid] = report.duration
        if report.failed and self.failed is None:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = crash.message.splitlines()[0] if crash and crash.message else "failed"
            self.failed = f"{report.nodeid.split('::', 1)[-1]}: {reason}"

    def result(self):
        """("passed", "failed" or "broken", why), and the seconds each test costs with all that it is given."""
        costs = {test: self.seconds[test] + sum(self.fixtures[f] for f in names) for test, names in self.uses.items()}
        if self.broken or not self.run and not self.failed:
            return "broken", self.broken or "no test ran", costs
        return "failed" if self.failed else "passed", self.failed or "", costs


def run_tests(path, table, watch):
    """Run a test file on the definitions in `table`, in this process, which is not fit for anything afterwards."""
    real = nb.definitions
    nb.definitions = lambda folder=None: table if folder is None else real(folder)
    started = time.process_time()
    pytest.main(["-x", "-q", "-p", "no:cacheprovider", str(path)], plugins=[watch])
    return (*watch.result(), time.process_time() - started)


@dataclasses.dataclass(frozen=True)
class Outcome:
    status: str  # passed, failed, timed out, or broken: the tests could not run
    why: str
    costs: dict = dataclasses.field(default_factory=dict)  # seconds a test
    seconds: float = 0.0  # of processor time, for all tests


@dataclasses.dataclass
class Run:
    """The tests of a file on a table of definitions, in a process of their own."""

    label: object
    path: Path
    table: dict
    costs: dict | None = None
    limit: float | None = None

    def start(self, folder):
        self.log, self.answer = folder / f"{id(self)}.log", folder / f"{id(self)}.json"
        self.started = time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            return self
        try:  # the child
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT)
            os.dup2(log, 1)
            os.dup2(log, 2)
            self.answer.write_text(json.dumps(run_tests(self.path, self.table, Watch(self.costs, self.limit))))
        except BaseException as error:  # nothing may return to the parent's code
            self.answer.write_text(json.dumps(("broken", f"{type(error).__name__}: {error}", {}, 0.0)))
        finally:
            os._exit(0)

    def outcome(self):
        """None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            late = self.limit and time.monotonic() - self.started > PATIENCE * self.limit
            if not late:
                return None
            self.kill()
            return Outcome("timed out", "by the clock")
        self.pid = None
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return Outcome("timed out", "processor time")
        if self.answer.is_file():
            with contextlib.suppress(json.JSONDecodeError):
                return Outcome(*json.loads(self.answer.read_text()))
        said = self.log.read_text(errors="replace")[-1000:]
        return Outcome("broken", f"the process ended with status {os.waitstatus_to_exitcode(status)}\n{said}")

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None


def run_all(runs, jobs):
    """Start the runs in order, `jobs` at a time; yields (run, outcome) as they end."""
    waiting, running = list(runs), []
    with tempfile.TemporaryDirectory() as folder:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(waiting.pop(0).start(Path(folder)))
                ended = [(run, outcome) for run in running if (outcome := run.outcome())]
                running = [run for run in running if run.pid]
                yield from ended
                if not ended:
                    time.sleep(0.01)
        finally:
            for run in running:
                run.kill()


# ---------------------------------------------------------------- all of it


def warm_up(table, paths):
    """Import here what every run needs, so that a fork has it at once; returns the loaded definitions.

    Nothing is computed: a process in which autograd has run cannot be forked. Raises BookError if a test file
    cannot be imported.
    """
    os.environ |= THREADS  # before anything imports NumPy or torch
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1"}  # a GPU does not survive a fork
    namespace = nb.load(list(table))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    said, watch = io.StringIO(), Watch()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *map(str, paths)], plugins=[watch])
    if status != 0:
        raise nb.BookError(f"the tests cannot be collected:\n{watch.broken or said.getvalue()}")
    return namespace


def unharmed(table, paths, jobs):
    """Run each test file without a mistake, in its own order and then in that in which mutants meet it.

    Returns {path: outcome of the first}. Raises BookError if one does not pass.
    """
    found = {}
    for order in ("", " with the quickest tests first"):
        runs = [Run(f"{path.name}{order}", path, table, found[path].costs if order else None) for path in paths]
        for run, outcome in run_all(runs, jobs):
            if outcome.status != "passed":
                raise nb.BookError(f"{run.label} does not pass without a mistake: {outcome.status}, {outcome.why}")
            if order:
                continue
            found[run.path] = outcome
            seconds = f"in {outcome.seconds:.0f} s"
            print(f"{run.label}: {len(outcome.costs)} tests pass without a mistake, {seconds}", flush=True)
    return found


def mutants(listed, table, namespace, plain):
    """The runs of the mistakes, each with its definition replaced.

    Raises BookError if a mutant cannot even be defined: that it fails would say nothing about the tests.
    """
    runs = []
    for mistake in listed:
        source, definition = plant(mistake, table), table[mistake.definition]
        try:
            exec(compile(source, f"<{mistake.definition}, mutated>", "exec"), dict(namespace))
        except Exception as error:
            raise nb.BookError(f"{mistake}: the mutant cannot be defined: {type(error).__name__}: {error}") from None
        path = tests_of(definition)
        changed = table | {mistake.definition: dataclasses.replace(definition, source=source)}
        limit = SPARE + TIMES * plain[path].seconds
        runs.append(Run(mistake, path, changed, plain[path].costs, limit))
    return runs


def report(mistake, chapter, outcome, verbose):
    """A line for a mutant that was missed, or could not be run, or that took too long; for all if `verbose`."""
    word = {"passed": "MISSED", "failed": "caught", "timed out": "caught, out of time", "broken": "BROKEN"}
    if outcome.status == "failed" and not verbose:
        return
    print(f"{word[outcome.status]}  {chapter:02d} {mistake}", flush=True)
    if outcome.status == "passed":
        print(f"        {mistake.old!r} became {mistake.new!r}", flush=True)
    elif outcome.why:
        print("        " + outcome.why.strip().replace("\n", "\n        "), flush=True)


def scores(counts, seconds):
    """The table: caught of planted for each chapter. `counts` maps (chapter, status) to a number."""
    lines = [f"{'chapter':8s}{'planted':>9s}{'caught':>8s}{'missed':>8s}{'out of time':>13s}"]
    chapters = sorted({chapter for chapter, _ in counts})
    for name, group in [*((f"{c:02d}", [c]) for c in chapters), ("all", chapters)]:
        n = Counter()
        for (chapter, status), count in counts.items():
            n[status] += count * (chapter in group)
        caught = n["failed"] + n["timed out"]
        lines.append(f"{name:8s}{n.total():9d}{caught:8d}{n['passed']:8d}{n['timed out']:13d}")
    return "\n".join([*lines, f"in {seconds:.0f} s"])


def show(listed, table):
    """The list of mistakes, as text."""
    lines = []
    for mistake in listed:
        lines.append(f"{table[mistake.definition].chapter:02d} {mistake}")
        lines.append(f"        {mistake.old!r} becomes {mistake.new!r}")
    return "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="CHAPTER or DEFINITION", help="such as 07 or attend; all if none")
    parser.add_argument("--list", action="store_true", help="show the mistakes and run nothing")
    parser.add_argument("--verbose", "-v", action="store_true", help="name the test that catches each")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=min(2, os.cpu_count() or 1), help="processes")
    options = parser.parse_args(arguments)
    started, counts = time.monotonic(), Counter()
    try:
        table, listed = nb.definitions(), mistakes()
        names = chosen(options.names, table)
        wrong = complaints(listed, table, names)
        if wrong:
            raise nb.BookError("\n".join(wrong))
        listed = [mistake for mistake in listed if mistake.definition in names]
        if options.list:
            print(show(listed, table))
            return 0
        paths = list(dict.fromkeys(tests_of(table[name]) for name in names))
        namespace = warm_up(table, paths)
        runs = mutants(listed, table, namespace, unharmed(table, paths, options.jobs))
        for run, outcome in run_all(runs, options.jobs):
            chapter = table[run.label.definition].chapter
            counts[chapter, outcome.status] += 1
            report(run.label, chapter, outcome, options.verbose)
    except nb.BookError as error:
        print(error, file=sys.stderr)
        return 2
    print(scores(counts, time.monotonic() - started))
    statuses = {status for _, status in counts}
    return 2 if "broken" in statuses else 1 if "passed" in statuses else 0


if __name__ == "__main__":
    sys.exit(main())
