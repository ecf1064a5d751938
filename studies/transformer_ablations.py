"""Chapter 12's Transformer with one part taken out at a time."""

ABOUT = (
    "reading aloud with the Transformer with one part changed at a time: one head, no positions, no division by the "
    "root of d, layer norm after the sublayer and no warm-up, no label smoothing; 700 steps, one seed each, all "
    "at the rate of the whole model, scored on dev."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "MultiHeadAttention",
    "Transformer",
    "train_transformer",
    "read_greedily",
    "reading_errors",
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
    data = book["split_by_family"](book["load_cmudict"]())
    rows = {name: data[name][:] for name in data}
    letters = book["Vocabulary"](letter for word in rows["train"]["word"] for letter in word)
    listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
    phonemes = book["Vocabulary"](phoneme for _, answer in listed for phoneme in answer)
    pairs = [(letters.encode(word), phonemes.encode(answer)) for word, answer in listed]

    def train(kind, seed):
        torch.manual_seed(seed)
        sizes = {"d_model": D_MODEL, "n_heads": HEADS, "d_ff": D_FF, "n_layers": LAYERS, **kinds[kind][0]}
        model = book["Transformer"](len(letters), len(phonemes), **sizes).to(book["device"])
        options = {"warm_up_steps": WARM_UP, "smoothing": SMOOTHING, **kinds[kind][1]}
        book["train_transformer"](model, pairs, STEPS, RATE, seed, batch_size=BATCH, **options)
        return model

    def read(model):
        readings = book["read_greedily"](model, [letters.encode(word) for word in rows["dev"]["word"]], phonemes)
        return book["reading_errors"](readings, rows["dev"]["pronunciations"])

    cells = []
    for kind in kinds:
        cell = {"kind": kind, "seeds": SEEDS, "word_error": [], "phoneme_error": []}
        for seed in SEEDS:
            model = train(kind, seed)
            cell["parameters"] = sum(p.numel() for p in model.parameters())
            edits, lengths = read(model)
            cell["word_error"].append(round(float((edits > 0).mean()), 4))
            cell["phoneme_error"].append(round(float(edits.sum() / lengths.sum()), 4))
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
