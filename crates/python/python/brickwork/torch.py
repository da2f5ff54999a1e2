"""From modules of PyTorch to models and back: `pip install brickwork[torch]`.

>>> import brickwork as bw, brickwork.torch
>>> model = bw.torch.from_module(net, torch.randn(1, 3, 224, 224), class_names=names, mean=mean, std=std)
>>> pets = model.disassemble(["cat", "dog"], data="photos/")
>>> net = bw.torch.to_module(pets)  # A `torch.nn.Module` with the widths that are left.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from brickwork._errors import ModelError, OptionsError
from brickwork._model import Model, load

try:
    import onnx
    import torch
    from onnx import numpy_helper
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise ImportError("brickwork.torch needs torch and onnx; install them: pip install 'brickwork[torch]'") from error

Exporter = Literal["torch.export", "torchscript"]
"""Which of PyTorch's exporters writes the graph."""


def from_module(
    module: nn.Module,
    example: Tensor,
    *,
    class_names: str | Sequence[str] | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    exporter: Exporter = "torch.export",
    called: str | None = None,
) -> Model:
    """The model that a module is, for batches of any size. Parameters keep their names.

    Args:
        module: an image classifier; it is exported as it is in inference, and left as it was
        example: a batch of prepared images `[n, c, h, w]`
        class_names: names of the classes, in the order of the scores
        mean: mean of the pixels that the module was trained with, after scaling bytes by 1/255
        std: their standard deviation
        exporter: which of PyTorch's exporters writes the graph; torchscript keeps normalisations apart, of which
            torch.export makes weights
        called: what the model is called [default: as its class]
    """
    if (mean is None) != (std is None):
        raise OptionsError("`mean` and `std` go together: give both, or none")
    writers = {"torch.export": _exported, "torchscript": _traced}
    if exporter not in writers:
        raise OptionsError(f"`exporter={exporter}` is none of {', '.join(writers)}")
    with _in_inference(module):
        content = writers[exporter](module, example)
    model = load(content, class_names=class_names, called=called or type(module).__name__.lower())
    if mean is None or std is None:
        return model
    return model.annotate(mean=mean, std=std, called=model.name)


@contextlib.contextmanager
def _in_inference(module: nn.Module) -> Iterator[None]:
    trained = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part in trained:
            part.training = True


def _exported(module: nn.Module, example: Tensor) -> bytes:
    # An example of one image would leave no other number open.
    several = example if len(example) > 1 else torch.cat([example, example])
    shapes = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.onnx.export(
        module, (several,), dynamo=True, input_names=["image"], output_names=["scores"], dynamic_shapes=shapes,
        verbose=False,
    )
    content: bytes = program.model_proto.SerializeToString()
    return content


def _traced(module: nn.Module, example: Tensor) -> bytes:
    file = io.BytesIO()
    torch.onnx.export(
        module, (example,), file, dynamo=False, input_names=["image"], output_names=["scores"],
        dynamic_axes={"image": {0: "n"}, "scores": {0: "n"}},
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
    )
    return file.getvalue()


def to_module(model: Model) -> nn.Module:
    """A module that computes what the model does, with its widths: images `[n, c, h, w]` to scores `[n, k]`.

    It can be trained: weights are parameters, and running statistics buffers, under the names that they have in the
    model: those of the module that it was exported from, where that exporter kept them.
    """
    proto = onnx.load_from_string(bytes(model))
    unknown = sorted({node.op_type for node in proto.graph.node} - OPERATORS.keys())
    if unknown:
        raise ModelError(f"`{model.name}` has operators for which there is no module: {', '.join(unknown)}")
    return _Network(proto.graph)


def weights(model: Model) -> dict[str, Tensor]:
    """All weights and statistics of a model, by name: the state of its module."""
    found: dict[str, Tensor] = to_module(model).state_dict()
    return found


class _Holder(nn.Module):
    """A part of a name, and what is called so."""


