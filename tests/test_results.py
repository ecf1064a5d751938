"""The results page: what it reads, how it refuses, that its figures are drawn from the records, and that what its text
says of them is so."""

import json
import re
import sys
from dataclasses import replace

import pytest
import torch
from sphinx.errors import ExtensionError
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tools import notebooks as nb

sys.path.insert(0, str(nb.ROOT / "book" / "ext"))
import book_results as results  # noqa: E402

ROW = results.Row(1, "small", "Small model", "small", look="RNN")
TABLE = results.Table(
    task="adding",
    error="error",
    axis="sums wrong, %",
    columns=(results.Column("sums wrong, %", "error", ".1f", 100), *results.COST),
    rows=(ROW, results.Row(2, "large", look="GRU")),
)
LINES = {
    "01_a.ipynb": ["small | error | 0.4321", "small | parameters | 1234567.0000"],
    "02_b.ipynb": ["large | error | 0.1250", "large | parameters | 7.0000"],
}
LINES["01_a.ipynb"] += ["small | training operations | 2500000000000.5000", "small | training minutes | 3.2600"]
LINES["02_b.ipynb"] += ["large | training operations | 123456000000000.0000"]
TIMED = "timed | adding | large | 12.0"


@pytest.fixture
def folder(tmp_path):
    """Two notebooks with all that TABLE needs."""
    for name, lines in LINES.items():
        write(tmp_path / name, [f"record | adding | {line}" for line in lines] + [TIMED] * (name == "02_b.ipynb"))
    return tmp_path


def write(path, lines, name="stdout"):
    text = "".join(f"{line}\n" for line in ["other output", *lines])
    output = {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}
    cells = [
        {"cell_type": "markdown", "source": "record | in | a | text | 1"},
        {"cell_type": "code", "outputs": [output]},
    ]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


# ---------------------------------------------------------------- reading


def test_records_are_read(folder):
    records = results.Records(folder)
    assert len(records.values) == 8
    assert records.value("adding", ROW, "error") == 0.4321
    assert records.chapters["adding", "small", "error"] == {1}


def test_minutes_are_read_from_timing_cells_and_from_records(folder):
    """The first model's minutes are a record, the second's a line `timed`."""
    records = results.Records(folder)
    assert records.value("adding", ROW, results.MINUTES) == 3.26
    assert records.value("adding", TABLE.rows[1], results.MINUTES) == 12
    edit(folder / "02_b.ipynb", TIMED, "timed | adding | small | 3.3")
    with pytest.raises(ExtensionError, match="records 3.3 for adding | small | training minutes"):
        results.Records(folder)


def test_a_range_over_seeds_stands_beside_its_value(folder):
    edit(folder / "01_a.ipynb", "small | error | 0.4321", "small | error | 0.4321 from 0.4300 to 4.400e-01")
    records = results.Records(folder)
    assert records.value("adding", ROW, "error") == 0.4321
    assert records.ranges == {("adding", "small", "error"): (0.43, 0.44)}
    write(folder / "03_c.ipynb", ["record | adding | small | error | 0.4321"])
    assert results.Records(folder).ranges == records.ranges, "the same without its range is no quarrel"
    write(folder / "03_c.ipynb", ["record | adding | small | error | 0.4321 from 0.4300 to 0.5000"])
    with pytest.raises(ExtensionError, match=r"records \(0.43, 0.5\) for adding \| small"):
        results.Records(folder)


def test_curves_are_read_and_need_not_be_shown(folder):
    line = "curve | adding | small | error | 3 55.1, 4 1e-3, 5 0"
    write(folder / "03_c.ipynb", [line])
    records = results.Records(folder)
    assert records.curves == {("curve", "adding", "small", "error"): ((3, 55.1), (4, 0.001), (5, 0))}
    results.check_declared(records, {"adding": TABLE}, {})
    write(folder / "04_d.ipynb", [line.replace("55.1", "55.2")])
    with pytest.raises(ExtensionError, match="04_d.ipynb records .*55.2.* chapter 3 records"):
        results.Records(folder)


def test_only_what_was_printed_is_read(folder):
    write(folder / "03_c.ipynb", ["record | adding | third | error | 0.5"], name="stderr")
    assert not any(model == "third" for _, model, _ in results.Records(folder).values)


def test_a_table_shows_its_records(folder):
    *_, small, large = results.table_lines(TABLE, results.Records(folder))
    assert small == "| {doc}`Small model </notebooks/01_a>` | 43.2 | 1,234,567 | 2.50 | 3.3 |"
    assert large == "| {doc}`large </notebooks/02_b>` | 12.5 | 7 | 123 | 12.0 |"


