#!/usr/bin/env python3
"""What Torch-Pruning does with the networks of the zoo, for comparison.

    venv/bin/pip install --no-deps torch-pruning==1.6.1
    venv/bin/python tests/zoo/dependency_graph.py --table docs/figures/torch-pruning.md

Its pruner is asked for half of the channels of every layer but the last, by the L1 norm, without any hints. A network is
*right* if it then computes what the source computes with the removed channels masked where layers read them (1e-4 of the
largest score); networks and their random weights are those of `zoo.py`. Where it normalises across channels, the mask is
another function, and nothing says what should come out: the distance is given.
"""
import argparse
import copy
import importlib.metadata
import pathlib
import sys
import warnings

import torch
import torch_pruning

import zoo

HEAD = f"""# Torch-Pruning {importlib.metadata.version("torch-pruning")} on the networks of the zoo

    venv/bin/python tests/zoo/dependency_graph.py --table docs/figures/torch-pruning.md

Half of the channels of every layer but the last, by the L1 norm, without hints; *right* is equal to the source with the removed
channels masked (1e-4 of the largest score). Beside it stands what `zoo.md` says of Brickwork: exports that are right of
those that were tried, and what can be cut at most.

| network | Torch-Pruning | parameters gone | Brickwork | can be cut |
|---|---|---|---|---|
"""
READS = (torch_pruning.prune_conv_in_channels, torch_pruning.prune_linear_in_channels)


def masked(source, pruner):
    """Prunes step by step; gives a copy of `source` in which what layers read of removed channels is zero."""
    copied = copy.deepcopy(source)
    twins = dict(zip(source.modules(), copied.modules()))
    left = {}
    for group in pruner.step(interactive=True):
        for dependency, indices in group:
            layer = dependency.target.module
            if layer in twins and dependency.handler in READS:
                weight, groups = twins[layer].weight, getattr(twins[layer], "groups", 1)
                each, made = weight.shape[1], weight.shape[0] // groups
                known = left.setdefault(layer, list(range(each * groups)))
                gone = {known[index] for index in indices}
                with torch.no_grad():
                    for index in gone:
                        part = index // each
                        weight[part * made:(part + 1) * made, index % each] = 0
                left[layer] = [index for index in known if index not in gone]
        group.prune()
    return copied


def tried(name):
    """What the table says of one network: in words, and the share of its parameters that is gone."""
    library, _, short = name.rpartition(":")
    torch.manual_seed(zoo.SEED)
    model, side = zoo.network(short, library or "torchvision")
    zoo.randomise(model)
    images = torch.rand(2, 3, side, side)
    before = sum(value.numel() for value in model.parameters())
    layers = (torch.nn.Linear, torch.nn.Conv2d)
    last = [module for module in model.modules() if isinstance(module, layers)][-1:]
    try:
        pruner = torch_pruning.pruner.MagnitudePruner(
            model, images[:1], importance=torch_pruning.importance.MagnitudeImportance(p=1), pruning_ratio=0.5,
            ignored_layers=last)
        twin = masked(model, pruner)
        gone = 1 - sum(value.numel() for value in model.parameters()) / before
        with torch.no_grad():
            far = zoo.distance(model(images).numpy(), twin(images).numpy())
    except Exception as error:  # whatever goes wrong is the answer
        return f"{type(error).__name__}: {str(error).splitlines()[0][:80]}".replace("|", "/"), ""
    if gone < 0.01:
        return "nothing pruned", ""
    return "right" if far <= zoo.TOLERANCE else f"{far:.1e} from the mask", f"{100 * gone:.0f} %"


def rows(path):
    lines = path.read_text().splitlines() if path.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {name: row[:2] for name, *row in cells if name != "network"}


def table(known):
    """One line a network of `zoo.md`, as far as they were tried."""
    ours = zoo.rows(zoo.ROOT / "docs/figures/zoo.md")
    lines = []
    for name in [name for name in zoo.EVERY if name in known]:
        forms = [text for text in ours.get(name, [])[:-1] if text not in ("", "not exported")]
        told = f"{forms.count('right')} of {len(forms)} right" if forms else ""
        lines.append(f"| {name} | " + " | ".join([*known[name], told, (ours.get(name) or [""])[-1]]) + " |\n")
    right = sum(row[0] == "right" for row in known.values())
    return HEAD + "".join(lines) + f"\nTorch-Pruning is right on {right} of {len(known)} networks.\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks (those of docs/figures/zoo.md by default)")
    parser.add_argument("--table", type=pathlib.Path, help="file to write the results to, beside those of earlier runs")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    known = rows(arguments.table) if arguments.table else {}
    for name in arguments.names or list(zoo.rows(zoo.ROOT / "docs/figures/zoo.md")):
        known[name] = list(tried(name))
        print(f"{name}: {', '.join(known[name])}", flush=True)
        if arguments.table:
            arguments.table.write_text(table(known))


if __name__ == "__main__":
    sys.exit(main())
