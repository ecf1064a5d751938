"""The mistakes that `make mutants` plants in chapter 2, the recurrent network.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "rnn_forward": [
        ("np.tanh(W_x @ x[t] + W_h @ h[t] + b)", "W_x @ x[t] + W_h @ h[t] + b", "tanh dropped"),
        ("W_h @ h[t] + b", "W_h @ h[t - 1] + b", "the state of two steps before"),
        ("    h[0] = h0\n", "", "the first state is zero whatever was given"),
        ("if len(x) == 0:", "if False:", "an empty sequence is not refused"),
    ],
    "rnn_backward": [
        ("(1 - h[t] ** 2) * (g", "(g", "the slope of tanh is missing"),
        ("(g[t - 1] + arriving)", "g[t - 1]", "no gradient through time"),
        ("W_h.T @ delta[t]", "W_h @ delta[t]", "the matrix is not transposed on the way back"),
        ("delta.T @ h[:-1]", "delta.T @ h[1:]", "the gradient of W_h with the states one step later"),
    ],
    "softmax": [
        ("logits - logits.max(-1, keepdims=True)", "logits", "large logits overflow"),
        ("/ powers.sum(-1, keepdims=True)", "/ powers.sum()", "one sum for all rows"),
    ],
    "word_gradients": [
        ("if len(ids) < 2:", "if False:", "a start mark alone is not refused"),
        ("p - truth", "p", "the one-hot vector is not taken off"),
        ("one_hot[ids[1:]]", "one_hot[ids[:-1]]", "targets not shifted"),
        ("error.T @ h[1:]", "error.T @ h[:-1]", "the output layer's gradient with the states one step earlier"),
        ("error.sum(0)", "error.mean(0)", "the bias of the output gets a mean"),
        ("-np.log(", "-np.log2(", "bits for nats"),
    ],
    "adam_step": [
        ("0.001 * gradient**2", "0.001 * gradient", "the gradient in place of its square"),
        (" / (1 - 0.999**step)", "", "the mean of squares is not corrected"),
        ("m / (1 - 0.9**step)", "m", "the mean is not corrected"),
        ("m, v = moments[name]", "m, v = moments[name].copy()", "the means are forgotten"),
        ("parameters[name] -=", "parameters[name] +=", "up the slope"),
    ],
    "finite_differences": [
        ("/ (2 * epsilon)", "/ epsilon", "twice the slope"),
        ("        parameter[index] = kept\n    return", "    return", "the parameter is not restored"),
    ],
    "RNN": [
        ("if x.shape[1] == 0:", "if False:", "an empty sequence is not refused"),
        ("x.dim() != 3 or x.shape[2] != self.W_x.shape[1]", "False", "an input of another shape is not refused"),
        (
            "torch.tanh(x[:, t] @ self.W_x.T + h @ self.W_h.T + self.b)",
            "x[:, t] @ self.W_x.T + h @ self.W_h.T + self.b",
            "tanh dropped",
        ),
        ("h @ self.W_h.T", "h @ self.W_h", "the recurrent matrix transposed"),
        (" if h0 is None else h0", "", "a given state is ignored"),
        ("bound = hidden_size**-0.5", "bound = input_size**-0.5", "it starts by the width of the input"),
    ],
    "LetterModel": [
        ("self.rnn(x, state)", "self.rnn(x)", "a given state is ignored"),
        (
            "return self.output(self.dropout(states)), states, last",
            "return self.output(self.dropout(states)), states, states[:, -1]",
            "the last state without the axis of layers",
        ),
        ("self.dropout(self.embedding(ids))", "self.embedding(ids)", "nothing is dropped from what enters the layer"),
        ("self.output(self.dropout(states))", "self.output(states)", "nothing is dropped from what leaves the layer"),
    ],
    "symbol_bits": [
        ("        or ids.shape[1] < 2\n", "", "a start mark alone is not refused"),
        ("ids.dtype != torch.int64\n        or", "", "numbers of another kind are not refused"),
        ("[0], ids[:, 1:]", "[0], ids[:, :-1]", "targets not shifted"),
        ("nats * mask / math.log(2)", "nats / math.log(2)", "padding not masked in the loss"),
        ("nats * mask / math.log(2)", "nats * mask", "nats for bits"),
    ],
    "word_bits": [
        (" or len(sequence) < 2:", ":", "a start mark alone is scored or not, by its batch mates"),
        ("isinstance(sequence, str) or ", "", "a word is not refused as one"),
        ("    model.eval()\n", "", "scored with dropout, if the model trains"),
        ("    model.train(training)\n", "", "the training mode is not put back"),
        ("zip(batch, bits", "zip(sorted(batch), bits", "words of a batch get each other's bits"),
        ("row[real]", "row", "zeros of the padding count as symbols"),
    ],
    "train_letter_model": [
        ("    model.train()\n", "", "it trains without dropout, if the model came in evaluation mode"),
        ("\n    model.eval()", "", "dropout is still on after training"),
        (
            "nn.utils.clip_grad_norm_(model.parameters(), clip)",
            "nn.utils.clip_grad_value_(model.parameters(), clip)",
            "clipping by value",
        ),
        ("        optimizer.zero_grad()\n", "", "gradients add up from step to step"),
        ("lambda step: 1 - step / steps", "lambda step: 1.0", "the rate does not fall"),
        ("        schedule.step()\n", "", "the schedule is never asked"),
        ("bits.sum() / average", "bits.sum() / mask.sum()", "every batch weighs the same, and so not every symbol"),
        ("(np.mean(lengths) - 1)", "np.mean(lengths)", "the start mark counts as a symbol to predict"),
        ("            recent = []", "            pass", "each report is of all batches so far"),
        ("float(bits_seen / symbols_seen)", "float(bits_seen / len(recent))", "the report is bits a batch"),
    ],
    "paired_bootstrap": [
        ("weights[i].sum() for i", "len(i) for i", "the interval ignores the weights"),
        (
            "generator.integers(len(a), size=len(a)) for",
            "generator.permutation(len(a)) for",
            "drawn without replacement",
        ),
        ("b[i].sum()", "b[np.roll(i, 1) - 1].sum()", "the second model on other examples than the first"),
        ("[2.5, 97.5]", "[5, 95]", "an interval of 90 in 100"),
        ("(a.sum() - b.sum()) / weights.sum()", "(a.sum() - b.sum()) / len(a)", "the difference ignores the weights"),
    ],
    "family_gap": [
        ("if len(set(counts)) > 1:", "if False:", "unequal lengths are not refused in words"),
        ("_, which = np.unique(family, return_inverse=True)", "which = np.arange(len(family))", "words are drawn"),
        ("[len(s) for s in ours]", "[1 for s in ours]", "bits a word"),
        ("[s.sum() for s in theirs]", "[s.mean() for s in theirs]", "means and sums are mixed"),
    ],
    "sample_words": [
        ("count < 1 or longest < 1", "False", "no word and no letter are not refused"),
        (".cpu() / temperature", ".cpu() * temperature", "multiplied by the temperature"),
        ("logits[:, [vocabulary.PAD, vocabulary.START]] = -math.inf", "pass", "marks are drawn"),
        (
            "model(ids[:, -1:].to(device), state)",
            "model(ids[:, -1:].to(device))",
            "all but the last letter is forgotten",
        ),
        ("ids.shape[1] <= longest", "ids.shape[1] <= longest + 1", "a word one letter too long"),
        ("temperature <= 0", "temperature < 0", "a temperature of zero is not refused"),
    ],
}
