"""Prompts: a reader predicts before the measurement is shown."""


def setup(app):
    return {"parallel_read_safe": True, "parallel_write_safe": True}
