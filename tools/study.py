"""Run a study and store what it measured:  python tools/study.py NAME   (or: make study NAME=...)

studies/NAME.py holds `ABOUT` (one sentence), `USES` (the definitions it runs) and either `run(book, report)`,
which trains and returns a dictionary of plain numbers and lists, or three functions that divide it into runs:
`plan(done)` lists the runs that are wanted, each a tuple of strings and numbers, given the results so far (a learning
rate is chosen, then tried with other seeds); `measure(book, *job)` does one of them; `gather(done)`, or
`gather(done, book)`, makes the result.
Such a study keeps every run as it ends, in studies/.runs/, so that one that was stopped goes on where it was, and
BOOK_WORKERS=N does N runs at a time, one thread each.

`book` is the namespace of those
definitions, taken from the notebooks by tag. What several studies share stands in studies/common.py. The result
goes to studies/NAME.json together with how it came about, a checksum of the results and a hash of the definitions
and of the script; a test rejects a study whose code has changed since, or whose results were written by hand.

Where code has changed and does the same,  python tools/study.py NAME --same "why"  says so in the stored file: it
keeps the results and the hash they were measured with, and adds the hash of the code now and the reason. (--all: of
every study whose code has changed.)
"""

import argparse
import hashlib
import importlib.util
import inspect
import json
import multiprocessing
import os
import platform
import sys
import time
import types
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import notebooks as nb

LIMIT = 20_000  # bytes: the chapter that plots a study carries it
COMMON = "common"  # studies/common.py, which is no study


def names():
    """The studies that have a script."""
    return sorted(path.stem for path in nb.STUDIES.glob("*.py") if path.stem != COMMON)


def source(name):
    path = nb.STUDIES / f"{name}.py"
    if not path.is_file() or name == COMMON:
        raise nb.BookError(f"there is no study called {name!r}; there are: {', '.join(names())}")
    return path.read_text(encoding="utf-8")


def load_source(label, path):
    spec = importlib.util.spec_from_file_location(label, path)
    module = importlib.util.module_from_spec(spec)
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # as it is now, and not as it was cached
    return module


def script(name):
    """The study's module; `from studies import common` in it finds the file beside it."""
    source(name)
    package = types.ModuleType("studies")
    before = sys.modules.get("studies")
    sys.modules["studies"] = package
    try:
        if (nb.STUDIES / f"{COMMON}.py").is_file():
            package.common = load_source(f"studies.{COMMON}", nb.STUDIES / f"{COMMON}.py")
        return load_source(f"study_{name}", nb.STUDIES / f"{name}.py")
    finally:
        if before is None:
            del sys.modules["studies"]
        else:
            sys.modules["studies"] = before


def current_hash(name):
    """A hash of what the definitions, the script and, if it is imported, studies/common.py do."""
    text = source(name)
    found = nb.definitions_hash(script(name).USES, nb.definitions(), text)
    if COMMON not in nb.bound_names(text):
        return found
    shared = nb.definitions_hash([], {}, (nb.STUDIES / f"{COMMON}.py").read_text(encoding="utf-8"))
    return hashlib.sha256(f"{found} {shared}".encode()).hexdigest()[:16]


def checksum(results):
    """A hash of the results as a file holds them."""
    text = json.dumps(json.loads(json.dumps(results)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stored(name):
    path = nb.STUDIES / f"{name}.json"
    if not path.is_file():
        raise nb.BookError(f"studies/{name}.json is missing: run `make study NAME={name}`")
    return json.loads(path.read_text(encoding="utf-8"))


def by_hand(study):
    """Whether the results are not those that a run stored."""
    return study.get("checksum") != checksum(study["results"])


def is_current(name):
    """Whether the stored result comes from the definitions and the script as they are now, and from no other hand."""
    study = stored(name)
    return study["definitions"]["hash"] == current_hash(name) and not by_hand(study)


def write(name, study):
    text = json.dumps(study, indent=1) + "\n"
    if len(text) > LIMIT:
        raise nb.BookError(f"the result of {name} takes {len(text)} bytes; {LIMIT} is the most a chapter can carry")
    nb.write_text(nb.STUDIES / f"{name}.json", text)


# ---------------------------------------------------------------- run by run


class Runs:
    """The runs of a study that are done, kept in a file as they end; those of other code are passed over."""

    def __init__(self, name, code):
        self.path = nb.STUDIES / ".runs" / f"{name}-{code}.jsonl"
        self.done, self.seconds, self.machines = {}, 0.0, set()
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                kept = json.loads(line)
                self.take(tuple(kept["job"]), kept["result"], kept["seconds"], kept["machine"])

    def take(self, job, result, seconds, machine):
        self.done[job] = result
        self.seconds += seconds
        self.machines.add(machine)

    def keep(self, job, result, seconds, machine):
        result, seconds = json.loads(json.dumps(result)), round(seconds, 1)  # as they will be read again
        self.take(job, result, seconds, machine)
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"job": job, "result": result, "seconds": seconds, "machine": machine}) + "\n")


