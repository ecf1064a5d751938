"""What the results page shows: its tables, their rows and columns, and the results that it leaves out.

Nothing here is a number of a result; those are printed by the notebooks (results_records.py).
"""

from dataclasses import dataclass, field

from sphinx.errors import ExtensionError

BITS, WORDS, PHONEMES = "bits per letter, dev", "word error, test", "phoneme error, test"
PARAMETERS, OPERATIONS, MINUTES = "parameters", "training operations", "training minutes"
DIGITS = "#.3g"  # three of them
SACREBLEU, TUTORIAL = "BLEU, test 2016, sacreBLEU", "BLEU, test 2016, tutorial's recipe"


@dataclass(frozen=True)
class Column:
    heading: str
    metric: str
    form: str  # how a value is written, as format() has it
    scale: float = 1.0  # what it is multiplied by before that

    def show(self, value):
        scaled = self.scale * value
        return f"{scaled:{',.0f' if self.form == DIGITS and scaled >= 100 else self.form}}"


@dataclass(frozen=True)
class Row:
    chapter: int
    model: str  # as the record says it
    name: str = ""  # as the page says it
    short: str = ""  # as the figure says it
    look: str = ""  # whose colour, line and marker it has there (LOOK in the setup cell); points of one look are joined
    dashes: dict = field(default_factory=dict)  # {metric: why there is no number}

    @property
    def title(self):
        return self.name or self.model


@dataclass(frozen=True)
class Table:
    task: str
    error: str  # the metric that the figure draws
    axis: str  # and what it says beside it
    columns: tuple
    rows: tuple


COST = (
    Column("parameters", PARAMETERS, ",.0f"),
    Column("arithmetic", OPERATIONS, DIGITS, 1e-12),
    Column("minutes", MINUTES, ".1f"),
)
READING = (Column("words, %", WORDS, ".1f", 100), Column("phonemes, %", PHONEMES, ".1f", 100))
BLEU = (
    Column("sacreBLEU", SACREBLEU, ".1f"),
    Column("beam 5", f"{SACREBLEU}, beam 5", ".1f"),
    Column("recipe", TUTORIAL, ".1f"),
    Column("beam 5", f"{TUTORIAL}, beam 5", ".1f"),
)
UNCOUNTED = "their chapters do not count the training"
NO_WEIGHTS = "it counts letters and trains no weights"
STUDY = "a study's run, and only what is trained in a chapter is timed"

TABLES = {
    "reading-aloud": Table(
        task="reading aloud",
        error=WORDS,
        axis="words wrong, %",
        columns=(*READING, *COST),
        rows=(
            Row(7, "encoder-decoder", "Encoder-decoder, 800 steps", "encoder-decoder", "encoder-decoder"),
            Row(
                8,
                "GRU with additive attention",
                "GRU with additive attention, 800 steps",
                "GRU with attention",
                "attention",
            ),
            Row(
                12,
                "Transformer, 2,100 steps",
                short="Transformer, 2,100 steps",
                look="Transformer",
                dashes={MINUTES: STUDY},
            ),
            Row(12, "Transformer, 4,200 steps", short="4,200 steps", look="Transformer"),
            Row(
                14,
                "decoder-only Transformer, 700 steps",
                "Decoder-only Transformer, 700 steps",
                short="decoder-only, 700 steps",
                look="decoder-only",
            ),
            Row(
                14,
                "decoder-only Transformer, 2,100 steps",
                "Decoder-only Transformer, 2,100 steps",
                short="2,100 steps",
                look="decoder-only",
                dashes={MINUTES: STUDY},
            ),
        ),
    ),
    "reading-aloud-in-pieces": Table(
        task="reading aloud",
        error=WORDS,
        axis="words wrong, %",
        columns=(*READING, COST[0]),
        rows=(
            Row(9, "GRU with queries, keys and values, 800 steps"),
            Row(11, "One-step encoder, no positions"),
            Row(11, "One-step encoder, sinusoidal positions"),
            Row(11, "One-step encoder, learned positions"),
            Row(11, "One-step encoder, rotary positions"),
        ),
    ),
    "letter-model": Table(
        task="letter model",
        error=BITS,
        axis="bits per letter",
        columns=(Column("bits per letter", BITS, ".3f"), *COST),
        rows=(
            Row(
                1,
                "Kneser-Ney n-gram, order 6",
                short="Kneser-Ney n-gram",
                look="n-gram",
                dashes={metric: NO_WEIGHTS for metric in (PARAMETERS, OPERATIONS, MINUTES)},
            ),
            Row(2, "RNN, 256 units", dashes={OPERATIONS: UNCOUNTED, MINUTES: UNCOUNTED}),
            Row(5, "GRU, 67 units", "GRU, 67 units, 3,000 steps", dashes={OPERATIONS: UNCOUNTED, MINUTES: UNCOUNTED}),
            Row(
                10,
                "one layer of self-attention, 300 steps",
                "Self-attention, 300 steps",
                dashes={OPERATIONS: UNCOUNTED, MINUTES: UNCOUNTED},
            ),
            Row(14, "RNN, 128 units", "RNN, 128 units, 1,500 steps", "RNN", "RNN"),
            Row(14, "LSTM, 56 units", "LSTM, 56 units, 1,500 steps", "LSTM", "LSTM"),
            Row(14, "GRU, 67 units, 1,500 steps", short="GRU", look="GRU"),
            Row(
                14,
                "decoder-only Transformer",
                "Decoder-only Transformer, 1,500 steps",
                "decoder-only Transformer",
                "decoder-only",
            ),
        ),
    ),
    "translation": Table(
        task="translation",
        error=SACREBLEU,
        axis="sacreBLEU, greedy",
        columns=(*BLEU, *COST),
        rows=(
            Row(13, "GRU with attention", short="GRU with attention", look="attention"),
            Row(13, "Transformer", short="Transformer", look="Transformer"),
        ),
    ),
}

# Results that chapters record, because a later one or a reader may want them, and that the page does not show.
NOT_SHOWN = {
    ("letter model", "RNN, 256 units", "bits per letter, test"): "the letter models are compared on dev words",
    ("letter model", "Kneser-Ney n-gram, order 6", "bits per letter, test"): "the same",
    ("letter model", "GRU, 67 units", "bits per letter, test"): "the same",
    ("reading aloud", "encoder-decoder", "word error, dev"): "asked by a prompt",
    ("copying", "encoder-decoder, width 256", "percent of long test words without an error"): "asked by a prompt",
    ("reading aloud", "encoder-decoder", "word error, training words"): "it was trained on them",
    ("reading aloud", "GRU with additive attention", "word error, dev"): "readers are compared on test words",
    (
        "reading aloud",
        "dot attention, not divided by the root",
        "points of WER beyond the divided, test",
    ): "asked by a prompt",
    (
        "reading aloud",
        "attention of width 4, value tied to key",
        "points of WER beyond separate, test",
    ): "asked by a prompt",
    ("a nudge of the state", "untrained nn.RNN, 128 units", "share left after 20 letters"): "asked by a prompt",
    ("a gradient over 60 letters", "untrained nn.LSTM, 128 units", "share left"): "asked by a prompt",
    (
        "a gradient over 60 letters",
        "trained LSTM, 128 units",
        "share left when only the cell state's path is open",
    ): "asked by a prompt",
    ("adding over 160 steps", "GRU, 36 units", "training steps until solved"): "asked by a prompt",
}


def chosen(name):
    if name not in TABLES:
        raise ExtensionError(f"the results page has no table {name!r}; there are: {', '.join(TABLES)}")
    return TABLES[name]
