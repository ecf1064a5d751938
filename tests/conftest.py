"""What several tests share."""

import pytest

from tests.support.site import address, browser, published, site  # noqa: F401  (fixtures)
from tools import notebooks as nb


@pytest.fixture(scope="session")
def book():
    """A namespace with the setup cell and every definition of the book, loaded from the chapters by tag."""
    return nb.load(list(nb.definitions()))


@pytest.fixture(scope="session")
def dataset(book):
    return book["load_cmudict"]()


@pytest.fixture(scope="session")
def dictionary(dataset):
    return dataset[:]  # plain lists: a dataset decodes a column anew each time it is asked for


@pytest.fixture(scope="session")
def split(book, dataset):
    return {name: side[:] for name, side in book["split_by_family"](dataset).items()}
