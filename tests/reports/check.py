#!/usr/bin/env python3
"""Reads cards and node data as the Hugging Face hub and Model Explorer read them.

    python3 tests/reports/check.py --bin target/release --demo DEMO

Both come from what `brickwork demo` made, and are written into a scratch folder.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

from huggingface_hub import ModelCard
from model_explorer import node_data_builder
from model_explorer_onnx.main import ONNXAdapter


def node_data(path):
    """Node data in the classes of Model Explorer, which refuse fields that they do not know."""
    fields = json.loads(path.read_text())
    results = {name: node_data_builder.NodeDataResult(**data) for name, data in fields.pop("results").items()}
    gradient = [node_data_builder.GradientItem(**stop) for stop in fields.pop("gradient")]
    return node_data_builder.GraphNodeData(results=results, gradient=gradient, **fields)


def nodes(model):
    """The nodes of a model as Model Explorer draws it."""
    graphs = ONNXAdapter().convert(str(model), {})["graphs"]
    return {node.id for graph in graphs for node in graph.nodes}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--demo", type=pathlib.Path, required=True)
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="brickwork-reports-"))
    source, component = args.demo / "garments.onnx", args.demo / "shoes.onnx"

    def brickwork(*words):
        subprocess.run([args.bin / "brickwork", "--quiet", *words], check=True, stdout=subprocess.DEVNULL)

    brickwork("diff", source, component, "--node-data", scratch / "kept.json")
    for name in ("kept.json", "kept.params.json", "kept.macs.json"):
        data = node_data(scratch / name)
        assert data.results and data.name, name
        for model in (source, component):
            unknown = set(data.results) - nodes(model)
            assert not unknown, f"{name}: {model.name} has no nodes {unknown}"
    images = ["--data", args.demo / "data/garments", "--source", source]
    facts = ["--license", "mit", "--base-model", "me/garments", "--datasets", "zalando-datasets/fashion_mnist"]
    brickwork("card", component, *images, *facts, "-o", scratch / "README.md")
    head = ModelCard.load(scratch / "README.md").data
    assert head.library_name == "brickwork" and head.pipeline_tag == "image-classification"
    assert head.license == "mit" and head.base_model == "me/garments" and "component" in head.tags
    [result] = head.eval_results
    assert result.metric_type == "accuracy" and 0.9 < result.metric_value <= 1, result
    print("cards and node data are read")


if __name__ == "__main__":
    main()
