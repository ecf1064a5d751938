"""Code, folds, solutions and printed outputs as a reader meets them."""


def setup(app):
    return {"parallel_read_safe": True, "parallel_write_safe": True}
