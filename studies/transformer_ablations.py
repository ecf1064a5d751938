"""Chapter 12's Transformer with one part taken out at a time."""

from studies import common

ABOUT = (
    "reading aloud with the Transformer with one part changed at a time: one head, no positions, no division by the "
    "root of d, layer norm after the sublayer and no warm-up, no label smoothing; 700 steps, one seed each, all "
    "at the rate of the whole model, scored on dev."
)
USES = [
    "reading_data",
    "reading_pairs",
    "score_reader",
    "MultiHeadAttention",
    "Transformer",
    "train_transformer",
]

D_MODEL, HEADS, D_FF, LAYERS, BATCH, STEPS = 128, 4, 256, 2, 128, 700
RATE, SEEDS, WARM_UP, SMOOTHING = 0.002, [0], 100, 0.1


def run(book, report):
    import math

    import torch

    class Unscaled(book["MultiHeadAttention"]):
        def project(self, query, memory):
            q, k, v = super().project(query, memory)
            return q * math.sqrt(q.shape[-1]), k, v

    kinds = {  # what differs from the whole model, and from the way it is trained
        "one head": ({"n_heads": 1}, {}),
        "no positions": ({"positions": False}, {}),
        "no scaling": ({"attention": Unscaled}, {}),
        "post-norm, no warm-up": ({"pre_norm": False}, {"warm_up_steps": 0}),
        "no label smoothing": ({}, {"smoothing": 0.0}),
    }
    rows, letters, phonemes = book["reading_data"]()
    pairs = book["reading_pairs"](rows["train"], letters, phonemes)

    def train(kind, seed):
        torch.manual_seed(seed)
        sizes = {"d_model": D_MODEL, "n_heads": HEADS, "d_ff": D_FF, "n_layers": LAYERS, **kinds[kind][0]}
        model = book["Transformer"](len(letters), len(phonemes), **sizes).to(book["device"])
        options = {"warm_up_steps": WARM_UP, "smoothing": SMOOTHING, **kinds[kind][1]}
        book["train_transformer"](model, pairs, STEPS, RATE, seed, batch_size=BATCH, **options)
        return model

    cells = []
    for kind in kinds:
        cell = {"kind": kind, "seeds": SEEDS}
        for seed in SEEDS:
            model = train(kind, seed)
            cell["parameters"] = common.parameters(model)
            edits, lengths, _ = book["score_reader"](model, rows["dev"], letters, phonemes)
            common.add_errors(cell, edits, lengths)
            report(f"{kind}, seed {seed}: {cell['word_error'][-1]} of dev words wrong")
        cells.append(cell)
    return {
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "d_ff": D_FF,
        "n_layers": LAYERS,
        "batch_size": BATCH,
        "steps": STEPS,
        "warm_up_steps": WARM_UP,
        "smoothing": SMOOTHING,
        "learning_rate": RATE,
        "cells": cells,
    }