class _Network(nn.Module):
    """A graph of operators."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        super().__init__()
        self._input, self._output = graph.input[0].name, graph.output[0].name
        self._nodes = [_Node(node) for node in graph.node]
        statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
        self._places: dict[str, tuple[nn.Module, str]] = {}
        for stored in graph.initializer:
            value = torch.from_numpy(numpy_helper.to_array(stored).copy())
            learned = value.is_floating_point() and value.numel() > 1 and stored.name not in statistics
            self._hold(stored.name, nn.Parameter(value) if learned else value)

    def _hold(self, name: str, value: Tensor) -> None:
        """Holds a value under its name, whose parts are between points."""
        *path, last = [part or "_" for part in name.split(".")]
        owner: nn.Module = self
        for part in path:
            held = getattr(owner, part, None)
            if not isinstance(held, _Holder):
                part = part if held is None else f"{part}_"
                owner.add_module(part, _Holder())
            owner = getattr(owner, part)
        while hasattr(owner, last):
            last += "_"
        if isinstance(value, nn.Parameter):
            owner.register_parameter(last, value)
        else:
            owner.register_buffer(last, value)
        self._places[name] = (owner, last)

    def forward(self, images: Tensor) -> Tensor:
        """Scores `[n, k]` of prepared images `[n, c, h, w]`."""
        values: dict[str, Any] = {name: getattr(owner, own) for name, (owner, own) in self._places.items()}
        values[self._input] = images
        for node in self._nodes:
            given = [values[name] if name else None for name in node.inputs]
            found = OPERATORS[node.operator](self, node.attributes, *given)
            found = found if isinstance(found, (tuple, list)) else (found,)
            values.update(zip(node.outputs, found))
        scores: Tensor = values[self._output]
        return scores


class _Node:
    """One operator of a graph."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self.inputs, self.outputs = list(node.input), list(node.output)
        self.operator = node.op_type
        self.attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


Attributes = dict[str, Any]
Operator = Callable[..., Any]


def _simple(function: Callable[..., Any]) -> Operator:
    """An operator of its operands alone."""
    return lambda network, attributes, *given: function(*given)


def _numbers(values: Any) -> list[int]:
    """Whole numbers of a tensor or an attribute."""
    return [int(value) for value in (values.tolist() if isinstance(values, Tensor) else values)]


def _padded(x: Tensor, attributes: Attributes, window: Sequence[int], fill: float) -> Tensor:
    """A map with the border that a window wants."""
    pads = list(attributes.get("pads", [0] * (2 * len(window))))
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ModelError("a window pads by a rule (`auto_pad`), for which there is no module")
    half = len(pads) // 2
    if not any(pads):
        return x
    sides = [side for axis in reversed(range(half)) for side in (pads[axis], pads[axis + half])]
    return functional.pad(x, sides, value=fill)


