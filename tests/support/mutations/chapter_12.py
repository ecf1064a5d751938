"""The mistakes that `make mutants` plants in chapter 12, the Transformer.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "PositionalEmbedding": [
        ("self.positions[: ids.shape[1]]", "self.positions[1 : ids.shape[1] + 1]", "positions off by one"),
        (" * math.sqrt(self.table.embedding_dim)", "", "embeddings not scaled by the root of the width"),
        (" if positions else torch.zeros(longest, d_model)", "", "positions though none were asked for"),
        (
            "sinusoids(longest, d_model) if positions else torch.zeros(longest, d_model)",
            "positions * sinusoids(longest, d_model)",
            "an odd width refused where no positions are added",
        ),
        ("std=d_model**-0.5", "std=1.0", "embeddings start far too long"),
        ("self.dropout(x + self", "(x + self", "no dropout on what enters"),
        ("if ids.shape[1] > len(self.positions):", "if False:", "too long a word is not refused by name"),
        ("persistent=False", "persistent=True", "the table is stored with the weights"),
    ],
    "LayerNorm": [
        ("y = y - y.mean(-1, keepdim=True)", "pass", "not moved to mean 0"),
        (
            "y.square().mean(-1, keepdim=True)",
            "y.square().sum(-1, keepdim=True) / (y.shape[-1] - 1)",
            "divided by D - 1",
        ),
        ("(variance + self.eps).sqrt()", "(variance.sqrt() + self.eps)", "epsilon outside the root"),
        (" + self.bias", "", "no shift"),
        ("x if x.dtype == torch.float64 else x.float()", "x", "squares in 16 bits overflow"),
        ("x if x.dtype == torch.float64 else x.float()", "x.float()", "64 bits are cut to 32"),
        (".to(x.dtype)", "", "16 bits in, 32 bits out"),
    ],
    "Residual": [
        (
            "return x + self.dropout(sublayer(self.norm(x)))",
            "return self.dropout(sublayer(self.norm(x)))",
            "residual dropped in the pre-norm",
        ),
        (
            "self.norm(x + self.dropout(sublayer(x)))",
            "self.norm(self.dropout(sublayer(x)))",
            "residual dropped in the post-norm",
        ),
        (
            "return x + self.dropout(sublayer(self.norm(x)))",
            "return x + self.norm(self.dropout(sublayer(x)))",
            "norm on the wrong side of the sublayer",
        ),
        ("if self.pre_norm:", "if not self.pre_norm:", "norm on the wrong side: pre is post"),
        (
            "return x + self.dropout(sublayer(self.norm(x)))",
            "return self.norm(x) + self.dropout(sublayer(self.norm(x)))",
            "the stream itself is normalised",
        ),
        (
            "self.norm(x + self.dropout(sublayer(x)))",
            "self.norm(self.dropout(x + sublayer(x)))",
            "dropout on the stream",
        ),
    ],
    "FeedForward": [
        ("F.relu(self.expand(x))", "self.expand(x)", "relu dropped"),
        ("F.relu(self.expand(x))", "F.gelu(self.expand(x))", "another nonlinearity"),
    ],
    "EncoderLayer": [
        ("self.attention(y, y, mask)", "self.attention(y, y, mask | True)", "padding not masked"),
        (
            "self.residuals[1](x, self.feed_forward)",
            "self.residuals[0](x, self.feed_forward)",
            "one norm does for both",
        ),
        ("return self.residuals[1](x, self.feed_forward)", "return x", "no network"),
    ],
    "DecoderLayer": [
        ("self.attention(y, y, mask)", "self.attention(y, y, mask | True)", "no causal mask"),
        (
            "self.cross_attention(y, memory, memory_mask)",
            "self.cross_attention(y, memory, memory_mask | True)",
            "padding not masked",
        ),
        (
            "self.cross_attention(y, memory, memory_mask)",
            "self.attention(y, memory, memory_mask)",
            "one attention looks at both sides",
        ),
        ("self.residuals[2](x, self.feed_forward)", "self.residuals[1](x, self.feed_forward)", "one norm does for two"),
    ],
    "Transformer": [
        (
            "causal_mask(target.shape[1], target.device)",
            "(causal_mask(target.shape[1], target.device) | True)",
            "no causal mask",
        ),
        (
            "causal_mask(target.shape[1], target.device)",
            "causal_mask(target.shape[1], target.device).T",
            "mask inverted",
        ),
        ("x = layer(x, mask[:, None])", "x = layer(x, mask[:, None] | True)", "padding not masked in the encoder"),
        ("memory, mask[:, None])", "memory, mask[:, None] | True)", "padding not masked in the decoder"),
        ("torch.cat([before, ids], dim=1)", "torch.cat([before[:, 1:], ids], dim=1)", "cache off by one"),
        ("(memory, mask, target)", "(memory, mask, ids)", "the cache holds the last symbol only"),
        ("return self.encoder_norm(x), mask", "return x, mask", "no norm at the encoder's end"),
        ("self.decoder_norm(x[:, before.shape[1] :])", "x[:, before.shape[1] :]", "no norm at the decoder's end"),
        ("nn.LayerNorm if pre_norm else nn.Identity", "nn.LayerNorm", "a norm at the end of post-norm stacks too"),
        ("nn.init.xavier_uniform_(weights)", "pass", "matrices start as nn.Linear's do"),
        ("EncoderLayer(*sizes) for", "EncoderLayer(*sizes[:-1]) for", "the encoder keeps the plain attention"),
        ("for layer in self.decoder:", "for layer in self.decoder[:1]:", "one decoder layer runs"),
        ("mask.dtype != torch.bool or mask", "mask", "a mask of numbers is taken"),
        ("torch.bool or mask.shape != source.shape:", "torch.bool:", "a mask for one word is taken for all"),
    ],
    "transformer_parameters": [
        ("2 * attention + network + 3 * norm", "attention + network + 3 * norm", "a decoder layer with one attention"),
        ("4 * (d_model * d_model + d_model)", "4 * d_model * d_model", "attention without its biases"),
        ("2 * norm * pre_norm", "2 * norm", "norms at the end of post-norm stacks too"),
        ("+ n_target * d_model + n_target", "+ n_target * d_model", "the output without its bias"),
        ("tables = n_target * d_model if tied else tables", "pass", "tied tables are counted three times"),
    ],
    "smoothing_entropy": [
        ("[1 - epsilon + epsilon / V]", "[1 - epsilon]", "the true symbol gets no part of what is spread"),
        ("(V - 1) * [epsilon / V]", "(V - 1) * [epsilon / (V - 1)]", "spread over the others only"),
        ("if not 0 <= epsilon <= 1 or V < 2:", "if V < 2:", "a negative smoothing is not refused by name"),
    ],
    "warm_up": [
        ("min(step / max(1, warm_up_steps), 1 - (step - 1) / steps)", "1 - (step - 1) / steps", "no warm-up"),
        ("step / max(1, warm_up_steps)", "(step - 1) / max(1, warm_up_steps)", "the first step is for nothing"),
        ("1 - (step - 1) / steps", "1 - step / steps", "the last step is for nothing"),
        ("1 - (step - 1) / steps)", "1.0)", "the rate does not fall"),
    ],
    "train_transformer": [
        ("if not any(target[1:]):", "if False:", "a target of padding alone is trained on"),
        ("target[:, 1:],\n            ignore_index=0", "target[:, :-1], ignore_index=0", "targets not shifted"),
        ("ignore_index=0,", "", "label smoothing on padding, and padding as a target"),
        ("label_smoothing=smoothing", "label_smoothing=0.0", "targets are not smoothed"),
        ("        optimizer.zero_grad()\n", "", "gradients add up from step to step"),
        ("(nats / average)", "(nats / real)", "every batch weighs the same, and so not every symbol"),
        ("nn.utils.clip_grad_norm_(", "nn.utils.clip_grad_value_(", "clipping by value"),
        ("warm_up(done + 1, steps", "warm_up(done, steps", "the warm-up is one step late"),
        ("        schedule.step()\n", "", "the schedule is never asked"),
        ("betas=(0.9, 0.98), eps=1e-9", "betas=(0.9, 0.999)", "Adam's own constants"),
        ("    model.train()\n", "", "a model left in evaluation is trained without dropout"),
        ("\n    model.eval()", "", "dropout stays on after training"),
        ("            recent = []", "            pass", "each report is of all batches so far"),
        (
            "lengths = [len(source) for source, _ in pairs]",
            "lengths = [1 for source, _ in pairs]",
            "words of all lengths mixed",
        ),
    ],
}
