"""What the chapters say about the stored numbers of their studies: a test for each such claim."""

import base64
import sys
from statistics import mean, median

from tools import notebooks as nb
from tools import study as studies

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))

from machine_lines import parse  # noqa: E402
from results_records import printed  # noqa: E402


def results(name):
    return studies.stored(name)["results"]


# ---------------------------------------------------------------- chapter 3


def test_the_typical_factor_holds_for_trained_networks():
    """The factor a step between distances 1 and 60, for each seed; the spectral radius would be far above 1."""
    study = results("paths")
    first, last = study["distances"][0], study["distances"][-1]
    trained = study["networks"]["RNN"]["trained"]
    for gain, slope, norms in zip(trained["gain"], trained["slope"], trained["norms"]):
        measured = 10 ** ((norms[-1] - norms[0]) / (last - first))
        assert abs(gain * slope - measured) < 0.015 and 0.71 < measured < 0.745


def test_large_weights_shorten_recall_and_training_keeps_more_than_its_gain():
    study = results("paths")
    two, three = study["probed"].index(2), study["probed"].index(3)
    recall = {
        stage: part["recall h"]
        for stage, part in study["networks"]["RNN"].items()
        if isinstance(part, dict) and "recall h" in part
    }
    for untrained, trained, same, shuffled in zip(
        *(recall[s] for s in ["untrained", "trained", "same gain", "shuffled"])
    ):
        assert untrained[two] > 0.95 and untrained[three] > 0.9
        assert same[two] < trained[two] < shuffled[two] < 0.7
        assert same[three] < trained[three] < shuffled[three] < 0.25


def test_clipping_costs_the_letter_model_a_little_and_rescues_no_run():
    cells = {(cell["learning_rate"], cell["clip"]): cell for cell in results("clipping")["cells"]}
    for rate in [0.004, 0.016]:
        assert all(a > b for a, b in zip(cells[rate, 1.0]["dev"], cells[rate, None]["dev"]))
    cost = [a - b for a, b in zip(cells[0.004, 1.0]["dev"], cells[0.004, None]["dev"])]
    assert 0.004 < sum(cost) / 3 < 0.016
    assert max(cells[0.004, None]["longest_gradient"]) < 12
    assert 0.28 <= sum(cells[0.004, 1.0]["at_the_limit"]) / 3 < 0.42
    assert min(cells[0.064, 1.0]["dev"]) > min(cells[0.064, None]["dev"])


def test_a_plain_rnn_adds_at_ten_steps_and_not_at_forty():
    by_length = results("adding")["networks"]["RNN"]["lengths"]
    assert all(steps is not None for steps in by_length["10"]["steps"])
    assert all(steps is None for steps in by_length["40"]["steps"]) and min(by_length["40"]["error"]) > 0.14
    assert not any(by_length["40"]["solved_by_rate"].values())


def test_no_rnn_without_gates_adds_at_eighty_steps():
    for name in ["RNN", "RNN, orthogonal", "RNN, identity"]:
        for length, runs in results("adding")["networks"][name]["lengths"].items():
            assert int(length) < 80 or not any(runs["steps"]), (name, length)


# ---------------------------------------------------------------- chapter 2


def test_the_regularised_rnn_against_the_table():
    """At 256 units level on test words, at 512 ahead, further with dropout; each seed's interval, by family."""
    cells = {(c["hidden_size"], c["dropout"] > 0): c for c in results("letter_regularised")["cells"]}
    for dropout in (False, True):
        assert all(low < 0 < high for _, low, high in cells[256, dropout]["test_gap"])
    assert all(high < -0.01 for _, _, high in cells[512, False]["test_gap"])
    assert all(gap < -0.025 and high < -0.015 for gap, _, high in cells[512, True]["test_gap"])
    assert all(high < 0 for _, _, high in cells[512, True]["dev_gap"])
    assert max(cells[512, True]["test"]) < min(cells[512, False]["test"])


def test_without_dropout_the_wide_rnn_overfits_when_trained_for_longer():
    wide, dropped = (
        next(c for c in results("letter_regularised")["cells"] if c["hidden_size"] == 512 and (c["dropout"] > 0) == d)
        for d in (False, True)
    )
    assert wide["dev_by_steps"]["12000"] > wide["dev_by_steps"]["6000"] + 0.03
    assert wide["train_by_steps"]["12000"] < wide["train_by_steps"]["6000"] - 0.15
    assert dropped["dev_by_steps"]["12000"] < dropped["dev_by_steps"]["6000"] - 0.005


