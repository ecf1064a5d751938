"""Where the buttons lead: the repository, the branch and the site's address, from what the machine knows."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_links  # noqa: E402


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Nothing from GitHub Actions and no repository around the folder."""
    for name in ("GITHUB_REPOSITORY", "GITHUB_REF_NAME", "GITHUB_BASE_REF", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def clone(folder, remote, head=None):
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "remote", "add", "origin", remote], check=True)
    if head:
        subprocess.run([*git, "symbolic-ref", "refs/remotes/origin/HEAD", f"refs/remotes/origin/{head}"], check=True)


@pytest.mark.parametrize(
    ("variable", "remote", "expected"),
    [
        ("owner/name", None, "owner/name"),
        ("owner/name", "https://github.com/another/one.git", "owner/name"),
        (None, "https://github.com/owner/name.git", "owner/name"),
        (None, "https://github.com/owner/name", "owner/name"),
        (None, "https://www.github.com/owner/name/", "owner/name"),
        (None, "git@github.com:owner/na.me.git", "owner/na.me"),
        (None, "github.com:owner/name", "owner/name"),
        (None, "ssh://git@github.com/owner/name.git", "owner/name"),
        (None, "ssh://git@ssh.github.com:443/owner/name.git", "owner/name"),
        (None, "git@ssh.github.com:owner/name.git", "owner/name"),
        (None, "https://user:secret@github.com/owner/name.git", "owner/name"),
        (None, "https://gitlab.com/owner/name.git", None),
        (None, "https://notgithub.com/owner/name.git", None),
        (None, "https://not-github.com/owner/name.git", None),
        (None, "https://example.org/github.com/owner", None),
        (None, "https://github.com.example.org/owner/name.git", None),
        (None, "/srv/github.com/owner/name.git", None),
        (None, "/srv/git/name.git", None),
        (None, None, None),
        ("nonsense", None, None),
    ],
)
def test_which_repository(tmp_path, monkeypatch, variable, remote, expected):
    monkeypatch.setattr(book_links, "real_host", lambda alias: "")
    if variable:
        monkeypatch.setenv("GITHUB_REPOSITORY", variable)
    if remote:
        clone(tmp_path, remote)
    assert book_links.find_repository(tmp_path) == expected


SSH = """#!/bin/sh
case "$2" in
    github-work) echo "user git"; echo "hostname ssh.github.com" ;;
    *) echo "hostname $2" ;;
esac
"""


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("git@github-work:owner/name.git", "owner/name"),
        ("ssh://git@github-work/owner/name.git", "owner/name"),
        ("git@github-home:owner/name.git", None),
        ("https://github-work/owner/name.git", None),  # ssh's names are ssh's alone
        ("-oProxyCommand=x:owner/name.git", None),
    ],
)
def test_a_host_that_ssh_knows_by_another_name(tmp_path, monkeypatch, remote, expected):
    clone(tmp_path, "x")
    subprocess.run(["git", "-C", str(tmp_path), "config", "remote.origin.url", remote], check=True)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(SSH)
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    assert book_links.find_repository(tmp_path) == expected


def test_a_machine_without_git_or_ssh(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert book_links.find_repository(tmp_path) is None
    assert book_links.find_branch(tmp_path) == "main"
    assert book_links.real_host("github-work") == ""


@pytest.mark.parametrize(
    ("variables", "head", "expected"),
    [
        ({}, None, "main"),
        ({}, "trunk", "trunk"),
        ({"GITHUB_REF_NAME": "second/edition"}, "trunk", "second/edition"),
        ({"GITHUB_REF_NAME": "7/merge", "GITHUB_BASE_REF": "main"}, None, "main"),
        ({"GITHUB_REF_NAME": "a#b"}, None, "a%23b"),
    ],
)
def test_which_branch(tmp_path, monkeypatch, variables, head, expected):
    clone(tmp_path, "https://github.com/owner/name", head)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert book_links.find_branch(tmp_path) == expected


@pytest.mark.parametrize(
    ("slug", "address"),
    [
        ("Owner/name", "https://owner.github.io/name/"),
        ("Owner/owner.github.io", "https://owner.github.io/"),
        ("owner/Owner.GitHub.io", "https://owner.github.io/"),
        ("owner/another.github.io", "https://owner.github.io/another.github.io/"),
    ],
)
def test_the_sites_address(tmp_path, monkeypatch, slug, address):
    monkeypatch.setenv("GITHUB_REPOSITORY", slug)
    monkeypatch.setenv("GITHUB_REF_NAME", "trunk")
    config = SimpleNamespace(html_theme_options={})
    book_links.add_links(SimpleNamespace(srcdir=tmp_path), config)
    assert config.html_baseurl == config.ogp_site_url == address
    assert config.html_theme_options["repository_branch"] == "trunk"
    assert config.html_theme_options["repository_url"] == f"https://github.com/{slug}"
