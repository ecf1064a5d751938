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


# ---------------------------------------------------------------- readers in chapter 7's loop

SIZES = {"embedding_size": 64, "hidden_size": 256, "batch_size": 512, "dropout": 0.1, "smoothing": 0.1, "warm_up": 0.1}
STEPS, LONGER = 800, 1600
SEEDS = [0, 1, 2]
RATES = [0.004, 0.008, 0.016]
TRAIN_SAMPLE = 8  # one training word in so many is read again
READING = ["reading_data", "reading_pairs", "load_cmudict", "score_reader", "train_reader", "errors_by_length"]
READING += ["fit_phoneme_error", "expected_word_error"]
PARTS = ["dev", "test", "train sample", "both"]
COUNTS = ["words", "wrong", "phonemes"]  # what the null curve needs


@once
def reading_splits(book):
    """The letters and phonemes, and the rows of each split: by family, and at random. Part `both` holds the words that
    are test words of both."""
    rows, letters, phonemes = book["reading_data"]()
    splits = {"by family": rows, "random": random_split(book, rows)}
    tested = set(splits["random"]["test"]["word"])
    where = [i for i, word in enumerate(rows["test"]["word"]) if word in tested]
    both = {key: [column[i] for i in where] for key, column in rows["test"].items()}
    for part in splits.values():
        part |= {"train sample": every(TRAIN_SAMPLE, part["train"]), "both": both}
    return letters, phonemes, splits


def train_and_read(book, make, steps, rate, seed, split="by family", parts=PARTS, copying=False, **options):
    """Train what `make(n_letters, n_phonemes)` makes and read the words of these parts greedily; with `copying`, the
    answer to a word is its letters.

    Returns the number of its parameters that are trained, its errors by part with their sums by length, and which test
    words are wrong.
    """
    import base64

    import numpy as np
    import torch

    letters, phonemes, splits = reading_splits(book)
    rows, symbols = splits[split], phonemes
    if copying:
        symbols = letters
        rows = {key: part | {"pronunciations": [[" ".join(w)] for w in part["word"]]} for key, part in rows.items()}
    pairs = book["reading_pairs"](rows["train"], letters, symbols)
    options = {key: SIZES[key] for key in ["batch_size", "smoothing", "warm_up"]} | options
    torch.manual_seed(seed)
    model = make(len(letters), len(symbols)).to(book["device"])
    nats = []
    book["train_reader"](model, pairs, steps, rate, seed, watch=lambda _, mean: nats.append(mean), every=100, **options)
    found = {"parameters": sum(p.numel() for p in model.parameters() if p.requires_grad)}
    found["train_nats"] = round(nats[-1], 4)
    for name in parts:
        edits, lengths, _ = book["score_reader"](model, rows[name], letters, symbols)
        found[name] = {"word_error": word_error(edits), "phoneme_error": phoneme_error(edits, lengths)}
        add_sums(book, found[name], rows[name]["word"], edits, lengths)
        if name == "test":
            found["wrong"] = base64.b64encode(np.packbits(edits > 0).tobytes()).decode()
    return found


def by_seed(runs, part):
    """The errors of these runs on one part, a list each."""
    return {key: [run[part][key] for run in runs] for key in ["word_error", "phoneme_error"]}


def dev_word_error(result):
    return result["dev"]["word_error"]


def chosen_rate(done, name):
    """The learning rate of a name, chosen on dev after STEPS steps with one seed, and all that were tried."""
    return chosen(of_size(done, STEPS), name, SEEDS[0], dev_word_error)


def rate_then_seeds(done, names, searched=None, longer=()):
    """The runs (name, steps, learning rate, seed): for each name of `searched` (a dictionary: whose rate each name
    takes) a rate is chosen on dev with one seed, from a grid that is widened as long as the best stands at its edge;
    then each is trained with all seeds, and those of `longer` with the first seed for LONGER steps too.
    """
    searched = searched or {name: name for name in names}
    first, *others = SEEDS
    search = {}
    for name in dict.fromkeys(searched.values()):
        jobs = with_seeds(of_size(done, STEPS), [name], RATES, 2, first, [], dev_word_error)
        search[name] = [(name, STEPS, rate, seed) for name, rate, seed in jobs]
    best = {
        name: chosen_rate(done, searched[name])[0]
        for name in names
        if all(job in done for job in search[searched[name]])
    }
    jobs = sum(search.values(), []) + [(name, STEPS, rate, first) for name, rate in best.items()]
    jobs += [(name, LONGER, best[name], first) for name in longer if name in best]
    return jobs + [(name, STEPS, rate, seed) for seed in others for name, rate in best.items()]


