"""Chapter 11's four ways to know the order, inside the lengths of training and beyond them."""

from functools import cache

from studies import common

ABOUT = (
    "reading aloud in one step by an encoder without positions, with sinusoidal, learned and rotary ones, trained on "
    "all words (three seeds) and on words of at most eight letters (two), rates chosen on dev from the same two."
)
USES = [
    "reading_data",
    "Vocabulary",
    "LetterAligner",
    "tag_letters",
    "LetterTagger",
    "train_tagger",
    "read_tags",
    "reading_errors",
    "errors_by_length",
]

D_MODEL, HEADS, LAYERS, BATCH, STEPS = 128, 4, 2, 256, 600
RATES, SHORT = [0.002, 0.004], 8
SEEDS = {"all words": [0, 1, 2], "short words": [0, 1]}
KINDS = ["none", "sinusoidal", "learned", "rotary"]


def run(book, report):
    import torch

    rows, letters, _ = book["reading_data"]()
    listed = [(word, answer) for word, answer in common.listed(rows["train"]) if len(answer) <= 2 * len(word)]
    aligner = book["LetterAligner"](*zip(*listed[::15]))
    tagged = [(word, book["tag_letters"](aligner, word, answer)) for word, answer in listed]
    tags = book["Vocabulary"](tag for _, said in tagged for tag in said)
    pairs = {"all words": [(letters.encode(word), tags.encode(said)) for word, said in tagged]}
    pairs["short words"] = [pair for pair in pairs["all words"] if len(pair[0]) - 2 <= SHORT]

    @cache
    def train(kind, trained_on, rate, seed):
        torch.manual_seed(seed)
        model = book["LetterTagger"](len(letters), len(tags), D_MODEL, HEADS, LAYERS, kind).to(book["device"])
        book["train_tagger"](model, pairs[trained_on], STEPS, rate, seed, BATCH)
        return model

    def read(model, name):
        readings = book["read_tags"](model, [letters.encode(word) for word in rows[name]["word"]], tags)
        return book["reading_errors"](readings, rows[name]["pronunciations"])

    def search(kind):
        def score(rate):
            return read(train(kind, "all words", rate, 0), "dev")[0]

        return common.dev_errors(RATES, score, report, f"{kind}, ")

    rates, cells = {kind: search(kind) for kind in KINDS}, []
    for kind in KINDS:
        rate = common.lowest(rates[kind])
        for trained_on in pairs:
            cell = {"positions": kind, "trained_on": trained_on, "learning_rate": rate, "seeds": SEEDS[trained_on]}
            for seed in SEEDS[trained_on]:
                model = train(kind, trained_on, rate, seed)
                cell["parameters"] = common.parameters(model)
                for name in ["dev", "test"]:
                    edits, lengths = read(model, name)
                    common.add_errors(cell.setdefault(name, {}), edits, lengths)
                common.add_sums(book, cell["test"], rows["test"]["word"], edits, lengths)  # of test, read last
                report(f"{kind}, {trained_on}, seed {seed}: dev {cell['dev']['word_error'][-1]}")
            cells.append(cell)
    return {
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "n_layers": LAYERS,
        "batch_size": BATCH,
        "steps": STEPS,
        "short": SHORT,
        "tags": len(tags),
        "pairs": {name: len(part) for name, part in pairs.items()},
        "rates": rates,
        "letters": common.LETTERS,
        "by_length": common.BY_LENGTH,
        "cells": cells,
    }
