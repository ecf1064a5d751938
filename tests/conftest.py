"""What several tests of definitions share."""

import pytest

from tools import notebooks as nb


@pytest.fixture(scope="session")
def book():
    """A namespace with the setup cell and every definition of the book, loaded from the chapters by tag."""
    return nb.load(list(nb.definitions()))


@pytest.fixture(scope="session")
def dictionary(book):
    return book["load_cmudict"]()


@pytest.fixture(scope="session")
def split(book, dictionary):
    return book["split_by_family"](dictionary)
