"""The adding problem over lengths: six recurrent networks of about equal size, rates chosen on a seed of its own."""

from studies import common

ABOUT = (
    "the adding problem at lengths up to 160 with six recurrent networks of about equal size, five seeds each, the "
    "learning rate chosen on a sixth, and a second tried where some seeds failed; every network at every length."
)
USES = ["adding_batch", "AddingModel", "train_adding"]

LENGTHS = [10, 20, 40, 80, 160]
SIZES = {"RNN": 64, "RNN, orthogonal": 64, "RNN, identity": 64, "LSTM": 31, "LSTM, forget bias 1": 31, "GRU": 36}
RATES, WIDEN = [0.0005, 0.002, 0.008, 0.032], 4
STEPS, BATCH, EVERY = 3000, 32, 100
RATE_SEED, SEEDS = 100, [0, 1, 2, 3, 4]


def make_layer(name, size):
    """A recurrent layer of two inputs; the identity one is the IRNN of Le, Jaitly and Hinton (2015)."""
    from torch import nn

    if name == "RNN, identity":
        layer = nn.RNN(2, size, nonlinearity="relu", batch_first=True)
        nn.init.eye_(layer.weight_hh_l0)
        nn.init.normal_(layer.weight_ih_l0, 0, 0.001)
        nn.init.zeros_(layer.bias_ih_l0)
        nn.init.zeros_(layer.bias_hh_l0)
        return layer
    layer = common.layer_class(name)(2, size, batch_first=True)
    common.start(name, layer)
    return layer


def speed(result):
    """Lower is better: the steps it took, and among those that never solved it the error."""
    return result["steps"] or STEPS + 1000 * min(result["error"], 10)


def plan(done):
    jobs = []
    for length in reversed(LENGTHS):
        wanted = common.with_seeds(common.of_size(done, length), SIZES, RATES, WIDEN, RATE_SEED, SEEDS, speed)
        jobs += [(name, length, rate, seed) for name, rate, seed in wanted]
        for name in SIZES:
            jobs += [(name, length, rate, seed) for rate in rates_tried(done, name, length) for seed in SEEDS]
    return jobs


def rates_tried(done, name, length):
    """The best learning rate, and the second best if both solved it and some of five seeds at the best did not."""
    tried = common.tried_rates(common.of_size(done, length), name, RATE_SEED, speed)
    best = sorted(tried, key=tried.get)[:2]
    runs = [done.get((name, length, best[0], seed)) for seed in SEEDS] if best else [None]
    if None in runs:
        return []
    return best if tried[best[-1]] <= STEPS and any(run["steps"] is None for run in runs) else best[:1]


def outcome(runs):
    """How well five seeds did, lower is better: those that never solved it, the median steps, the median error."""
    steps, errors = sorted(speed(run) for run in runs), sorted(run["error"] for run in runs)
    return sum(run["steps"] is None for run in runs), steps[len(steps) // 2], errors[len(errors) // 2]


def measure(book, name, length, rate, seed):
    import torch

    torch.manual_seed(seed)
    model = book["AddingModel"](make_layer(name, SIZES[name])).to(book["device"])
    errors = book["train_adding"](model, length, STEPS, rate, seed, BATCH, EVERY)
    last = errors[-1] if errors[-1] == errors[-1] else 1e6  # not a number: the run was lost
    return {"steps": len(errors) * EVERY if last < 1 / 60 else None, "error": round(min(last, 1e6), 4)}


def gather(done):
    networks = {}
    for name, size in SIZES.items():
        lengths = {}
        for length in LENGTHS:
            tried = common.chosen(common.of_size(done, length), name, RATE_SEED, speed)[1]
            by_rate = {r: [done[name, length, r, seed] for seed in SEEDS] for r in rates_tried(done, name, length)}
            rate = min(by_rate, key=lambda r: outcome(by_rate[r]))
            runs, solved = by_rate[rate], {r: int(v) if v <= STEPS else None for r, v in tried.items()}
            lengths[length] = {"learning_rate": rate, "solved_by_rate": solved}
            lengths[length] |= {key: [run[key] for run in runs] for key in ["steps", "error"]}
        networks[name] = {"hidden_size": size, "parameters": common.parameters(make_layer(name, size)) + size + 1}
        networks[name]["lengths"] = lengths
    return {
        "seeds": SEEDS,
        "rate_seed": RATE_SEED,
        "rates": RATES,
        "steps": STEPS,
        "batch_size": BATCH,
        "every": EVERY,
        "lengths": LENGTHS,
        "networks": networks,
    }
