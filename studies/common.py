"""What several studies share beside the definitions of the book: sums over seeds, the random split, data, BLEU.

A study imports it with `from studies import common`. It is no study itself, and its code counts in their hashes.
"""

import functools

LETTERS = list(range(3, 15))  # numbers of letters for which sums over words are stored
FITTED_ON = [4, 5, 6]  # of these, those that fit the null curve
SUMS = ["words", "wrong", "edits", "phonemes"]
BY_LENGTH = "words, wrong, edits and phonemes are sums over the words of each length and over the seeds"


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def once(make):
    """`make(book)` as it was made the first time: the runs of a study have one book."""
    made = []

    @functools.wraps(make)
    def first(book):
        if not made:
            made.append(make(book))
        return made[0]

    return first


def every(n, rows):
    """One row in n."""
    return {key: column[::n] for key, column in rows.items()}


# ---------------------------------------------------------------- reading aloud


def listed(rows):
    """A word and its phonemes, for each listed pronunciation of each word, in order."""
    return [(w, answer.split()) for w, answers in zip(rows["word"], rows["pronunciations"]) for answer in answers]


def random_split(book, rows):
    """The rows of the dictionary split at random, whatever the families, in parts as large as those of `rows`."""
    import numpy as np

    dataset = book["load_cmudict"]()
    ends = np.cumsum([len(part["word"]) for part in rows.values()])
    parts = np.split(np.random.default_rng(0).permutation(len(dataset)), ends[:-1])
    return {name: dataset.select(np.sort(part))[:] for name, part in zip(rows, parts)}


def word_error(edits):
    return round(float((edits > 0).mean()), 4)


def phoneme_error(edits, lengths):
    return round(float(edits.sum() / lengths.sum()), 4)


def dev_errors(rates, score, report, about=""):
    """The share of dev words wrong at each learning rate; `score(rate)` returns the edits of a run at that rate."""
    errors = {}
    for rate in rates:
        errors[rate] = word_error(score(rate))
        report(f"{about}rate {rate}: {errors[rate]} of dev words wrong")
    return errors


def lowest(errors):
    """The key with the lowest error."""
    return min(errors, key=errors.get)


def of_size(done, size):
    """Of the runs (name, size, learning rate, seed) those of one length or number of steps: (name, rate, seed)."""
    return {(name, rate, seed): result for (name, s, rate, seed), result in done.items() if s == size}


def tried_rates(done, name, seed, score):
    """The score at each learning rate that `name` has been trained with at this seed, in order."""
    rates = sorted(rate for n, rate, s in done if (n, s) == (name, seed))
    return {rate: score(done[name, rate, seed]) for rate in rates}


def chosen(done, name, seed, score):
    """The learning rate with the lowest score, and the scores at all."""
    tried = tried_rates(done, name, seed, score)
    return lowest(tried), tried


def with_seeds(done, names, rates, widen, rate_seed, seeds, score):
    """The runs (name, learning rate, seed) of a study: each name at each rate with one seed, further rates as long as
    the best stands at an edge, `widen` times the highest or less than the lowest, then the best with the other seeds.
    """
    jobs = []
    for name in names:
        tried = sorted({*rates, *tried_rates(done, name, rate_seed, score)})
        jobs += [(name, rate, rate_seed) for rate in tried]
        if any((name, rate, rate_seed) not in done for rate in tried):
            continue
        best = chosen(done, name, rate_seed, score)[0]
        if best == tried[-1]:
            jobs.append((name, round(best * widen, 6), rate_seed))
        elif best == tried[0]:
            jobs.append((name, round(best / widen, 6), rate_seed))
        else:
            jobs += [(name, best, seed) for seed in seeds]
    return jobs


def add_errors(part, edits, lengths):
    """Append the errors of one run to the lists `word_error` and `phoneme_error` of `part`."""
    part.setdefault("word_error", []).append(word_error(edits))
    part.setdefault("phoneme_error", []).append(phoneme_error(edits, lengths))


def add_sums(book, part, words, edits, lengths, sums=SUMS):
    """Add the sums of one run over the words of each number of letters to those of `part`."""
    table = book["errors_by_length"](words, edits, lengths, LETTERS[0], LETTERS[-1])
    for key in sums:
        part[key] = [a + int(b) for a, b in zip(part.get(key, [0] * len(LETTERS)), table[key])]


