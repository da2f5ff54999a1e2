#!/usr/bin/env python3
"""Smaller CIFAR-10 classifiers that keep all classes: contributions next to other criteria at equal MACs.

Channels are ranked, weights refitted on training images; every figure is from the test images.
"""
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table, thousands

NAMES = ["cifar10-resnet20-akamaster", "cifar10-vgg16-quarter", "cifar10-googlenet-quarter"]
SHARES = [70, 50, 30]
SEEDS = [0, 1, 2]
HEAD = ["MACs kept", "criterion", "params", "MACs", "bare cut, %", "refitted, %"]


def made(run, model, data, share, options, *words, seed):
    """Every model of one `compress`, with its accuracy on the test images."""
    folder = run.file(f"{model.stem}.{share}.{'uniform' if options.uniform else 'global'}.{seed}")
    words = [*words, *["--uniform"] * options.uniform, "--keep-all", folder]
    answer = run("compress", model, "--data", data, "--macs", f"{share}%", *words, seed=seed)
    for cut in answer["models"]:
        name = cut["criterion"]
        accuracy = [run.eval(folder / f"{name}{kind}.onnx", "--data", data)["accuracy_per_image"]
                    for kind in (".bare", "")]
        yield {"cut": name, "seed": seed, "params": cut["params"], "macs": cut["macs"],
               "bare": accuracy[0], "refitted": accuracy[1]}
    for left in answer["skipped"]:
        yield {"cut": left["criterion"], "skipped": left["reason"]}


def measure(run, model, data, profile, options):
    whole = run.eval(model, "--data", data)
    figures = {"source": {"params": whole["params"], "macs": whole["macs"], "accuracy": whole["accuracy_per_image"]}}
    for share in SHARES:
        words = ["--compare", "--profile", profile]
        rows = list(made(run, model, data, share, options, *words, seed=SEEDS[0]))
        for seed in SEEDS[1:]:
            words = ["--criterion", "random", "-o", run.file(f"{model.stem}.{share}.random{seed}.onnx")]
            rows += made(run, model, data, share, options, *words, seed=seed)
        figures[share] = rows
    return figures


def lines(figures):
    source = figures["source"]
    yield ["100 %", "source", thousands(source["params"]), thousands(source["macs"]), percent(source["accuracy"]), "–"]
    for share in SHARES:
        measured = [row for row in figures[share] if "skipped" not in row]
        for cut, group in merged(measured).items():
            column = lambda key, show: spread([row[key] for row in group], show)
            yield [f"{share} %", cut, column("params", thousands), column("macs", thousands),
                   column("bare", percent), column("refitted", percent)]


def main():
    parser = arguments(__doc__, "compress")
    parser.add_argument("--only", nargs="+", default=NAMES, help="folders of MODELS with MODEL.onnx and meta.json")
    parser.add_argument("--uniform", action="store_true", help="the same share of every layer")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    figures, parts = {}, []
    for name in options.only:
        folder = options.models / name
        model = run.source(folder / f"{name}.onnx", folder / "meta.json")
        figures[name] = measure(run, model, data, run.profile(model, data), options)
        part = f"## {name}\n\n{table(HEAD, list(lines(figures[name])))}"
        reasons = {row["skipped"] for share in SHARES for row in figures[name][share] if "skipped" in row}
        parts.append("\n\n".join([part, *(f"Left out: {reason}." for reason in sorted(reasons))]))
    notes = f"""Accuracy on the test images, all classes. Every criterion cuts until the multiply-accumulates fit; the next
group of channels would exceed them. Random: mean of {len(SEEDS)} seeds (lowest to highest). The refit uses 200 training
images per class and no labels; nothing is trained."""
    save(options, run, "Smaller classifiers of CIFAR-10", "\n\n".join([*parts, notes]), figures)


if __name__ == "__main__":
    main()
