"""Writes the seed files of the fuzz targets: tiny models that together use every operator.

Needs the `onnx` and `numpy` packages; run from this folder.
"""

import json
import struct

import numpy as np
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs.split(","), outputs.split(","), **attributes)


def weights(**arrays):
    return [numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()]


def noise(*shape):
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def model(name, opset, inputs, outputs, nodes, constants=()):
    def info(names, shape=None):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s or shape) for n, s in names]

    graph = helper.make_graph(nodes, name, info(inputs), info(outputs), list(constants))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    with open(f"seeds/onnx/{name}.onnx", "wb") as file:
        file.write(made.SerializeToString())


IMAGE = ("x", ["n", 2, 4, 4])
SCORES = ("y", ["n", 3])


def plain():
    nodes = [
        node("Conv", "x,w1,b1", "c1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c1,s,t,m,v", "n1"),
        node("Relu", "n1", "r1"),
        node("MaxPool", "r1", "p1", kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", "p1", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f,w2,b2", "y", transB=1),
    ]
    constants = weights(w1=noise(4, 2, 3, 3), b1=noise(4), s=noise(4), t=noise(4), m=noise(4),
                        v=noise(4) ** 2, w2=noise(3, 4), b2=noise(3))
    model("plain", 17, [IMAGE], [SCORES], nodes, constants)


def gated():
    nodes = [
        node("Conv", "x,w1", "a", auto_pad="SAME_UPPER"),
        node("HardSwish", "a", "h"),
        node("Conv", "h,w2", "d", group=4, pads=[1, 1, 1, 1], strides=[1, 1]),
        node("GlobalAveragePool", "d", "g"),
        node("Conv", "g,w3", "q"),
        node("HardSigmoid", "q", "o", alpha=0.2, beta=0.5),
        node("Mul", "d,o", "m"),
        node("Sigmoid", "m", "z"),
        node("Mul", "m,z", "silu"),
        node("Add", "silu,a", "sum"),
        node("ReduceMean", "sum", "r", axes=[2, 3], keepdims=0),
        node("MatMul", "r,w4", "l"),
        node("Add", "l,b4", "e"),
        node("Softmax", "e", "y", axis=1),
    ]
    constants = weights(w1=noise(4, 2, 3, 3), w2=noise(4, 1, 3, 3), w3=noise(4, 4, 1, 1),
                        w4=noise(4, 3), b4=noise(3))
    model("gated", 13, [IMAGE], [SCORES], nodes, constants)