def null_phoneme_error(book, part):
    """The phoneme error that fits the null curve to the sums of `part`."""
    used = [LETTERS.index(n) for n in FITTED_ON]
    counts = [part["words"][i] for i in used]
    phonemes = [part["phonemes"][i] / part["words"][i] for i in used]
    return round(float(book["fit_phoneme_error"]([part["wrong"][i] for i in used], phonemes, counts)), 5)


# ---------------------------------------------------------------- recurrent layers


def layer_class(name):
    """The class of PyTorch's layer that a name such as "LSTM, forget bias 1" begins with."""
    from torch import nn

    return {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}[name.partition(",")[0]]


def start(name, layer):
    """Start a layer's weights as the rest of its name says: orthogonal, or with a forget bias of 1."""
    import torch

    with torch.no_grad():
        if "orthogonal" in name:
            torch.nn.init.orthogonal_(layer.weight_hh_l0)
        if "forget bias 1" in name:
            forget = slice(layer.hidden_size, 2 * layer.hidden_size)
            layer.bias_ih_l0[forget], layer.bias_hh_l0[forget] = 1.0, 0.0


# ---------------------------------------------------------------- the letter model


@once
def letter_rows(book):
    """The rows of train, dev and test: words, pronunciations and families."""
    data = book["split_by_family"](book["load_cmudict"]())
    return {name: data[name][:] for name in data}


@once
def letter_data(book):
    """The vocabulary of the training words, and the ids of the words of train and dev."""
    rows = letter_rows(book)
    words = {name: rows[name]["word"] for name in ["train", "dev"]}
    vocabulary = book["Vocabulary"](letter for word in words["train"] for letter in word)
    return vocabulary, {name: [vocabulary.encode(word) for word in words[name]] for name in words}


def letter_bits(book, model, encoded, early=None):
    """Bits per letter on dev and on one training word in 15; on dev also of the first `early` letters and the rest."""

    def mean(scored):
        return round(book["bits_per_letter"](scored), 4)

    dev = book["word_bits"](model, encoded["dev"])
    found = {"dev": mean(dev), "train": mean(book["word_bits"](model, encoded["train"][::15]))}
    if early is not None:
        found["dev_early"] = mean([bits[:early] for bits in dev])
        found["dev_late"] = mean([bits[early:] for bits in dev])
    return found | {"parameters": parameters(model)}


# ---------------------------------------------------------------- translation


class Bilingual:
    """Subwords and vocabularies learned from `texts`, {"de": [...], "en": [...]}."""

    def __init__(self, book, texts, merges):
        self.book = book
        self.subwords = {key: book["Subwords"](texts[key], merges) for key in ["de", "en"]}
        self.vocabularies = {key: book["Vocabulary"](self.subwords[key].symbols) for key in self.subwords}
        self.sizes = tuple(len(vocabulary) for vocabulary in self.vocabularies.values())
        self.pairs = [(self.encode("de", de), self.encode("en", en)) for de, en in zip(texts["de"], texts["en"])]

    def encode(self, key, text):
        """The ids of a text; characters that the texts did not hold become spaces."""
        known = self.subwords[key].symbols
        text = "".join(c if c in known or c == " " else " " for c in text.lower())
        return self.vocabularies[key].encode(self.subwords[key].split(text))

    def bleu(self, model, rows):
        """BLEU of greedy translations of the rows' German, against their English."""

        def tokens(text):
            return [word.strip("▁") for word in self.book["split_words"](text)]

        sources = [self.encode("de", text) for text in rows["de"]]
        readings = self.book["read_greedily"](model, sources, self.vocabularies["en"], 128, longest=45)
        counts = sum(
            self.book["bleu_counts"](tokens(self.subwords["en"].join(reading) or "."), tokens(text))
            for reading, text in zip(readings, rows["en"])
        )
        return round(float(self.book["bleu"](counts)), 2)


def multi30k(book):
    """The rows of Multi30k's training and validation set."""
    data = book["load_multi30k"]()
    return {name: data[name][:] for name in ["train", "validation"]}


def translator(book, kind, sizes, dropout, initialisation="PyTorch"):
    """Chapter 13's Transformer, its linear maps initialised as PyTorch or as chapter 12 does, or GRU with attention."""
    import torch

    if kind != "Transformer":
        return book["AttentionReader"](*sizes, 128, 256, book["DotAttention"](), dropout)
    model = book["Transformer"](*sizes, 128, 4, 512, 3, dropout)
    for layer in model.modules():
        if initialisation == "PyTorch" and isinstance(layer, torch.nn.Linear):
            layer.reset_parameters()
    return model
