"""Chapter 14's decoder-only model on chapter 7's task, at two training budgets, trained by chapter 12's loop."""

ABOUT = (
    "reading aloud with a decoder-only Transformer of about as many numbers as chapter 12's, trained by chapter 12's "
    "loop at two training budgets, three seeds for the smaller and one for the larger; the rate chosen on dev at the "
    "smaller."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "pad_batch",
    "length_batches",
    "GPT",
    "GPTReader",
    "train_transformer",
    "read_greedily",
    "reading_errors",
    "errors_by_length",
    "fit_phoneme_error",
]

D_MODEL, HEADS, D_FF, LAYERS, BATCH = 128, 4, 256, 4, 128
WARM_UP, SMOOTHING = 100, 0.1
RATE_STEPS, RATES = 700, [0.002, 0.004]
SEEDS = {700: [0, 1, 2], 2100: [0]}
LENGTHS, FITTED_ON = range(3, 15), range(4, 7)  # letters of the words drawn; of those that fit the null curve


def run(book, report):
    import torch

    data = book["split_by_family"](book["load_cmudict"]())
    rows = {name: data[name][:] for name in data}
    listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
    symbols = book["Vocabulary"](symbol for word, answer in listed for symbol in [*word, *answer])
    pairs = [(symbols.encode(word), symbols.encode(answer)) for word, answer in listed]

    def train(steps, rate, seed):
        torch.manual_seed(seed)
        model = book["GPTReader"](book["GPT"](len(symbols), D_MODEL, HEADS, D_FF, LAYERS)).to(book["device"])
        book["train_transformer"](model, pairs, steps, rate, seed, WARM_UP, SMOOTHING, BATCH)
        return model

    def read(model, name):
        readings = book["read_greedily"](model, [symbols.encode(word) for word in rows[name]["word"]], symbols)
        return book["reading_errors"](readings, rows[name]["pronunciations"])

    rates, searched, cells = {}, {}, []
    for rate in RATES:
        searched[rate] = train(RATE_STEPS, rate, 0)
        rates[rate] = round(float((read(searched[rate], "dev")[0] > 0).mean()), 4)
        report(f"rate {rate}: {rates[rate]} of dev words wrong after {RATE_STEPS} steps")
    best = min(rates, key=rates.get)
    for steps in SEEDS:
        cell = {"steps": steps, "learning_rate": best, "seeds": SEEDS[steps]}
        for seed in SEEDS[steps]:
            model = searched[best] if (steps, seed) == (RATE_STEPS, 0) else train(steps, best, seed)
            cell["parameters"] = sum(p.numel() for p in model.parameters())
            for name in ["dev", "test"]:
                edits, lengths = read(model, name)
                part = cell.setdefault(name, {"word_error": [], "phoneme_error": []})
                part["word_error"].append(round(float((edits > 0).mean()), 4))
                part["phoneme_error"].append(round(float(edits.sum() / lengths.sum()), 4))
            table = book["errors_by_length"](rows[name]["word"], edits, lengths, LENGTHS[0], LENGTHS[-1])
            for key in ["words", "wrong", "edits", "phonemes"]:
                part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(table[key])), table[key])]
            report(f"{steps} steps, seed {seed}: dev {cell['dev']['word_error'][-1]}")
        used = [LENGTHS.index(n) for n in FITTED_ON]
        counts = [part["words"][i] for i in used]
        phonemes_of = [part["phonemes"][i] / part["words"][i] for i in used]
        p = book["fit_phoneme_error"]([part["wrong"][i] for i in used], phonemes_of, counts)
        cell["null_phoneme_error"] = round(float(p), 5)
        cells.append(cell)
    return {
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "d_ff": D_FF,
        "n_layers": LAYERS,
        "batch_size": BATCH,
        "warm_up_steps": WARM_UP,
        "smoothing": SMOOTHING,
        "rate_steps": RATE_STEPS,
        "rates": rates,
        "fitted_on_letters": list(FITTED_ON),
        "letters": list(LENGTHS),
        "by_length": "words, wrong, edits and phonemes are sums over the test words of each length and over the seeds",
        "cells": cells,
    }