def shuffle():
    nodes = [
        node("Conv", "x,w1", "a"),
        node("Split", "a,sizes", "left,right", axis=1),
        node("Concat", "right,left", "c", axis=1),
        node("Shape", "c", "shape"),
        node("Gather", "shape,zero", "n", axis=0),
        node("Unsqueeze", "n,first", "n1"),
        node("Gather", "shape,one", "ch", axis=0),
        node("Div", "ch,two", "half"),
        node("Unsqueeze", "half,first", "half1"),
        node("Slice", "shape,s2,s4,first", "hw"),
        node("Concat", "n1,twos,half1,hw", "t1", axis=0),
        node("Reshape", "c,t1", "r1"),
        node("Transpose", "r1", "tr", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "tr,t2", "r2"),
        node("Conv", "r2,w2", "d", group=2),
        node("GlobalMaxPool", "d", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f,w3,b3", "y", alpha=0.5, beta=2.0),
    ]
    constants = weights(w1=noise(4, 2, 1, 1), w2=noise(4, 2, 1, 1), w3=noise(4, 3), b3=noise(1, 3),
                        sizes=ints(2, 2), zero=np.int64(0), one=np.int64(1), two=np.int64(2),
                        first=ints(0), s2=ints(2), s4=ints(4), twos=ints(2), t2=ints(0, 4, 4, -1))
    model("shuffle", 17, [IMAGE], [SCORES], nodes, constants)


def patches():
    nodes = [
        node("Conv", "x,w1", "a", strides=[2, 2]),
        node("Transpose", "a", "t", perm=[0, 2, 3, 1]),
        node("LayerNormalization", "t,s,b", "l", axis=-1, epsilon=1e-6),
        node("MatMul", "l,w2", "m"),
        node("Gelu", "m", "g", approximate="tanh"),
        node("Gelu", "g", "g2"),
        node("Mul", "g2,scale", "k"),
        node("Add", "k,t", "r"),
        node("Reshape", "r,flat", "q"),
        node("Transpose", "q", "qt", perm=[0, 2, 1]),
        node("MatMul", "q,qt", "qq"),
        node("Softmax", "qq", "p"),
        node("MatMul", "p,q", "v"),
        node("Squeeze", "v", "v1"),
        node("ReduceMean", "v1,axis", "mean", keepdims=0),
        node("Gemm", "mean,w3", "y"),
    ]
    constants = weights(w1=noise(4, 2, 2, 2), s=noise(4), b=noise(4), w2=noise(4, 4),
                        scale=noise(4), w3=noise(4, 3), flat=ints(-1, 4, 4), axis=ints(1))
    model("patches", 20, [IMAGE], [SCORES], nodes, constants)


def moving():
    nodes = [
        node("Pad", "x,pads,value", "a"),
        node("Slice", "a,starts,ends,axes,steps", "b"),
        node("Resize", "b,,scales", "c", mode="linear", coordinate_transformation_mode="half_pixel"),
        node("Resize", "c,,,sizes", "d", mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
        node("PRelu", "d,slope", "e"),
        node("LRN", "e", "f", size=3),
        node("AveragePool", "f", "g", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1,
             count_include_pad=1),
        node("MaxPool", "g", "h", kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
        node("Gather", "h,order", "i", axis=1),
        node("Unsqueeze", "i,two", "j"),
        node("Expand", "j,repeat", "k"),
        node("Slice", "k,zero,one,two", "l"),
        node("Squeeze", "l,two", "q"),
        node("ReduceMean", "q", "m", axes=[1, 2], keepdims=0),
        node("Clip", "m,low,high", "y"),
    ]
    constants = weights(pads=ints(0, 1, 0, 0, 0, 0, 1, 1), value=np.float32(0.5),
                        starts=ints(0, -1), ends=ints(5, -10), axes=ints(2, 3), steps=ints(1, -2),
                        scales=np.array([1, 1, 2, 2], np.float32), sizes=ints(1, 3, 4, 4),
                        slope=noise(3, 1, 1), order=ints(2, 0, 1), zero=ints(0), one=ints(1), two=ints(2),
                        repeat=ints(1, 1, 2, 1, 1), low=np.float32(-1), high=np.float32(1))
    # The pads above are axis by axis: channels before 1, height after 1, width after 1.
    model("moving", 17, [IMAGE], [("y", ["n", 2])], nodes, constants)


def functions():
    kinds = ["Abs", "Sqrt", "Exp", "Neg", "Sigmoid", "Log", "Tanh", "Erf", "Elu", "LeakyRelu",
             "Reciprocal", "Relu", "Identity", "HardSwish"]
    nodes = [node(kind, "x" if k == 0 else f"v{k - 1}", f"v{k}") for k, kind in enumerate(kinds)]
    last = f"v{len(kinds) - 1}"
    nodes += [
        node("Cast", last, "cast", to=TensorProto.FLOAT),
        node("Pow", "cast,two", "pow"),
        node("Sub", "pow,half", "sub"),
        node("Div", "half,sub", "div"),
        node("Sum", "div,sub,x", "sum"),
        node("Dropout", "sum,half", "drop"),
        node("ReduceMean", "drop", "mean", axes=[2, 3], keepdims=0),
        node("LogSoftmax", "mean", "y", axis=1),
    ]
    constants = weights(two=np.float32(2), half=np.float32(0.5))
    model("functions", 14, [IMAGE], [("y", ["n", 2])], nodes, constants)


def old():
    nodes = [
        node("Pad", "x", "p", pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant", value=0.0),
        node("Conv", "p,w1", "c", dilations=[2, 2]),
        node("Clip", "c", "k", min=0.0, max=6.0),
        node("Slice", "k", "s", axes=[2, 3], starts=[0, 0], ends=[1, 2]),
        node("Dropout", "s", "d,mask", ratio=0.5),
        node("Squeeze", "d", "q", axes=[2]),
        node("Unsqueeze", "q", "u", axes=[2]),
        node("Split", "u", "l,r", axis=1, split=[1, 3]),
        node("Concat", "l,r", "j", axis=1),
        node("ReduceMean", "j", "m", axes=[2, 3], keepdims=1),
        node("Constant", "", "shape", value=numpy_helper.from_array(ints(1, 4))),
        node("Reshape", "m,shape", "f"),
        node("Gemm", "f,w2,b2", "g", transB=1),
        node("Softmax", "g", "y"),
    ]
    nodes[10].ClearField("input")
    constants = weights(w1=noise(4, 2, 2, 2), w2=noise(3, 4), b2=noise(3))
    model("old", 9, [("x", [1, 2, 4, 4])], [("y", [1, 3])], nodes, constants)


def folding():
    nodes = [
        node("ConstantOfShape", "dims", "ones", value=helper.make_tensor("v", 1, [1], [1.0])),
        node("Transpose", "ones", "flip", perm=[1, 0]),
        node("Mul", "flip,small", "scaled"),
        node("Expand", "small,dims2", "grown"),
        node("Add", "scaled,grown", "w"),
        node("Cast", "small", "whole", to=TensorProto.INT64),
        node("Cast", "whole", "real", to=TensorProto.FLOAT),
        node("Concat", "grown,grown", "both", axis=0),
        node("Slice", "both,zero,two", "part"),
        node("MatMul", "w,part2", "prod"),
        node("Reshape", "x,flat", "f"),
        node("MatMul", "f,prod", "g"),
        node("Add", "g,real", "y"),
    ]
    constants = weights(dims=ints(3, 2), dims2=ints(2, 3), small=np.float32(1.5), zero=ints(0),
                        two=ints(2), part2=noise(3, 3), flat=ints(0, 2))
    model("folding", 15, [("x", ["n", 2, 1, 1])], [SCORES], nodes, constants)


def types():
    half = helper.make_tensor("w1", TensorProto.FLOAT16, [2, 2, 1, 1], [0.5, 1.0, -1.0, 0.25])
    double = helper.make_tensor("b1", TensorProto.DOUBLE, [2], [0.5, 1.0])
    brief = helper.make_tensor("k", TensorProto.BFLOAT16, [1], [2.0])
    listed = helper.make_tensor("w2", TensorProto.FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0])
    narrow = helper.make_tensor("t", TensorProto.INT32, [2], [0, -1])
    nodes = [
        node("Conv", "x,w1,b1", "a"),
        node("Mul", "a,k", "b"),
        node("GlobalAveragePool", "b", "c"),
        node("GlobalAveragePool", "z", "d"),
        node("Mul", "c,d", "e"),
        node("Cast", "t", "t64", to=TensorProto.INT64),
        node("Reshape", "e,t64", "y"),
        node("Gemm", "y,w2", "y2"),
    ]
    inputs = [IMAGE, ("z", ["n", 2, 3, 3])]
    outputs = [("y", ["n", 2]), ("y2", ["n", 2])]
    model("types", 17, inputs, outputs, nodes, [half, double, brief, listed, narrow])


def safetensors(name, entries):
    header, data = {}, b""
    for key, (dtype, shape, raw) in entries.items():
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"seeds/weights/{name}.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def swaps():
    safetensors("same", {"b1": ("F32", [4], noise(4).tobytes()),
                         "w2": ("F32", [3, 4], noise(3, 4).tobytes())})
    safetensors("halves", {"w2": ("F16", [4, 3], noise(4, 3).astype(np.float16).tobytes()),
                           "b2": ("BF16", [3], b"\x00\x3f" * 3)})
    safetensors("whole", {"s": ("I64", [4], ints(1, 2, 3, 4).tobytes())})
    safetensors("nothing", {})


for write in [plain, gated, shuffle, patches, moving, functions, old, folding, types, swaps]:
    write()
