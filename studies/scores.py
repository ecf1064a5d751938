"""Chapter 9's scores: dot product with and without the square root, general and additive."""

ABOUT = (
    "reading aloud with attention by the dot product, with and without its division by the square root of d, by the "
    "general and by the additive score, at one budget; three seeds each, rates chosen on dev from the same two."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "AdditiveAttention",
    "AttentionReader",
    "DotAttention",
    "GeneralAttention",
    "train_reader",
    "read_greedily",
    "reading_errors",
    "errors_by_length",
    "paired_bootstrap",
]

EMBEDDING, HIDDEN, ATTENTION, BATCH = 64, 256, 128, 128
RATES = [0.004, 0.008]
STEPS, SEEDS = 700, [0, 1, 2]
KINDS = ["dot, scaled", "dot, unscaled", "general", "additive"]


def run(book, report):
    import torch

    data = book["split_by_family"](book["load_cmudict"]())
    rows = {name: data[name][:] for name in data}
    letters = book["Vocabulary"](letter for word in rows["train"]["word"] for letter in word)
    listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
    phonemes = book["Vocabulary"](phoneme for _, answer in listed for phoneme in answer)
    pairs = [(letters.encode(word), phonemes.encode(answer)) for word, answer in listed]

    def train(kind, rate, seed):
        torch.manual_seed(seed)
        attention = {
            "dot, scaled": lambda: book["DotAttention"](),
            "dot, unscaled": lambda: book["DotAttention"](scaled=False),
            "general": lambda: book["GeneralAttention"](HIDDEN, HIDDEN),
            "additive": lambda: book["AdditiveAttention"](HIDDEN, HIDDEN, ATTENTION),
        }[kind]()
        torch.manual_seed(seed)  # all kinds start from the same encoder and decoder
        model = book["AttentionReader"](len(letters), len(phonemes), EMBEDDING, HIDDEN, attention).to(book["device"])
        book["train_reader"](model, pairs, STEPS, rate, seed, BATCH)
        return model

    def read(model, name):
        sources = [letters.encode(word) for word in rows[name]["word"]]
        readings = book["read_greedily"](model, sources, phonemes)
        return book["reading_errors"](readings, rows[name]["pronunciations"])

    rates, cells, searched, wrong = {kind: {} for kind in KINDS}, [], {}, {}
    for kind in KINDS:
        for rate in RATES:
            searched[kind, rate, 0] = model = train(kind, rate, 0)
            edits, _ = read(model, "dev")
            rates[kind][rate] = round(float((edits > 0).mean()), 4)
            report(f"{kind}, rate {rate}: {rates[kind][rate]} of dev words wrong after {STEPS} steps")
    for kind in KINDS:
        rate = min(rates[kind], key=rates[kind].get)
        cell = {"attention": kind, "steps": STEPS, "learning_rate": rate, "seeds": SEEDS, "beyond_scaled_dot": []}
        for seed in SEEDS:
            model = searched.get((kind, rate, seed)) or train(kind, rate, seed)
            cell["parameters"] = sum(p.numel() for p in model.parameters())
            for name in ["dev", "test"]:
                edits, lengths = read(model, name)
                scores = {"word_error": (edits > 0).mean(), "phoneme_error": edits.sum() / lengths.sum()}
                table = book["errors_by_length"](rows[name]["word"], edits, lengths)
                part = cell.setdefault(name, {"word_error": [], "phoneme_error": []})
                for key, value in scores.items():
                    part[key].append(round(float(value), 4))
                for key in ["words", "wrong"]:
                    part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(table[key])), table[key])]
            wrong[kind, seed] = edits > 0  # of the test words, read last
            interval = book["paired_bootstrap"](wrong[kind, seed], wrong[KINDS[0], seed])
            cell["beyond_scaled_dot"].append([round(value, 4) for value in interval])
            report(f"{kind}, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cells.append(cell)
    return {
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "attention_size": ATTENTION,
        "batch_size": BATCH,
        "steps": STEPS,
        "rates": rates,
        "letters": table["letters"].tolist(),
        "by_length": "words and wrong are sums over the words of each length and over the seeds",
        "cells": cells,
    }