def test_chapter_2s_own_run_is_one_of_its_kind():
    """Its bits on dev words lie within the spread of the three seeds of the same setting, and a margin."""
    setting = next(c for c in results("clipping")["cells"] if (c["learning_rate"], c["clip"]) == (0.004, 1.0))
    records = (line for line in printed(nb.find_notebook("02")) if line.startswith("record "))
    found = {(r.task, r.model, r.metric): r.value for r in map(parse, records)}
    found = found["letter model", "RNN, 256 units", "bits per letter, dev"]
    assert min(setting["dev"]) - 0.015 < found < max(setting["dev"]) + 0.015


# ---------------------------------------------------------------- chapter 4


def after_60(name, stage, cut):
    """log10 of the gradient along c after sixty steps, one for each seed."""
    return [seed[1] for seed in results("paths")["networks"][name][stage]["cut"][cut]]


def test_the_additive_path_of_a_trained_lstm_carries_a_millionth_or_less():
    shares = [a - b for a, b in zip(after_60("LSTM", "trained", "ifco"), after_60("LSTM", "trained", ""))]
    assert max(shares) < -6 and min(shares) > -11
    assert -13.5 < min(after_60("LSTM", "trained", "ifco")) and max(after_60("LSTM", "trained", "ifco")) < -8
    assert all(-3 < seed < -1.5 for seed in after_60("LSTM", "trained", ""))
    assert all(-13.5 < seed[-1] < -11.5 for seed in results("paths")["networks"]["LSTM"]["untrained"]["norms"])


def test_no_path_alone_carries_it_and_the_candidates_is_missed_most():
    alone = [seed for cut in ["ifo", "fco", "ico"] for seed in after_60("LSTM", "trained", cut)]
    assert -9 < min(alone) and max(alone) < -5.4
    whole = after_60("LSTM", "trained", "")
    cost = {cut: [a - b for a, b in zip(whole, after_60("LSTM", "trained", cut))] for cut in "cifo"}
    assert 2.6 < min(cost["c"]) and 3 < sum(cost["c"]) / 3 < 3.6
    assert all(1 < value < 2.1 for gate in "ifo" for value in cost[gate])


def test_before_training_the_candidate_is_the_only_way_round():
    for name in ["LSTM", "LSTM, forget bias 1"]:
        whole, direct = after_60(name, "untrained", ""), after_60(name, "untrained", "ifco")
        assert all(a - b > 2.3 for a, b in zip(whole, direct))
        assert all(abs(a - b) < 0.15 for a, b in zip(after_60(name, "untrained", "c"), direct))
        for gate in "ifo":
            assert all(abs(a - b) < 0.1 for a, b in zip(after_60(name, "untrained", gate), whole))


def test_a_forget_bias_of_1_changes_the_route_and_not_the_reach():
    whole, direct = after_60("LSTM, forget bias 1", "trained", ""), after_60("LSTM, forget bias 1", "trained", "ifco")
    assert all(-2 < a - b < -1 for a, b in zip(direct, whole)) and abs(sum(direct) / 3 + 3.5) < 0.3
    assert abs(sum(whole) - sum(after_60("LSTM", "trained", ""))) / 3 < 0.4
    assert min(direct) > max(after_60("LSTM", "trained", "ifco")) + 4
    dev = [results("paths")["networks"][name]["dev"] for name in ["LSTM", "LSTM, forget bias 1"]]
    assert all(abs(sum(seeds) / 3 - 3.07) < 0.006 for seeds in dev)


def test_the_joint_state_holds_recent_letters_about_as_well_as_the_rnns_and_older_ones_better():
    study = results("paths")
    rnn, lstm = study["networks"]["RNN"], study["networks"]["LSTM"]
    two, four = study["probed"].index(2), study["probed"].index(4)

    def mean(network, stage, part, k):
        return sum(seed[k] for seed in network[stage][f"recall {part}"]) / 3

    assert 0.38 < mean(lstm, "trained", "h and c", two) < mean(rnn, "trained", "h", two) < 0.44
    assert mean(lstm, "trained", "h and c", four) > 0.12 > 0.065 > mean(rnn, "trained", "h", four)
    assert 0.19 < mean(lstm, "untrained", "h and c", four) < 0.22 and 0.47 < mean(rnn, "untrained", "h", four) < 0.52


