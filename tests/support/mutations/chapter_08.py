"""The mistakes that `make mutants` plants in chapter 8, attention.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "check_mask": [
        ("if kind != torch.bool:", "if False:", "a mask of numbers is not refused"),
        ("if mask.shape != torch.Size(shape):", "if False:", "a mask of another shape is not refused"),
        ("if mask.shape != torch.Size(shape):", "if mask.shape[-1] != shape[-1]:", "one row for all is not refused"),
        ("if every_row and not mask.any(-1).all():", "if False:", "a row that is all padding is not refused"),
        ("if every_row and not", "if not", "a row that is all padding is always refused"),
        ("torch.ones(shape", "torch.zeros(shape", "no mask means nowhere"),
        (", device=device)", ")", "the mask for None is left on the processor"),
    ],
    "AdditiveAttention": [
        ("self.v(torch.tanh(compared))", "self.v(compared)", "tanh dropped"),
        (
            "masked_fill(~mask[:, None], -math.inf).softmax(-1)",
            "masked_fill(~mask[:, None], -math.inf).softmax(1)",
            "softmax over the wrong axis",
        ),
        (".masked_fill(~mask[:, None], -math.inf)", "", "padding not masked"),
        ("masked_fill(~mask[:, None]", "masked_fill(mask[:, None]", "mask inverted"),
        ("-math.inf", "-10.0", "padding loses by a little only"),
        (", every_row=True", "", "a row that is all padding is not refused"),
        (
            "self.W_q(query)[:, :, None] + self.W_k(memory)[:, None]",
            "self.W_k(memory)[:, None] + 0 * query[:, :, :1, None]",
            "the query is not asked",
        ),
    ],
    "UniformAttention": [
        ("mask.to(memory.dtype) /", "torch.ones_like(mask).to(memory.dtype) /", "padding not masked"),
        ("mask.sum(1, keepdim=True)", "mask.shape[1]", "shares of the padded length"),
        ("mask.to(memory.dtype)", "mask", "weights in 32 bits whatever the memory has"),
        (", every_row=True", "", "a row that is all padding is not refused"),
    ],
    "AttentionReader": [
        (
            "self.attention(states, memory, mask, *more)",
            "self.attention(states.roll(1, 1), memory, mask, *more)",
            "context from the wrong step",
        ),
        (
            "self.attention(states, memory, mask, *more)",
            "self.attention(states, memory, mask | True, *more)",
            "padding not masked",
        ),
        ("if hidden_size % 2:", "if False:", "an odd width loses a unit in silence"),
        ("torch.cat([states, context], dim=-1)", "torch.cat([states, 0 * context], dim=-1)", "no context"),
        ("(s[0], memory, mask, *more)", "(state[0], memory, mask, *more)", "the decoder's state does not move on"),
        ("(s[0], memory, mask, *more)", "(s[0], memory, mask, *state[3:])", "what the attention hands on is lost"),
        (", weights\n\n    def advance", ", weights.roll(1, 1)\n\n    def advance", "the weights of another step"),
        ("torch.tanh(self.initial(last))", "torch.tanh(self.initial(memory[:, -1]))", "it starts from padding"),
        (
            "return self.advance(ids, self.start(source, mask))[0]",
            "return self.advance(ids, (self.start(source, mask)[0].roll(1, 0), *self.start(source, mask)[1:]))[0]",
            "words get each other's first states",
        ),
    ],
    "WindowAttention": [
        ("steps.cumsum(1)", "steps", "the centre does not move on within a call"),
        ("centre[:, None] + ", "", "the centre so far is forgotten"),
        ("F.softplus(self.step(query))", "self.step(query)", "the window may move back"),
        ("-0.5 * distance**2", "-(distance**2)", "narrower than its width"),
        ("self.log_width.exp()", "self.log_width", "the width is its logarithm"),
        (".masked_fill(~mask[:, None], -math.inf)", "", "padding not masked"),
        ("= not fixed", "= True", "a fixed window learns to ask the query"),
        ("centres[:, -1]", "centres[:, 0]", "the centre of the first step is handed on"),
        (", every_row=True", "", "a row that is all padding is not refused"),
        ("0.8)", "0.0)", "it starts with another step"),
    ],
    "WindowReader": [
        ("state[1].new_zeros(", "state[1].new_ones(", "the window starts at position 1"),
    ],
    "letter_moves": [
        ("for n in range(3)", "for n in range(2)", "no letter says two phonemes"),
        ("if T - 2 * (S - i - 1) <= j + n <= T", "if j + n <= T", "moves from which nothing can finish"),
        ("answer[j : j + n]", "answer[j + 1 : j + n + 1]", "the phonemes one place on"),
        ("if isinstance(answer, str):", "if False:", "a string is taken apart into characters"),
        ("if not 0 < T <= 2 * S:", "if T > 2 * S:", "an empty answer is not refused"),
    ],
    "LetterAligner": [
        ("before[end] += before[start] * p[said]", "before[end] += p[said]", "the way before a move counts nothing"),
        ("after[start] += after[end] * p[said]", "after[start] += p[said]", "the way after a move counts nothing"),
        ("/ after[0, 0]", "", "words weigh by their probability"),
        ("n / totals[said[0]]", "n / sum(totals.values())", "joint, and not given the letter"),
        ("self.p.get(said, 0.0)", "self.p.setdefault(said, 0.0)", "it grows when it is asked"),
        (", strict=True", "", "words without an answer are left out in silence"),
        ("score > best[end][0]", "score < best[end][0]", "the least probable alignment"),
        ("(start[0],) * len(said[1])", "(start[0],)", "a letter's second phoneme has no letter"),
    ],
}
