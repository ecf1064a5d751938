"""The front door: descriptions, the table of chapters, root page, progress."""


def setup(app):
    return {"parallel_read_safe": True, "parallel_write_safe": True}
