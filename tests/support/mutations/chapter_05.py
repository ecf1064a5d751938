"""The mistakes that `make mutants` plants in chapter 5, the GRU.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "GRU": [
        (
            "torch.tanh(x_n + r * (h_n + self.b_h))",
            "torch.tanh(x_n + (r * h) @ self.W_h.chunk(3)[2].T + self.b_h)",
            "reset gate applied in the other place",
        ),
        (
            "torch.tanh(x_n + r * (h_n + self.b_h))",
            "torch.tanh(x_n + r * h_n + self.b_h)",
            "a bias outside the reset gate",
        ),
        ("torch.tanh(x_n + r * (h_n + self.b_h))", "x_n + r * (h_n + self.b_h)", "tanh dropped"),
        ("r, z = torch.sigmoid(", "z, r = torch.sigmoid(", "gates swapped: reset and update"),
        ("z * h + (1 - z) * new", "(1 - z) * h + z * new", "the update gate the other way round"),
        ("z * h + (1 - z) * new", "h + (1 - z) * new", "nothing is forgotten"),
        (" if h0 is None else h0", "", "a given state is ignored"),
        ("bound = hidden_size**-0.5", "bound = input_size**-0.5", "it starts by the width of the input"),
        (
            "if h.shape != (len(x), len(self.b_h)):",
            "if h.shape[-1] != len(self.b_h):",
            "one state is used for the whole batch in silence",
        ),
        ("x.new_zeros(len(x),", "torch.zeros(len(x),", "the first state is on the CPU and in 32 bits"),
    ],
    "gru_twin": [
        (
            "layer.bias_ih_l0 + F.pad(layer.bias_hh_l0[: 2 * size], (0, size))",
            "layer.bias_ih_l0",
            "the gates' second bias is lost",
        ),
        (
            "F.pad(layer.bias_hh_l0[: 2 * size], (0, size))",
            "layer.bias_hh_l0",
            "the candidate's inner bias counts twice",
        ),
        (
            "twin.W_h.copy_(layer.weight_hh_l0)",
            "twin.W_h.data = layer.weight_hh_l0.data",
            "the twin shares its weights",
        ),
        ("layer.num_layers != 1 or ", "", "of several layers the first is taken in silence"),
        (" or layer.bidirectional", "", "of two directions one is taken in silence"),
        (" and layer.batch_first", "", "a layer that reads time first passes for one that reads the batch first"),
        (" and layer.bias", "", "a layer without biases is not refused in words"),
        (".to(layer.weight_hh_l0)", "", "the twin is in 32 bits"),
    ],
}
