"""Make the environment that the commands run in:  python tools/setup.py [site | constraints] [--named]

    python tools/setup.py              .venv, for everything
    python tools/setup.py site         .venv-site, for building the site: .venv where that is ready, else a smaller one
    python tools/setup.py constraints  write constraints.txt from .venv

An environment is known by a hash of the files that say what is in it, of the Python it was made with and of the folder
it stands in, so that a new date on a file changes nothing. It is built in .venvs beside the one in use; .venv and
.venv-site are links, turned to the new one once it is whole. The one that was in use before is kept, older ones go.

This file runs before anything is installed: the standard library only, and syntax that an old Python can read.
"""

import argparse
import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
FILES = {
    "all": ("requirements.txt", "constraints.txt"),
    "site": ("requirements-site.txt", "requirements.txt", "constraints.txt"),
}
LINKS = {"all": ".venv", "site": ".venv-site"}
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"  # for Linux, where PyPI's torch brings 2 GB of CUDA
WAIT = 5  # seconds for that index to answer
NOT_PINNED = {"pip", "setuptools", "wheel"}  # python -m venv brings these
HEADER = "# What requirements.txt brings along, pinned as tested: make constraints writes this file from .venv.\n"


class SetupError(Exception):
    """What a reader is told instead of a traceback."""


def refusal(version, name, goals):
    """Why this Python will not do, or None."""
    if version >= OLDEST:
        return None
    needed, have = (".".join(map(str, numbers)) for numbers in (OLDEST, version))
    return (
        f"This book needs Python {needed} or newer, and {name} is {have}. "
        f"Name another one: make {goals or 'book'} PYTHON=python3.11"
    )


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def fingerprint(what, version, root=ROOT):
    """The hash of everything that decides what is in an environment."""
    parts = [what, ".".join(map(str, version)), sys.platform, platform.machine(), str(root)]
    digest = hashlib.sha256("\n".join(parts).encode())
    for name in FILES[what]:
        digest.update(b"\0" + (root / name).read_bytes())
    return digest.hexdigest()


def version_of(environment):
    """(major, minor) of the Python that an environment was made with, or None."""
    try:
        match = re.search(r"^version\s*=\s*(\d+)\.(\d+)", (environment / "pyvenv.cfg").read_text(), re.M)
    except OSError:
        return None
    return (int(match.group(1)), int(match.group(2))) if match else None


def is_ready(environment, what, version, root=ROOT):
    """Whether it is what the files ask for. Without a version, whatever Python it was made with will do."""
    version = version or version_of(environment)
    try:
        stamp = (environment / ".ready").read_text().strip()
    except OSError:
        return False
    return bool(version) and stamp == fingerprint(what, version, root) and (environment / "bin" / "python").exists()


def point(link, target):
    """Turn a link to another folder in one step. A real folder of that name, as older editions made it, gives way."""
    beside = link.with_name(link.name + ".new")
    if beside.is_symlink():
        beside.unlink()
    beside.symlink_to(os.path.relpath(target, link.parent))
    if link.is_symlink() or not link.exists():
        os.replace(beside, link)
        return
    old = Path(tempfile.mkdtemp(prefix="old-", dir=target.parent))
    os.replace(link, old / link.name)
    os.replace(beside, link)
    shutil.rmtree(old, ignore_errors=True)


def sweep(store, root, before):
    """Remove what neither a link leads to nor was in use before."""
    kept = {(root / link).resolve() for link in LINKS.values()} | before
    for folder in store.iterdir():
        if folder.is_dir() and folder.resolve() not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def answers(index):
    """Whether a package index has a page for torch that can be had now."""
    try:
        with urllib.request.urlopen(index.rstrip("/") + "/torch/", timeout=WAIT) as reply:
            return reply.status == 200
    except (OSError, ValueError, urllib.error.URLError):
        return False


def torch_index():
    """The index to ask for torch beside the usual one, or None, and the line that says so."""
    index = os.environ.get("TORCH_INDEX", TORCH_INDEX if sys.platform == "linux" else "").strip()
    if not index:
        return None, "torch: from the usual index"
    if answers(index):
        return index, f"torch: from {index}"
    return None, f"torch: {index} does not answer, so from the usual index (for Linux PyPI has it with CUDA, 2 GB)"


