#!/usr/bin/env python3
"""Components of which only the deepest layers are cut, from none to all.

Channels are chosen, weights refitted on training images; every figure is from the test images.
"""
import json

from chart import Panel, chart
from driver import arguments, driver, members, percent, save, table, thousands

MODELS = ["cifar10-vgg16-quarter", "cifar10-resnet20-akamaster"]
TASK = "0-2"
AXIS = "layers cut, deepest first"
HEAD = ["layers cut", "params", "MACs", "accuracy, bare cut, %", "accuracy, refitted, %"]


def widths(run, model):
    """The input channels of every layer, in order."""
    return {layer["name"]: int(layer["input"].strip("[]").split(", ")[1]) for layer in run("inspect", model)["layers"]}


def asked(kept, width, depth):
    """`kept` for the last `depth` layers, every input for the others; outputs follow from who reads them."""
    order = [layer for layer in width if layer in kept]
    inputs = {layer: list(range(width[layer])) for layer in order}
    inputs.update({layer: kept[layer]["input"] for layer in order[len(order) - depth:]})
    return {layer: {"input": channels, "output": []} for layer, channels in inputs.items()}


def components(run, model, keep, depth, data):
    """The bare and the refitted component."""
    path = run.file(f"{model.stem}.{TASK}.deep{depth}.json")
    path.write_text(json.dumps(keep))
    for how, options in (("bare", ["--refit", "none"]), ("refitted", ["--data", data])):
        brick = path.with_suffix(f".{how}.onnx")
        run("disassemble", model, "--keep", path, "--classes", TASK, *options, "-o", brick)
        yield brick


def measure(run, model, data):
    images = run.test_images(data, members(TASK))
    source = run.eval(model, "--data", images, "--classes", TASK)
    _, answer = run.cut(model, data, run.profile(model, data), TASK, f"{TASK}.bare", refit=False)
    width = widths(run, model)
    rows = [{"layers": None, "params": source["params"], "macs": source["macs"],
             "accuracy_bare": source["base"]["per_image"], "accuracy_refitted": None}]
    for depth in range(len(answer["kept"])):
        keep = asked(answer["kept"], width, depth)
        bare, ours = (run.eval(brick, "--data", images) for brick in components(run, model, keep, depth, data))
        rows.append({"layers": depth, "params": ours["params"], "macs": ours["macs"],
                     "accuracy_bare": bare["accuracy_per_image"], "accuracy_refitted": ours["accuracy_per_image"]})
    return rows


def lines(rows):
    for row in rows:
        what = "source, all classes" if row["layers"] is None else row["layers"]
        yield [what, thousands(row["params"]), thousands(row["macs"]), percent(row["accuracy_bare"]),
               percent(row["accuracy_refitted"])]


def drawn(figures):
    panels = []
    for model, (source, *rows) in figures.items():
        line = lambda key, unit: [(row["layers"], unit * row[key]) for row in rows]
        base = [(row["layers"], source["accuracy_bare"]) for row in rows]
        panels.append(Panel(f"{model}: accuracy", AXIS, "accuracy, %", {
            "refitted": line("accuracy_refitted", 1), "bare cut": line("accuracy_bare", 1),
            "source, all classes": base}))
        panels.append(Panel(f"{model}: cost", AXIS, "million MACs", {"MACs of both": line("macs", 1e-6)}))
    return chart(panels)


def main():
    parser = arguments(__doc__, "layers")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    figures = {model: measure(run, run.model(options.models / model), data) for model in MODELS}
    text = "\n\n".join(f"## {model}\n\n{table(HEAD, lines(rows))}" for model, rows in figures.items())
    notes = f"""
The experiment of figure 4 of the paper, on CIFAR-10, classes {TASK}. A layer is cut when its inputs are those that
the component of the default thresholds keeps; a layer that is not cut keeps all its inputs. At 0 only the scores
of the other classes are gone: the source with its scores restricted to the task. A channel of a residual stream
goes only once no layer that still keeps everything reads it."""
    save(options, run, "How many layers are cut, deepest first", text + "\n" + notes, figures, key="model",
         chart=drawn(figures))


if __name__ == "__main__":
    main()
