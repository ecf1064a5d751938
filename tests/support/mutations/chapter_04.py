"""The mistakes that `make mutants` plants in chapter 4, the LSTM.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "LSTM": [
        ("i, f, candidate, o = (x", "f, i, candidate, o = (x", "gates swapped: input and forget"),
        ("i, f, candidate, o = (x", "i, f, o, candidate = (x", "gates swapped: output and candidate"),
        ("candidate.tanh()", "candidate", "tanh dropped from the candidate"),
        ("o.sigmoid()", "o", "an output gate without bounds"),
        ("c = f * c + i * candidate", "c = c + i * candidate", "forget gate missing"),
        ("c = f * c + i * candidate", "c = f * c + candidate", "input gate missing"),
        ("h = o * torch.tanh(c)", "h = o * c", "tanh dropped from the memory"),
        ("h, c = (zero, zero) if state is None else state", "h, c = zero, zero", "a given state is ignored"),
        ("bound, rows = hidden_size**-0.5,", "bound, rows = input_size**-0.5,", "it starts by the width of the input"),
        ("if not h.shape == c.shape == zero.shape:", "if not h.shape == zero.shape:", "c of another shape passes"),
        ("or x.shape[2] != self.W_x.shape[1]:", "or False:", "an input of another width is not refused in words"),
        ("x.new_zeros(len(x),", "torch.zeros(len(x),", "the first state is on the CPU and in 32 bits"),
    ],
    "lstm_twin": [
        ("layer.bias_ih_l0 + layer.bias_hh_l0", "layer.bias_ih_l0", "the second bias is lost"),
        (
            "twin.W_x.copy_(layer.weight_ih_l0)",
            "twin.W_x.data = layer.weight_ih_l0.data",
            "the twin shares its weights",
        ),
        ("layer.num_layers != 1 or ", "", "of several layers the first is taken in silence"),
        (" or layer.bidirectional", "", "of two directions one is taken in silence"),
        (
            "layer.batch_first\n        and",
            "",
            "a layer that reads time first passes for one that reads the batch first",
        ),
        (" and not layer.proj_size", "", "a projection is not refused in words"),
    ],
    "open_lstm": [
        ("cell.gates(x[:, t], h.detach())", "cell.gates(x[:, t], h)", "nothing is cut"),
        ("cell.gates(x[:, t], h)  #", "cell.gates(x[:, t], h.detach())  #", "always cut"),
        ('zip("ifco", gates', 'zip("ifoc", gates', "the candidate is cut for the output gate"),
        ("b if g in cut else a", "b", "any cut closes all paths"),
        ('if not set(cut) <= set("ifco"):', "if False:", "a cut of nothing known is not refused"),
        ("or x.shape[2] != layer.input_size:", "or False:", "an input of another width is not refused in words"),
        ('f * inside["c"][-1] + i * candidate', 'inside["c"][-1] + i * candidate', "forget gate missing"),
        ("h = o * torch.tanh(c)", "h = torch.tanh(c)", "output gate missing"),
        ("if x.shape[1] == 0:", "if False:", "an empty sequence is not refused"),
    ],
    "memory_factors": [
        ("candidate * i * (1 - i) * W_i", "candidate * i * W_i", "the input gate's slope is missing"),
        ('inside["c"][t]  #', 'inside["c"][t + 1]  #', "the memory after the step"),
        ('inside["o"][t - 1]', 'inside["o"][t]', "the output gate of the next step"),
        ("/ R.shape[0] ** 0.5", "", "not divided by the root of N"),
        ("total + R.mean(0)", "total + R.abs().mean(0)", "sizes are averaged, and not the matrices"),
        ("total / (x.shape[1] - 1)", "total / x.shape[1]", "divided by a step too many"),
        ("(f**2).mean().sqrt()", "f.mean()", "the mean gate, and not its root mean square"),
        ("R + f.mean((0, 1)).diag()", "R", "the direct path is missing from the mean step"),
        ('torch.stack(inside["f"][1:])', 'torch.stack(inside["f"])', "f counts a step that rho does not"),
        ("x.dim() == 3 and x.shape[1] == 1:", "False:", "a single step is not refused in words"),
    ],
    "predicted_norms": [
        ("math.comb(k, j) * f", "f", "the ways to get there are not counted"),
        ("* rho**j) ** 2 for j", "* rho**j) for j", "sums, and not squares"),
        ("for k in range(steps + 1)", "for k in range(1, steps + 1)", "distance 0 is missing"),
    ],
    "stuck_lstm": [
        ('"if_o".index(gate)', '"ifo".index(gate)', "the candidate is held for the output gate"),
        ("40.0 if name", "4.0 if name", "held so loosely that training moves it"),
        ('if not set(gates) <= set("ifo"):', "if False:", "another letter is not refused in words"),
        ("batch_first=True", "batch_first=False", "time comes first"),
    ],
    "tally_batch": [
        ("length - 1 - marks[:, ::-1].argmax(1)", "marks.argmax(1)", "since the first mark"),
        (">= last[:, None]", "> last[:, None]", "the marked value is left out"),
        ("marks[:, 0] = True", "pass", "the first step is not marked"),
        ("< 0.1", "< 0.2", "too many marks"),
        ("uniform(-1, 1,", "uniform(0, 1,", "no negative values"),
        ("if length < 1 or batch_size < 1:", "if False:", "a tally of nothing is not refused"),
    ],
}
