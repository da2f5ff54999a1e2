#!/usr/bin/env python3
"""A classifier's weak classes replaced by a component of another network.

Classes are chosen, the component refitted and scores calibrated on training images; every figure is from the test images.
"""
from driver import arguments, driver, percent, save, table, thousands
from frontier import sized

WEAK, STRONG = "cifar10-googlenet-quarter", "cifar10-resnet20-akamaster"
HEAD = ["network", "params", "MACs", "all, %"]


def weakest(run, model, data, count):
    """The classes with the lowest accuracy on the training images, the lowest first."""
    known = run.eval(model, "--data", data, "--split", "train")["accuracy_per_class"]
    return sorted(known, key=known.get)[:count], known


def component(run, model, data, classes, options):
    """The component of some classes, of the size asked for."""
    numbers = [str(number) for number, name in enumerate(run("inspect", model)["classes"]) if name in classes]
    return sized(run, model, data, ",".join(numbers), options.share, options.foreign)


def calibrated(run, raw, data, options):
    ready = raw.with_suffix(f".{options.method}{options.samples}.onnx")
    run("calibrate", raw, "--data", data, "--method", options.method, "--samples", options.samples, "-o", ready)
    return ready


def measured(run, name, file, data):
    answer = run.eval(file, "--data", data)
    return {"network": name, "params": answer["params"], "macs": answer["macs"], "accuracy": answer["accuracy_per_image"],
            **answer["accuracy_per_class"]}


def before_and_after(run, name, words, data, options):
    """An assembly as it comes, and calibrated."""
    label = name.replace(" ", "-").replace(",", "")
    raw = run.file(f"patch.{options.weak}.{options.strong}.{options.share}.{options.foreign}.{label}.onnx")
    run("assemble", *words, "-o", raw)
    return [measured(run, name, raw, data), measured(run, f"{name}, calibrated", calibrated(run, raw, data, options), data)]


def repairs(weak, brick, classes):
    """Every way to bring the component in: a name and what `assemble` is told."""
    for k in range(1, len(classes) + 1):
        swaps = [word for name in classes[:k] for word in ("--replace", f"{name}={brick}")]
        yield f"{', '.join(classes[:k])} replaced", [weak, *swaps]
    yield f"scores of {', '.join(classes)} averaged", [weak, brick, "--on-duplicate", "mean"]


def measure(run, weak, strong, data, classes, options):
    brick = component(run, strong, data, classes, options)
    rows = [measured(run, "the weak network", weak, data),
            before_and_after(run, "the weak network alone", [weak], data, options)[1]]
    for name, words in repairs(weak, brick, classes):
        rows += before_and_after(run, name, words, data, options)
    return [*rows, measured(run, "the component's source", strong, data)]


def lines(rows, names):
    for row in rows:
        yield [row["network"], thousands(row["params"]), thousands(row["macs"]), percent(row["accuracy"]),
               *(percent(row[name]) for name in names)]


def main():
    parser = arguments(__doc__, "patch")
    parser.add_argument("--weak", default=WEAK, help="the network to repair: a folder of MODELS, or a file of train.py")
    parser.add_argument("--strong", default=STRONG, help="the network that the component is cut from")
    parser.add_argument("--count", default=3, type=int, help="how many of the weakest classes the component has")
    parser.add_argument("--share", default=50, type=int, help="percentage of the MACs that it keeps")
    parser.add_argument("--foreign", default=1000, type=int, help="images of every other class to refit it on as well")
    parser.add_argument("--method", default="linear", help="how to calibrate")
    parser.add_argument("--samples", default=500, type=int, help="training images per class to calibrate on")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    weak, strong = (run.model(options.models / name) for name in (options.weak, options.strong))
    classes, known = weakest(run, weak, data, options.count)
    figures = {f"{options.weak}, by {options.strong}": measure(run, weak, strong, data, classes, options)}
    names = [f"**{name}**" if name in classes else name for name in known]
    text = "\n\n".join(table([*HEAD, *(f"{name}, %" for name in names)], lines(rows, known))
                       for rows in figures.values())
    chosen = ", ".join(f"{name} ({percent(known[name])} %)" for name in classes)
    notes = f"""The weakest classes of {options.weak} on its training images: {chosen}. The component has these classes
of {options.strong} at {options.share} % of the MACs, refitted on all training images of each and {options.foreign} of every
other class. Each class that is replaced takes the component's score instead of the network's own (`assemble --replace`); all others
keep theirs. Calibration ({options.method}) uses {options.samples} training images per class; the network calibrated alone says what that does
by itself."""
    save(options, run, "Weak classes replaced", f"{text}\n\n{notes}", figures, key="networks")


if __name__ == "__main__":
    main()
