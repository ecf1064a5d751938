"""Chapter 7's encoder-decoder with contexts of several widths, and with a one-directional encoder read both ways."""

from studies import common

ABOUT = (
    "reading aloud with the plain encoder-decoder: what passes to the decoder narrowed by a projection, and an encoder "
    "of one direction that reads forwards or backwards; three seeds each, one budget and one rate for all."
)
USES = [
    "reading_data",
    "reading_pairs",
    "score_reader",
    "EncoderDecoder",
    "train_reader",
    "errors_by_length",
    "misread_positions",
]

EMBEDDING, HIDDEN, BATCH = 64, 256, 128
STEPS, RATE, SEEDS = 700, 0.004, [0, 1, 2]
LONG = 8  # phonemes of the words whose misread positions are counted
RUNS = [  # context width, encoder, order of the letters
    (4, "both directions", "forwards"),
    (256, "one direction", "forwards"),
    (256, "one direction", "backwards"),
    (64, "both directions", "forwards"),
    (16, "both directions", "forwards"),
]


def run(book, report):
    import torch
    from torch import nn

    rows, letters, phonemes = book["reading_data"]()
    turned = {name: part | {"word": [word[::-1] for word in part["word"]]} for name, part in rows.items()}
    read_as = {"forwards": rows, "backwards": turned}

    cells = []
    for context, encoder, order in RUNS:
        pairs = book["reading_pairs"](read_as[order]["train"], letters, phonemes)
        cell = {"context_width": context, "encoder": encoder, "order": order, "misread": [0] * LONG, "long_words": 0}
        for seed in SEEDS:
            torch.manual_seed(seed)
            model = book["EncoderDecoder"](
                len(letters), len(phonemes), EMBEDDING, HIDDEN, HIDDEN, encoder == "both directions"
            )
            if context < HIDDEN:  # the decoder stays as it is: only what can pass to it is narrowed
                model.squeeze = nn.Sequential(nn.Linear(HIDDEN, context), nn.Linear(context, HIDDEN))
            model.to(book["device"])
            book["train_reader"](model, pairs, STEPS, RATE, seed, BATCH)
            cell["parameters"] = common.parameters(model)
            for name in ["dev", "test"]:
                edits, lengths, readings = book["score_reader"](model, read_as[order][name], letters, phonemes)
                part = cell.setdefault(name, {})
                common.add_errors(part, edits, lengths)
                common.add_sums(book, part, rows[name]["word"], edits, lengths)
            firsts = [several[0].split() for several in rows["test"]["pronunciations"]]
            for said, answer in zip(readings, firsts):  # of the test words, read last
                if len(answer) == LONG:
                    cell["long_words"] += 1
                    for position in book["misread_positions"](said, answer):
                        cell["misread"][position] += 1
            report(f"context {context}, {encoder}, {order}, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cells.append(cell)
    return {
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "batch_size": BATCH,
        "steps": STEPS,
        "long_words_phonemes": LONG,
        "learning_rate": RATE,
        "seeds": SEEDS,
        "letters": common.LETTERS,
        "by_length": common.BY_LENGTH,
        "cells": cells,
    }
