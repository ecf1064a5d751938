"""Gradient norms and recall on random letters, before and after training on words, at equal state size."""

from studies import common

ABOUT = (
    "gradient norms and a linear probe's recall on random letters, for five recurrent layers of 128 units, "
    "untrained and trained as letter models, with three seeds each."
)
USES = [
    "load_cmudict",
    "split_by_family",
    "Vocabulary",
    "LetterModel",
    "train_letter_model",
    "unroll",
    "gradient_norms",
    "recall_probe",
]

EMBEDDING, HIDDEN, BATCH, STEPS = 64, 128, 256, 3000
# the rate that suits the RNN of 128 units, for all: what is compared here is not their error
RATES = {name: 0.008 for name in ["RNN", "RNN, orthogonal", "LSTM", "LSTM, forget bias 1", "GRU"]}
SEEDS = [0, 1, 2]
LENGTH, GRADIENT_SEQUENCES, PROBE_SEQUENCES = 60, 16, 2000  # random letters
GRADIENT_DISTANCES = [0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60]
PROBE_DISTANCES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30]


def run(book, report):
    import numpy as np
    import torch

    vocabulary, encoded = common.letter_data(book)

    def measure(model, name, seed):
        generator = np.random.default_rng([seed, 7])
        ids = torch.tensor(generator.integers(3, len(vocabulary), (PROBE_SEQUENCES, LENGTH)))
        ids = ids.to(book["device"])
        exact = model.double()
        states = book["unroll"](exact.rnn, exact.embedding(ids[:GRADIENT_SEQUENCES]))
        norms = np.median(book["gradient_norms"](states), axis=0)[GRADIENT_DISTANCES]
        with torch.no_grad():
            kept = [s.detach() for s in book["unroll"](exact.rnn, exact.embedding(ids))[1:]]
            kept = torch.stack(kept, dim=1)  # (M, T, N), or (M, T, 2 N)
        model.float()
        out = {"log10_norm": [round(float(v), 2) for v in np.log10(norms)]}
        for part, of_part in zip(["recall_h", "recall_c"], kept.split(HIDDEN, dim=2)):
            shares = book["recall_probe"](of_part, ids, PROBE_DISTANCES)
            out[part] = [round(float(share), 3) for share in shares]
        return out

    networks = {}
    for name, rate in RATES.items():
        runs = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            model = book["LetterModel"](len(vocabulary), EMBEDDING, HIDDEN, common.layer_class(name))
            common.start(name, model.rnn)
            model.to(book["device"])
            before = measure(model, name, seed)
            book["train_letter_model"](model, encoded["train"], STEPS, rate, seed, BATCH)
            runs.append({"untrained": before, "trained": measure(model, name, seed)})
            report(f"{name}, seed {seed}: {runs[-1]}")
        networks[name] = {
            stage: {key: [run[stage][key] for run in runs] for key in runs[0][stage]}
            for stage in ["untrained", "trained"]
        }
    return {
        "seeds": SEEDS,
        "hidden_size": HIDDEN,
        "steps": STEPS,
        "learning_rates": RATES,
        "length": LENGTH,
        "gradient_distances": GRADIENT_DISTANCES,
        "probe_distances": PROBE_DISTANCES,
        "networks": networks,
    }