def test_the_same_twice_is_no_quarrel(folder):
    write(folder / "03_c.ipynb", ["record | adding | small | error | 0.4321"])
    assert results.Records(folder).chapters["adding", "small", "error"] == {1, 3}


def test_signature(folder):
    write(folder / "03_c.ipynb", ["signature | adding | nrefs:1|case:lc|version:2.6.0"])
    assert results.Records(folder).signature("adding") == "nrefs:1|case:lc|version:2.6.0"


# ---------------------------------------------------------------- refusing


def refused(folder, *parts, table=TABLE):
    with pytest.raises(ExtensionError) as caught:
        results.table_lines(table, results.Records(folder))
    for part in parts:
        assert part in str(caught.value), caught.value


@pytest.mark.parametrize("metric", ["error", "parameters", "training operations", "training minutes"])
def test_a_missing_record(folder, metric):
    old = TIMED if metric == results.MINUTES else f"| large | {metric} |"
    edit(folder / "02_b.ipynb", old, old.replace("large", "other"))
    refused(folder, "'adding'", "'large'", repr(metric), "make run NB=02")


def test_a_record_of_another_task(folder):
    edit(folder / "01_a.ipynb", "adding | small | error", "subtracting | small | error")
    refused(folder, "'adding'", "'small'", "'error'", "make run NB=01")


def test_a_notebook_that_is_gone(folder):
    (folder / "01_a.ipynb").unlink()
    refused(folder, "'small'", "make run NB=01")


def test_two_that_differ(folder):
    write(folder / "03_c.ipynb", ["record | adding | small | error | 0.4320"])
    refused(folder, "03_c.ipynb records 0.432 for adding | small | error", "chapter 1 records 0.4321")


def test_a_record_of_another_chapter(folder):
    refused(folder, "'small'", "chapter 2 does not record it", table=replace(TABLE, rows=(replace(ROW, chapter=2),)))


@pytest.mark.parametrize(
    "line",
    [
        *("adding | small | error", "adding | small | error | much", "adding | small | a | b | 1.0"),
        *("adding | x | y | nan", "adding | x | y | 1 from 0", "adding | x | y | 1 from 2 to 3"),
        *("adding | x | y | 1 from 0 to nan", "adding | x | y | 1 from 0 to 2 to 3"),
    ],
)
def test_a_line_that_is_no_record(folder, line):
    write(folder / "03_c.ipynb", [f"record | {line}"])
    refused(folder, "03_c.ipynb prints", line, "value [from low to high]")


@pytest.mark.parametrize("points", ["", "3", "3 1, 4", "3 1, 3 2", "4 1, 3 2", "3 1 2", "3 nan", "x 1"])
def test_a_line_that_is_no_curve(folder, points):
    write(folder / "03_c.ipynb", [f"curve | adding | small | error | {points}"])
    refused(folder, "03_c.ipynb prints", "x y, x y, ...")


@pytest.mark.parametrize(
    "line", ["adding | small", "adding | small | error | 1.0", "adding | a | long", "adding | a | nan"]
)
def test_a_line_that_is_no_time(folder, line):
    write(folder / "03_c.ipynb", [f"timed | {line}"])
    refused(folder, "03_c.ipynb prints", line, "timed | task | model | minutes")


def undeclared(folder, *parts, not_shown=None):
    with pytest.raises(ExtensionError) as caught:
        results.check_declared(results.Records(folder), {"adding": TABLE}, not_shown or {})
    for part in parts:
        assert part in str(caught.value), caught.value


@pytest.mark.parametrize("line", ["record | adding | small | error, dev | 0.5", "timed | adding | third | 4.0"])
def test_a_result_that_is_shown_nowhere(folder, line):
    results.check_declared(results.Records(folder), {"adding": TABLE}, {})
    write(folder / "03_c.ipynb", [line])
    key = ("adding", "small", "error, dev") if line.startswith("record") else ("adding", "third", results.MINUTES)
    undeclared(folder, " | ".join(key), "chapter 3", "shown nowhere", "NOT_SHOWN")
    results.check_declared(results.Records(folder), {"adding": TABLE}, {key: "nobody asked"})


def test_a_reason_without_a_result(folder):
    undeclared(
        folder, "no notebook records `adding | fourth | error`", not_shown={("adding", "fourth", "error"): "it was bad"}
    )


