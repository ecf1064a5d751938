"""The mistakes that `make mutants` plants in chapter 1, sequences.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "load_cmudict": [
        (
            "for phonemes in pronunciations\n            ]",
            "for phonemes in pronunciations[:1]]",
            "a pronunciation list cut to its first",
        ),
        ('re.sub(r"\\d", "", " ".join(phonemes))', '" ".join(phonemes)', "stress marks stay"),
        ("list(dict.fromkeys(plain))", "plain", "what differs in stress alone is listed twice"),
        ("re.fullmatch(r", "re.match(r", "words with a full stop or a digit stay"),
    ],
    "showcase_words": [
        ('"knight though', '"night though', "another word than the one later chapters draw"),
    ],
    "word_families": [
        ("if isinstance(words, str):", "if False:", "the letters of a string are taken for words"),
        ("parent[b] = a", "parent[a] = b", "the longest word of a family, not the shortest, names it"),
        ("parent[b] = a", "parent[word] = a", "a word is linked, and not the family it belongs to"),
        ('re.sub("i$", "y", stem), ', "", "cities and city are strangers"),
        (', re.sub(r"(.)\\1$", r"\\1", stem)]', "]", "stopping and stop are strangers"),
        ('yield from [stem, stem + "e", stem + "y"]', 'yield from [stem, stem + "y"]', "hiking and hike are strangers"),
        ("len(word) - len(affix) >= 4", "len(word) - len(affix) >= 1", "a beginning may leave one letter"),
        ("len(stem) >= 3", "len(stem) >= 1", "an ending may leave one letter"),
        ("{word: find(word) for word in parent}", "dict(parent)", "pointers are not followed to their end"),
    ],
    "split_by_family": [
        ("stems[word] in shown or bucket >= 85", "bucket >= 85", "the words that are drawn may be training words"),
        ("hashlib.sha256(stems[word].encode())", "hashlib.sha256(word.encode())", "words are dealt out, not families"),
        ("if bucket < 80\n            else", "if bucket < 70 else", "70 in 100 are for training, and 15 for dev"),
        ('"family", [stems[word] for word in words]', '"family", words', "the family of a word is the word"),
    ],
    "Vocabulary": [
        ('sorted(set(symbols) - {"_", "^", "$"})', "symbols", "a symbol given twice has two ids"),
        ('sorted(set(symbols) - {"_", "^", "$"})', "sorted(set(symbols))", "a mark among the symbols has two ids"),
        ("return len(self.symbols)", "return len(self.symbols) - 3", "the marks are not counted"),
        ("self.ids.get(symbol, 0) <= self.END", "symbol not in self.ids", "marks pass as letters"),
        ("for symbol in sequence), self.END]", "for symbol in sequence)]", "no end mark"),
        ("[self.START, *(", "[*(", "no start mark"),
        ("ids[: ids.index(self.END)] if self.END in ids else ids", "ids", "decoding reads on past the end mark"),
        ("if i > self.END]", "if i > self.PAD]", "marks are decoded as symbols"),
    ],
    "pad_batch": [
        ("torch.arange(longest) < lengths", "torch.arange(longest) <= lengths", "the mask is one position too long"),
        ("torch.arange(longest) < lengths[:, None]", "ids != pad", "a symbol that equals the padding is masked"),
        ("*[pad] * (", "*[0] * (", "padding is 0 whatever was asked for"),
        (
            "[*sequence, *[pad] * (longest - len(sequence))]",
            "[*[pad] * (longest - len(sequence)), *sequence]",
            "padding in front",
        ),
        ("any(isinstance(row[0], str) for row in rows)", "False", "symbols are not refused as such"),
        ("ids.dtype != torch.int64 or ", "", "fractions pass as ids"),
    ],
    "length_batches": [
        (
            "range(0, len(order), batch_size)",
            "range(0, len(order) - batch_size + 1, batch_size)",
            "the last and partial batch is lost",
        ),
        ("np.lexsort((ties, lengths))", "np.lexsort((lengths, ties))", "sorted at random, and ties by length"),
        ("generator.shuffle(batches)", "pass", "short batches always come first"),
        (
            "np.zeros(len(lengths)) if generator is None else generator.random(len(lengths))",
            "np.zeros(len(lengths))",
            "words of one length always keep the same company",
        ),
    ],
    "kneser_ney_counts": [
        ('n if len(g) == order or g[0] == "^" else kinds[g]', "n", "lower orders count occurrences, not kinds"),
        ('if len(g) == order or g[0] == "^" else', "if len(g) == order else", "nothing precedes the start mark, so: 0"),
        ("range(min(order, t + 1))", "range(min(order - 1, t + 1))", "the longest n-grams are missing"),
        ("for t in range(1, len(text)):", "for t in range(len(text)):", "the start mark is counted as an outcome"),
    ],
    "kneser_ney_discounts": [
        ("3 - 4 * y * n4 / n3", "3 - 3 * y * n4 / n3", "the third discount has the second's factor"),
        ("n1 / (n1 + 2 * n2)", "n1 / (n1 + n2)", "the share y without its 2"),
        ("estimate if min(estimate) > 0 else (0.5, 0.5, 0.5)", "estimate", "a discount below zero is taken"),
        ("if not n1 * n2 * n3 * n4:", "if not n1 * n2:", "an estimate from no n-gram at all"),
    ],
    "KneserNey": [
        ("if isinstance(words, str):", "if False:", "the letters of a string are taken for words"),
        ("self.total[gram[:-1]] += n", "self.total[gram[:-1]] += 1", "a context's total counts kinds"),
        (
            "self.freed[gram[:-1]] += self._discount(gram)",
            "self.freed[gram[:-1]] += 0.5",
            "what is freed is not what was discounted",
        ),
        ("min(self.count.get(gram, 0), 3)", "min(self.count.get(gram, 0), 2)", "the third discount is never used"),
        ("self.discounts[len(gram) - 1]", "self.discounts[-1]", "the longest order's discounts serve all"),
        ("(kept + self.freed[u] * p) / self.total[u]", "kept / self.total[u]", "nothing from the shorter context"),
        ("len(context) - self.order + 1) :]", "len(context) - self.order + 2) :]", "a context one symbol too short"),
        ("range(len(context), -1, -1)", "range(len(context), 0, -1)", "the whole context is never used"),
        ("-np.log2(", "-np.log(", "nats for bits"),
        (
            "for t in range(1, len(text))]\n        )",
            "for t in range(1, len(text) - 1)])",
            "the end of a word costs nothing",
        ),
        ("if letter not in self.symbols:", "if False:", "an unknown letter is scored and not refused"),
    ],
    "bits_per_letter": [
        (
            "np.concatenate(surprisals).mean()",
            "np.mean([s.mean() for s in surprisals])",
            "words weigh alike, not letters",
        ),
    ],
}
