"""Chapter 7: is it the one vector? Contexts of several widths, a network that copies, and relatives among the words."""

from studies import common

ABOUT = (
    "reading aloud with the plain encoder-decoder whose context is 4 to 1,024 entries wide, on a random split, and "
    "copying the letters of the word through contexts of 16, 64 and 256; 800 steps of 512 words, three seeds each; the "
    "learning rate chosen on dev for 256 entries; 256 entries with one seed also for 1,600 steps; and, with one seed, "
    "a new decoder that learns to copy from the vector of a trained reader of 256 entries, which stays as it is."
)
USES = [*common.READING, "EncoderDecoder"]

NAMES = [
    "k = 256",
    "k = 1024",
    "k = 64",
    "k = 16",
    "k = 4",
    "copy, k = 256",
    "k = 256, random split",
    "copy, k = 64",
    "copy, k = 16",
]
LONGER = ["k = 256", "k = 256, random split"]
HELD = "copy, from the reader's k = 256"  # is what the reader's vector leaves out the spelling?
SEARCHED = {name: "k = 256" for name in NAMES} | {"k = 4": "k = 4"}  # whose learning rate each takes


def plan(done):
    jobs = common.rate_then_seeds(done, NAMES, SEARCHED, LONGER)
    rates = {job[2] for job in jobs if job[:2] == ("k = 256", common.LONGER)}
    return jobs + [(HELD, common.STEPS, rate, common.SEEDS[0]) for rate in rates]


def measure(book, name, steps, rate, seed):
    width, sizes = int(name.partition("k = ")[2].partition(",")[0]), common.SIZES

    def make(n_letters, n_symbols):
        return book["EncoderDecoder"](
            n_letters, n_symbols, sizes["embedding_size"], sizes["hidden_size"], width, dropout=sizes["dropout"]
        )

    if name == HELD:
        readers = []
        common.train_and_read(book, lambda *n: readers.append(make(*n)) or readers[0], steps, rate, seed, parts=[])

        def copier(n_letters, n_symbols):
            model = make(n_letters, n_symbols)
            model.encoder, model.squeeze = readers[0].encoder, readers[0].squeeze
            for part in (model.encoder, model.squeeze):
                part.requires_grad_(False)
            return model

        return common.train_and_read(book, copier, steps, rate, seed, copying=True)

    split = "random" if "random" in name else "by family"
    return common.train_and_read(book, make, steps, rate, seed, split, copying="copy" in name)


def gather(done, book):
    rates, cells = common.reading_cells(book, done, NAMES, SEARCHED, LONGER, by_length=["k = 256", "copy, k = 256"])
    best = {name: common.lowest(rates[SEARCHED[name]]) for name in NAMES}
    readers = [name for name in NAMES if "copy" not in name and "random" not in name]
    wrong = {name: common.wrong_by_seed(done, name, best[name]) for name in readers}
    beyond = {name: common.family_difference(book, wrong[name], wrong["k = 256"]) for name in readers}
    relatives = []
    for name in LONGER:
        for steps, seeds in [(common.STEPS, common.SEEDS), (common.LONGER, common.SEEDS[:1])]:
            runs = [done[name, steps, best[name], seed]["both"] for seed in seeds]
            found = {
                "word_error": [run["word_error"] for run in runs],
                "excess": [common.excess(book, r) for r in runs],
            }
            relatives.append({"reader": name, "steps": steps} | found)
    return common.SIZES | {
        "seeds": common.SEEDS,
        "rates": rates,
        "letters": common.LETTERS,
        "by_length": "words, wrong and phonemes are sums over the words of each length and over the seeds",
        "cells": cells,
        "copied from the reader's vector": {
            key: done[HELD, common.STEPS, best["k = 256"], 0]["test"][key] for key in ["word_error", *common.COUNTS]
        },
        "minus k = 256": beyond,
        "words that either split tests": relatives,
        "kept": {
            "reader": "k = 256",
            "steps": common.STEPS,
            "seed": 0,
            "wrong_test_words": done["k = 256", common.STEPS, best["k = 256"], 0]["wrong"],
        },
    }
