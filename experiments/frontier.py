#!/usr/bin/env python3
"""Accuracy against size: components cut step by step to a share of the MACs, by several criteria, without training.

Channels are chosen, weights refitted on training images; every figure is from the test images.
"""
from chart import Panel, chart
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table, thousands

MODELS = ["cifar10-resnet20-akamaster"]
TASKS = ["3", "0,1", "0-4"]
SHARES = [50, 25, 10]
SEEDS = [0, 1, 2]
HEAD = ["classes", "MACs", "criterion", "params", "bare, %", "refitted, %", "AUROC, own against foreign"]
OURS = "taylor"
WAYS = [(OURS, []), ("taylor, layers only", ["--refit", "layers"]), ("taylor, plain refit", ["--refit", "plain"]),
        ("energy", ["--criterion", "energy"]), ("l1", ["--criterion", "l1"]), ("random", ["--criterion", "random"])]


def accuracy(answer, key=None):
    """Of several classes; a single one has none of its own."""
    if len(answer["accuracy_per_class"]) == 1:
        return None
    return answer["accuracy_per_image"] if key is None else answer[key] and answer[key]["per_image"]


def auroc(leakage):
    return leakage and leakage["auroc"]


def walk(run, model, data, task, shares, way, options, seed):
    """The components of several shares of the multiply-accumulates: the share and the file."""
    for share in shares:
        label = f"{model.stem}.{task.replace(',', '+')}.{way.replace(', ', '-').replace(' ', '-')}.{share}.{seed}"
        brick = run.file(f"{label}.onnx")
        run("disassemble", model, "--classes", task, "--data", data, "--macs", f"{share}%", "--step", "70%",
            "--hold-out", "none", *options, "-o", brick, seed=seed)
        yield share, brick


def sized(run, model, data, task, share, foreign=0, trunk=None):
    """The default's component at one share, refitted on so many images of every other class as well, whole up to a layer."""
    way, words = (f"{OURS}-foreign{foreign}", ["--refit-foreign", foreign]) if foreign else (OURS, [])
    if trunk:
        way, words = f"{way}-trunk{trunk.replace('/', '.')}", [*words, "--trunk", trunk]
    return dict(walk(run, model, data, task, [share], way, words, 0))[share]


def path(run, model, data, task, shares, way, options, seed):
    """The figures of every component of a `walk` on the test images."""
    for share, brick in walk(run, model, data, task, shares, way, options, seed):
        found = run.eval(brick, "--source", model, "--data", data)
        yield {"share": share, "cut": way, "seed": seed, "params": found["params"], "macs": found["macs"],
               "bare": accuracy(found, "before_refit"), "accuracy": accuracy(found), "auroc": auroc(found["leakage"])}


def whole(run, model, data, task):
    answer = run.eval(model, "--data", data, "--classes", task)
    restricted = accuracy(answer, "base_restricted") if answer["base_restricted"] else accuracy(answer)
    return {"share": 100, "cut": "source, restricted", "seed": None, "params": answer["params"],
            "macs": answer["macs"], "bare": None, "accuracy": restricted, "auroc": auroc(answer["leakage"])}


def measure(run, model, data, task, options):
    rows = [whole(run, model, data, task)]
    for way, words in WAYS:
        for seed in SEEDS if way == "random" else SEEDS[:1]:
            rows += path(run, model, data, task, options.shares, way, words, seed)
    return rows


def lines(task, rows):
    for share in sorted({row["share"] for row in rows}, reverse=True):
        for cut, group in merged([row for row in rows if row["share"] == share]).items():
            column = lambda key, show: spread([row[key] for row in group], show)
            yield [task, column("macs", thousands), cut, column("params", thousands), column("bare", percent),
                   column("accuracy", percent), column("auroc", lambda x: f"{x:.3f}")]


def drawn(figures):
    """Accuracy against the share kept, a panel for every task that has an accuracy."""
    panels = []
    for name, rows in figures.items():
        base = rows[0]
        if base["accuracy"] is None:
            continue
        points = {}
        for row in rows[1:]:
            points.setdefault(row["cut"], {}).setdefault(row["share"], []).append(row)
        mean = lambda group, key: sum(row[key] for row in group) / len(group)
        whole = (100, 100 * base["accuracy"])
        at = lambda group: (100 * mean(group, "macs") / base["macs"], 100 * mean(group, "accuracy"))
        panels.append(Panel(name, "% of the multiply-accumulates", "accuracy, %", {
            cut: sorted([whole, *(at(group) for group in shares.values())]) for cut, shares in points.items()}))
    return chart(panels)


def main():
    parser = arguments(__doc__, "frontier")
    parser.add_argument("--only", nargs="+", default=MODELS, help="folders of MODELS, or files of train.py")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="class lists")
    parser.add_argument("--shares", nargs="+", default=SHARES, type=int, help="percentages of the MACs")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    figures, parts = {}, []
    for name in options.only:
        model = run.model(options.models / name)
        parts.append(f"## {name}")
        rows = []
        for task in options.tasks:
            figures[f"{name}, {task}"] = measure(run, model, data, task, options)
            rows += lines(task, figures[f"{name}, {task}"])
        parts.append(table(HEAD, rows))
    notes = f"""Accuracy is over the test images of the classes. Every way gives channels up step by step, each step
to 70 % of the size before it, and refits after every step on training images of the classes, all 5,000 of each, without
labels. "taylor" is the default; its refit puts right what earlier layers got wrong, the plain one does not.
The other criteria are refitted like the default. Random: mean of {len(SEEDS)} seeds (lowest to highest). AUROC: the top
score on own images against that on images of the other classes."""
    save(options, run, "Accuracy against size", "\n\n".join([*parts, notes]), figures, key="model, classes",
         chart=drawn(figures))


if __name__ == "__main__":
    main()
