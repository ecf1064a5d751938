"""The adding problem over lengths: six recurrent networks of about equal size, rates chosen on a seed of its own."""

from studies import common

ABOUT = (
    "the adding problem at lengths up to 160, solved or not by six recurrent networks of about equal size, "
    "with five seeds each and the learning rate chosen on a sixth."
)
USES = ["adding_batch", "AddingModel", "train_adding"]

LENGTHS = [10, 20, 40, 80, 160]
SIZES = {"RNN": 64, "RNN, orthogonal": 64, "RNN, identity": 64, "LSTM": 31, "LSTM, forget bias 1": 31, "GRU": 36}
RATES = [0.0005, 0.002, 0.008]
STEPS, BATCH, EVERY = 3000, 32, 100
RATE_SEED, SEEDS = 100, [0, 1, 2, 3, 4]


def make_layer(name, size):
    """A recurrent layer of two inputs; the identity one is the IRNN of Le, Jaitly and Hinton (2015)."""
    import torch
    from torch import nn

    if name == "GRU":
        return nn.GRU(2, size, batch_first=True)
    if name.startswith("LSTM"):
        layer = nn.LSTM(2, size, batch_first=True)
        if "bias" in name:
            with torch.no_grad():
                layer.bias_ih_l0[size : 2 * size] = 1.0
                layer.bias_hh_l0[size : 2 * size] = 0.0
        return layer
    if name == "RNN, identity":
        layer = nn.RNN(2, size, nonlinearity="relu", batch_first=True)
        nn.init.eye_(layer.weight_hh_l0)
        nn.init.normal_(layer.weight_ih_l0, 0, 0.001)
        nn.init.zeros_(layer.bias_ih_l0)
        nn.init.zeros_(layer.bias_hh_l0)
        return layer
    layer = nn.RNN(2, size, batch_first=True)
    if name == "RNN, orthogonal":
        nn.init.orthogonal_(layer.weight_hh_l0)
    return layer


def run(book, report):
    import torch

    def train(name, length, rate, seed):
        torch.manual_seed(seed)
        model = book["AddingModel"](make_layer(name, SIZES[name])).to(book["device"])
        errors = book["train_adding"](model, length, STEPS, rate, seed, BATCH, EVERY)
        solved = len(errors) * EVERY if errors[-1] < 1 / 60 else None
        return {"steps": solved, "error": round(errors[-1], 4)}

    def order(outcome):
        return (outcome["steps"] or STEPS + 1, outcome["error"])

    networks = {}
    for name, size in SIZES.items():
        layer = make_layer(name, size)
        parameters = common.parameters(book["AddingModel"](layer))
        lengths = {}
        for length in LENGTHS:
            tried = {rate: train(name, length, rate, RATE_SEED) for rate in RATES}
            rate = min(RATES, key=lambda r: order(tried[r]))
            runs = [train(name, length, rate, seed) for seed in SEEDS]
            lengths[length] = {
                "learning_rate": rate,
                "solved_by_rate": {r: tried[r]["steps"] for r in RATES},
                "steps": [outcome["steps"] for outcome in runs],
                "error": [outcome["error"] for outcome in runs],
            }
            report(f"{name}, length {length}, rate {rate}: {lengths[length]['steps']} {lengths[length]['error']}")
            if not any(lengths[length]["steps"]) and not any(lengths[length]["solved_by_rate"].values()):
                break  # who never solves a length is not tried on longer ones
        networks[name] = {"hidden_size": size, "parameters": parameters, "lengths": lengths}
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