def excess(book, part):
    """By how many points the word error of words of 10 to 12 letters exceeds the null curve fitted to 4 to 6."""
    import numpy as np

    words, wrong, phonemes = (np.array(part[key], dtype=float) for key in COUNTS)
    n = phonemes / np.maximum(words, 1)
    short, long = (slice(LETTERS.index(a), LETTERS.index(b) + 1) for a, b in [(4, 6), (10, 12)])
    p = book["fit_phoneme_error"](wrong[short], n[short], words[short])
    beyond = (wrong - words * book["expected_word_error"](p, n))[long].sum() / words[long].sum()
    return round(100 * float(beyond), 2)


def reading_cells(book, done, names, searched=None, longer=(), by_length=None):
    """The results of `rate_then_seeds`: the rates tried, and for each name the errors of its seeds and their excess;
    for names of `by_length` (all) also sums over seeds by length for test and training words."""
    rates, cells = {}, []
    for name in names:
        best, rates[(searched or {}).get(name, name)] = chosen_rate(done, (searched or {}).get(name, name))
        for steps in [STEPS, *([LONGER] if name in longer else [])]:
            seeds = SEEDS if steps == STEPS else SEEDS[:1]
            runs = [done[name, steps, best, seed] for seed in seeds]
            cell = {"reader": name, "steps": steps, "learning_rate": best, "parameters": runs[0]["parameters"]}
            cell["train_nats"] = [run["train_nats"] for run in runs]
            for part in PARTS[:3]:
                kept = cell[part] = by_seed(runs, part)
                if part != "dev":
                    kept["excess"] = [excess(book, run[part]) for run in runs]
                if part != "dev" and (by_length is None or name in by_length):
                    kept |= {key: [sum(n) for n in zip(*(run[part][key] for run in runs))] for key in COUNTS}
            cells.append(cell)
    return rates, cells


def wrong_by_seed(done, name, rate):
    """For each seed which test words are wrong: an array (seeds, words) of 0 and 1."""
    import base64

    import numpy as np

    bits = [done[name, STEPS, rate, seed]["wrong"] for seed in SEEDS]
    return np.array([np.unpackbits(np.frombuffer(base64.b64decode(b), dtype=np.uint8)) for b in bits])


def family_difference(book, ours, theirs):
    """The test word error of `ours` minus that of `theirs` in points, both (seeds, words) and averaged over seeds, with
    its 95% interval over word families."""
    import numpy as np

    families = reading_splits(book)[2]["by family"]["test"]["family"]
    _, which = np.unique(families, return_inverse=True)
    sums = [np.bincount(which, wrong[:, : len(which)].mean(0)) for wrong in (ours, theirs)] + [np.bincount(which)]
    generator = np.random.default_rng(0)
    draws = [generator.integers(len(sums[0]), size=len(sums[0])) for _ in range(1000)]
    a, b, n = sums
    low, high = np.percentile([(a[i].sum() - b[i].sum()) / n[i].sum() for i in draws], [2.5, 97.5])
    return [round(100 * float(v), 2) for v in ((a.sum() - b.sum()) / n.sum(), low, high)]


# ---------------------------------------------------------------- readers in batches of one length


def train_by_length(book, model, pairs, steps, learning_rate, seed, batch_size=128):
    """Train a reader as the studies `encoder_decoder` and `attention` did: batches of similar length, Adam, a learning
    rate that falls linearly to zero, no warm-up, no smoothing. Every target symbol weighs the same.
    """
    import numpy as np
    import torch

    generator = np.random.default_rng(seed)
    lengths = [len(source) + len(target) / 100 for source, target in pairs]
    average = batch_size * np.mean([len(target) - 1 for _, target in pairs])
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    queue, device = [], book["device"]
    model.train()
    for _ in range(steps):
        queue = queue or book["length_batches"](lengths, batch_size, generator)
        batch = queue.pop()
        source, mask = book["pad_batch"]([pairs[i][0] for i in batch])
        target = book["pad_batch"]([pairs[i][1] for i in batch])[0].to(device)
        logits = model(source.to(device), mask.to(device), target[:, :-1]).transpose(1, 2)
        nats = torch.nn.functional.cross_entropy(logits, target[:, 1:], ignore_index=0, reduction="sum")
        optimizer.zero_grad()
        (nats / average).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