def test_the_lstm_adds_at_every_length_and_a_forget_bias_does_not_matter():
    networks = results("adding")["networks"]
    assert all(all(runs["steps"]) for runs in networks["LSTM"]["lengths"].values())
    for length in ["10", "20", "40", "80"]:
        with_bias = networks["LSTM, forget bias 1"]["lengths"][length]["steps"]
        assert all(with_bias)
        ratio = sum(with_bias) / sum(networks["LSTM"]["lengths"][length]["steps"])
        assert 0.5 < ratio < 2, length


def test_the_tally_cannot_spare_the_forget_gate():
    study = results("tally")
    error = {name: sum(row["error"]) / 3 for name, row in study["networks"].items()}
    at_400 = {name: sum(row["error_long"]) / 3 for name, row in study["networks"].items()}
    stuck = "LSTM, forget gate open"
    assert 2.5 < error[stuck] / error["LSTM"] < 3.5 and 15 < at_400[stuck] / at_400["LSTM"] < 21
    row = study["networks"][stuck]
    assert all(long > 4 * short for short, long in zip(row["error"], row["error_long"]))
    for name in ["LSTM", "LSTM, input gate open", "LSTM, output gate open", "RNN"]:
        assert at_400[name] < 1.4 * error[name] and at_400[name] < 0.3 * at_400[stuck]
    assert 1.6 < error["LSTM, input gate open"] / error["LSTM"] < 2.4
    assert error["LSTM, output gate open"] < error["LSTM"]
    assert abs(study["variance"] - 3.3) < 0.1


# ---------------------------------------------------------------- chapter 5


def seeds_of(study, name, steps, key="dev"):
    return next(c[key] for c in study["cells"] if (c["layer"], c["steps"]) == (name, steps))


def test_no_rnn_adds_over_80_steps_and_the_gru_adds_over_160_within_a_few_hundred_training_steps():
    networks = results("adding")["networks"]
    for name in ["RNN", "RNN, orthogonal", "RNN, identity"]:
        for length in ["80", "160"]:
            assert networks[name]["lengths"][length]["steps"] == [None] * 5
    near = sorted(networks["RNN, identity"]["lengths"]["80"]["error"])[2]
    assert 1 / 60 < near < 0.04
    gru = networks["GRU"]["lengths"]["160"]["steps"]
    lstm = [s or 3000 for s in networks["LSTM"]["lengths"]["160"]["steps"]]
    assert max(gru) <= 300 and sorted(lstm)[2] > 3 * sorted(gru)[2]


def test_with_equal_parameters_the_rnn_is_ahead_of_lstm_and_gru_at_every_budget():
    study = results("letter_cells")
    for steps in [750, 1500, 3000]:
        for name in ["LSTM", "LSTM, forget bias 1", "GRU"]:
            assert max(seeds_of(study, "RNN", steps)) < min(seeds_of(study, name, steps))
    for name in ["LSTM", "GRU"]:
        assert max(seeds_of(study, "RNN", 3000, "train")) < min(seeds_of(study, name, 3000, "train"))


def test_on_words_the_reset_gate_does_not_pay_and_the_update_gate_nearly_does():
    study = results("letter_cells")
    for steps in [750, 1500, 3000]:
        gru, plain, no_reset, no_update = (
            mean(seeds_of(study, name, steps)) for name in ["GRU", "RNN", "GRU, no reset gate", "GRU, no update gate"]
        )
        assert gru - no_reset > 0.008 > abs(gru - no_update)
        assert abs(no_reset - plain) < 0.016


def test_a_trained_gru_passes_on_a_gradient_by_other_ways_than_the_direct_path_and_less_than_an_lstm():
    networks = results("paths")["networks"]
    whole, lstm = ([seed[-1] for seed in networks[name]["trained"]["norms"]] for name in ["GRU", "LSTM"])
    direct = [seed[-1] for seed in networks["GRU"]["trained"]["cut"]["rzn"]]
    fresh = [seed[-1] for seed in networks["GRU"]["untrained"]["norms"]]
    assert all(1.2 < a - b < 5.5 for a, b in zip(whole, direct))
    assert min(whole) > max(fresh) + 5 and min(lstm) > max(whole) + 1.5
    for cut in ["rz", "rn"]:  # the candidate alone, the update gate alone, beside the direct path
        alone = [seed[-1] for seed in networks["GRU"]["trained"]["cut"][cut]]
        assert all(a - b > 0.4 for a, b in zip(whole, alone))


