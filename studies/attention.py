"""Chapter 8's reader with additive attention at three training budgets, beside uniform attention and a random split."""

ABOUT = (
    "reading aloud with additive attention at three training budgets, three seeds for the two smaller and one for the "
    "largest; with uniform attention, and on a random split, at the smallest. Rates chosen on dev, for additive "
    "attention at the middle budget, for uniform at the smallest."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "AdditiveAttention",
    "UniformAttention",
    "AttentionReader",
    "train_reader",
    "read_greedily",
    "reading_errors",
    "errors_by_length",
]

EMBEDDING, HIDDEN, ATTENTION, BATCH = 64, 256, 128, 128
RATES = [0.002, 0.004, 0.008]
SEARCHED = {"additive": 2100, "uniform": 700}  # the budget at which the rate is chosen
SEEDS = [0, 1, 2]
RUNS = [  # attention, split, steps, seeds
    ("additive", "by family", 2100, SEEDS),
    ("additive", "by family", 700, SEEDS),
    ("uniform", "by family", 700, SEEDS),
    ("additive", "random", 700, SEEDS),
    ("additive", "by family", 6300, [0]),
]
TRAIN_SAMPLE = 8  # one training word in so many is read again


def run(book, report):
    import numpy as np
    import torch

    dataset = book["load_cmudict"]()
    by_family = book["split_by_family"](dataset)
    order = np.random.default_rng(0).permutation(len(dataset))  # the random split has parts of the same sizes
    ends = np.cumsum([len(by_family[name]) for name in ["train", "dev", "test"]])
    parts = dict(zip(["train", "dev", "test"], np.split(order, ends[:-1])))
    splits = {
        "by family": {name: by_family[name][:] for name in parts},
        "random": {name: dataset.select(np.sort(part))[:] for name, part in parts.items()},
    }
    letters = book["Vocabulary"](letter for word in dataset[:]["word"] for letter in word)
    pairs = {}
    for split, rows in splits.items():
        rows["train sample"] = {key: column[::TRAIN_SAMPLE] for key, column in rows["train"].items()}
        listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
        phonemes = book["Vocabulary"](phoneme for _, answer in listed for phoneme in answer)
        pairs[split] = [(letters.encode(word), phonemes.encode(answer)) for word, answer in listed]

    def train(kind, split, steps, rate, seed):
        torch.manual_seed(seed)
        attention = {
            "additive": lambda: book["AdditiveAttention"](HIDDEN, HIDDEN, ATTENTION),
            "uniform": lambda: book["UniformAttention"](),
        }[kind]()
        model = book["AttentionReader"](len(letters), len(phonemes), EMBEDDING, HIDDEN, attention).to(book["device"])
        book["train_reader"](model, pairs[split], steps, rate, seed, BATCH)
        return model

    def read(model, rows):
        sources = [letters.encode(word) for word in rows["word"]]
        readings = book["read_greedily"](model, sources, phonemes)
        return book["reading_errors"](readings, rows["pronunciations"])

    def search(kind, steps):
        for rate in RATES:
            searched[kind, "by family", steps, rate, 0] = model = train(kind, "by family", steps, rate, 0)
            edits, _ = read(model, splits["by family"]["dev"])
            rates[kind][rate] = round(float((edits > 0).mean()), 4)
            report(f"{kind}, rate {rate}: {rates[kind][rate]} of dev words wrong after {steps} steps")

    rates, searched, cells = {"additive": {}, "uniform": {}}, {}, []
    for kind, split, steps, seeds in RUNS:
        if not rates[kind]:
            search(kind, SEARCHED[kind])
        rate, rows = min(rates[kind], key=rates[kind].get), splits[split]
        cell = {"attention": kind, "split": split, "steps": steps, "learning_rate": rate, "seeds": seeds}
        for seed in seeds:
            run = (kind, split, steps, rate, seed)
            model = searched.get(run) or train(*run)
            cell["parameters"] = sum(p.numel() for p in model.parameters())
            for name in ["dev", "test", "train sample"]:
                edits, lengths = read(model, rows[name])
                scores = {"word_error": (edits > 0).mean(), "phoneme_error": edits.sum() / lengths.sum()}
                table = book["errors_by_length"](rows[name]["word"], edits, lengths)
                part = cell.setdefault(name, {"word_error": [], "phoneme_error": []})
                for key, value in scores.items():
                    part[key].append(round(float(value), 4))
                for key in ["words", "wrong", "edits", "phonemes"]:
                    part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(table[key])), table[key])]
            report(f"{kind}, {split}, {steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cells.append(cell)
    return {
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "attention_size": ATTENTION,
        "batch_size": BATCH,
        "rate_steps": SEARCHED,
        "rates": rates,
        "letters": table["letters"].tolist(),
        "by_length": "words, wrong, edits and phonemes are sums over the words of each length and over the seeds",
        "cells": cells,
    }
