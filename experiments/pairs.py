#!/usr/bin/env python3
"""Components of all pairs of classes at a small share of the MACs, or with `--five` of several halves of the classes.

Channels are chosen, weights refitted on training images; every figure is from the test images.
"""
import itertools
import random
import statistics

from disassemble import spread
from driver import arguments, driver, members, percent, save, table, thousands
from frontier import OURS, walk

MODEL = "cifar10-resnet20-akamaster"
NUMBERS = range(10)
PAIRS = [f"{a},{b}" for a, b in itertools.combinations(NUMBERS, 2)]
FIVES = ["0-4", "5-9", "0,2,4,6,8", "1,3,5,7,9"]
READ_OUT = "default, readout"
CONTROLS = ["random", "l1", "energy", "fpgm", "bn-scale"]


def drawn_fives(count):
    """Five classes at random, so many times; the same every time."""
    draw = random.Random(0)
    return [",".join(map(str, sorted(draw.sample(NUMBERS, 5)))) for _ in range(count)]


def restricted(run, model, data, task):
    """The source with its scores held to the task, on the images of the task."""
    images = run.test_images(data, members(task))
    answer = run.eval(model, "--data", images, "--classes", task)
    return {"share": 100, "cut": "source, restricted", "seed": None, "params": answer["params"],
            "macs": answer["macs"], "accuracy": answer["base_restricted"]["per_image"], "auroc": None}


def read_out(run, model, data, brick, seed):
    """The component once more, with a readout of all its layers."""
    better = run.file(f"{brick.stem}.readout.onnx")
    run("refit", brick, "--source", model, "--data", data, "--readout", "--passes", 0, "-o", better, seed=seed)
    return better


def measure(run, model, data, task, options):
    """The source, then the components of every criterion and seed at every share, the default's also with a readout."""
    base = restricted(run, model, data, task)
    rows = [{**base, "drop": None}]

    def add(share, way, seed, brick):
        found = run.eval(brick, "--data", data)
        rows.append({"share": share, "cut": way, "seed": seed, "params": found["params"], "macs": found["macs"],
                     "accuracy": found["accuracy_per_image"], "auroc": found["leakage"]["auroc"],
                     "drop": base["accuracy"] - found["accuracy_per_image"]})

    for way in [OURS, *options.controls]:
        words = [] if way == OURS else ["--criterion", way]
        if options.samples:
            words = [*words, "--refit-samples", options.samples]
        name = f"{way}-of{options.samples}" if options.samples else way
        for seed in options.seeds:
            for share, brick in walk(run, model, data, task, options.shares, name, words, seed):
                add(share, way, seed, brick)
                if way == OURS and not options.samples:
                    add(share, READ_OUT, seed, read_out(run, model, data, brick, seed))
    return rows


def of(rows, share, way, key):
    """The figure of every seed."""
    return [row[key] for row in rows if (row["share"], row["cut"]) == (share, way)]


def names(classes, task):
    return f"{task}: " + ", ".join(classes[number] for number in sorted(members(task)))


def lines(figures, share, ways):
    """A line for every task: the source, the default and its drop, the controls."""
    for name, rows in figures.items():
        column = lambda way, key, show=percent: spread(of(rows, share, way, key), show)
        yield [name, percent(rows[0]["accuracy"]), column(OURS, "accuracy"), column(OURS, "drop"),
               *(column(way, "accuracy") for way in ways), column(OURS, "macs", thousands),
               column(OURS, "auroc", lambda x: f"{x:.3f}")]


def summary(figures, share, ways):
    """Over all tasks: the mean accuracy, the worst task, the mean and the largest drop of every criterion."""
    base = [rows[0]["accuracy"] for rows in figures.values()]
    yield ["source, restricted", percent(statistics.fmean(base)), worst(figures, base, min), "", ""]
    for way in ways:
        means = lambda key: [statistics.fmean(of(rows, share, way, key)) for rows in figures.values()]
        yield [way, percent(statistics.fmean(means("accuracy"))), worst(figures, means("accuracy"), min),
               percent(statistics.fmean(means("drop"))), worst(figures, means("drop"), max)]


def worst(figures, values, which):
    value, name = which(zip(values, figures), key=lambda both: both[0])
    return f"{percent(value)} ({name})"


def sections(figures, options):
    controls = [*([] if options.samples else [READ_OUT]), *options.controls]
    head = ["classes", "source, restricted, %", "default, %", "drop, points", *(f"{way}, %" for way in controls),
            "MACs", "AUROC, own against foreign"]
    over = ["criterion", "mean, %", "worst, %", "mean drop, points", "largest drop, points"]
    for share in options.shares:
        yield f"## {share} % of the MACs: mean over {len(figures)} tasks, and the worst"
        yield table(over, summary(figures, share, [OURS, *controls]))
        yield f"### Every task at {share} %"
        yield table(head, lines(figures, share, controls))


def main():
    parser = arguments(__doc__, None)
    parser.add_argument("--five", action="store_true", help="halves of five classes at 40 %% instead of pairs at 10 %%")
    parser.add_argument("--tasks", nargs="+", help="class lists [default: all pairs]")
    parser.add_argument("--shares", nargs="+", type=int, help="percentages of the MACs [default: 10, or 40]")
    parser.add_argument("--seeds", nargs="+", default=[0], type=int, help="seeds of every criterion")
    parser.add_argument("--controls", nargs="*", default=[], choices=CONTROLS, help="other criteria, refitted likewise")
    parser.add_argument("--samples", type=int, help="training images per class to refit on [default: all]")
    options = parser.parse_args()
    options.name = options.name or ("fives" if options.five else "pairs")
    options.shares = options.shares or ([40] if options.five else [10])
    tasks = options.tasks or ([*FIVES, *drawn_fives(2)] if options.five else PAIRS)
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    model = run.model(options.models / MODEL)
    classes = (data / "batches.meta.txt").read_text().split()
    figures = {names(classes, task): measure(run, model, data, task, options) for task in tasks}
    notes = f"""ResNet-20 of CIFAR-10. Accuracy is over the test images of the classes; the drop is against the source with its
scores restricted to them. The default: channels go step by step, each step to 70 % of the size before it,
with a refit after each on {thousands(options.samples) if options.samples else 'all 5,000'} training images per class, without labels; the
other criteria take the same steps and the same refit.
Seeds: {", ".join(map(str, options.seeds))}; of several, the mean (lowest to highest). MACs and AUROC are the default's."""
    notes += f"""
"{READ_OUT}": the same components after `brickwork refit --readout --passes 0`, which adds a linear map from what all layers read
to their scores, fitted on the same images.""" * (not options.samples)
    notes += "\nThe last two tasks are drawn at random." * (options.five and not options.tasks)
    kind = "some classes" if options.tasks else "five classes" if options.five else "all pairs of classes"
    save(options, run, f"Components of {kind}", "\n\n".join([*sections(figures, options), notes]), figures, key="classes")


if __name__ == "__main__":
    main()
