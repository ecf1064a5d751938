"""Chapter 7's encoder-decoder at three training budgets."""

ABOUT = (
    "reading aloud with the plain encoder-decoder at three training budgets, three seeds for the two smaller and one "
    "for the largest, at a rate chosen on dev at the middle one."
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
]

EMBEDDING, HIDDEN, CONTEXT, BATCH = 64, 256, 256, 128
RATES = [0.002, 0.004, 0.008]
MIDDLE = 2100
RUNS = {MIDDLE: [0, 1, 2], 700: [0, 1, 2], 6300: [0]}  # steps: seeds
KEPT = (MIDDLE, 0)  # the run whose wrong test words are stored, for comparisons word by word
TRAIN_SAMPLE = 8  # one training word in so many is read again


def run(book, report):
    import base64

    import numpy as np
    import torch

    data = book["split_by_family"](book["load_cmudict"]())
    rows = {name: data[name][:] for name in data}
    rows["train sample"] = {key: column[::TRAIN_SAMPLE] for key, column in rows["train"].items()}
    letters = book["Vocabulary"](letter for word in rows["train"]["word"] for letter in word)
    listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
    phonemes = book["Vocabulary"](phoneme for _, answer in listed for phoneme in answer)
    pairs = [(letters.encode(word), phonemes.encode(answer)) for word, answer in listed]

    def train(steps, rate, seed):
        torch.manual_seed(seed)
        model = book["EncoderDecoder"](len(letters), len(phonemes), EMBEDDING, HIDDEN, CONTEXT).to(book["device"])
        book["train_reader"](model, pairs, steps, rate, seed, BATCH)
        return model

    def read(model, name):
        sources = [letters.encode(word) for word in rows[name]["word"]]
        readings = book["read_greedily"](model, sources, phonemes)
        return book["reading_errors"](readings, rows[name]["pronunciations"])

    rates, searched = {}, {}
    for rate in RATES:
        searched[MIDDLE, rate, 0] = model = train(MIDDLE, rate, 0)
        edits, _ = read(model, "dev")
        rates[rate] = round(float((edits > 0).mean()), 4)
        report(f"rate {rate}: {rates[rate]} of dev words wrong after {MIDDLE} steps")
    rate = min(rates, key=rates.get)

    cells, kept = [], None
    for steps, seeds in RUNS.items():
        cell = {"steps": steps, "seeds": seeds}
        for seed in seeds:
            model = searched.get((steps, rate, seed)) or train(steps, rate, seed)
            cell["parameters"] = sum(p.numel() for p in model.parameters())
            for name in ["dev", "test", "train sample"]:
                edits, lengths = read(model, name)
                scores = {"word_error": (edits > 0).mean(), "phoneme_error": edits.sum() / lengths.sum()}
                table = book["errors_by_length"](rows[name]["word"], edits, lengths)
                part = cell.setdefault(name, {"word_error": [], "phoneme_error": []})
                for key, value in scores.items():
                    part[key].append(round(float(value), 4))
                for key in ["words", "wrong", "edits", "phonemes"]:
                    part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(table[key])), table[key])]
                if name == "test" and (steps, seed) == KEPT:
                    kept = base64.b64encode(np.packbits(edits > 0).tobytes()).decode()
            report(f"{steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        cells.append(cell)
    return {
        "embedding_size": EMBEDDING,
        "hidden_size": HIDDEN,
        "context_size": CONTEXT,
        "batch_size": BATCH,
        "learning_rate": rate,
        "rate_steps": MIDDLE,
        "rates": rates,
        "letters": table["letters"].tolist(),
        "by_length": "words, wrong, edits and phonemes are sums over the words of each length and over the seeds",
        "cells": cells,
        "kept": {"steps": KEPT[0], "seed": KEPT[1], "wrong_test_words": kept},
    }