def test_a_result_that_is_shown_and_said_not_to_be(folder):
    undeclared(folder, "`adding | small | error`", "is shown, and", not_shown={("adding", "small", "error"): "shy"})


def test_the_page_refuses_what_is_undeclared(monkeypatch):
    """The directives look before they make anything."""

    def refuse(records):
        raise ExtensionError(f"{records} are incomplete")

    monkeypatch.setattr(results, "Records", lambda path: "the records")
    monkeypatch.setattr(results, "check_declared", refuse)
    with pytest.raises(ExtensionError, match="the records are incomplete"):
        results.ResultsTable.run(object.__new__(results.ResultsTable))


def test_a_dash_has_a_reason(folder):
    dashed = replace(ROW, dashes={"training minutes": "nobody looked at the clock"})
    table = replace(TABLE, rows=(dashed, TABLE.rows[1]))
    refused(folder, "'small'", "'training minutes'", "take the dash out", table=table)
    edit(folder / "01_a.ipynb", "| small | training minutes |", "| small | something |")
    lines = results.table_lines(table, results.Records(folder))
    assert "| {doc}`Small model </notebooks/01_a>` | 43.2 | 1,234,567 | 2.50 | – |" in lines
    assert lines[-1] == "Where a dash stands: Small model: nobody looked at the clock."


def test_a_missing_signature(folder):
    with pytest.raises(ExtensionError, match=r"signature \| translation .*make run NB=13"):
        results.Records(folder).signature("translation")


def test_an_unknown_table():
    with pytest.raises(ExtensionError, match="no table 'letters'; there are: reading-aloud"):
        results.chosen("letters")


def test_two_signatures_that_differ(folder):
    write(folder / "03_c.ipynb", ["signature | adding | a", "signature | adding | b"])
    with pytest.raises(ExtensionError, match="signature|records b"):
        results.Records(folder)


# ---------------------------------------------------------------- the figure


def test_the_figure_is_drawn_from_the_records(folder):
    records = results.Records(folder)
    for theme in results.THEMES:
        before = results.render(TABLE, records, theme)
        assert before == results.render(TABLE, records, theme), "the same on every run"
        assert before.startswith(b"<?xml") and b"<svg" in before
        axis = results.draw(TABLE, records, theme).axes[0]
        drawn = sorted(map(float, (number for line in axis.get_lines() for number in line.get_xydata().flatten())))
        assert drawn == pytest.approx([2.5, 12.5, 43.21, 123.456])
    edit(folder / "01_a.ipynb", "0.4321", "0.3321")
    assert results.render(TABLE, results.Records(folder), theme) != before


def test_its_alt_text_says_the_numbers(folder):
    text = results.alt_text(TABLE, results.Records(folder))
    assert "Small model 43.2 at 2.50; large 12.5 at 123." in text


def test_what_has_an_error_and_no_arithmetic_is_a_level_line(folder):
    edit(folder / "01_a.ipynb", "| small | training operations |", "| small | something |")
    table = replace(TABLE, rows=(replace(ROW, dashes={"training operations": "it counts"}), TABLE.rows[1]))
    records = results.Records(folder)
    found, levels = results.points(table, records)
    assert [row.model for row, *_ in found] == ["large"] and [y for *_, y in levels] == pytest.approx([43.21])
    assert "a level line for Small model at 43.2" in results.alt_text(table, records)
    assert results.render(table, records, "light")


# ---------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def records():
    return results.Records()


def value(records, table, row, metric):
    return records.value(results.TABLES[table].task, results.TABLES[table].rows[row], metric)


def test_every_table_is_shown():
    assert set(results.on_page()) == set(results.TABLES)


def test_every_result_is_shown_or_left_out_with_a_reason(records):
    results.check_declared(records)
    assert all(results.NOT_SHOWN.values())


def test_included_tables_are_seen(tmp_path):
    (tmp_path / "a.md").write_text("```{results-table} one\n```\n% ```{include} c.md\n```{include} b.md\n```\n")
    (tmp_path / "b.md").write_text("text\n\n```{results-table} two\n```\n")
    assert results.on_page(tmp_path / "a.md") == ["one", "two"]


@pytest.mark.parametrize("name", results.on_page())
def test_every_number_is_there(records, name):
    lines = results.table_lines(results.TABLES[name], records)
    assert sum(line.startswith("| ") for line in lines) == len(results.TABLES[name].rows) + 2


def cells(records, name):
    """{(row's model, column's number): text} of a table as the page shows it."""
    table = results.TABLES[name]
    lines = [line for line in results.table_lines(table, records) if line.startswith("| ")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines]
    return {(row.model, k): text for row, texts in zip(table.rows, rows) for k, text in enumerate(texts)}