def _convolution(network: nn.Module, a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    window = list(w.shape[2:])
    function = [functional.conv1d, functional.conv2d, functional.conv3d][len(window) - 1]
    ones = [1] * len(window)
    return function(
        _padded(x, a, window, 0.0), w, b, a.get("strides", ones), 0, a.get("dilations", ones), a.get("group", 1)
    )


def _pooled(largest: bool) -> Operator:
    def run(network: nn.Module, a: Attributes, x: Tensor) -> Tensor:
        window = a["kernel_shape"]
        strides = a.get("strides", [1] * len(window))
        if largest:
            padded = _padded(x, a, window, float("-inf"))
            return functional.max_pool2d(padded, window, strides, 0, a.get("dilations", 1), bool(a.get("ceil_mode")))
        counted = bool(a.get("count_include_pad"))
        pads = a.get("pads", [0, 0, 0, 0])
        if pads[:2] == pads[2:]:
            return functional.avg_pool2d(x, window, strides, pads[:2], bool(a.get("ceil_mode")), counted)
        if not counted:
            raise ModelError("a mean of a window pads sides unequally, for which there is no module")
        return functional.avg_pool2d(_padded(x, a, window, 0.0), window, strides, 0, bool(a.get("ceil_mode")))

    return run


def _normalised(
    network: nn.Module, a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    kept, epsilon = a.get("momentum", 0.9), a.get("epsilon", 1e-5)
    return functional.batch_norm(x, mean, variance, scale, bias, network.training, 1 - kept, epsilon)


def _layer_normalised(
    network: nn.Module, a: Attributes, x: Tensor, scale: Tensor, bias: Tensor | None = None
) -> Tensor:
    axis = a.get("axis", -1) % x.ndim
    return functional.layer_norm(x, x.shape[axis:], scale, bias, a.get("epsilon", 1e-5))


def _linear(network: nn.Module, a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    x = x.T if a.get("transA") else x
    found = a.get("alpha", 1.0) * (x @ (w.T if a.get("transB") else w))
    return found if b is None else found + a.get("beta", 1.0) * b


def _reduced(function: Callable[..., Tensor]) -> Operator:
    def run(network: nn.Module, a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        given = a.get("axes") if axes is None else _numbers(axes)
        return function(x, list(range(x.ndim)) if given is None else list(given), bool(a.get("keepdims", 1)))

    return run


def _reshaped(network: nn.Module, a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    wanted = _numbers(shape)
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)])


def _axes(a: Attributes, given: Tensor | None) -> list[int]:
    return list(a.get("axes", [])) if given is None else _numbers(given)


def _squeezed(network: nn.Module, a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze(tuple(_axes(a, axes))) if _axes(a, axes) else x.squeeze()


def _unsqueezed(network: nn.Module, a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    places = _axes(a, axes)
    for axis in sorted(axis % (x.ndim + len(places)) for axis in places):
        x = x.unsqueeze(axis)
    return x


def _split(network: nn.Module, a: Attributes, x: Tensor, sizes: Tensor | None = None) -> Any:
    axis = a.get("axis", 0)
    if sizes is None:
        return x.chunk(a["num_outputs"], axis)
    return x.split(_numbers(sizes), axis)


def _sliced(
    network: nn.Module, a: Attributes, x: Tensor, starts: Tensor, ends: Tensor,
    axes: Tensor | None = None, steps: Tensor | None = None,
) -> Tensor:
    first, last = _numbers(starts), _numbers(ends)
    places = list(range(len(first))) if axes is None else _numbers(axes)
    strides = [1] * len(first) if steps is None else _numbers(steps)
    cut: list[Any] = [slice(None)] * x.ndim
    for axis, start, end, step in zip(places, first, last, strides):
        if step < 0:
            raise ModelError("a slice goes backwards, for which there is no module")
        cut[axis] = slice(start, end, step)
    return x[tuple(cut)]


def _gathered(network: nn.Module, a: Attributes, x: Tensor, places: Tensor) -> Tensor:
    axis = a.get("axis", 0) % x.ndim
    found = x.index_select(axis, places.reshape(-1) % x.shape[axis])
    return found.reshape([*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]])


def _bordered(
    network: nn.Module, a: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    mode = {b"constant": "constant", b"reflect": "reflect", b"edge": "replicate"}[a.get("mode", b"constant")]
    sides, places = _numbers(pads), list(range(x.ndim)) if axes is None else _numbers(axes)
    ends = {axis % x.ndim: (sides[k], sides[k + len(places)]) for k, axis in enumerate(places)}
    flat = [side for axis in reversed(range(x.ndim)) for side in ends.get(axis, (0, 0))]
    if mode != "constant":
        return functional.pad(x, flat[:4], mode=mode)
    return functional.pad(x, flat, value=0.0 if value is None else float(value))


def _clipped(
    network: nn.Module, a: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None
) -> Tensor:
    return x.clamp(None if low is None else float(low), None if high is None else float(high))


OPERATORS: dict[str, Operator] = {
    "Abs": _simple(torch.abs),
    "Add": _simple(torch.add),
    "AveragePool": _pooled(largest=False),
    "BatchNormalization": _normalised,
    "Clip": _clipped,
    "Concat": lambda network, a, *given: torch.cat(given, a["axis"]),
    "Conv": _convolution,
    "Div": _simple(torch.div),
    "Dropout": lambda network, a, x, *rest: x,
    "Elu": lambda network, a, x: functional.elu(x, a.get("alpha", 1.0)),
    "Erf": _simple(torch.erf),
    "Exp": _simple(torch.exp),
    "Flatten": lambda network, a, x: x.flatten(a.get("axis", 1)) if a.get("axis", 1) == 1 else x.reshape(
        [x.shape[: a["axis"]].numel(), -1]
    ),
    "Gather": _gathered,
    "Gelu": lambda network, a, x: functional.gelu(x, approximate=a.get("approximate", b"none").decode()),
    "Gemm": _linear,
    "GlobalAveragePool": lambda network, a, x: x.mean((2, 3), keepdim=True),
    "HardSigmoid": lambda network, a, x: (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": _simple(functional.hardswish),
    "Identity": _simple(lambda x: x),
    "LayerNormalization": _layer_normalised,
    "LeakyRelu": lambda network, a, x: functional.leaky_relu(x, a.get("alpha", 0.01)),
    "MatMul": _simple(torch.matmul),
    "MaxPool": _pooled(largest=True),
    "Mul": _simple(torch.mul),
    "Neg": _simple(torch.neg),
    "PRelu": _simple(lambda x, slope: torch.where(x < 0, slope * x, x)),
    "Pad": _bordered,
    "Pow": _simple(torch.pow),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _simple(torch.relu),
    "Reshape": _reshaped,
    "Sigmoid": _simple(torch.sigmoid),
    "Slice": _sliced,
    "Softmax": lambda network, a, x: x.softmax(a.get("axis", -1)),
    "Softplus": _simple(functional.softplus),
    "Split": _split,
    "Sqrt": _simple(torch.sqrt),
    "Squeeze": _squeezed,
    "Sub": _simple(torch.sub),
    "Tanh": _simple(torch.tanh),
    "Transpose": lambda network, a, x: x.permute(*a["perm"]) if "perm" in a else x.permute(*reversed(range(x.ndim))),
    "Unsqueeze": _unsqueezed,
}
"""What there are modules for, by ONNX's names."""
