"""What carries the gradient of a trained LSTM and GRU; what their states hold; an RNN of the trained one's gain."""

from studies import common

ABOUT = (
    "gradient norms by all paths and with paths cut, and a linear probe's recall, on random letters, for an RNN, LSTMs "
    "and a GRU of 128 units before and after training, and for untrained RNNs of the trained one's gain; three seeds."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "bits_per_letter",
    "LetterModel",
    "train_letter_model",
    "word_bits",
    "predicted_factors",
    "unroll",
    "gradient_norms",
    "recall_probe",
    "open_lstm",
    "gru_twin",
]

EMBEDDING, HIDDEN, BATCH, STEPS = 64, 128, 256, 3000
NETWORKS = ["RNN", "LSTM", "LSTM, forget bias 1", "GRU"]
RATES, WIDEN, RATE_SEED, SEEDS = [0.002, 0.004, 0.008, 0.016, 0.032], 2, 100, [0, 1, 2]
LENGTH, GRADIENT_SEQUENCES, PROBE_SEQUENCES = 60, 16, 2000  # random letters
DISTANCES, PROBED = [1, 5, 10, 20, 40, 60], [0, 1, 2, 3, 4, 6, 10]
ALONE = ["fco", "ico", "ifo", "ifc"]  # one gate, or the candidate, is left open: stored for trained networks only
CUTS = ["", "ifco", "fco", "ico", "ifo", "ifc", "i", "f", "c", "o"]  # of an LSTM: what reads h as a constant
GRU_CUTS = ["", "rzn", "zn", "rn", "rz"]


def plan(done):
    return common.with_seeds(done, NETWORKS, RATES, WIDEN, RATE_SEED, SEEDS, lambda result: result["dev"])


def norms(book, states):
    """log10 of the median gradient norm at DISTANCES."""
    import numpy as np

    median = np.median(book["gradient_norms"](states), axis=0)[DISTANCES]
    return [round(float(v), 2) for v in np.log10(median)]


def gru_states(cell, x, cut):
    """The states of chapter 5's GRU, where what is named in `cut`, letters of "rzn", reads the state as a constant."""
    states = [x.new_zeros(len(x), cell.b_h.numel(), requires_grad=True)]
    for t in range(x.shape[1]):
        h = states[-1]
        given, constant = cell.gates(x[:, t], h), cell.gates(x[:, t], h.detach())
        r, z, n = (b if name in cut else a for name, a, b in zip("rzn", given, constant))
        if "n" not in cut:  # the candidate reads h and r, so it is made again from the r that was picked
            N = h.shape[1]
            inside = h @ cell.W_h[2 * N :].T + cell.b_h
            n = (x[:, t] @ cell.W_x[2 * N :].T + cell.b[2 * N :] + r * inside).tanh()
        states.append(z * h + (1 - z) * n)
    return states


def look_inside(book, model, name, seed):
    import numpy as np
    import torch

    generator = np.random.default_rng([seed, 7])
    ids = torch.tensor(generator.integers(3, 30, (PROBE_SEQUENCES, LENGTH))).to(book["device"])
    layer, embedding = model.rnn, model.embedding
    model.train()  # cuDNN keeps what a gradient needs in training mode only
    few = embedding(ids[:GRADIENT_SEQUENCES]).detach()
    found = {"norms": norms(book, book["unroll"](layer, few))}
    if name.startswith("LSTM"):
        found["cut"] = {cut: norms(book, book["open_lstm"](layer, few, cut)["c"]) for cut in CUTS}
    if name == "GRU":
        found["cut"] = {cut: norms(book, gru_states(book["gru_twin"](layer), few, cut)) for cut in GRU_CUTS}
    with torch.no_grad():
        kept = torch.stack([s.detach() for s in book["unroll"](layer, embedding(ids))[1:]], dim=1)
    parts = {"h": kept[..., :HIDDEN]}
    if name.startswith("LSTM"):
        parts |= {"c": kept[..., HIDDEN:], "h and c": kept}
    for part, states in parts.items():
        found[f"recall {part}"] = [round(float(v), 3) for v in book["recall_probe"](states, ids, PROBED)]
    if name == "RNN":
        factors = book["predicted_factors"](layer.weight_hh_l0.detach(), kept[:, 10:])
        found["gain"] = round(float(layer.weight_hh_l0.detach().norm()) / HIDDEN**0.5, 3)
        found["slope"] = round(factors["typical"] / found["gain"], 3)
    return found


