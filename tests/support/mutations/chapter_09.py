"""The mistakes that `make mutants` plants in chapter 9, queries, keys, values.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "DotAttention": [
        (", every_row=True", "", "a row that is all padding is not refused"),
        (", mask[:, None], self.scale", ", mask[:, None]", "always divided by the root"),
        ("mask[:, None], self.scale", "None, self.scale", "padding not masked"),
        ("self.scale = scale", "self.scale = None if scale is None else float(scale)", "a scale that is never learned"),
        ("attend(query, memory, memory", "attend(query, memory, query", "the query for a value"),
    ],
    "ProjectedAttention": [
        (", every_row=True", "", "a row that is all padding is not refused"),
        ("self.W_k if tied", "self.W_q if tied", "the value is tied to the query"),
        ("self.W_k if tied else", "self.W_k if not tied else", "tied where it should be separate"),
        ("self.W_k(memory), self.W_v(memory)", "self.W_v(memory), self.W_k(memory)", "key and value change places"),
        ("attend(query, key, value, mask[:, None])", "attend(query, key, value)", "padding not masked"),
        ("attend(query, key, value", "attend(query, key, key", "the key is handed over, tied or not"),
        ("return self.W_o(context), weights", "return context, weights", "the context is not set back"),
        ("(memory_size, width, bias=False)\n        self.W_o", "(memory_size, width)\n        self.W_o", "a bias"),
    ],
    "attend": [
        ("scores / math.sqrt(query.shape[-1]) if scale is None else", "scores if scale is None else", "no square root"),
        ("scores / math.sqrt(query.shape[-1])", "scores / query.shape[-1]", "divided by the width and not by its root"),
        ("math.sqrt(query.shape[-1])", "math.sqrt(key.shape[-2])", "the root of the number of keys"),
        ("else scores * scale", "else scores / scale", "divided by the scale"),
        ("else scores * scale", "else scores * scale / math.sqrt(query.shape[-1])", "the root and the scale"),
        ("scores.softmax(-1)", "scores.softmax(-2)", "softmax over the wrong axis"),
        ("masked_fill(~mask", "masked_fill(mask", "mask inverted"),
        ("scores = scores.masked_fill(~mask, -math.inf)", "pass", "padding not masked"),
        ("-math.inf", "-1e9", "a masked position wins against scores that are lower still"),
        ("mask.dtype != torch.bool or ", "", "a mask of numbers is not refused"),
        ("mask.dim() > scores.dim() or ", "", "a mask with more axes widens the scores"),
        (" or not fits", "", "a mask that does not fit is not refused"),
        ("if query.shape[-1] != key.shape[-1]:", "if False:", "widths that differ are not refused"),
        ("return weights @ value, weights", "return weights @ value, scores", "scores for weights"),
    ],
}
