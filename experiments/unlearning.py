#!/usr/bin/env python3
"""What components still know of the classes that they gave up, next to their source, random cuts and untrained networks.

Linear classifiers are fitted on training images of these classes; every figure is from the test images.
"""
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table, thousands
from frontier import OURS, walk

MODEL = "cifar10-resnet20-akamaster"
ARCHITECTURE = "resnet20"
TASKS = ["0-4:50,10", "0,1:10"]
SEEDS = [0, 1, 2]
HEAD = ["classes", "MACs kept", "network", "MACs", "last features", "accuracy on its own classes, %",
        "probe on the classes given up, %"]


def untrained(run, folder, width, seed):
    """A network of random weights with the classes of a source, its images prepared alike."""
    bare = run.file("bare") / f"untrained.{width}.{seed}.onnx"
    bare.parent.mkdir(exist_ok=True)
    run("init", "--arch", ARCHITECTURE, "--classes", 10, "--width", width, "-o", bare, seed=seed)
    return run.source(bare, folder / "meta.json")


def networks(run, model, data, task, shares, share, options):
    """What is probed: a name, a seed, a file, whether it has the task's classes alone."""
    seeds = options.seeds
    yield "component", 0, dict(walk(run, model, data, task, shares, OURS, [], 0))[share], True
    for seed in seeds:
        random = walk(run, model, data, task, shares, "random", ["--criterion", "random"], seed)
        yield "random cut, refitted", seed, dict(random)[share], True
    yield "source", None, model, False
    for name, width in (("untrained, of the same MACs", round((share / 100) ** 0.5, 2)), ("untrained, whole", 1)):
        for seed in seeds:
            yield name, seed, untrained(run, options.models / MODEL, width, seed), False


def measure(run, model, data, task, shares, share, options):
    """Every network's probe, and its accuracy on the task where it has one."""
    chosen = list(networks(run, model, data, task, shares, share, options))
    answer = run("probe", *(file for _, _, file, _ in chosen), "--data", data, "--samples", options.samples)
    rows = []
    for (name, seed, file, is_part), found in zip(chosen, answer["models"]):
        row = {"share": share, "cut": name, "seed": seed, **own(run, file, data, task, name, is_part)}
        rows.append({**row, **{key: found["probe"][key] for key in ("features", "accuracy", "chance")}})
    return rows


def own(run, file, data, task, name, is_part):
    """MACs, and the accuracy on the task's images among the task's classes."""
    if name.startswith("untrained"):
        return {"macs": run("inspect", file)["macs"], "own": None}
    answer = run.eval(file, "--data", data, *([] if is_part else ["--classes", task]))
    accuracy = answer["accuracy_per_image"] if is_part else answer["base_restricted"]["per_image"]
    return {"macs": answer["macs"], "own": accuracy}


def lines(task, rows):
    for name, group in merged(rows).items():
        column = lambda key, show: spread([row[key] for row in group], show)
        yield [task, f"{rows[0]['share']} %", name, column("macs", thousands), column("features", thousands),
               column("own", percent), column("accuracy", percent)]
    yield [task, f"{rows[0]['share']} %", "chance", "", "", "", percent(rows[0]["chance"])]


def main():
    parser = arguments(__doc__, "unlearning")
    parser.add_argument("--tasks", nargs="+", default=TASKS, metavar="CLASSES:SHARES",
                        help="class lists with percentages of the MACs, such as 0-4:50,10")
    parser.add_argument("--seeds", nargs="+", default=SEEDS, type=int, help="seeds of random and untrained networks")
    parser.add_argument("--samples", default=500, type=int, help="training images per class to fit probes on")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    model = run.model(options.models / MODEL)
    figures, rows = {}, []
    for text in options.tasks:
        task, shares = text.split(":")
        shares = [int(share) for share in shares.split(",")]
        for share in shares:
            found = measure(run, model, data, task, shares, share, options)
            figures[f"{task} at {share} %"] = found
            rows += lines(task, found)
    notes = f"""ResNet-20 of CIFAR-10. The probe is a linear classifier of the classes that were given up, fitted on what the last
layer reads for {options.samples} training images of each: high where a network still tells these classes apart. The component and
the random cuts are refitted after each step, to 70 % of the size before it. Untrained networks are of `brickwork init`,
all widths scaled to about the component's MACs, or whole: what random features give away by themselves. Random and untrained:
mean of {len(options.seeds)} seeds (lowest to highest). Accuracy on the own classes is among these classes alone."""
    save(options, run, "What components still know of other classes", f"{table(HEAD, rows)}\n\n{notes}", figures)


if __name__ == "__main__":
    main()
