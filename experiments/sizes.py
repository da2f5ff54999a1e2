#!/usr/bin/env python3
"""Sizes of components against the number of classes, and of two halves joined again.

Channels are chosen on training images; sizes need no others.
"""
import statistics

from chart import Panel, chart
from driver import arguments, driver, save, table, thousands

MODELS = ["cifar10-vgg16-quarter", "cifar10-resnet20-akamaster", "cifar10-googlenet-quarter"]
COUNTS = [1, 2, 3, 5, 7, 10]
STARTS = [0, 2, 4, 6, 8]
HALVES = ["0-4", "5-9"]
HEAD = ["classes", "params", "of the source, %", "MACs", "of the source, %"]
JOINED = ["model", "params", "MACs"]


def neighbours(count):
    """Runs of `count` classes, wrapping round from 9 to 0, from several starts."""
    starts = STARTS if count < 10 else [0]
    return [",".join(str((start + k) % 10) for k in range(count)) for start in starts]


def cut(run, model, data, profile, task):
    """A bare component and its row: the refit does not change its size."""
    brick, answer = run.cut(model, data, profile, task, f"{task.replace(',', '+')}.bare", refit=False)
    sizes = {key: answer[key]["after"] for key in ("params", "macs")}
    return brick, {**sizes, **{f"{key}_source": answer[key]["before"] for key in sizes}}


def components(run, model, data):
    profile = run.profile(model, data)
    return [{"classes": count, "task": task, **cut(run, model, data, profile, task)[1]}
            for count in COUNTS for task in neighbours(count)]


def joined(run, model, data):
    """Two halves of a source, one by one and joined in both layouts."""
    profile = run.profile(model, data)
    bricks, rows = [], []
    for task in HALVES:
        brick, sizes = cut(run, model, data, profile, task)
        bricks.append(brick)
        rows.append({"model": f"component {task}", "params": sizes["params"], "macs": sizes["macs"]})
    for layout in ("branches", "padded"):
        answer = run("assemble", *bricks, "--layout", layout, "-o", run.file(f"{model.stem}.{layout}.onnx"))
        rows.append({"model": f"joined, {layout}", "params": answer["params"], "macs": answer["macs"]})
    return rows


def means(rows, key):
    """Mean, lowest and highest of every number of classes, relative to the source."""
    for count in COUNTS:
        values = [row[key] / row[f"{key}_source"] for row in rows if row["classes"] == count]
        yield count, statistics.fmean(values), min(values), max(values)


def share(mean, low, high):
    return f"{100 * mean:.1f}" + f" ({100 * low:.1f} to {100 * high:.1f})" * (low < high)


def lines(rows):
    source = rows[0]
    for (count, *params), (_, *macs) in zip(means(rows, "params"), means(rows, "macs")):
        yield [count, thousands(params[0] * source["params_source"]), share(*params),
               thousands(macs[0] * source["macs_source"]), share(*macs)]


def drawn(figures):
    line = lambda key: {model: [(count, 100 * mean) for count, mean, *_ in means(rows, key)]
                        for model, rows in figures.items()}
    return chart([Panel("Parameters", "classes of the component", "% of the source", line("params")),
                  Panel("Cost", "classes of the component", "% of the source's MACs", line("macs"))])


def main():
    parser = arguments(__doc__, "sizes")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    sources = {model: run.model(options.models / model) for model in MODELS}
    figures = {model: components(run, source, data) for model, source in sources.items()}
    halves = {f"{model}, joined": joined(run, source, data) for model, source in sources.items()}
    parts = []
    for model, rows in figures.items():
        source = {"model": "source", **{key: rows[0][f"{key}_source"] for key in ("params", "macs")}}
        both = [[row["model"], thousands(row["params"]), thousands(row["macs"])]
                for row in (source, *halves[f"{model}, joined"])]
        parts.append(f"## {model}\n\n{table(HEAD, lines(rows))}\n\n{table(JOINED, both)}")
    notes = f"""
The sizes of table 5 of the paper, on CIFAR-10 with default thresholds. Each number of classes: mean of {len(STARTS)}
runs of neighbouring classes (lowest to highest); all ten: one component. Branches cost what their parts cost together;
the padded layout has the same function with block-diagonal layers, whose zeros are stored and multiplied."""
    save(options, run, "Sizes of components", "\n\n".join(parts) + "\n" + notes, {**figures, **halves}, key="model",
         chart=drawn(figures))


if __name__ == "__main__":
    main()