def printed(chapter, start):
    """The number behind `start` in a chapter's stored text, found without the page's own reader."""
    text = nb.find_notebook(chapter).read_text(encoding="utf-8")
    (number,) = set(re.findall(re.escape(start) + r" \| ([\d.]+)", text))
    return number


def test_some_cells_against_the_lines_in_the_notebooks(records):
    """The text of a cell, made from the digits of the line by shifting the point, not by the page's scale."""
    shown = cells(records, "reading-aloud")
    error = printed("08", "record | reading aloud | GRU with additive attention | word error, test")
    assert re.fullmatch(r"0\.\d{4}", error) and re.fullmatch(r"\d\d\.\d", shown["GRU with additive attention", 0])
    digits = int(shown["GRU with additive attention", 0].replace(".", ""))  # 34.7 is 347
    assert abs(10 * digits - int(error[2:])) <= 5
    size = printed("12", "record | reading aloud | Transformer, 4,200 steps | parameters")
    assert shown["Transformer, 4,200 steps", 2].replace(",", "") == size.split(".")[0]
    work = printed("14", "record | reading aloud | decoder-only Transformer, 2,100 steps | training operations")
    whole = work.split(".")[0]
    assert re.fullmatch(r"\d\d\.\d", shown["decoder-only Transformer, 2,100 steps", 3]) and len(whole) == 14
    assert abs(int(shown["decoder-only Transformer, 2,100 steps", 3].replace(".", "")) - int(whole[:4]) / 10) <= 0.6
    bits = printed("01", "record | letter model | Kneser-Ney n-gram, order 6 | bits per letter, dev")
    assert cells(records, "letter-model")["Kneser-Ney n-gram, order 6", 0][:4] == bits[:4]


@pytest.mark.parametrize("name", results.TABLES)
def test_every_number_has_a_sensible_size(records, name):
    """Percent is a hundred times a share; the other columns lie where such numbers lie."""
    table, shown = results.TABLES[name], cells(records, name)
    sensible = {
        "arithmetic": (0.1, 5000),
        "minutes": (0.05, 600),
        "parameters": (1000, 10**8),
        "bits per letter": (1, 6),
    }
    for row in table.rows:
        for k, column in enumerate(table.columns):
            text, value = (
                shown[row.model, k].replace(",", ""),
                records.values.get((table.task, row.model, column.metric)),
            )
            if text == "–":
                continue
            if column.heading.endswith("%"):
                assert 0 < float(text) < 100 and abs(float(text) - 100 * value) < 0.051
            elif "BLEU" in column.metric:
                assert 1 < float(text) < 100 and abs(float(text) - value) < 0.051
            else:
                low, high = sensible[column.heading]
                assert low < float(text) < high, (row.model, column.heading, text)
                unit = 1e12 if column.metric == results.OPERATIONS else 1
                assert float(text) == pytest.approx(value / unit, rel=6e-3, abs=0.051)


def test_a_model_looks_as_it_does_in_the_chapters(book):
    assert list(results.LOOKS) == list(book["LOOK"])
    for name, (light, _, line, marker) in results.LOOKS.items():
        assert (light, line) == tuple(book["LOOK"][name].values()) and marker == book["MARKER"][name]
    assert results.THEMES["light"]["colours"] == book["COLOR"]


def test_a_model_can_be_told_from_the_others_and_from_the_page():
    def luminance(colour):
        rgb = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        return sum(
            w * (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4)
            for w, c in zip((0.2126, 0.7152, 0.0722), rgb)
        )

    for theme, ground in [("light", 1.0), ("dark", 0.01)]:
        colours = results.THEMES[theme]["colours"]
        assert len(set(colours.values())) == len(colours)
        for colour in colours.values():
            high, low = sorted([luminance(colour), ground], reverse=True)
            assert (high + 0.05) / (low + 0.05) > 2, (theme, colour)
    assert luminance(results.THEMES["dark"]["colours"]["Transformer"]) > 0.75, "black on a dark page is near white"
    assert {row.look for table in results.TABLES.values() for row in table.rows if row.short} <= set(results.LOOKS)


def test_the_figure_uses_the_looks(folder):
    for theme, c in results.THEMES.items():
        drawn = results.draw(TABLE, results.Records(folder), theme).axes[0].get_lines()
        assert [line.get_color() for line in drawn] == [c["colours"]["RNN"], c["colours"]["GRU"]]
        assert [line.get_marker() for line in drawn] == ["o", "^"]


