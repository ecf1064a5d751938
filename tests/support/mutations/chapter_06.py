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
