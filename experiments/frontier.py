#!/usr/bin/env python3
"""Accuracy against size: components cut step by step to a share of the MACs or parameters, by several criteria, without training.

Channels are chosen, weights refitted on training images; every figure is from the test images.
"""
from chart import Panel, chart
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table, thousands
from thresholds import DEFAULTS

MODELS = ["cifar10-resnet20-akamaster"]
TASKS = ["0", "0,1", "0-2", "0-4", "0-9"]
SHARES = [49, 24, 10]
SEEDS = [0, 1, 2]
STEP = 70
HEAD = ["classes", "MACs", "way", "params", "bare, %", "refitted, %", "AUROC, own against foreign"]
OURS, PAPER = "default", "paper's rule"
FEW = ["--refit-samples", 200]
LAYERS = ["--refit", "layers", *FEW]
WAYS = {"taylor": LAYERS, "taylor, plain refit": ["--refit", "plain", *FEW],
        **{way: [*LAYERS, "--criterion", way] for way in ("net-contribution", "energy", "reconstruction", "l1", "random")}}
HALVINGS = 8
UNITS = {"macs": "multiply-accumulates", "params": "parameters"}


def accuracy(answer, key=None):
    """Of several classes; a single one has none of its own."""
    if len(answer["accuracy_per_class"]) == 1:
        return None
    return answer["accuracy_per_image"] if key is None else answer[key] and answer[key]["per_image"]


def auroc(leakage):
    return leakage and leakage["auroc"]


def budget(task, data, share, unit):
    return ["--classes", task, "--data", data, f"--{unit}", f"{share}%", "--step", f"{STEP}%", "--hold-out", "none"]


def label(model, task, *more):
    return ".".join([model.stem, task.replace(",", "+"), *map(str, more)]).replace(", ", "-").replace(" ", "-")


def walk(run, model, data, task, shares, way, options, seed, unit="macs"):
    """The components of several shares, each finished for itself: the share and the file."""
    for share in shares:
        brick = run.file(f"{label(model, task, way, unit, share, seed)}.onnx")
        run("disassemble", model, *budget(task, data, share, unit), *options, "-o", brick, seed=seed)
        yield share, brick


def steps(run, model, data, task, shares, way, options, seed, unit):
    """The same from one walk, for ways that finish nothing: what fits first, rounded, is the component of a share."""
    folder = run.file(label(model, task, way, unit, seed))
    answer = run("disassemble", model, *budget(task, data, min(shares), unit), *options, "--keep-all", folder,
                 "-o", f"{folder}.onnx", seed=seed)
    sizes = [point[unit] for point in answer["frontier"]]
    for share in shares:
        step = next(k for k, size in enumerate(sizes) if size < (share + 0.5) / 100 * sizes[0])
        yield share, folder / f"step-{step}.onnx"


def paper(run, model, data, task, shares, unit):
    """Components by the paper's rule: all thresholds tightened alike, as little as it takes. Not every share can be reached."""
    profile = run.profile(model, data)
    thresholds = lambda tight: [word for name, value in DEFAULTS.items()
                                for word in (f"--{name}", round(value + (1 - value) * tight, 4))]
    ask = lambda tight, *more: run("disassemble", model, "--profile", profile, "--classes", task, *thresholds(tight), *more)
    for share in shares:
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            tight = (low + high) / 2
            size = ask(tight, "--dry-run")[unit]
            low, high = (low, tight) if size["after"] <= share / 100 * size["before"] else (tight, high)
        if high < 1:
            brick = run.file(f"{label(model, task, 'paper', unit, share)}.onnx")
            ask(high, "--data", data, *LAYERS, "-o", brick)
            yield share, brick


def sized(run, model, data, task, share, foreign=0, trunk=None):
    """The default's component at one share, refitted on so many images of every other class as well, whole up to a layer."""
    way, words = (f"{OURS}-foreign{foreign}", ["--refit-foreign", foreign]) if foreign else (OURS, [])
    if trunk:
        way, words = f"{way}-trunk{trunk.replace('/', '.')}", [*words, "--trunk", trunk]
    return dict(walk(run, model, data, task, [share], way, words, 0))[share]


