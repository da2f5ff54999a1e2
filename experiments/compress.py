#!/usr/bin/env python3
"""Smaller CIFAR-10 classifiers that keep all classes, by several criteria at equal MACs.

Channels are ranked, weights refitted and fine-tuned on training images; every figure is from the test images.
"""
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table, thousands
from train import AUGMENT

MODELS = ["cifar10-resnet20-akamaster", "cifar10-vgg16-quarter", "cifar10-googlenet-quarter"]
SHARES = [70, 50, 30]
SEEDS = [0, 1, 2]
STAGES = ["bare", "refitted", "tuned"]
HEAD = ["MACs kept", "criterion", "params", "MACs", "bare cut, %", "refitted, %", "refitted and fine-tuned, %"]


def compressed(run, model, data, share, options, *words, seed):
    """Every model of one `compress` on the test images, and why criteria were left out."""
    way = "uniform" if options.uniform else "global"
    folder = run.file(f"{model.stem}.{share}.{way}.{seed}")
    words = [*words, *["--uniform"] * options.uniform, "--hold-out", "1%", "--keep-all", folder]
    answer = run("compress", model, "--data", data, "--macs", f"{share}%", *words, seed=seed)
    rows = []
    for cut in answer["models"]:
        files = [folder / f"{cut['criterion']}{kind}.onnx" for kind in (".bare", "", ".tuned")]
        run("finetune", files[1], "--data", data, "--epochs", options.epochs, "--samples", options.samples,
            "--hold-out", "50", *AUGMENT, "-o", files[2], seed=seed)
        accuracy = [run.eval(file, "--data", data)["accuracy_per_image"] for file in files]
        rows.append({"share": share, "cut": cut["criterion"], "seed": seed, "params": cut["params"],
                     "macs": cut["macs"], **dict(zip(STAGES, accuracy))})
    return rows, {left["reason"] for left in answer["skipped"]}


def measure(run, model, data, profile, options):
    whole = run.eval(model, "--data", data)
    rows = [{"share": 100, "cut": "source", "seed": None, "params": whole["params"], "macs": whole["macs"],
             "bare": whole["accuracy_per_image"], "refitted": None, "tuned": None}]
    left_out = set()
    for share in options.shares:
        compare = ["--compare", "--profile", profile]
        more, reasons = compressed(run, model, data, share, options, *compare, seed=SEEDS[0])
        rows += more
        left_out |= reasons
        for seed in SEEDS[1:]:
            random = ["--criterion", "random", "-o", run.file(f"{model.stem}.{share}.random{seed}.onnx")]
            rows += compressed(run, model, data, share, options, *random, seed=seed)[0]
    return rows, left_out


def lines(rows):
    for share in sorted({row["share"] for row in rows}, reverse=True):
        for cut, group in merged([row for row in rows if row["share"] == share]).items():
            column = lambda key, show: spread([row[key] for row in group], show)
            yield [f"{share} %", cut, column("params", thousands), column("macs", thousands),
                   *(column(stage, percent) for stage in STAGES)]


def main():
    parser = arguments(__doc__, "compress")
    parser.add_argument("--only", nargs="+", default=MODELS, help="folders of MODELS with MODEL.onnx and meta.json")
    parser.add_argument("--shares", nargs="+", default=SHARES, type=int, help="percentages of the MACs")
    parser.add_argument("--uniform", action="store_true", help="give up the same share of every layer")
    parser.add_argument("--epochs", default=3, type=int, help="epochs of fine-tuning")
    parser.add_argument("--samples", default=1000, type=int, help="training images per class to fine-tune on")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    figures, parts = {}, []
    for name in options.only:
        model = run.model(options.models / name)
        figures[name], left_out = measure(run, model, data, run.profile(model, data), options)
        parts += [f"## {name}", table(HEAD, lines(figures[name]))]
        parts += [f"Left out: {reason}." for reason in sorted(left_out)]
    notes = f"""Accuracy is over all test images. Channels are given up step by step, with a refit after each; by contribution
in one step. "bare" is the same cut with the source's weights. Every criterion cuts until the multiply-accumulates fit the share; the next
group of channels would exceed it. Random: mean of {len(SEEDS)} seeds (lowest to highest). The refit uses 200 training images
per class and no labels; fine-tuning takes {options.epochs} epochs over {thousands(options.samples)} training images per class."""
    save(options, run, "Smaller classifiers of CIFAR-10", "\n\n".join([*parts, notes]), figures, key="model")


if __name__ == "__main__":
    main()