@pytest.mark.parametrize("name", [name for name in results.on_page() if name != "reading-aloud-in-pieces"])
def test_names_in_the_figures_do_not_overlap(records, name):
    figure = results.draw(results.TABLES[name], records, "light")
    for k, box in enumerate(figure.placed):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in figure.placed[:k])


def by_model(records, name, metric):
    table, found = results.TABLES[name], {}
    for row in table.rows:
        number = records.value(table.task, row, metric)
        if number is not None:
            found[row.model] = number
    return found


def test_what_the_page_says_of_reading_aloud(records):
    errors, cost, size = (
        by_model(records, "reading-aloud", m) for m in (results.WORDS, results.OPERATIONS, results.PARAMETERS)
    )
    best, plain = "GRU with additive attention", "encoder-decoder"
    assert min(errors, key=errors.get) == best
    assert errors[plain] > errors[best] and cost[plain] > cost[best] and size[plain] > size[best]
    assert errors["Transformer, 2,100 steps"] > errors["Transformer, 4,200 steps"] > errors[best]
    equal_steps = [model for model in cost if "4,200" not in model and "700" not in model]
    assert max(equal_steps, key=cost.get) == "decoder-only Transformer, 2,100 steps"
    assert 1.9 < cost["decoder-only Transformer, 2,100 steps"] / cost["Transformer, 2,100 steps"] < 2.1


def test_what_the_page_says_of_spelling(records):
    bits, size = (by_model(records, "letter-model", m) for m in (results.BITS, results.PARAMETERS))
    assert min(bits, key=bits.get) == "Kneser-Ney n-gram, order 6"
    compared = list(by_model(records, "letter-model", results.OPERATIONS))
    assert len(compared) == 4
    assert max(size[m] for m in compared) < 1.015 * min(size[m] for m in compared)
    assert 2.9 < size["RNN, 256 units"] / size["RNN, 128 units"] < 3.1


def test_what_the_page_says_of_translation(records):
    for metric in (results.SACREBLEU, results.TUTORIAL):
        for decoding in ("", ", beam 5"):
            scores = by_model(records, "translation", metric + decoding)
            assert scores["Transformer"] > scores["GRU with attention"] + 1
    cost = by_model(records, "translation", results.OPERATIONS)
    assert cost["Transformer"] > cost["GRU with attention"]
    assert re.search(r"case:lc.*tok:13a.*version:", records.signature("translation"))


# ---------------------------------------------------------------- how the arithmetic is counted


def test_the_counter_counts_a_gru_forwards_and_backwards():
    """The chapters' way of counting, against a count by hand: a product of (m, k) and (k, n) is 2 m k n. Backwards
    there are two products for each; the first step's state is given, so nothing is sent back to it."""
    B, S, D, N = 3, 5, 4, 7
    gru, x = nn.GRU(D, N, batch_first=True), torch.randn(B, S, D, requires_grad=True)
    forwards = 2 * B * S * 3 * N * (D + N)
    with FlopCounterMode(display=False) as counter:
        states, _ = gru(x)
    assert counter.get_total_flops() == forwards
    with FlopCounterMode(display=False) as counter:
        gru(x)[0].sum().backward()
    assert counter.get_total_flops() == 3 * forwards - 2 * B * 3 * N * N


def test_the_counter_counts_attention(book):
    """Four projections, then scores and mixtures, each with two products backwards."""
    B, T, D, H = 2, 5, 8, 2
    layer, x = book["MultiHeadAttention"](D, H), torch.randn(B, T, D, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        layer(x, x, book["causal_mask"](T)[None])[0].sum().backward()
    assert counter.get_total_flops() == 3 * (4 * 2 * B * T * D * D + 2 * 2 * B * T * T * D)


def test_a_batch_in_fifty_stands_for_all(split, book):
    """The batches that chapters 7 and 8 count hold, on average, nearly as many symbols as all do."""
    pairs = [
        (len(word) + 2, len(answer.split()) + 2)
        for word, possible in zip(split["train"]["word"], split["train"]["pronunciations"])
        for answer in possible
    ]
    batches = book["length_batches"]([source + target / 100 for source, target in pairs], 128)

    def symbols(some):
        return sum(len(b) * (max(pairs[i][0] for i in b) + max(pairs[i][1] for i in b)) for b in some) / len(some)

    assert symbols(batches[25::50]) == pytest.approx(symbols(batches), rel=0.02)