def figures_of(run, model, data, way, seed, bricks):
    """The figures of every component on the test images."""
    for share, brick in bricks:
        found = run.eval(brick, "--source", model, "--data", data)
        yield {"share": share, "cut": way, "seed": seed, "params": found["params"], "macs": found["macs"],
               "bare": accuracy(found, "before_refit"), "accuracy": accuracy(found), "auroc": auroc(found["leakage"])}


def whole(run, model, data, task):
    answer = run.eval(model, "--data", data, "--classes", task)
    restricted = accuracy(answer, "base_restricted") if answer["base_restricted"] else accuracy(answer)
    return {"share": 100, "cut": "source, restricted", "seed": None, "params": answer["params"],
            "macs": answer["macs"], "bare": None, "accuracy": restricted, "auroc": auroc(answer["leakage"])}


def measure(run, model, data, task, options):
    about, unit = (run, model, data, task, options.shares), options.unit
    ours = walk(*about, OURS, [], SEEDS[0], unit)
    rows = [whole(run, model, data, task), *figures_of(run, model, data, OURS, SEEDS[0], ours)]
    for way, words in WAYS.items():
        if way not in options.ways:
            continue
        for seed in SEEDS if way == "random" else SEEDS[:1]:
            rows += figures_of(run, model, data, way, seed, steps(*about, way, words, seed, unit))
    if PAPER in options.ways:
        rows += figures_of(run, model, data, PAPER, None, paper(*about, unit))
    return rows


def lines(task, rows):
    for share in sorted({row["share"] for row in rows}, reverse=True):
        for cut, group in merged([row for row in rows if row["share"] == share]).items():
            column = lambda key, show: spread([row[key] for row in group], show)
            yield [task, column("macs", thousands), cut, column("params", thousands), column("bare", percent),
                   column("accuracy", percent), column("auroc", lambda x: f"{x:.3f}")]


def drawn(figures, unit):
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
        whole = (100, base["accuracy"])
        at = lambda group: (100 * mean(group, unit) / base[unit], mean(group, "accuracy"))
        panels.append(Panel(name, f"% of the {UNITS[unit]}", "accuracy, %", {
            cut: sorted([whole, *(at(group) for group in shares.values())]) for cut, shares in points.items()}))
    return chart(panels) if panels else None


def main():
    parser = arguments(__doc__, "frontier")
    parser.add_argument("--only", nargs="+", default=MODELS, help="folders of MODELS, or files of train.py")
    parser.add_argument("--images", default="cifar-10-batches-bin", help="the folder of DATA with their images")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="class lists")
    parser.add_argument("--ways", nargs="+", default=[*WAYS, PAPER], choices=[*WAYS, PAPER], help="besides the default")
    parser.add_argument("--shares", nargs="+", default=SHARES, type=int, help="percentages of the size")
    parser.add_argument("--unit", default="macs", choices=UNITS, help="what is the size")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / options.images
    figures, parts = {}, []
    for name in options.only:
        model = run.model(options.models / name)
        parts.append(f"## {name}")
        rows = []
        for task in options.tasks:
            figures[f"{name}, {task}"] = measure(run, model, data, task, options)
            rows += lines(task, figures[f"{name}, {task}"])
        parts.append(table(HEAD, rows))
    notes = f"""Accuracy is over the test images of the classes. Every way but the paper's
rule gives channels up step by step, each step to {STEP} % of the {UNITS[options.unit]} before it, and refits after every step on training images of the
classes without labels. "{OURS}" is the default, on all of them: by the first-order criterion ("taylor"), refitted layer by layer and then as
a whole towards the source's scores. All others are refitted layer by layer only, on 200 images per class (`{" ".join(map(str, LAYERS))}`), on equal
terms with "taylor"; "plain refit" does not put right what earlier layers got wrong. The paper's rule: one cut of relevant channels, all
thresholds tightened from their defaults towards 1 by the same part, as little as reaches the size; no line where none does. Random: mean
of {len(SEEDS)} seeds (lowest to highest). Bare: the same channels with the source's weights. AUROC: the top score on own images against that
on images of the other classes."""
    save(options, run, "Accuracy against size", "\n\n".join([*parts, notes]), figures, key="model, classes",
         chart=drawn(figures, options.unit))


if __name__ == "__main__":
    main()