def test_with_equal_units_lstm_and_gru_are_ahead_of_the_rnn():
    networks = results("paths")["networks"]
    assert max(networks["GRU"]["dev"] + networks["LSTM"]["dev"]) < min(networks["RNN"]["dev"]) - 0.03


def test_the_tally_takes_both_gates_of_a_gru():
    networks = results("tally")["networks"]
    both, no_reset, no_update = (
        networks[f"GRU{gate}"]["error"] for gate in ["", ", no reset gate", ", no update gate"]
    )
    assert all(a < 0.5 * b and a < 0.5 * c for a, b, c in zip(both, no_reset, no_update))
    assert median(both) < median(no_reset) / 3 and median(both) < median(networks["LSTM"]["error"]) / 2
    assert median(no_update) > 0.6 * median(networks["RNN"]["error"])


# ---------------------------------------------------------------- chapter 6


def lost_by_reach(budget, reach):
    """Bits per symbol that a reach loses against one of 32, the mean over seeds."""
    dev = results("truncation")["budgets"][str(budget)]["dev"]
    return sum(a - b for a, b in zip(dev[str(reach)], dev["32"])) / len(dev["32"])


def test_a_reach_of_four_is_enough_for_letters_and_a_reach_of_one_costs_more_the_longer_the_training():
    assert all(lost_by_reach(budget, 4) < 0.0125 for budget in (250, 1000, 4000))
    assert 0.03 < lost_by_reach(250, 1) < lost_by_reach(1000, 1) < lost_by_reach(4000, 1)
    assert 0.055 < lost_by_reach(4000, 1) < 0.07


def test_a_gradient_that_does_not_reach_the_letter_learns_half_at_ten_steps_and_hardly_any_at_twenty():
    recall = {int(d): {k: v["right"] for k, v in found.items()} for d, found in results("truncation")["recall"].items()}
    assert 0.4 < min(recall[10]["8"]) and max(recall[10]["8"]) < 0.6
    assert min(recall[10]["16"] + recall[10]["64"] + recall[20]["64"]) > 0.95
    assert max(recall[20]["8"] + recall[20]["16"]) < 0.22
    assert max(recall[10]["frozen"] + recall[20]["frozen"]) < 0.15


def test_only_what_can_flip_its_state_does_parity_beyond_the_training_length():
    networks = results("parity")["networks"]
    for name in ["RNN", "GRU"]:
        assert min(networks[name]["inside"] + networks[name]["beyond"]) > 0.99
    signed = networks["minGRU, factors from -1 to 1"]
    assert min(signed["inside"]) > 0.99 and min(signed["beyond"]) > 0.8
    inside = {}
    for name in ["minGRU, 1 layer", "minGRU, 2 layers", "minGRU, 2 layers and MLPs"]:
        assert max(networks[name]["beyond"]) < 0.53
        inside[name] = sum(networks[name]["inside"]) / len(networks[name]["inside"])
    one, two, bent = inside.values()
    assert 0.5 < one < 0.7 < two < 0.9 < 0.98 < bent


def test_trained_the_cells_differ_in_their_gradient_and_hardly_in_what_they_recall():
    paths = results("paths")
    far, three, ten = paths["distances"].index(60), paths["probed"].index(3), paths["probed"].index(10)
    cells = {name: paths["networks"][name] for name in ["RNN", "LSTM", "GRU"]}
    left = {name: [run[far] for run in cell["trained"]["norms"]] for name, cell in cells.items()}
    assert max(left["RNN"]) < -8 and -6.5 < min(left["GRU"]) and max(left["GRU"]) < -4 and min(left["LSTM"]) > -2.5
    assert max(run[far] for cell in cells.values() for run in cell["untrained"]["norms"]) < -11
    for name, cell in cells.items():
        for run in cell["trained"]["recall h and c" if name == "LSTM" else "recall h"]:
            assert run[three] < 0.25 and run[ten] < 0.05
    assert min(run[three] for run in cells["RNN"]["untrained"]["recall h"]) > 0.94
    assert max(run[three] for run in cells["RNN"]["trained"]["recall h"]) < 0.14


# ---------------------------------------------------------------- chapter 7


