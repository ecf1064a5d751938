"""The mistakes that `make mutants` plants in chapter 3, gradients.

For each definition: a text that stands once in its source, what takes its place, what is wrong then. README.md
beside this file says what a mistake is.
"""

MISTAKES = {
    "predicted_factors": [
        ("svdvals(W_h).max()", "svdvals(W_h).mean()", "the mean singular value is no bound"),
        ("eigvals(W_h).abs().max()", "eigvals(W_h).real.max()", "an eigenvalue's size without its imaginary part"),
        ("len(W_h) ** 0.5", "len(W_h)", "the mean of the squares without its root"),
        ("((1 - states**2) ** 2).mean().sqrt()", "(1 - states**2).mean()", "the mean slope, not its root mean square"),
    ],
    "unroll": [
        ("tuple(given) if parts == 2 else given[0])[1]", "None)[1]", "every step starts from zero"),
        ("torch.cat(last, dim=2)[0]", "torch.cat(last[::-1], dim=2)[0]", "h and c change places"),
        ("if x.shape[1] == 0:", "if False:", "an empty sequence is not refused"),
    ],
    "gradient_norms": [
        ("reversed(gradients)", "gradients", "distances from the wrong end"),
        ("v / v.norm(dim=1, keepdim=True)", "v / v.norm()", "the rows share one length"),
        ("torch.autograd.grad(states[-1], states", "torch.autograd.grad(states[-2], states[:-1]", "one step too few"),
    ],
    "plot_gradient_norms": [
        ("[10, 50, 90], axis=0", "[10, 50, 90], axis=1", "percentiles over distances, not over rows"),
        ("[10, 50, 90]", "[25, 50, 75]", "a band of the middle half"),
        ("factor ** np.arange(len(median))", "factor * np.arange(len(median))", "a straight line for a power"),
        ('yscale="log", ', "", "no logarithmic axis"),
        ("axis.plot(median, label", "axis.plot(norms.mean(0), label", "the mean for the median"),
        ("style = LOOK.get(model, {})", "style = {}", "a model has another colour in every figure"),
        ('if dashes != style["linestyle"]]', "]", "a variant may have the dashes of its model"),
        ("(styles or {}).get(label, style)", "style", "the styles asked for are ignored"),
    ],
    "factor_per_step": [
        ("np.log(norms[:, start:]).mean(0)", "np.log(norms[:, start:].mean(0))", "the logarithm of the mean"),
        ("np.arange(start, norms.shape[1])", "np.arange(norms.shape[1] - start)[::-1]", "distances from the wrong end"),
        ("np.exp(", "float(", "the slope, and not the factor"),
    ],
    "clip_by_norm": [
        ("g * min(1.0, limit / length) if length > 0 else g for g", "g.clip(-limit, limit) for g", "clipping by value"),
        ("min(1.0, limit / length)", "limit / length", "short gradients are lengthened"),
        ("min(1.0, limit / length)", "min(1.0, limit / float((g**2).sum()) ** 0.5)", "each part is cut by itself"),
        ("if not limit > 0:", "if limit < 0:", "a limit of zero is not refused"),
    ],
    "recall_probe": [
        (
            "ids[:, start - k : ids.shape[1] - k]",
            "ids[:, start : ids.shape[1]].roll(-k, 1)",
            "letters to come, not past",
        ),
        ("X[half:].flatten(0, 1)", "X[-half:].flip(0).flatten(0, 1)", "sequences scored by each other's letters"),
        ("if start >= ids.shape[1]:", "if False:", "a distance past the first letter is not refused"),
        ("states.shape[:2] != ids.shape or len(ids) < 2", "False", "letters of other sequences are not refused"),
        ("penalty * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)", "0", "no penalty"),
    ],
    "adding_batch": [
        (
            "generator.integers(half, length, batch_size)",
            "generator.integers(0, length, batch_size)",
            "the second mark may stand in the first half",
        ),
        ("(values * marks).sum(\n        1\n    )", "values.sum(1)", "the answer ignores the marks"),
        ("generator.integers(0, half, batch_size)", "0", "the first mark always stands first"),
    ],
    "AddingModel": [
        ("[0][:, -1]", "[0][:, 0]", "answers after the first number"),
        ("[0][:, -1]", "[0].mean(1)", "answers from the mean state"),
    ],
    "train_adding": [
        ("        model.train()\n", "", "it trains without dropout"),
        ("            model.eval()\n", "", "scored with dropout"),
        ("\n    model.eval()\n    return", "\n    return", "dropout is still on after training"),
        ("nn.utils.clip_grad_norm_(", "nn.utils.clip_grad_value_(", "clipping by value"),
        ("        optimizer.zero_grad()\n", "", "gradients add up from step to step"),
        ("solved=1 / 60", "solved=1 / 6", "answering 1 counts as solved"),
        (
            "if errors[-1] < solved:",
            "if errors[-1] < 1 / 60:",
            "another problem is solved at the adding problem's mark",
        ),
        ("x, y = make_batch(", "x, y = adding_batch(", "another problem's examples are not trained on"),
        ("x_test, y_test = make_batch(", "x_test, y_test = adding_batch(", "scored on another problem"),
        (
            "F.mse_loss(model(x_test.to(device)).cpu(), y_test)",
            "F.mse_loss(model(x.to(device)).cpu(), y)",
            "scored on the batch it was trained on",
        ),
        ("                break", "                pass", "it does not stop when solved"),
    ],
}
