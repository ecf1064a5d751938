"""Run a study and store what it measured:  python tools/study.py NAME   (or: make study NAME=...)

studies/NAME.py holds `ABOUT` (one sentence), `USES` (the definitions it runs) and `run(book, report)`,
which trains and returns a dictionary of plain numbers and lists. `book` is the namespace of those
definitions, taken from the notebooks by tag. The result goes to studies/NAME.json together with how it
came about and a hash of the definitions and of the script; a test rejects a study whose code has changed since.
"""

import argparse
import importlib.util
import json
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import notebooks as nb

LIMIT = 20_000  # bytes: the chapter that plots a study carries it


def script(name):
    path = nb.STUDIES / f"{name}.py"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in nb.STUDIES.glob("*.py")))
        raise nb.BookError(f"there is no study called {name!r}; there are: {known}")
    spec = importlib.util.spec_from_file_location(f"study_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def current_hash(name):
    text = (nb.STUDIES / f"{name}.py").read_text(encoding="utf-8")
    return nb.definitions_hash(script(name).USES, nb.definitions(), text)


def is_current(name):
    """Whether the stored result comes from the definitions and the script as they are now."""
    stored = json.loads((nb.STUDIES / f"{name}.json").read_text(encoding="utf-8"))
    return stored["definitions"]["hash"] == current_hash(name)


def run(name):
    import torch

    module = script(name)
    torch.set_num_threads(1)
    book = nb.load(module.USES)
    started = time.perf_counter()
    results = module.run(book, lambda message: print(message, flush=True))
    table = nb.definitions()
    study = {
        "study": name,
        "about": module.ABOUT,
        "command": f"make study NAME={name}",
        "machine": f"{platform.machine()}, {book['device'].type}, torch {torch.__version__}, 1 thread",
        "seconds": round(time.perf_counter() - started),
        "definitions": {"names": nb.needed(module.USES, table), "hash": current_hash(name)},
        "results": results,
    }
    text = json.dumps(study, indent=1) + "\n"
    if len(text) > LIMIT:
        raise nb.BookError(f"the result of {name} takes {len(text)} bytes; {LIMIT} is the most a chapter can carry")
    (nb.STUDIES / f"{name}.json").write_text(text, encoding="utf-8")
    return study


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    options = parser.parse_args(arguments)
    try:
        study = run(options.name)
    except nb.BookError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"studies/{options.name}.json: {study['seconds']} s; now `make recaps` and execute the chapter that plots it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