FORKED = {}  # what the processes of a pool inherit


def one_run(job):
    import torch

    torch.set_num_threads(1)
    started = time.perf_counter()
    result = FORKED["measure"](FORKED["book"], *job)
    return job, result, time.perf_counter() - started


def do_runs(module, book, runs, workers, machine, report):
    """Do what `plan` wants, until it wants no more."""
    FORKED.update(measure=module.measure, book=book)
    while wanted := [job for job in dict.fromkeys(module.plan(runs.done)) if job not in runs.done]:
        with multiprocessing.get_context("fork").Pool(workers) if workers > 1 else nullcontext() as pool:
            for job, result, seconds in (pool.imap_unordered if pool else map)(one_run, wanted):
                runs.keep(job, result, seconds, machine)
                report(f"{job}, {seconds:.0f} s: {result}")
    wants_book = len(inspect.signature(module.gather).parameters) > 1
    return module.gather(runs.done, book) if wants_book else module.gather(runs.done)


def run(name):
    import torch

    module, code = script(name), current_hash(name)
    torch.set_num_threads(1)
    book = nb.load(module.USES)
    started = time.perf_counter()

    def report(message):
        print(message, flush=True)

    machine = f"{platform.machine()}, {book['device'].type}, torch {torch.__version__}, 1 thread"
    if hasattr(module, "run"):
        results = module.run(book, report)
        seconds = time.perf_counter() - started
    else:
        runs = Runs(name, code)
        results = do_runs(module, book, runs, int(os.environ.get("BOOK_WORKERS", "1")), machine, report)
        seconds, machine = runs.seconds, "; ".join(sorted(runs.machines))
    if current_hash(name) != code:
        raise nb.BookError(f"the code of {name} was changed while it ran: run it again")
    study = {
        "study": name,
        "about": module.ABOUT,
        "command": f"make study NAME={name}",
        "machine": machine,
        "seconds": round(seconds),
        "definitions": {"names": nb.needed(module.USES, nb.definitions()), "hash": code},
        "checksum": checksum(results),
        "results": results,
    }
    write(name, study)
    return study


def same(name, reason):
    """Store that the code as it is now does what the code did that measured the results, and why.

    Returns whether there was anything to store. The results stay as they are, and so does the hash they were
    measured with, under `ran`. Raises BookError without a reason, or where the results were written by hand.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise nb.BookError("--same wants a reason: why does the code that has changed do the same?")
    study = stored(name)
    if "checksum" in study and by_hand(study):
        raise nb.BookError(f"the results in studies/{name}.json are not those of a run: run `make study NAME={name}`")
    old, code = study["definitions"], current_hash(name)
    if code == old["hash"] and "checksum" in study:
        return False
    module, ran = script(name), old.get("ran", old["hash"])
    definitions = {"names": nb.needed(module.USES, nb.definitions()), "hash": code}
    if code != ran:
        earlier = old.get("since", "")
        since = earlier if reason in earlier else f"{earlier} {reason}".strip()
        definitions |= {"ran": ran, "since": since}
    new = {key: value for key, value in study.items() if key not in ("definitions", "checksum", "results")}
    new |= {"about": module.ABOUT, "definitions": definitions}
    write(name, new | {"checksum": checksum(study["results"]), "results": study["results"]})
    return True


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--same", metavar="REASON", help="run nothing: say why the code now does the same")
    parser.add_argument("--all", action="store_true", help="with --same: every study whose code has changed")
    options = parser.parse_args(arguments)
    try:
        if options.all == (options.name is not None):
            raise nb.BookError(f"name one study, or --all with --same; there are: {', '.join(names())}")
        if options.all and options.same is None:
            raise nb.BookError("--all goes with --same only: running every study takes many hours")
        if options.same is None:
            study = run(options.name)
            print(f"studies/{options.name}.json: {study['seconds']} s; ", end="")
            print("now `make recaps` and execute the chapter that plots it")
            return 0
        for name in names() if options.all else [options.name]:
            print(f"studies/{name}.json: {'stored' if same(name, options.same) else 'as it was'}")
    except nb.BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
