"""The mistakes that `make mutants` plants in chapter 14, the decoder-only Transformer.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "RMSNorm": [
        (".rsqrt()", ".reciprocal()", "divided by the mean square, not by its root"),
        (
            "wide.square().mean(-1, keepdim=True)",
            "wide.var(-1, keepdim=True, correction=0)",
            "the mean is taken out first",
        ),
        ("+ self.eps)", "+ 1e-5)", "another epsilon than the one given"),
        ("self.weight * wide", "wide", "no scale"),
        (
            "x.to(\n            torch.promote_types(x.dtype, torch.float32)\n        )",
            "x",
            "squares overflow at half precision",
        ),
        (
            "x.to(\n            torch.promote_types(x.dtype, torch.float32)\n        )",
            "x.float()",
            "64 bits are cut to 32",
        ),
        (".to(x.dtype)", "", "half precision comes out as single"),
    ],
    "SwiGLU": [
        ("F.silu(self.gate(x))", "self.gate(x)", "no swish"),
        (
            "F.silu(self.gate(x)) * self.expand(x)",
            "self.gate(x) * F.silu(self.expand(x))",
            "gates swapped: the other is bent",
        ),
        ("F.silu(self.gate(x))", "self.gate(x).sigmoid()", "sigmoid for swish"),
    ],
    "rotate_by": [
        ("even * cosine - odd * sine", "even * cosine + odd * sine", "no rotation"),
        ("table[:, 0::2], table[:, 1::2]", "table[:, 1::2], table[:, 0::2]", "sine and cosine change places"),
        ("x[..., 0::2], x[..., 1::2]", "x.chunk(2, dim=-1)", "halves are paired, not neighbours"),
        ("if table.shape != x.shape[-2:]:", "if False:", "one row rotates all vectors in silence"),
    ],
    "GroupedQueryAttention": [
        (
            "q, k = rotate_by(q, rotations), rotate_by(k, rotations)",
            "q = rotate_by(q, rotations)",
            "keys are not rotated",
        ),
        (
            "kept.repeat_interleave(shared, dim=2)",
            "kept.repeat(1, 1, shared, 1, 1)",
            "heads share another group's keys",
        ),
        (
            "torch.cat(\n            [past, torch.stack([k, v], dim=1)], dim=3\n        )",
            "torch.cat([torch.stack([k, v], dim=1), past], dim=3)",
            "the past comes after the present",
        ),
        ("mask[:, None])", "~mask[:, None])", "mask inverted"),
        ("mask[:, None])", "None)", "no causal mask"),
        ("context.transpose(1, 2).flatten(2)", "context.reshape(x.shape)", "heads mixed by a wrong reshape"),
        (" or n_heads % n_groups", "", "groups that do not divide the heads are not refused"),
        ("weights.detach()", "weights", "the weights keep their graph, and the model cannot be copied"),
        ("mask.dtype != torch.bool or ", "", "a mask of numbers is taken"),
        (" or mask.shape != expected", "", "a mask of another shape is taken in silence"),
    ],
    "GPTLayer": [
        ("x = x + self.dropout(y)", "x = self.dropout(y)", "residual dropped around the attention"),
        (
            "return x + self.dropout(self.network",
            "return self.dropout(self.network",
            "residual dropped around the network",
        ),
        ("self.network(self.norms[1](x))", "self.norms[1](self.network(x))", "norm on the wrong side"),
        ("self.norms[1](x)", "self.norms[0](x)", "one norm does for both"),
        ("x = x + self.dropout(y)", "x = x + y", "no dropout on the attention"),
    ],
    "GPT": [
        (".tril(P)", "", "no causal mask"),
        (".tril(P)", ".tril(P - 1)", "cache off by one: a position may not look at itself"),
        (".tril(P)", ".tril(P + 1)", "cache off by one: a position may look at the next"),
        ("else self.rotations[P : P + T]", "else self.rotations[P + 1 : P + T + 1]", "positions off by one"),
        ("else self.rotations[P : P + T]", "else self.rotations[:T]", "every piece starts at the first position again"),
        (
            "self.positions.weight[P : P + T]",
            "self.positions.weight[:T]",
            "every piece starts at the first position again, learned",
        ),
        ("(causal & known[:, None]) | causal.triu(P)", "causal", "padding not masked"),
        ("(causal & known[:, None]) | causal.triu(P)", "causal & known[:, None]", "padding sees nothing and gets nan"),
        (" * math.sqrt(self.embedding.embedding_dim)", "", "embeddings not scaled by the root of the width"),
        ("if P + T > self.longest:", "if T > self.longest:", "the positions in the cache are not counted"),
        (
            "torch.cat([state[0], ids > 0], dim=1)",
            "torch.cat([state[0], ids >= 0], dim=1)",
            "padding counts as a symbol",
        ),
        ("        x = self.norm(x)\n", "", "no norm at the end"),
        (", device=ids.device", "", "the causal mask stays on the CPU"),
        (
            "sinusoids(longest, d) if rotary else None",
            "sinusoids(longest, d)",
            "a table that nobody needs refuses odd widths",
        ),
        (" or ids.dim() != 2", "", "a sequence without its batch is taken"),
        ("ids.dtype not in (torch.int64, torch.int32) or ", "", "ids that are no integers are not refused in words"),
        (
            "(known, torch.stack(kept, dim=1))",
            "(known, torch.stack(kept[::-1], dim=1))",
            "layers get each other's cache",
        ),
    ],
    "gpt_parameters": [
        ("(n_groups or n_heads)", "n_heads", "groups are not counted"),
        ("3 * d_model * d_ff", "2 * d_model * d_ff", "a network without its gate"),
        ("n_layers * layer + d_model", "n_layers * layer", "no norm at the end"),
    ],
    "GPTReader": [
        ("mask.dtype != torch.bool or ", "", "a mask of numbers is not refused in words"),
        (" or mask.shape != source.shape", "", "a mask for one word serves all"),
        (", device=source.device", "", "the order is made on the CPU"),
        ("- gap) % S", "+ gap) % S", "padding is pushed the wrong way"),
        ("(source * mask).gather(1, order)", "source * mask", "padding stays between word and phonemes"),
        (
            "[:, source.shape[1] :]",
            "[:, source.shape[1] - 1 : -1]",
            "targets not shifted: the predictions of one position before",
        ),
        ("self.gpt(self.prompt(source, mask))[2]", "self.gpt(self.prompt(source, mask)[:, 1:])[2]", "cache off by one"),
        ("logits, _, state = self.gpt(ids, state)", "logits = self.gpt(ids, state)[0]", "the state does not move on"),
    ],
    "sampling_probabilities": [
        ("(before < top_p)", "(before + ranked < top_p)", "the symbol that reaches p is left out"),
        ("(before < top_p)", "(before <= 1)", "nothing is left out"),
        ("(logits / temperature)", "(logits * temperature)", "multiplied by the temperature"),
        (".scatter(-1, order, ranked)", "+ ranked", "probabilities stay in their sorted order"),
        (
            "return probabilities / probabilities.sum(-1, keepdim=True)",
            "return probabilities",
            "probabilities that do not sum to one",
        ),
        (" | (top_p == 1)", "", "rounding cuts something off the whole"),
        (" or not 0 < top_p <= 1", "", "a nucleus of nothing is not refused"),
    ],
}
