"""Setting up: when an environment is built, what the links lead to, where torch comes from, what is pinned where."""

import http.server
import os
import re
import subprocess
import sys
import threading

import pytest

from tools import notebooks as nb
from tools import setup

HERE = sys.version_info[:2]
README, MAKEFILE = nb.ROOT / "README.md", nb.ROOT / "Makefile"


@pytest.fixture
def root(tmp_path):
    for name in set(sum(setup.FILES.values(), ())):
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def built(root):
    """A stand-in for building, and the list of what it built. Each environment holds one file."""
    made = []

    def build(what, store, root):
        folder = store / f"{what}-{len(made)}"
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").write_text("")
        (folder / "pyvenv.cfg").write_text(f"version = {HERE[0]}.{HERE[1]}.0\n")
        (folder / ".ready").write_text(setup.fingerprint(what, HERE, root) + "\n")
        made.append(what)
        return folder

    build.made = made
    return build


def ensure(what, root, build, named=False):
    setup.ensure(what, named, root, build)
    return (root / setup.LINKS[what]).resolve().name


def test_set_up_once_and_not_for_a_new_date(root, built):
    assert ensure("all", root, built) == "all-0"
    for path in root.glob("*.txt"):
        os.utime(path, (2e9, 2e9))
    assert ensure("all", root, built, named=True) == "all-0" and built.made == ["all"]


@pytest.mark.parametrize("name", setup.FILES["all"])
def test_a_changed_file_builds_beside_and_turns_the_link(root, built, name):
    ensure("all", root, built)
    running = root / ".venv" / "running"
    running.touch()
    before = (root / name).read_text(encoding="utf-8")
    (root / name).write_text("# another\n", encoding="utf-8")

    def fails(what, store, root):
        raise setup.SetupError("no network")

    with pytest.raises(setup.SetupError):
        ensure("all", root, fails)
    assert running.exists() and (root / ".venv").resolve().name == "all-0"
    assert ensure("all", root, built) == "all-1"
    assert (root / ".venvs" / "all-0" / "running").exists()  # what runs there goes on
    (root / name).write_text(before, encoding="utf-8")
    assert ensure("all", root, built) == "all-0" and built.made == ["all", "all"]


def test_at_most_two_are_kept(root, built):
    for text in "abc":
        (root / "requirements.txt").write_text(f"# {text}\n", encoding="utf-8")
        ensure("all", root, built)
    assert {p.name for p in (root / ".venvs").iterdir() if p.is_dir()} == {"all-1", "all-2"}


def test_a_folder_of_an_older_edition_gives_way(root, built):
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / ".ready").touch()
    assert ensure("all", root, built) == "all-0"
    assert (root / ".venv").is_symlink() and [p.name for p in (root / ".venvs").iterdir() if p.is_dir()] == ["all-0"]


def test_half_an_environment_is_not_ready(root, built):
    ensure("all", root, built)
    (root / ".venvs" / "all-0" / "bin" / "python").unlink()
    assert ensure("all", root, built) == "all-1"
    (root / ".venvs" / "all-1" / ".ready").unlink()
    assert ensure("all", root, built) == "all-2"


def test_a_moved_repository_is_set_up_again(root, built, tmp_path_factory):
    ensure("all", root, built)
    moved = tmp_path_factory.mktemp("elsewhere") / "book"
    root.rename(moved)
    assert not setup.is_ready(moved / ".venv", "all", None, moved)
    moved.rename(root)


def test_the_site_takes_the_full_environment_where_there_is_one(root, built):
    assert ensure("site", root, built) == "site-0"
    assert ensure("site", root, built) == "site-0"
    assert ensure("all", root, built) == "all-1"
    assert ensure("site", root, built) == "all-1"
    assert built.made == ["site", "all"]


def test_another_python_only_where_it_is_named(root, built):
    ensure("all", root, built)
    folder = root / ".venvs" / "all-0"
    (folder / "pyvenv.cfg").write_text("version = 3.99.1\n")
    (folder / ".ready").write_text(setup.fingerprint("all", (3, 99), root))
    assert ensure("all", root, built) == "all-0"
    assert ensure("all", root, built, named=True) == "all-1"


@pytest.mark.parametrize(("version", "passes"), [((3, 10), False), ((3, 6), False), ((3, 11), True), ((4, 0), True)])
def test_an_old_python_is_told_what_to_type(version, passes):
    said = setup.refusal(version, "python3", "test")
    have = ".".join(map(str, version))
    refused = (
        f"This book needs Python 3.11 or newer, and python3 is {have}. Name another one: make test PYTHON=python3.11"
    )
    assert said == (None if passes else refused)


def test_the_file_that_refuses_an_old_python_can_be_read_by_it():
    """Python 3.6 is the oldest that somebody may still have."""
    import ast

    ast.parse((nb.ROOT / "tools" / "setup.py").read_text(encoding="utf-8"), feature_version=(3, 6))


# ---------------------------------------------------------------- where torch comes from