def same_gain(book, fresh, trained):
    """An untrained RNN of the trained one's gain: W_h scaled to its norm, the inputs so that the slope is the same."""
    import copy

    import numpy as np
    import torch

    ids = torch.tensor(np.random.default_rng(5).integers(3, 30, (50, LENGTH))).to(book["device"])

    def slope(model, factor=1.0):
        with torch.no_grad():
            states = model.rnn(factor * model.embedding(ids))[0][:, 10:]
        return float(((1 - states**2) ** 2).mean().sqrt())

    model = copy.deepcopy(fresh)
    with torch.no_grad():
        model.rnn.weight_hh_l0 *= trained.rnn.weight_hh_l0.norm() / model.rnn.weight_hh_l0.norm()
        wanted, low, high = slope(trained), 0.01, 100.0
        for _ in range(40):  # the slope falls as the inputs grow
            factor = (low * high) ** 0.5
            low, high = (factor, high) if slope(model, factor) > wanted else (low, factor)
        model.embedding.weight *= factor
    return model


def measure(book, name, rate, seed):
    import copy

    import torch

    vocabulary, encoded = common.letter_data(book)
    torch.manual_seed(seed)
    model = book["LetterModel"](len(vocabulary), EMBEDDING, HIDDEN, common.layer_class(name))
    common.start(name, model.rnn)
    model.to(book["device"])
    fresh = copy.deepcopy(model).double()
    book["train_letter_model"](model, encoded["train"], STEPS, rate, seed, BATCH)
    found = {"dev": common.letter_bits(book, model, encoded)["dev"]}
    if seed == RATE_SEED:
        return found
    model.double()
    found |= {"untrained": look_inside(book, fresh, name, seed), "trained": look_inside(book, model, name, seed)}
    if name == "RNN":
        found["same gain"] = look_inside(book, same_gain(book, fresh, model), name, seed)
        shuffled = copy.deepcopy(model)
        with torch.no_grad():  # the trained network but for the places of the entries of W_h
            W = shuffled.rnn.weight_hh_l0
            order = torch.randperm(W.numel(), generator=torch.Generator().manual_seed(seed)).to(W.device)
            W.copy_(W.flatten()[order].view_as(W))
        found["shuffled"] = look_inside(book, shuffled, name, seed)
    return found


def gather(done):
    networks = {}
    for name in NETWORKS:
        rate, tried = common.chosen(done, name, RATE_SEED, lambda result: result["dev"])
        runs = [done[name, rate, seed] for seed in SEEDS]
        networks[name] = {"learning_rate": rate, "rates": tried, "dev": [run["dev"] for run in runs]}
        for stage in [key for key in runs[0] if key != "dev"]:
            of_stage = [run[stage] for run in runs]
            part = {key: [run[key] for run in of_stage] for key in of_stage[0] if key != "cut"}
            if "cut" in of_stage[0]:  # at the two distances that the chapters speak of
                at = [DISTANCES.index(20), DISTANCES.index(60)]
                part["cut"] = {
                    cut: [[run["cut"][cut][i] for i in at] for run in of_stage]
                    for cut in of_stage[0]["cut"]
                    if stage == "trained" or cut not in ALONE
                }
            networks[name][stage] = part
    return {
        "seeds": SEEDS,
        "rate_seed": RATE_SEED,
        "hidden_size": HIDDEN,
        "steps": STEPS,
        "distances": DISTANCES,
        "probed": PROBED,
        "cut_distances": [20, 60],
        "networks": networks,
    }