def reader_cell(study, reader, steps=800):
    return next(c for c in results(study)["cells"] if (c["reader"], c["steps"]) == (reader, steps))


def test_narrow_vectors_hurt_and_wider_ones_hardly_help():
    against = results("one_vector")["minus k = 256"]
    assert against["k = 4"][1] > against["k = 16"][2] and against["k = 16"][1] > against["k = 64"][2]
    assert 0 < against["k = 64"][1] and abs(against["k = 1024"][0]) < 0.7


def test_the_vector_has_room_for_a_long_new_word():
    """Of test words of 10 to 12 letters nearly all are copied without an error, and most from the vector of a reader
    that fails at half of them; a vector too narrow does worse."""
    copied, long = reader_cell("one_vector", "copy, k = 256")["test"], slice(7, 10)
    assert sum(copied["wrong"][long]) < 0.05 * sum(copied["words"][long])
    held = results("one_vector")["copied from the reader's vector"]
    read = reader_cell("one_vector", "k = 256")["test"]
    assert sum(held["wrong"][long]) < 0.25 * sum(held["words"][long])
    assert sum(read["wrong"][long]) > 0.5 * sum(read["words"][long])
    wide, narrow = (reader_cell("one_vector", f"copy, k = {k}")["test"]["word_error"] for k in [256, 16])
    assert max(wide) < min(narrow)


def test_relatives_and_training_lower_the_excess_of_long_words():
    """On the same test words with relatives among the training words and without; after 1,600 steps and after 800."""
    same = {(c["reader"], c["steps"]): c["excess"] for c in results("one_vector")["words that either split tests"]}
    for steps in [800, 1600]:
        assert mean(same["k = 256, random split", steps]) < mean(same["k = 256", steps]) - 4
    short, long = (reader_cell("one_vector", "k = 256", steps) for steps in [800, 1600])
    assert mean(long["test"]["excess"]) < mean(short["test"]["excess"]) - 1
    assert mean(short["train sample"]["excess"]) < mean(short["test"]["excess"]) - 5


# ---------------------------------------------------------------- chapter 8


def wrong_words(study, total):
    """Whether each test word has an error in the run whose words the study kept."""
    packed = base64.b64decode(results(study)["kept"]["wrong_test_words"])
    return [bit == "1" for byte in packed for bit in f"{byte:08b}"][:total]


def test_attention_is_ahead_of_the_one_vector_with_every_seed():
    for steps in [800, 1600]:
        plain, additive = (
            reader_cell(*which, steps)["test"]["word_error"]
            for which in [("one_vector", "k = 256"), ("choice", "additive")]
        )
        assert max(additive) < min(plain) and mean(plain) - mean(additive) > 0.03


def test_the_weights_are_needed_and_windows_bring_most_of_their_worth():
    """Uniform weights in the same reader are the zero; a window of one speed is behind by less than half as much, one
    whose pace the decoder sets by less than a fifth, and on training words both are ahead."""
    behind = results("choice")["minus additive"]
    assert behind["uniform"][1] > 4 and all(low > 0 for _, low, _ in behind.values())
    assert behind["fixed window"][0] < 0.5 * behind["uniform"][0]
    assert behind["moving window"][0] < 0.2 * behind["uniform"][0]
    blind = {name: reader_cell("choice", f"{name}, start of zeros")["test"] for name in ["additive", "moving window"]}
    assert mean(blind["moving window"]["word_error"]) - mean(blind["additive"]["word_error"]) > 0.01
    known = {name: reader_cell("choice", name)["train sample"]["word_error"] for name in ["additive", *behind]}
    assert max(known["fixed window"] + known["moving window"]) < min(known["additive"])


def test_attention_mends_more_than_it_breaks():
    words = len(base64.b64decode(results("choice")["kept"]["wrong_test_words"])) * 8
    pairs = list(zip(wrong_words("one_vector", words), wrong_words("choice", words)))
    mended, fresh = (sum(pair == kind for pair in pairs) for kind in [(True, False), (False, True)])
    assert mended > 1.6 * fresh > 0


def test_long_words_exceed_the_null_where_no_part_of_the_word_is_handed_out():
    """Excess over the null with every seed, for the one vector and the mean of all states; a window has none."""
    plain, additive = reader_cell("one_vector", "k = 256"), reader_cell("choice", "additive")
    assert min(plain["test"]["excess"]) > 6 + max(additive["test"]["excess"])
    assert max(mean(cell["train sample"]["excess"]) for cell in [plain, additive]) < -1.5
    uniform, window = (reader_cell("choice", name)["test"]["excess"] for name in ["uniform", "fixed window"])
    assert min(uniform) > max(plain["test"]["excess"]) and max(map(abs, window)) < 2