def install(python, what, root):
    """Install what the files name. uv only where BOOK_UV=1 asks for it: it does not read pip's settings."""
    index = None
    if what == "all":
        index, line = torch_index()
        print(line, flush=True)
    if os.environ.get("BOOK_UV", "") not in ("", "0"):
        uv = shutil.which("uv")
        if uv is None:
            raise SetupError("BOOK_UV is set, and uv was not found")
        command = [uv, "pip", "install", "--quiet", "--python", str(python), "--index-strategy", "unsafe-best-match"]
    else:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if index:
        command += ["--extra-index-url", index]
    done = subprocess.run([*command, "--requirement", FILES[what][0]], cwd=str(root))
    if done.returncode:
        raise SetupError(f"the packages could not be installed; {LINKS[what]} is as it was")


def build(what, store, root):
    """A new environment of this Python, whole or not at all."""
    key = fingerprint(what, sys.version_info[:2], root)
    folder = store / f"{what}-py{sys.version_info[0]}.{sys.version_info[1]}-{key[:12]}"
    if folder.exists():
        shutil.rmtree(folder)
    print(f"Setting up {LINKS[what]} (once; the README says what it downloads)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install(folder / "bin" / "python", what, root)
    (folder / ".ready").write_text(key + "\n")
    return folder


@contextlib.contextmanager
def alone(store):
    """One set-up at a time: two makes at once would build the same thing twice."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find(what, version, root=ROOT):
    """A ready environment that will do, the one in use before others, or None. The full one builds the site too."""
    store = root / ".venvs"
    folders = [root / LINKS[what], *(sorted(store.iterdir()) if store.is_dir() else [])]
    for kind in ("all", "site") if what == "site" else ("all",):
        for folder in folders:
            if is_ready(folder, kind, version, root):
                return folder.resolve()
    return None


def ensure(what, named, root=ROOT, build=build):
    """Make .venv or .venv-site lead to a ready environment; build one only where there is none."""
    link, store = root / LINKS[what], root / ".venvs"
    version = sys.version_info[:2] if named else None
    found = find(what, version, root)
    if found and link.resolve() == found:
        return
    store.mkdir(exist_ok=True)
    (store / ".gitignore").write_text("*\n")
    with alone(store):
        before = {(root / name).resolve() for name in LINKS.values() if (root / name).is_symlink()}
        found = find(what, version, root)
        if found is None:
            name, goals = os.path.basename(sys.executable), os.environ.get("MAKECMDGOALS")
            complaint = refusal(sys.version_info[:2], name, goals)
            if complaint:
                raise SetupError(complaint)
            found = build(what, store, root)
        point(link, found)
        sweep(store, root, before)


def direct(root=ROOT):
    """The packages that requirements.txt pins itself."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {canonical(line.partition("==")[0]) for line in lines if "==" in line and not line.startswith("#")}


def constraints_text(listed, root=ROOT):
    """constraints.txt, from what `pip list --format=freeze` prints."""
    skip = direct(root) | NOT_PINNED
    pins = {canonical(line.partition("==")[0]): line.strip() for line in listed.splitlines() if "==" in line}
    return HEADER + "".join(pins[name] + "\n" for name in sorted(pins) if name not in skip)


def write_constraints(root=ROOT):
    """Write the file from .venv, which then holds exactly what the files say: its stamp follows."""
    environment = root / LINKS["all"]
    command = [
        str(environment / "bin" / "python"),
        "-m",
        "pip",
        "list",
        "--format=freeze",
        "--disable-pip-version-check",
    ]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    path = root / "constraints.txt"
    beside = path.with_name(path.name + ".new")
    beside.write_text(constraints_text(listed, root), encoding="utf-8")
    os.replace(str(beside), str(path))
    (environment / ".ready").write_text(fingerprint("all", version_of(environment), root) + "\n")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("all", "site", "constraints"), default="all")
    parser.add_argument("--named", action="store_true", help="an environment of another Python will not do")
    options = parser.parse_args(arguments)
    try:
        if options.what == "constraints":
            write_constraints()
        else:
            ensure(options.what, options.named)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
