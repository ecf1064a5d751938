"""Point the Colab, source and issue buttons at the repository this site is built from.

The repository is read from GITHUB_REPOSITORY ("owner/name", set by GitHub Actions) or from the git remote `origin`;
a host that only the reader's ssh configuration knows is looked up there. Where neither names a GitHub repository the
buttons are left out, so none is dead. The branch is GITHUB_BASE_REF or GITHUB_REF_NAME, or the one that `origin`
calls its own, or main. The site's address is the one that GitHub Pages gives the repository, unless BOOK_URL names
another, such as that of a domain of one's own.
"""

import os
import re
import subprocess
from urllib.parse import quote, urlsplit

from sphinx.errors import ExtensionError

COLAB = "https://colab.research.google.com"
BRANCH = "main"
HOSTS = {"github.com", "www.github.com", "ssh.github.com"}  # the last answers ssh on port 443


def output(*command):
    """What a command prints; nothing where it fails, hangs or is not installed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def split_remote(remote):
    """(host, path, whether it is reached by ssh) of a git remote; the host is "" for a folder."""
    if "://" in remote:
        parts = urlsplit(remote)
        return (parts.hostname or "").lower(), parts.path, parts.scheme in ("ssh", "git+ssh")
    host, colon, path = remote.partition(":")  # user@host:path
    if not colon or "/" in host:
        return "", remote, False
    return host.rpartition("@")[2].lower(), path, True


def real_host(alias):
    """What ssh calls a host: an alias in the reader's configuration stands for another name."""
    if not re.fullmatch(r"\w[\w.-]*", alias):  # never an option of ssh
        return ""
    match = re.search(r"^hostname (\S+)$", output("ssh", "-G", alias), re.M)
    return match.group(1).lower() if match else ""


def find_repository(folder):
    """Return "owner/name" of the GitHub repository, or None."""
    slug = os.environ.get("GITHUB_REPOSITORY", "")
    if not slug:
        host, path, ssh = split_remote(output("git", "-C", str(folder), "remote", "get-url", "origin"))
        if host in HOSTS or (ssh and real_host(host) in HOSTS):
            slug = path.strip("/").removesuffix(".git")
    return slug if re.fullmatch(r"[\w.-]+/[\w.-]+", slug) else None


def find_branch(folder):
    """The branch that the buttons lead to. A pull request has the one it is made against."""
    named = os.environ.get("GITHUB_BASE_REF") or os.environ.get("GITHUB_REF_NAME")
    head = output("git", "-C", str(folder), "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    return quote(named or head.removeprefix("origin/") or BRANCH)


def site_address(slug):
    """Where the site is published, with a slash at its end: what BOOK_URL says, else the address that GitHub Pages
    gives it. That of a repository named owner.github.io is the owner's own. Raises ExtensionError for a BOOK_URL that
    is no address of a page.
    """
    named = os.environ.get("BOOK_URL", "").strip()
    if named:
        parts = urlsplit(named)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ExtensionError(f"BOOK_URL is {named!r}; expected an address such as https://book.example.org/")
        return named.rstrip("/") + "/"
    owner, name = slug.lower().split("/")[0], slug.split("/")[1]
    return f"https://{owner}.github.io/" + ("" if name.lower() == f"{owner}.github.io" else f"{name}/")


def add_links(app, config):
    slug = find_repository(app.srcdir)
    if slug is None:
        config.html_theme_options.pop("launch_buttons", None)
        return
    config.html_theme_options.update(
        repository_url=f"https://github.com/{slug}",
        repository_branch=find_branch(app.srcdir),
        use_repository_button=True,
        use_source_button=True,
        use_issues_button=True,
        launch_buttons={"colab_url": COLAB, "notebook_interface": "jupyterlab"},
    )
    config.html_baseurl = config.ogp_site_url = site_address(slug)
    config.sitemap_url_scheme = "{link}"
    config.sitemap_excludes = ["404.html", "search.html"]


def setup(app):
    if find_repository(app.srcdir):
        app.setup_extension("sphinx_sitemap")  # a sitemap needs the site's address
    app.connect("config-inited", add_links, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