def test_relatives_in_training_give_away_less_than_attention_gains():
    """On the words that are test words of either split, trained with and without relatives of them."""
    splits = {(c["reader"], c["steps"]): c["both"] for c in results("choice")["splits"]}
    behind = results("choice")["minus additive"]["uniform"][0]
    for name, steps in [("additive", 800), ("additive", 1600), ("additive, no dropout", 1600)]:
        leak = mean(splits[name, steps]) - mean(splits[f"{name}, random split", steps])
        assert 1 < 100 * leak < behind


def test_twenty_passes_leave_attention_ahead():
    """The plain network has not reached then what attention has after 800 steps; on training words they are level."""
    cells = {cell["reader"]: cell for cell in results("long_reading")["cells"]}
    plain, additive = cells["one vector"], cells["additive"]
    assert plain["test"]["word_error"] - additive["test"]["word_error"] > 0.02
    assert plain["test"]["word_error"] > max(reader_cell("choice", "additive")["test"]["word_error"])
    assert abs(plain["train sample"]["word_error"] - additive["train sample"]["word_error"]) < 0.015


# ---------------------------------------------------------------- chapter 9


def test_what_the_root_is_worth_to_a_reader():
    """Each at its own learning rate the root is worth something with every seed, and it lets the rate be higher."""
    cells = {cell["attention"]: cell for cell in results("scores")["cells"]}
    root, without = (cells[f"dot, {name}"] for name in ["divided by the root", "not divided"])
    assert max(root["test"]["word_error"]) < min(without["test"]["word_error"])
    assert 0.01 < mean(without["test"]["word_error"]) - mean(root["test"]["word_error"]) < 0.035
    assert root["learning_rate"] > without["learning_rate"]
    rates = results("scores")["rates"]
    assert rates["dot, not divided"]["0.032"][0] - rates["dot, divided by the root"]["0.032"][0] > 0.06


def test_what_the_parts_of_the_recipe_are_worth():
    dev = {cell["change"]: cell["dev"] for cell in results("recipe")["cells"]}
    lost = {change: dev[change] - dev["the recipe"] for change in dev}
    assert lost["batches of 128"] < -0.015 and lost["dropout 0"] < -0.012
    assert max(abs(lost["no smoothing"]), abs(lost["no warm-up"])) < 0.005


def test_the_chosen_rate_of_a_score_has_the_least_error_on_dev():
    rates = results("scores")["rates"]
    for cell in results("scores")["cells"][:2]:
        tried = {float(rate): errors[0] for rate, errors in rates[cell["attention"]].items()}
        best = min(tried, key=tried.get)
        assert best == cell["learning_rate"] and min(tried) < best < max(tried)
    assert all(min(map(float, rates[name])) <= 0.001 for name in ["dot, divided by the root", "dot, not divided"])


def test_additive_attention_beside_a_dot_product_with_as_many_parameters():
    cells = {cell["attention"]: cell for cell in results("projections")["cells"] if "width" not in cell}
    errors = {name: cell["test"]["word_error"] for name, cell in cells.items()}
    assert abs(mean(errors["projected dot"]) - mean(errors["additive"])) < 0.006
    assert abs(cells["additive"]["parameters"] - cells["projected dot"]["parameters"]) <= 128


def test_what_one_vector_costs_instead_of_two():
    """Much where there is little room, unless it is twice as wide; and width matters."""
    cells = {(c["attention"], c.get("width")): c["test"]["word_error"] for c in results("projections")["cells"]}
    cost = {d: mean(cells["tied", d]) - mean(cells["separate", d]) for d in [1, 4, 64]}
    assert min(cells["tied", 4]) > max(cells["separate", 4]) and 0.03 < cost[4] < 0.05
    assert 0 < cost[64] < 0.015 and abs(cost[1]) < 0.01
    assert abs(mean(cells["tied", 8]) - mean(cells["separate", 4])) < 0.01
    assert mean(cells["separate", 1]) - mean(cells["separate", 4]) > 0.04
    assert mean(cells["separate", 4]) - mean(cells["separate", 64]) > 0.02
