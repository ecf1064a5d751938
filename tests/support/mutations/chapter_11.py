"""The mistakes that `make mutants` plants in chapter 11, positions.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "tag_letters": [
        (
            "said[position].append(phoneme)",
            "said[position].insert(0, phoneme)",
            "two phonemes of a letter change places",
        ),
        ('or "-" for', 'or "" for', "a silent letter has an empty tag"),
        (
            "zip(answer, aligner.letters(word, answer))",
            "zip(answer, range(len(word)))",
            "each phoneme at the next letter",
        ),
    ],
    "sinusoids": [
        ("torch.arange(length, **exact)", "torch.arange(1, length + 1, **exact)", "positions off by one"),
        ("[angles.sin(), angles.cos()]", "[angles.cos(), angles.sin()]", "cosine before sine"),
        ("dim=-1).flatten(1)", "dim=1).flatten(1)", "all sines, then all cosines"),
        ("10000 **", "1000 **", "another base"),
        ('"dtype": torch.float64', '"dtype": torch.float32', "angles of 32 bits"),
        (".to(dtype)", ".float()", "the dtype asked for is not given"),
        (', "device": device', "", "the table is always on the CPU"),
        ("/ d_model)  #", "/ (d_model - 1))  #", "speeds by another width"),
        ("if d_model % 2:", "if False:", "an odd width is not refused"),
    ],
    "rotate": [
        ("even * cosine - odd * sine", "even * cosine + odd * sine", "no rotation"),
        (
            "sinusoids(x.shape[-2], x.shape[-1], x.device, x.dtype)",
            "sinusoids(x.shape[-2] + 1, x.shape[-1], x.device, x.dtype)[1:]",
            "positions off by one",
        ),
        ("x.shape[-1], x.device, x.dtype)", "x.shape[-1]).to(x)", "a table of 32 bits for 64"),
        (", x.device, x.dtype)", ", dtype=x.dtype)", "the table is on the CPU"),
        ("table[:, 0::2], table[:, 1::2]", "table[:, 1::2], table[:, 0::2]", "sine and cosine change places"),
        ("x[..., 0::2], x[..., 1::2]", "x.chunk(2, dim=-1)", "halves are paired, not neighbours"),
    ],
    "RotaryAttention": [
        ("rotate(q), rotate(k), v", "rotate(q), k, v", "keys are not rotated"),
        ("if query is not memory:", "if False:", "offsets between two sequences"),
        ("if d_model // n_heads % 2:", "if False:", "odd heads are refused late"),
        ("rotate(q), rotate(k), v", "rotate(q), rotate(k), rotate(v)", "values are rotated too"),
        ("rotate(q), rotate(k), v", "rotate(q.transpose(1, 2)).transpose(1, 2), rotate(k), v", "rotated by the head"),
    ],
    "LetterTagger": [
        ("x = x + attention(", "x = attention(", "residual dropped around the attention"),
        ("x = x + network(x)", "x = network(x)", "residual dropped around the network"),
        ("mask[:, None])[0]", "mask[:, None] | True)[0]", "padding not masked"),
        ('if positions == "sinusoidal" else', 'if positions != "rotary" else', "positions where there should be none"),
        ("else nowhere", "else sinusoids(longest, d_model) * 0", "an even width where nothing is paired"),
        ('if positions == "learned":', 'if positions == "never":', "learned positions are not there"),
        (
            'RotaryAttention if positions == "rotary" else MultiHeadAttention',
            "MultiHeadAttention",
            "nothing is rotated",
        ),
        ("self.positions[: ids.shape[1]]", "self.positions[1 : ids.shape[1] + 1]", "positions off by one"),
        ("if ids.shape[1] > len(self.positions):", "if False:", "too long a word is not refused by name"),
        ("if positions not in self.KINDS:", "if False:", "an unknown kind is not refused"),
    ],
    "train_tagger": [
        ("target[target <= Vocabulary.END] = Vocabulary.PAD", "pass", "marks cost"),
        ("ignore_index=0, ", "", "padding not masked in the loss"),
        ("        optimizer.zero_grad()\n", "", "gradients add up from step to step"),
        ("lambda step: 1 - step / steps", "lambda step: 1.0", "the rate does not fall"),
        ("nn.utils.clip_grad_norm_(", "nn.utils.clip_grad_value_(", "clipping by value"),
        ("(nats / average)", "nats", "not divided by the letters of an average batch"),
        ("model.train()", "pass", "dropout stays as it was found"),
        ("model.eval()", "pass", "dropout stays on after training"),
        (
            "if any(len(source) != len(said)",
            "if False and any(len(source) != len(said)",
            "tags that do not belong to the letters",
        ),
        ("            recent = []", "            pass", "each report is of all batches so far"),
        ("int((target > 0).sum())", "target.numel()", "the report counts padding"),
    ],
    "read_tags": [
        ("logits[..., tags.END + 1 :].argmax(-1) + tags.END + 1", "logits.argmax(-1)", "marks are said"),
        (
            "logits[..., tags.END + 1 :].argmax(-1) + tags.END + 1",
            "logits.index_fill_(-1, torch.arange(3), -math.inf).argmax(-1)",
            "the model's own output is written over",
        ),
        ("row[1 : len(sources[i]) - 1]", "row[: len(sources[i]) - 2]", "the tags one place before"),
        ("row[1 : len(sources[i]) - 1]", "row[1:]", "padding is read"),
        ("zip(batch, best", "zip(sorted(batch), best", "words of a batch get each other's readings"),
        ('if tag != "-" for', "for", "silence is said"),
        ("for phoneme in tag.split()", "for phoneme in [tag]", "two phonemes said as one"),
    ],
}
