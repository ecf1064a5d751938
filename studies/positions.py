"""Chapter 11's four ways to know the order, inside the lengths of training and beyond them."""

ABOUT = (
    "reading aloud in one step by an encoder without positions, with sinusoidal, learned and rotary ones, trained on "
    "all words (three seeds) and on words of at most eight letters (two), rates chosen on dev from the same two."
)
USES = [
    "load_cmudict",
    "split_by_family",
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

    data = book["split_by_family"](book["load_cmudict"]())
    rows = {name: data[name][:] for name in data}
    letters = book["Vocabulary"](letter for word in rows["train"]["word"] for letter in word)
    listed = [(w, p.split()) for w, ps in zip(rows["train"]["word"], rows["train"]["pronunciations"]) for p in ps]
    listed = [(word, answer) for word, answer in listed if len(answer) <= 2 * len(word)]
    aligner = book["LetterAligner"](*zip(*listed[::15]))
    tagged = [(word, book["tag_letters"](aligner, word, answer)) for word, answer in listed]
    tags = book["Vocabulary"](tag for _, said in tagged for tag in said)
    pairs = {"all words": [(letters.encode(word), tags.encode(said)) for word, said in tagged]}
    pairs["short words"] = [pair for pair in pairs["all words"] if len(pair[0]) - 2 <= SHORT]

    def train(kind, trained_on, rate, seed):
        torch.manual_seed(seed)
        model = book["LetterTagger"](len(letters), len(tags), D_MODEL, HEADS, LAYERS, kind).to(book["device"])
        book["train_tagger"](model, pairs[trained_on], STEPS, rate, seed, BATCH)
        return model

    def read(model, name):
        readings = book["read_tags"](model, [letters.encode(word) for word in rows[name]["word"]], tags)
        return book["reading_errors"](readings, rows[name]["pronunciations"])

    rates, searched, cells = {kind: {} for kind in KINDS}, {}, []
    for kind in KINDS:
        for rate in RATES:
            searched[kind, rate] = model = train(kind, "all words", rate, 0)
            rates[kind][rate] = round(float((read(model, "dev")[0] > 0).mean()), 4)
            report(f"{kind}, rate {rate}: {rates[kind][rate]} of dev words wrong")
    for kind in KINDS:
        rate = min(rates[kind], key=rates[kind].get)
        for trained_on in pairs:
            cell = {"positions": kind, "trained_on": trained_on, "learning_rate": rate, "seeds": SEEDS[trained_on]}
            for seed in SEEDS[trained_on]:
                first = trained_on == "all words" and seed == 0
                model = searched[kind, rate] if first else train(kind, trained_on, rate, seed)
                cell["parameters"] = sum(p.numel() for p in model.parameters())
                for name in ["dev", "test"]:
                    edits, lengths = read(model, name)
                    table = book["errors_by_length"](rows[name]["word"], edits, lengths)
                    part = cell.setdefault(name, {"word_error": [], "phoneme_error": []})
                    part["word_error"].append(round(float((edits > 0).mean()), 4))
                    part["phoneme_error"].append(round(float(edits.sum() / lengths.sum()), 4))
                    if name == "test":
                        for key in ["words", "wrong", "edits", "phonemes"]:
                            part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(table[key])), table[key])]
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
        "letters": table["letters"].tolist(),
        "by_length": "words, wrong, edits and phonemes are sums over the words of each length and over the seeds",
        "cells": cells,
    }
