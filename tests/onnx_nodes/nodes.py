#!/usr/bin/env python3
"""Runs the node tests that the onnx package has: what is right, what is wrong, what is refused.

    cargo build --release --bins --examples
    python3 -m venv venv && venv/bin/pip install -r tests/zoo/requirements.txt
    venv/bin/python tests/onnx_nodes/nodes.py --table docs/figures/node-tests.md

Taken are the tests whose results are all 32-bit floats, whose operands are floats of 16 bits or more, whole numbers of 8
bits or more or truth values, all with elements, and whose operators are in the table of `crates/graph/src/ops.rs`.
Their operands become constants, which are worked out while reading by the same kernels that run, and a result must be
onnx's within 1e-3 relative and 1e-5 absolute; infinite numbers count as the largest ones, which stand for them. Exit
code 1 if fewer than 95 % are right, or one is wrong that onnxruntime does as onnx does.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOAL = 0.95
LARGEST = np.finfo("float32").max
# Corners align for the whole number of pixels that is made; onnx takes the scale times the pixels, with its fraction.
AS_ONNXRUNTIME = {"test_resize_downsample_scales_cubic_align_corners",
                  "test_resize_downsample_scales_linear_align_corners"}
KINDS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE, TensorProto.BOOL,
         TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8,
         TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}


def supported():
    text = (ROOT / "crates/graph/src/ops.rs").read_text()
    return set(re.findall(r'^    "(\w+)" => \w+,$', text, re.M))


def plain(array):
    """The array behind a tensor of a file, or the array itself."""
    return numpy_helper.to_array(array) if isinstance(array, TensorProto) else np.asarray(array)


def constant_model(model, arrays, wanted):
    """The model with its operands as constants, and its results in a row beside an input that does nothing."""
    graph = model.graph
    names = [value.name for value in graph.input]
    kept = [numpy_helper.from_array(plain(array), name) for name, array in zip(names, arrays)]
    del graph.input[:]
    graph.initializer.extend(kept)
    graph.initializer.append(numpy_helper.from_array(np.array([1, -1], "int64"), "to.row"))
    graph.initializer.append(numpy_helper.from_array(np.zeros((), "float32"), "nothing"))
    rows = []
    for value in graph.output:
        shape = helper.make_node("Reshape", [value.name, "to.row"], [f"{value.name}.row"])
        graph.node.append(shape)
        rows.append(f"{value.name}.row")
    graph.node.append(helper.make_node("Concat", rows, ["all"], axis=1))
    graph.node.append(helper.make_node("Mul", ["batch", "nothing"], ["zero"]))
    graph.node.append(helper.make_node("Add", ["zero", "all"], ["row"]))
    graph.input.append(helper.make_tensor_value_info("batch", TensorProto.FLOAT, ["n", 1]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("row", TensorProto.FLOAT, ["n", "m"]))
    return np.concatenate([plain(array).reshape(-1) for array in wanted])


def is_float(model):
    """Whether all operands are arrays of kinds that are read, and all results of 32-bit floats."""
    operands = all(value.type.tensor_type.elem_type in KINDS for value in model.graph.input)
    results = all(value.type.tensor_type.elem_type == TensorProto.FLOAT for value in model.graph.output)
    return operands and results


def run(program, scratch, model, count):
    path, images, scores = (scratch / name for name in ("node.onnx", "images.bin", "scores.bin"))
    onnx.save(model, path)
    np.ones((1, 1), "float32").tofile(images)
    done = subprocess.run([program, "run", path, images, scores, "1"], capture_output=True, text=True, check=False)
    if done.returncode:
        said = re.search('text: "(.*?)"', done.stderr)
        return None, said.group(1) if said else (done.stderr.strip() or "crashed").splitlines()[-1]
    found = np.fromfile(scores, "float32")
    return (found, "") if found.size == count else (None, f"{found.size} numbers, expected {count}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/release")
    parser.add_argument("--table", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--only", default="", help="tests whose name holds this")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    known = supported()
    tally, wrong, foreign = collections.Counter(), [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for test in sorted(collect_testcases(None), key=lambda test: test.name):
            if arguments.only not in test.name or "_expanded" in test.name:
                continue
            model = test.model
            if not is_float(model):
                continue
            if not all(node.op_type in known for node in model.graph.node):
                foreign += 1
                continue
            try:
                wanted = constant_model(model, *test.data_sets[0])
            except (TypeError, ValueError) as error:
                print(f"{test.name}: skipped: {error}")
                continue
            if not wanted.size or any(plain(array).size == 0 for array in test.data_sets[0][0]):
                foreign += 1
                continue
            wanted = np.clip(wanted, -LARGEST, LARGEST)
            found, why = run(arguments.programs / "examples/material", pathlib.Path(scratch), model, wanted.size)
            if found is not None and not np.allclose(found, wanted, 1e-3, 1e-5, equal_nan=True):
                why = f"off by {np.nanmax(np.abs(found - wanted)):.1e}"
            tally["right" if not why else "wrong" if why.startswith("off") else "refused"] += 1
            if why:
                wrong.append((test.name, why))
                print(f"{test.name}: {why}", flush=True)
    total = sum(tally.values())
    ours = [name for name, why in wrong if why.startswith("off") and name not in AS_ONNXRUNTIME]
    text = (f"{tally['right']} of {total} float tests of listed operators are right, {tally['wrong']} wrong, "
            f"{tally['refused']} refused; {foreign} are of other operators or kinds of numbers.")
    print(text)
    if arguments.table:
        rows = "".join(f"| {name} | {why[:120].replace('|', '/')} |\n" for name, why in wrong)
        head = f"# Node tests of the onnx package {onnx.__version__}\n\n`tests/onnx_nodes/nodes.py`: {text}\n\n"
        arguments.table.write_text(head + "| test | why not |\n|---|---|\n" + rows)
    return int(total == 0 or tally["right"] < GOAL * total or bool(ours))


if __name__ == "__main__":
    sys.exit(main())
