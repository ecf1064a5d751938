"""The mistakes that `make mutants` plants in chapter 9, queries, keys, values.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "DotAttention": [
        ("scores / math.sqrt(query.shape[-1])", "scores", "no square root"),
        ("scores / math.sqrt(query.shape[-1])", "scores / query.shape[-1]", "divided by the width and not by its root"),
        (", every_row=True", "", "a row that is all padding is not refused"),
        ("if self.scaled:", "if True:", "always scaled"),
        (".softmax(-1)", ".softmax(1)", "softmax over the wrong axis"),
        (".masked_fill(~mask[:, None], -math.inf)", "", "padding not masked"),
        ("-math.inf", "-1e9", "a masked place wins against scores that are lower still"),
    ],
    "GeneralAttention": [
        (" / math.sqrt(query.shape[-1])", "", "no square root"),
        ("math.sqrt(query.shape[-1])", "math.sqrt(memory.shape[-1])", "the root of the memory's width"),
        (".softmax(-1)", ".softmax(1)", "softmax over the wrong axis"),
        (".masked_fill(~mask[:, None], -math.inf)", "", "padding not masked"),
        (", every_row=True", "", "a row that is all padding is not refused"),
        ("bias=False", "bias=True", "a bias that the equation does not have"),
    ],
    "attend": [
        (" / math.sqrt(query.shape[-1])", "", "no square root"),
        ("math.sqrt(query.shape[-1])", "math.sqrt(key.shape[-2])", "the root of the number of keys"),
        ("scores.softmax(-1)", "scores.softmax(-2)", "softmax over the wrong axis"),
        ("masked_fill(~mask", "masked_fill(mask", "mask inverted"),
        ("scores = scores.masked_fill(~mask, -math.inf)", "pass", "padding not masked"),
        ("mask.dtype != torch.bool or ", "", "a mask of numbers is not refused"),
        ("mask.dim() > scores.dim() or ", "", "a mask with more axes widens the scores"),
        (" or not fits", "", "a mask that does not fit is not refused"),
        ("if query.shape[-1] != key.shape[-1]:", "if False:", "widths that differ are not refused"),
        ("return weights @ value, weights", "return weights @ value, scores", "scores for weights"),
    ],
}
