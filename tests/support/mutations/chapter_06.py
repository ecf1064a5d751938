"""The mistakes that `make mutants` plants in chapter 6, the price.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "work_and_depth": [
        ("default=0) + counts", "default=0) + 1", "additions and copies lengthen the chain"),
        ("args[inner[name]].shape[-1] if name in inner else 1", "1", "a product costs one multiplication an entry"),
        ("= depth, x.untyped_storage()", "= 0, x.untyped_storage()", "no chain is longer than a link"),
        ("max(self.depth, depth)", "depth", "the last operation's depth, not the deepest"),
        ('"addmm": 1', '"addmm": 0', "the width of what is added, not of the left factor"),
    ],
    "median_time": [
        ("np.median(times[1:])", "np.median(times)", "the first call counts"),
        ("np.median(times[1:])", "np.mean(times[1:])", "the mean for the median"),
        ("range(repeats + 1)", "range(repeats)", "one call too few"),
    ],
    "fastest_times": [
        ("min(turn[name]", "max(turn[name]", "the slowest round for the fastest"),
        ("repeats=1", "repeats=3", "a turn takes more than one timed call"),
        ("torch.set_num_threads(1)", "torch.set_num_threads(threads)", "as many threads as the machine gives"),
        ("        torch.set_num_threads(threads)", "        pass", "the number of threads stays one"),
        ("if rounds < 1:", "if rounds < 0:", "no round passes in silence"),
    ],
    "saved_bytes": [
        ("held[tensor.untyped_storage().data_ptr()] =", "held[id(tensor)] =", "a storage counts for each of its views"),
        ("held.pop(", "held.get(", "what is to be ignored counts"),
        ("= tensor.untyped_storage()\n", "= tensor.clone().untyped_storage()\n", "a view counts as its own size"),
    ],
    "truncated_backward": [
        (
            "            cut_loose(state),\n            loss",
            "            state,\n            loss",
            "the gradient crosses the cut",
        ),
        ("parts = [cut_loose(part) for part in state]", "parts = list(state)", "tensors in a tuple keep their history"),
        ("parts if isinstance(state, list) else tuple(parts)", "tuple(parts)", "a list comes back as a tuple"),
        ("0.0, cut_loose(state)", "0.0, state", "a state that was given is not cut, and may be changed"),
        ("if total == 0:", "if False:", "nan where no target counts"),
        ("if ids.shape != targets.shape:", "if False:", "targets of another length are not refused"),
        ("(nats / total)", "(nats / every)", "divided by the piece, not by all that counts"),
        ("model(ids[:, t : t + every], state)", "model(ids[:, t : t + every])", "the state does not cross the cut"),
        ("total / math.log(2)", "total", "nats for bits"),
        ("if every < 1:", "if every < 0:", "a reach of zero is not refused"),
    ],
    "train_stream": [
        ("1 - step / len(stretches)", "1", "the learning rate does not fall"),
        ("last if carry else None", "last", "the state passes on where it must not"),
        ("last if carry else None", "None", "the state never passes on"),
        ("clip_grad_norm_(trained, 1.0)", "clip_grad_norm_(trained, 10.0)", "gradients longer than 1 pass"),
        ("optimizer.zero_grad()", "pass", "gradients add up over updates"),
        ("    model.eval()", "    model.train()", "the model is left in training mode"),
    ],
    "letter_stream": [
        (".encode(words[k])[1:]", ".encode(words[k])", "a start mark in the stream"),
        (".encode(words[k])[1:]", ".encode(words[k])[1:-1]", "no end mark between words"),
        ("for k in order", "for k in range(len(words))", "the words stay in their order"),
        (".view(rows, -1)", ".view(-1, rows).T", "a row jumps through the text"),
        ("if not 1 <= rows <= len(ids):", "if False:", "more rows than symbols are not refused"),
    ],
    "recall_stretches": [
        ("row[t + distance] = 2 +", "row[t + distance - 1] = 2 +", "a question comes a step early"),
        ("wanted[t + distance] = row[t]", "wanted[t + distance] = 2", "the answer is always the same letter"),
        ("generator.integers(kinds)", "generator.integers(kinds + 1)", "a kind of letter too many"),
        ("generator.integers(1, 6)", "1", "gaps are always the same"),
        ("if distance < 1:", "if distance < 0:", "a distance of zero is not refused"),
    ],
    "parity_stretches": [
        ("ids.cumsum(1) % 2", "ids.sum(1, keepdim=True).expand_as(ids) % 2", "the parity of the whole row everywhere"),
        ("ids.cumsum(1) % 2", "1 - ids.cumsum(1) % 2", "even for odd"),
        ("manual_seed(seed)", "manual_seed(0)", "every seed draws the same bits"),
    ],
    "linear_scan": [
        ("u[:, :1] + f[:, :1] * h0[:, None]", "u[:, :1] + h0[:, None]", "the first factor is left out"),
        ("f[:, reach:] * f[:, :-reach]]", "f[:, reach:]]", "factors are not multiplied"),
        ("reach *= 2", "reach += 1", "as many rounds as steps"),
        ("while reach < f.shape[1]:", "while 2 * reach < f.shape[1]:", "the last round is missing"),
        ("f.shape != u.shape or", "", "shapes that differ are not refused"),
        ("if h0.shape != u[:, 0].shape:", "if False:", "one state is used for the whole batch in silence"),
    ],
    "MinGRU": [
        ("(1 - z) * candidate", "candidate", "the candidate without its gate"),
        ("h0[i]", "h0[0]", "every layer starts from the first layer's state"),
        ("x[:, -1]", "x[:, 0]", "the first states for the last"),
        ("z = torch.sigmoid(z)", "z = 1 - torch.sigmoid(z)", "the update gate the other way round"),
        ("if not batch_first or num_layers < 1:", "if num_layers < 1:", "batch_first=False is accepted and ignored"),
        ("if not batch_first or num_layers < 1:", "if not batch_first:", "no layer becomes one layer in silence"),
        ("if x.shape[1] == 0:", "if False:", "an empty sequence is refused in another function's words"),
        ("h0.shape != (len(self.maps), len(x), N)", "h0.shape[1:] != (len(x), N)", "a state for more layers passes"),
    ],
}
