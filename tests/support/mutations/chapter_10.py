"""The mistakes that `make mutants` plants in chapter 10, self-attention.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "MultiHeadAttention": [
        (
            "x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)",
            "x.reshape(len(x), self.n_heads, x.shape[1], -1)",
            "heads mixed by a wrong reshape on the way in",
        ),
        (
            "(context * sees).transpose(1, 2).flatten(2)",
            "(context * sees).reshape(len(query), query.shape[1], -1)",
            "heads mixed by a wrong reshape on the way out",
        ),
        (
            "x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)",
            "x.unflatten(-1, (-1, self.n_heads)).movedim(-1, 1)",
            "a head takes every H-th number",
        ),
        ("self.key(memory), ", "self.key(query), ", "keys from the query"),
        ("self.value(memory)", "self.key(memory)", "keys for values"),
        ("mask | ~sees)", "~mask | ~sees)", "mask inverted"),
        ("mask | ~sees)", "mask | True)", "padding not masked"),
        ("mask | ~sees)", "mask)", "a query that sees nothing gets nan"),
        ("weights * sees", "weights", "a query that sees nothing looks everywhere"),
        ("(context * sees)", "context", "a query that sees nothing hears everything"),
        ("return self.output(context), ", "return context, ", "no map after the heads"),
        ("mask = mask[:, None]", "mask = mask[None]", "the mask of one word for each head"),
        ("mask.shape[1:] in", "mask.shape[-2:] in", "a mask of padding passes for one of pairs"),
        ("mask.dtype != torch.bool or not fits", "not fits", "a mask of numbers is not refused"),
        (" and len(mask) in (1, B)", "", "a mask of another batch is not refused by name"),
        (
            "torch.ones(1, 1, S, dtype=torch.bool, device=query.device)",
            "torch.zeros(1, 1, S, dtype=torch.bool, device=query.device)",
            "without a mask nobody sees anything",
        ),
        (", device=query.device", "", "the mask for all is on the CPU"),
        ("if d_model % n_heads:", "if False:", "heads that do not divide the width are not refused"),
    ],
    "causal_mask": [
        (", device=device)", ")", "the causal mask is always on the CPU"),
        (".tril()", "", "no causal mask"),
        (".tril()", ".triu()", "mask inverted"),
        (".tril()", ".tril(-1)", "a place may not look at itself"),
        (".tril()", ".tril(1)", "a place may look at the next"),
    ],
}
