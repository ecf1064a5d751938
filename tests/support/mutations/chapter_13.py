"""The mistakes that `make mutants` plants in chapter 13, translation.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "load_multi30k": [
        ("os.path.isdir(folder)", "True", "a folder that is not there is not named"),
        ("    if folder:\n", "    if False:\n", "the local copy is ignored"),
        ("os.path.isfile(path)", "True", "a missing file is not named"),
        ("except (ValueError, KeyError, TypeError):", "except KeyboardInterrupt:", "a damaged line is not named"),
        ('row[key] + ""', "row[key]", "what is no text is taken"),
        ("enumerate(lines, start=1)", "enumerate(lines)", "the line before is called damaged"),
        ("if found != size:", "if False:", "half a file is taken for the whole"),
        ("if found != size:", "if found == 0:", "a file cut short is taken for the whole"),
        ("if split in data else 0", "", "a split that is missing is not named"),
        ('raise SystemExit(f"{advice} (', 'raise SystemExit(f"(', "no advice when the data cannot be had"),
    ],
    "split_words": [
        ('re.sub("[_^$▁]", " ", text)', "text", "marks of the vocabulary stay in the text"),
        ("text.lower()", "text", "capitals stay"),
        ('unicodedata.normalize("NFC", text.lower())', "text.lower()", "an accent apart splits its word"),
        ('.replace("\\ufeff", "")', "", "a byte order mark is a token"),
        ('r"▁?\\w+|▁?[^\\w▁]"', 'r"▁?\\w+|[^\\w▁]"', "a mark loses the space before it"),
        ('if text == "▁":', "if not text:", "an empty text is not refused"),
    ],
    "merge": [
        ("(merged[-1], part) == pair", "(part, merged[-1]) == pair", "the pair is read backwards"),
        ("merged[-1] += part", "merged[-1] += part[:1]", "a part loses its end"),
        ("(merged[-1], part) == pair", "merged[-1] + part == pair[0] + pair[1]", "other parts that spell the same"),
    ],
    "learn_merges": [
        ("if count == 0 or -count != pairs[pair]:", "if count == 0:", "old counts are believed"),
        ("            add(word, -1, touched)\n", "", "pairs that are gone still count"),
        ("sign * counts[word]", "sign", "words count once, however often they were seen"),
        ("len(merges) < n_merges", "len(merges) <= n_merges", "one merge too many"),
        ("[(-count, pair) for pair", "[(count, pair) for pair", "the rarest pair first"),
    ],
    "Subwords": [
        ("self.ranks.get(pair, math.inf)", "-self.ranks.get(pair, -math.inf)", "the last merge learned first"),
        (
            "if pair not in self.ranks:\n                break",
            "if pair not in self.ranks:\n                return (word,)",
            "a word that cannot be joined whole is not split",
        ),
        ('{"▁", *"".join(counts), ', "{", "single characters are no symbols"),
        ("strange = set(tokens) - self.symbols", "strange = set()", "unknown characters are not refused"),
        ('.replace("▁", " ").strip()', '.replace("▁", " ")', "a space at the beginning"),
        ('.replace("▁", " ").strip()', '.replace("▁", "")', "no spaces"),
    ],
    "token_batches": [
        ("longest * (len(batches[-1]) + 1) > tokens", "longest * len(batches[-1]) > tokens", "a pair too many"),
        ("lengths.max(axis=1) + 4", "lengths[:, 0] + 4", "sorted by the source only"),
        ("4 * generator.random(len(lengths))", "0 * generator.random(len(lengths))", "the same pairs always meet"),
        ("generator.permutation(len(batches))", "range(len(batches))", "short batches always come first"),
        ("lengths.max() > tokens", "lengths.max() >= tokens", "a sequence that just fits is refused"),
        ("            longest = lengths[i].max()\n", "", "a new batch begins with the old one's length"),
        (
            "longest = max(longest, lengths[i].max())",
            "longest = lengths[i].max()",
            "the last pair's length, not the longest",
        ),
    ],
    "train_translator": [
        ("if not any(target[1:]):", "if False:", "a target of padding alone is trained on"),
        ("target[:, 1:][real]", "target[:, :-1][real]", "targets not shifted"),
        (
            "logits[real], target[:, 1:][real]",
            "logits.flatten(0, 1), target[:, 1:].flatten()",
            "label smoothing on padding",
        ),
        ("label_smoothing=smoothing", "label_smoothing=0.0", "targets are not smoothed"),
        ("        optimizer.zero_grad()\n", "", "gradients add up from step to step"),
        ("nn.utils.clip_grad_norm_(", "nn.utils.clip_grad_value_(", "clipping by value"),
        ("(done + 1) / max(1, warm_up_steps)", "done / max(1, warm_up_steps)", "the first step is for nothing"),
        ("math.cos(math.pi * done / steps)", "math.cos(math.pi * done / (2 * steps))", "the rate falls half the way"),
        ("        schedule.step()\n", "", "the schedule is never asked"),
        ("torch.optim.AdamW(", "torch.optim.Adam(", "no weight decay"),
        ("queue = queue or token_batches", "queue = token_batches", "pairs are dealt anew at every step"),
        ("            recent = []", "            pass", "each report is of all batches so far"),
        ("    model.train()\n", "", "a model left in evaluation is trained without dropout"),
        ("\n    model.eval()", "", "dropout stays on after training"),
    ],
    "bleu_counts": [
        ("if isinstance(tokens, str):", "if False:", "a text is scored by its characters"),
        (
            "for tokens in (hypothesis, reference):\n        if",
            "for tokens in (hypothesis,):\n        if",
            "a reference not yet cut is scored by its characters",
        ),
        (
            "(found & wanted).total()",
            "sum(found[k] for k in found if k in wanted)",
            "a word repeated is matched each time",
        ),
        ("range(len(tokens) - n + 1)", "range(len(tokens) - n)", "the last n-gram is missing"),
        ("range(1, longest + 1)", "range(1, longest)", "the longest n-grams are missing"),
        ("len(hypothesis), len(reference)]", "len(reference), len(hypothesis)]", "the lengths change places"),
    ],
    "bleu": [
        ("np.minimum(0, 1 - counts[..., -1] / counts[..., -2])", "0", "no penalty for what is short"),
        ("np.minimum(0, 1 - ", "(1 - ", "a reward for what is long"),
        ("counts[..., -1] / counts[..., -2]", "counts[..., -2] / counts[..., -1]", "a penalty for what is long"),
        (
            "np.log(np.where(found > 0, matched / found, 0)).mean(-1)",
            "np.log(np.where(found > 0, matched / found, 0).mean(-1))",
            "the arithmetic mean of the precisions",
        ),
        (
            "np.nan_to_num(100 * np.exp(precision + brevity))",
            "100 * np.exp(precision + brevity)",
            "nan where nothing was said",
        ),
    ],
}
