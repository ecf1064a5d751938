"""Chapter 7's encoder-decoder with contexts of several widths, and with a one-directional encoder read both ways."""

ABOUT = (
    "reading aloud with the plain encoder-decoder: what passes to the decoder narrowed by a projection, and an encoder "
    "of one direction that reads forwards or backwards; three seeds each, one budget and one rate for all."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "EncoderDecoder",
    "train_reader",
    "read_greedily",
    "reading_errors",
    "errors_by_length",
    "misread_positions",
]

EMBEDDING, HIDDEN, BATCH = 64, 256, 128
STEPS, RATE, SEEDS = 700, 0.004, [0, 1, 2]
LONG = 8  # phonemes of the words whose misread places are counted
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

    data = book["split_by_family"](book["load_cmudict"]())
    rows = {name: data[name][:] for name in data}
    letters = book["Vocabulary"](letter for word in rows["train"]["word"] for letter in word)
    listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
    phonemes = book["Vocabulary"](phoneme for _, answer in listed for phoneme in answer)
    pairs = [(letters.encode(word), phonemes.encode(answer)) for word, answer in listed]

    def turned(source, order):
        """Start and end mark stay where they are."""
        return source if order == "forwards" else [source[0], *source[-2:0:-1], source[-1]]

    cells = []
    for context, encoder, order in RUNS:
        cell = {"context_width": context, "encoder": encoder, "order": order, "misread": [0] * LONG, "long_words": 0}
        for seed in SEEDS:
            torch.manual_seed(seed)
            model = book["EncoderDecoder"](
                len(letters), len(phonemes), EMBEDDING, HIDDEN, HIDDEN, encoder == "both directions"
            )
            if context < HIDDEN:  # the decoder stays as it is: only what can pass to it is narrowed
                model.squeeze = nn.Sequential(nn.Linear(HIDDEN, context), nn.Linear(context, HIDDEN))
            model.to(book["device"])
            book["train_reader"](model, [(turned(s, order), t) for s, t in pairs], STEPS, RATE, seed, BATCH)
            cell["parameters"] = sum(p.numel() for p in model.parameters())
            for name in ["dev", "test"]:
                sources = [turned(letters.encode(word), order) for word in rows[name]["word"]]
                readings = book["read_greedily"](model, sources, phonemes)
                answers = rows[name]["pronunciations"]
                edits, lengths = book["reading_errors"](readings, answers)
                scores = {"word_error": (edits > 0).mean(), "phoneme_error": edits.sum() / lengths.sum()}
                table = book["errors_by_length"](rows[name]["word"], edits, lengths)
                part = cell.setdefault(name, {"word_error": [], "phoneme_error": []})
                for key, value in scores.items():
                    part[key].append(round(float(value), 4))
                for key in ["words", "wrong", "edits", "phonemes"]:
                    part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(table[key])), table[key])]
            firsts = [several[0].split() for several in answers]  # of the test words, read last
            for said, answer in zip(readings, firsts):
                if len(answer) == LONG:
                    cell["long_words"] += 1
                    for place in book["misread_positions"](said, answer):
                        cell["misread"][place] += 1
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
        "letters": table["letters"].tolist(),
        "by_length": "words, wrong, edits and phonemes are sums over the words of each length and over the seeds",
        "cells": cells,
    }