@pytest.fixture
def index():
    """A package index on this machine, with a page for torch and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/cpu/torch/" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_torch_comes_from_the_index_that_answers(index, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(setup, "TORCH_INDEX", f"{index}/cpu")
    monkeypatch.delenv("TORCH_INDEX", raising=False)
    assert setup.torch_index() == (f"{index}/cpu", f"torch: from {index}/cpu")
    monkeypatch.setattr(setup, "TORCH_INDEX", f"{index}/none")
    chosen, line = setup.torch_index()
    assert chosen is None and "does not answer" in line and "2 GB" in line


@pytest.mark.parametrize("broken", ["http://127.0.0.1:9", "nonsense", "http://no.such.host.invalid/whl"])
def test_an_index_that_cannot_be_reached_is_no_failure(monkeypatch, broken):
    monkeypatch.setenv("TORCH_INDEX", broken)
    assert setup.torch_index()[0] is None


def test_another_index_or_none_can_be_named(index, monkeypatch):
    monkeypatch.setenv("TORCH_INDEX", f"{index}/cpu/")
    assert setup.torch_index()[0] == f"{index}/cpu/"
    monkeypatch.setenv("TORCH_INDEX", "")
    assert setup.torch_index() == (None, "torch: from the usual index")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_than_on_linux_the_usual_index_is_asked(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delenv("TORCH_INDEX", raising=False)
    assert setup.torch_index()[0] is None


@pytest.mark.parametrize(("asked", "program"), [("", sys.executable), ("0", sys.executable), ("1", "/usr/bin/uv")])
def test_uv_only_where_it_is_asked_for(monkeypatch, asked, program, root):
    ran = []
    monkeypatch.setenv("BOOK_UV", asked)
    monkeypatch.setenv("TORCH_INDEX", "")
    monkeypatch.setattr(setup.shutil, "which", lambda name: "/usr/bin/uv")
    monkeypatch.setattr(
        setup.subprocess, "run", lambda command, **how: ran.append(command) or subprocess.CompletedProcess(command, 0)
    )
    setup.install(sys.executable, "all", root)
    assert [command[0] for command in ran] == [program]
    assert ran[0][-2:] == ["--requirement", "requirements.txt"]


# ---------------------------------------------------------------- what is pinned


def pins(name):
    lines = (nb.ROOT / name).read_text(encoding="utf-8").splitlines()
    return [setup.canonical(line.partition("==")[0]) for line in lines if "==" in line and not line.startswith("#")]


def test_everything_is_pinned_once():
    found = pins("requirements.txt") + pins("constraints.txt")
    assert sorted(found) == sorted(set(found))


def test_the_sites_packages_have_the_versions_of_the_others():
    lines = [line for line in (nb.ROOT / "requirements-site.txt").read_text(encoding="utf-8").splitlines() if line]
    names = [line for line in lines if not line.startswith(("#", "-c"))]
    assert "-c requirements.txt" in lines and set(names) <= set(pins("requirements.txt"))


def test_make_constraints_reproduces_the_file():
    """From what the environment that runs this holds, if that is what the files ask for."""
    environment = nb.ROOT / ".venv"
    if sys.prefix != str(environment) or not setup.is_ready(environment, "all", None):
        pytest.skip("these tests do not run in an environment that make set up")
    if HERE != setup.OLDEST:
        pytest.skip("constraints.txt is written by the oldest Python that the book supports")
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    )
    assert setup.constraints_text(listed.stdout) == (nb.ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_constraints_leave_out_what_requirements_pin(root):
    (root / "requirements.txt").write_text("-c constraints.txt\n# a==1\nPillow==1\nruamel.yaml==2\n", encoding="utf-8")
    text = setup.constraints_text("b==2\na==1\npillow==1\npip==3\nruamel-yaml==2\nJinja2==3\n", root)
    assert text == setup.HEADER + "a==1\nb==2\nJinja2==3\n"


# ---------------------------------------------------------------- what the README and the workflows call


def targets():
    return set(re.findall(r"^([a-z-]+):", MAKEFILE.read_text(encoding="utf-8"), re.M))


def unknown_commands(text):
    """`make` commands of a text that the Makefile does not have."""
    code = "\n".join(re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S) + re.findall(r"`([^`\n]+)`", text))
    return sorted(set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) - targets())


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", ".github/pull_request_template.md"])
def test_the_commands_that_are_named_exist(name):
    assert not unknown_commands((nb.ROOT / name).read_text(encoding="utf-8"))
    assert unknown_commands("`make nothing`\n```bash\nmake book\nmake tset\n```\n") == ["nothing", "tset"]


def test_make_help_names_the_commands():
    shown = MAKEFILE.read_text(encoding="utf-8").partition("\n\n")[0]
    internal = {"help", "setup-site", "constraints", "clean"}
    assert targets() - set(re.findall(r"^# make ([a-z-]+)", shown, re.M)) == internal


WORKFLOWS = sorted((nb.ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit(path):
    """A tag can be moved to other code, a commit cannot. The comment is what Dependabot and readers go by."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    pinned = re.compile(r"(- )?uses: (\./\S+|[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)")
    assert not [line for line in lines if not pinned.fullmatch(line)]


def test_continuous_integration_skips_nothing():
    runs = (nb.ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for word in ("BOOK_REQUIRE_BROWSER=1", "BOOK_REQUIRE_DATA=1", "make lint", "make test"):
        assert re.search(rf"^(export )?{word}$", runs, re.M), word
    assert "- run: .ci/run" in (nb.ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
