"""Point the Colab, source and issue buttons at the repository this site is built from.

The repository is read from GITHUB_REPOSITORY ("owner/name", set by GitHub Actions) or from the git
remote `origin`. Where neither names a GitHub repository the buttons are left out, so none is dead.
"""

import os
import re
import subprocess

COLAB = "https://colab.research.google.com"
BRANCH = "main"


def find_repository(folder):
    """Return "owner/name" of the GitHub repository, or None."""
    slug = os.environ.get("GITHUB_REPOSITORY", "")
    if not slug:
        command = ["git", "-C", str(folder), "remote", "get-url", "origin"]
        try:
            remote = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        except OSError:  # no git here: the book was downloaded, not cloned
            remote = ""
        match = re.search(r"\bgithub\.com[:/](.+?)(?:\.git)?/?$", remote)
        slug = match.group(1) if match else ""
    return slug if re.fullmatch(r"[\w.-]+/[\w.-]+", slug) else None


def add_links(app, config):
    slug = find_repository(app.srcdir)
    if slug is None:
        config.html_theme_options.pop("launch_buttons", None)
        return
    owner, name = slug.split("/")
    config.html_theme_options.update(
        repository_url=f"https://github.com/{slug}",
        repository_branch=BRANCH,
        use_repository_button=True,
        use_source_button=True,
        use_issues_button=True,
        launch_buttons={"colab_url": COLAB, "notebook_interface": "jupyterlab"},
    )
    # The address that GitHub Pages gives a project's site.
    config.html_baseurl = config.ogp_site_url = f"https://{owner.lower()}.github.io/{name}/"
    config.sitemap_url_scheme = "{link}"


def setup(app):
    if find_repository(app.srcdir):
        app.setup_extension("sphinx_sitemap")  # a sitemap needs the site's address
    app.connect("config-inited", add_links, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
