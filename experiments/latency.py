#!/usr/bin/env python3
"""Times the layers of a model in onnxruntime, at several widths, for `brickwork disassemble --latency-table`.

    pip install numpy onnx onnxruntime
    python latency.py net.onnx -o net.latency.json [--threads 1] [--batch 1] [--block 8]

Every layer with weights is taken out of the model and timed alone, whole and with shares of its channels. Times are the best of
many runs, less those of a network that does nothing, and alternate over all widths, so that a busy moment meets all alike.
`--compare OTHER.onnx` times whole networks side by side instead.
"""
import argparse
import json
import time
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SHARES = [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
WEIGHTED = {"Conv", "Gemm", "MatMul"}


def session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    source = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def feed(made, batch):
    """Random inputs; whatever is open is the batch."""
    random = numpy.random.default_rng(0)
    return {value.name: random.random([n if isinstance(n, int) and n > 0 else batch for n in value.shape],
                                      dtype=numpy.float32) for value in made.get_inputs()}


def best(sessions, batch, seconds):
    """The shortest run of each in milliseconds, in turns."""
    feeds = [feed(made, batch) for made in sessions]
    found = [float("inf")] * len(sessions)
    for made, given in zip(sessions, feeds):
        made.run(None, given)
    start, rounds = time.perf_counter(), 0
    while rounds < 5 or time.perf_counter() - start < seconds:
        rounds += 1
        for k, (made, given) in enumerate(zip(sessions, feeds)):
            before = time.perf_counter()
            made.run(None, given)
            found[k] = min(found[k], 1e3 * (time.perf_counter() - before))
    return found


def one_node(node, shape, constants):
    """A model of one node, which reads values `shape`."""
    node = helper.make_node(node.op_type, ["x"] + list(constants), ["y"], **{
        a.name: helper.get_attribute_value(a) for a in node.attribute})
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, given)
              for name, given in (("x", shape), ("y", None))]
    graph = helper.make_graph([node], "layer", values[:1], values[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def width(count, share, block):
    """A share of so many channels in whole blocks."""
    return min(count, max(1, round(count * share / block)) * block)


def widths(count_in, count_out, groups, block):
    pairs = []
    for share in SHARES:
        outputs = width(count_out, share, block)
        pairs.append((outputs * count_in // count_out if groups > 1 else width(count_in, share, block), outputs))
    return sorted(set(pairs))


def convolution(node, shape, weight, block):
    """Its inputs and outputs, and a model of it, at every width."""
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    whole = (weight.shape[1] * groups, weight.shape[0])
    for inputs, outputs in widths(*whole, groups, block):
        kept = max(1, groups * outputs // whole[1]) if groups > 1 else 1
        part = onnx.NodeProto()
        part.CopyFrom(node)
        for attribute in part.attribute:
            if attribute.name == "group":
                attribute.i = kept
        cut = numpy.ascontiguousarray(weight[:outputs, :inputs // kept])
        given = {"w": cut, "b": numpy.zeros(outputs, numpy.float32)}
        yield inputs, outputs, one_node(part, [shape[0], inputs, *shape[2:]], given)


def product(node, shape, weight, block):
    turned = any(a.name == "transB" and a.i for a in node.attribute)
    whole = weight.shape[::-1] if turned else weight.shape
    for inputs, outputs in widths(*whole, 1, block):
        cut = weight[:outputs, :inputs] if turned else weight[:inputs, :outputs]
        yield inputs, outputs, one_node(node, [*shape[:-1], inputs], {"w": numpy.ascontiguousarray(cut)})


def nothing():
    node = helper.make_node("Relu", [], [])
    return one_node(node, [1, 1], {})


def layers(model, batch, block):
    """For every layer with stored weights: its name, and its inputs, outputs and model at every width."""
    model = onnx.shape_inference.infer_shapes(model)
    stored = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    shapes = {value.name: [d.dim_value if d.dim_value > 0 else batch for d in value.type.tensor_type.shape.dim]
              for value in [*model.graph.value_info, *model.graph.input]}
    for node in model.graph.node:
        weight = stored.get(node.input[1]) if node.op_type in WEIGHTED else None
        if weight is None:
            continue
        if node.input[0] not in shapes:
            raise SystemExit(f"{node.name}: the shape of `{node.input[0]}` cannot be told; run "
                             "onnxruntime.tools.symbolic_shape_infer on the model first")
        shape = [batch, *shapes[node.input[0]][1:]]
        made = convolution if node.op_type == "Conv" else product
        yield node.name or node.output[0], list(made(node, shape, weight, block))


def timed(model, args):
    """The times of all layers."""
    cases = [(name, *case) for name, each in layers(model, args.batch, args.block) for case in each]
    sessions = [session(nothing(), args.threads)] + [session(case[-1], args.threads) for case in cases]
    idle, *found = best(sessions, args.batch, args.seconds)
    table = {}
    for (name, inputs, outputs, _), ms in zip(cases, found):
        row = {"inputs": inputs, "outputs": outputs, "ms": max(ms - idle, 1e-6)}
        table.setdefault(name, []).append(row)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--compare", type=Path, nargs="+", help="time these networks beside it, and write nothing")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--block", type=int, default=8, help="channels that kernels take at once")
    parser.add_argument("--seconds", type=float, default=20, help="how long to measure")
    args = parser.parse_args()
    if args.compare:
        paths = [args.model, *args.compare]
        found = best([session(str(path), args.threads) for path in paths], args.batch, args.seconds)
        for path, ms in zip(paths, found):
            print(f"{ms:10.3f} ms {100 * ms / found[0]:6.1f} %  {path.name}")
        return
    if not args.output:
        parser.error("say where to write the table: -o FILE.json")
    whole = best([session(str(args.model), args.threads)], args.batch, min(args.seconds, 5))[0]
    table = {"runtime": f"onnxruntime {onnxruntime.__version__}", "threads": args.threads, "batch": args.batch,
             "block": args.block, "model_ms": whole, "layers": timed(onnx.load(args.model), args)}
    args.output.write_text(json.dumps(table, indent=1) + "\n")
    print(f"{len(table['layers'])} layers, {whole:.3f} ms: {args.output}")


if __name__ == "__main__":
    main()
