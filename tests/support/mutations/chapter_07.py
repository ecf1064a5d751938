"""The mistakes that `make mutants` plants in chapter 7, the encoder-decoder.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "reading_data": [
        (
            'Vocabulary(letter for word in rows["train"]["word"]',
            'Vocabulary(letter for part in rows.values() for word in part["word"]',
            "letters of dev and test words too",
        ),
        (
            'for listed in rows["train"]["pronunciations"]',
            'for part in rows.values() for listed in part["pronunciations"]',
            "phonemes of dev and test words too",
        ),
        ("for answer in listed\n    ]", "for answer in listed[:1]]", "phonemes of first pronunciations only"),
    ],
    "reading_pairs": [
        ("for answer in listed", "for answer in listed[:1]", "only the first pronunciation"),
        ("letters.encode(word)", "letters.encode(word)[1:-1]", "letters without marks"),
        ("answer.split()", "answer", "a pronunciation's characters for its phonemes"),
    ],
    "Encoder": [
        (
            "mask.sum(1).cpu(),\n            nn.utils.rnn",
            "torch.full((len(mask),), len(mask[0])), nn.utils.rnn",
            "padding not masked",
        ),
        (
            "last.transpose(0, 1).flatten(\n            1\n        )",
            "last.reshape(len(source), -1)",
            "words mixed by a wrong reshape",
        ),
        ("bidirectional=bidirectional", "bidirectional=True", "both directions, whatever was asked for"),
        ("self.dropout(self.embedding(source))", "self.embedding(source)", "no dropout on what enters"),
        ("return self.dropout(states), ", "return states, ", "no dropout on the states"),
    ],
    "EncoderDecoder": [
        ("return torch.tanh(self.initial(c)), c", "return self.initial(c), c", "tanh dropped from the first state"),
        ("return torch.tanh(self.initial(c)), c", "return torch.tanh(last), c", "a second way past the context"),
        ("c[:, None].expand", "(0 * c[:, None]).expand", "no context after the first state"),
        (
            "self.dropout(mixed)), (s[0], c)",
            "self.dropout(mixed)), (states[:, 0], c)",
            "the state of the first phoneme read",
        ),
        (
            "self.combine(torch.cat([states, context]",
            "self.combine(torch.cat([states.roll(1, 1), context]",
            "log_probabilities from the state of the wrong step",
        ),
        (
            "self.start(source, mask))[0]",
            "self.start(source, mask | True))[0]",
            "padding not masked in teacher forcing",
        ),
        ("self.output(self.dropout(mixed))", "self.output(mixed)", "no dropout before the output"),
        ("if bidirectional and hidden_size % 2:", "if hidden_size % 2:", "one direction may not have an odd width"),
    ],
    "forced_log_probabilities": [
        ("target[:, 1:, None]", "target[:, :-1, None]", "targets not shifted"),
        ("real[:, 1:]", "real[:, :-1]", "the padding after the end mark counts"),
        (
            "zip(\n            batch, log_probabilities",
            "zip(sorted(batch), log_probabilities",
            "words of a batch get each other's scores",
        ),
        (".log_softmax(-1)", ".log_softmax(1)", "softmax over the wrong axis"),
    ],
    "train_reader": [
        ("F.cross_entropy(logits, target[:, 1:]", "F.cross_entropy(logits, target[:, :-1]", "targets not shifted"),
        ("ignore_index=0, ", "", "padding not masked in the loss"),
        ("        optimizer.zero_grad()\n", "", "gradients add up from step to step"),
        ("(nats / average)", "(nats / real)", "every batch weighs the same, and so not every symbol"),
        ("nn.utils.clip_grad_norm_(", "nn.utils.clip_grad_value_(", "clipping by value"),
        ("lambda step: 1 - step / steps", "lambda step: 1.0", "the rate does not fall"),
        ("    model.train()\n", "", "a model left in evaluation is trained without dropout"),
        ("\n    model.eval()", "", "dropout stays on after training"),
        ("            recent = []", "            pass", "each report is of all batches so far"),
        ("np.random.default_rng(seed)", "np.random.default_rng(0)", "the seed is ignored"),
        ("len(source) + len(target) / 100", "len(target)", "batches by the length of the answer"),
    ],
    "read_greedily": [
        ("ids.shape[1] <= longest", "ids.shape[1] < longest", "a reading one symbol too short"),
        ("(ids == vocabulary.END).any(1).all()", "(ids == vocabulary.END).any()", "the first word that ends stops all"),
        ("[vocabulary.PAD, vocabulary.START]", "[vocabulary.START]", "padding is read out"),
        ("logits.index_fill(", "logits.index_fill_(", "the model's own logits are written into"),
        ("zip(batch, ids", "zip(sorted(batch), ids", "words of a batch get each other's readings"),
        (
            "logits, state = model.advance(ids[:, -1:], state)",
            "logits, _ = model.advance(ids[:, -1:], state)",
            "the decoder starts anew at every step",
        ),
        ("if any(len(source) <= 2 for", "if any(len(source) < 2 for", "an empty word is not refused"),
    ],
    "score_reader": [
        ('for word in rows["word"]]', 'for word in sorted(rows["word"])]', "words in another order than their answers"),
        ("sources, phonemes, batch_size)", "sources, phonemes)", "the batch size is ignored"),
        (
            "read_greedily(model, sources, phonemes",
            "read_greedily(model, sources, letters",
            "readings spelt in the letters' symbols",
        ),
    ],
    "edit_distance": [
        ("for sequence in (a, b):", "for sequence in (a,):", "a string as the answer is not refused"),
        ("diagonal + (x != y)", "diagonal + 2 * (x != y)", "edit distance without substitution"),
        ("diagonal + (x != y)", "diagonal + 1", "equal symbols cost an edit"),
        ("row[j - 1] + 1, ", "", "no insertions"),
        ("row[j] + 1, row[j - 1]", "row[j - 1]", "no deletions"),
        ("diagonal, row[0] = row[0], i", "diagonal = row[0]", "what is dropped from the front costs nothing"),
    ],
    "reading_errors": [
        ("for answer in listed\n        )", "for answer in listed[:1])", "a pronunciation list cut to its first"),
        ("len(answer.split()))", "len(answer))", "a pronunciation's length in letters"),
        (
            "edit_distance(reading, answer.split())",
            "edit_distance(reading, list(answer))",
            "phonemes compared with letters",
        ),
        ("if isinstance(listed, str):", "if False:", "a string of phonemes is taken for a list of pronunciations"),
        (" or not all(pronunciations)", "", "a word without a pronunciation is not refused"),
    ],
    "beam_search": [
        (
            "rank = scores / length.repeat_interleave(gain.shape[-1], dim=1) ** alpha",
            "rank = scores",
            "beam without its length rule while it searches",
        ),
        ("(total / length**alpha)", "total", "beam without its length rule when it ranks"),
        ("total.shape\n        ) - 1  # without", "total.shape)  # without", "the start mark counts as a symbol said"),
        ("length = length - ended.int()", "length = length", "an ended reading grows in length"),
        ("total[:, 0] = 0", "total[:] = 0", "the beam is filled with one reading"),
        (
            "(first + choice // gain.shape[-1])",
            "(choice // gain.shape[-1])",
            "all words go on from the first word's beam",
        ),
        ("state = [part[row] for part in state]", "state = list(state)", "a reading goes on with another's state"),
        ("gain[ended] = -math.inf", "pass", "an ended reading goes on"),
        (
            "gain[..., vocabulary.PAD].masked_fill_(\n                ended, 0\n            )",
            "pass",
            "an ended reading is thrown out",
        ),
        (
            "gain[..., [vocabulary.PAD, vocabulary.START]] = -math.inf",
            "gain[..., vocabulary.PAD] = -math.inf",
            "the start mark is read out",
        ),
        ("(not entry[0], -entry[1])", "-entry[1]", "readings without an end come first"),
        ("and not ended.all()", "and not ended.any()", "the first reading that ends stops all"),
        ("ids.shape[1] <= longest", "ids.shape[1] < longest", "a reading one symbol too short"),
        ("if width < 1:", "if width < 0:", "a beam of nothing is not refused"),
        ("if any(len(source) <= 2 for", "if any(len(source) < 2 for", "an empty word is not refused"),
    ],
    "errors_by_length": [
        ("edits > 0", "edits > 1", "one edit counts as none"),
        (
            "counts[shortest : longest + 1]",
            "counts[shortest - 1 : longest]",
            "each length gets the sums of the one below",
        ),
        ("weights=values, ", "", "words are counted for every sum"),
    ],
    "expected_word_error": [
        ("1 - (1 - phoneme_error) **", "(1 - phoneme_error) **", "the share of right words"),
        ("(1 - phoneme_error) ** np", "(1 - phoneme_error) * np", "times, and not to the power"),
    ],
    "fit_phoneme_error": [
        ("counts * expected_word_error", "expected_word_error", "groups of any size weigh the same"),
        ("(p, high) if too_small else (low, p)", "(low, p) if too_small else (p, high)", "the wrong half is kept"),
        ("if counts.sum() == 0:", "if False:", "no words are not refused"),
    ],
    "misread_positions": [
        ("positions |= {j - 1} if differ", "positions |= {j} if differ", "positions off by one"),
        ("positions.add(max(j - 1, 0))", "positions.add(j - 1)", "a symbol too many at the front has position -1"),
        ("least[i][j - 1] + 1 else", "least[i][j - 1] else", "left out and put in are confused"),
        (
            "differ = not (i and j) or reading[i - 1] != answer[j - 1]",
            "differ = True",
            "equal symbols count as misread",
        ),
        ("if not answer:", "if False:", "an empty answer is not refused"),
        ("for sequence in (reading, answer):", "for sequence in (reading,):", "a string as the answer is not refused"),
    ],
}
