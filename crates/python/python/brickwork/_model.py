"""Models and profiles."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from brickwork import _native
from brickwork._answer import Answer
from brickwork._ask import File, ModelLike, Proto, Sides, check_threads, names
from brickwork._ask import size as _size
from brickwork._errors import OptionsError, ReadError, told
from brickwork._images import ArrayLike, Layout, array
from brickwork._verbs import GroupRow, ModelVerbs

if TYPE_CHECKING:
    import numpy

    from brickwork._shared import Shared


class Model(ModelVerbs):
    """An image classifier. Nothing changes it: what is asked of it gives another one."""

    made: Answer | None
    """The answer of the verb that made it; none if it was loaded."""

    def __init__(self, native: _native.Model, made: Answer | None = None) -> None:
        self._native = native
        self.made = made

    @property
    def name(self) -> str:
        """What it is called: a file's name without its ending."""
        return self._native.name

    @property
    def classes(self) -> list[str]:
        """The names of its classes, in the order of its scores."""
        return self._native.classes

    @property
    def input(self) -> tuple[int, int, int]:
        """Channels, height and width of an image as `run` takes it."""
        channels, height, width = self._native.input
        return channels, height, width

    @property
    def groups(self) -> list[GroupRow]:
        """Families of channels that can only be cut together."""
        return self.inspect(progress=False).groups or []

    @property
    def card(self) -> dict[str, Any]:
        """What it says of itself: classes, preprocessing, where it comes from."""
        card: dict[str, Any] = json.loads(self._native.card())
        return card

    @property
    def fingerprint(self) -> str:
        """What tells its network from others."""
        return self._native.fingerprint()

    @property
    def shared(self) -> Shared:
        """What it can be asked, as work that several processes share."""
        from brickwork._shared import Shared

        return Shared(self)

    def run(self, images: ArrayLike, *, threads: int | None = None) -> numpy.ndarray[Any, Any]:
        """Scores `[n, k]` of images that are prepared: float32 `[n, c, h, w]`.

        Args:
            images: an array of NumPy, or of anything with `__array__` or `__dlpack__`
            threads: threads to use [default: one per core]
        """
        import numpy

        check_threads(threads)
        batch = array(images)
        if batch.dtype.newbyteorder("=") != numpy.float32:
            raise OptionsError(
                f"prepared images are float32, not {batch.dtype}; `predict` prepares images"
            )
        if batch.ndim != 4 or batch.shape[1:] != self.input:
            expected = ", ".join(map(str, self.input))
            raise OptionsError(f"images have the shape {batch.shape}, expected [n, {expected}]")
        count = batch.shape[0]
        raw = numpy.ascontiguousarray(batch, dtype="<f4").tobytes()
        with told():
            scores = self._native.run(raw, count, threads)
        return numpy.frombuffer(scores, dtype="<f4").reshape(count, len(self.classes))

    def called(self, name: str) -> Model:
        """The same model, called otherwise: parts of an assembled model are known by their names."""
        return Model(self._native.called(name), self.made)

    def save(self, path: File) -> None:
        """Writes its ONNX file, in one step: it is complete or untouched."""
        with told():
            self._native.save(path)

    def __bytes__(self) -> bytes:
        """The bytes of its ONNX file."""
        with told():
            return self._native.encode()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (bytes(self), self.name, self.made)

    def __repr__(self) -> str:
        if self.made is not None:
            return repr(self.made)
        return repr(self.inspect(progress=False))

    def _repr_html_(self) -> str:
        answer = self.made or self.report(progress=False)
        return answer._repr_html_()


class Profile:
    """What channels of a model contribute to its classes."""

    made: Answer | None
    """The answer of the verb that made it; none if it was loaded."""

    def __init__(self, native: _native.Profile, made: Answer | None = None) -> None:
        self._native = native
        self.made = made

    @property
    def header(self) -> dict[str, Any]:
        """What it is of: model, layers, classes and samples."""
        header: dict[str, Any] = json.loads(self._native.header())
        return header

    @property
    def model(self) -> str:
        """The name of the model that it is of."""
        name: str = self.header["model"]
        return name

    def save(self, path: File) -> None:
        """Writes its file, in one step: it is complete or untouched."""
        with told():
            self._native.save(path)

    def __bytes__(self) -> bytes:
        """The bytes of its file."""
        with told():
            return self._native.encode()

    def __reduce__(self) -> tuple[Any, ...]:
        return _profile_unpickled, (bytes(self), self.made)

    def __repr__(self) -> str:
        return repr(self.made) if self.made is not None else f"profile of {self.model}"

    def _repr_html_(self) -> str:
        if self.made is not None:
            return self.made._repr_html_()
        return _native.within(_native.fields(f"profile of {self.model}", self._native.header()))


def load(
    source: File | bytes | Proto,
    *,
    weights: File | None = None,
    head: Literal["single", "binary", "multilabel"] | None = None,
    scores: str | None = None,
    class_axis: int | None = None,
    size: Sides | None = None,
    layout: Layout | None = None,
    class_names: str | Sequence[str] | None = None,
    called: str | None = None,
) -> Model:
    """Loads a model: an ONNX file, its bytes, an `onnx.ModelProto`, or `hf://owner/name/file.onnx`.

    What a file leaves open can be said; `Model.inspect` takes and explains the same.

    Args:
        source: the file, or what stands for it; `hf://` needs huggingface_hub
        weights: take weights of matching names from this safetensors file
        head: what its scores mean, where the model does not tell
        scores: the output that has the class scores, by name
        class_axis: the axis of the output that holds the classes, counted from 0
        size: height and width, where the model leaves them open
        layout: order of the input's axes, where the model does not tell
        class_names: names of the model's classes, in order
        called: what the model is called [default: its file's name without the ending, or model]
    """
    path, content = _source(source)
    said = {
        "model": path,
        "weights": None if weights is None else os.fspath(weights),
        "head": head,
        "scores": scores,
        "class_axis": class_axis,
        "size": _size(size),
        "layout": layout,
        "class_names": names(class_names),
    }
    with told():
        model = Model(_native.Model.load(json.dumps(said), content))
    return model if called is None else model.called(called)


def load_profile(source: File | bytes) -> Profile:
    """Loads a profile: a file, or its bytes."""
    with told():
        if isinstance(source, bytes):
            return Profile(_native.Profile.decode(source))
        return Profile(_native.Profile.load(source))


def _source(source: File | bytes | Proto) -> tuple[str, bytes | None]:
    """The path of a model, and its bytes if it is in memory."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "model.onnx", bytes(source)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        return (_from_hub(path) if path.startswith("hf://") else path), None
    return "model.onnx", source.SerializeToString()


def _from_hub(address: str) -> str:
    """The local copy of a file of the Hugging Face hub."""
    parts = address.removeprefix("hf://").split("/", 2)
    if len(parts) != 3:
        raise OptionsError(f"`{address}` is no address such as hf://owner/name/file.onnx")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise ReadError(f"{address} needs huggingface_hub; install it: pip install huggingface_hub") from None
    owner, name, file = parts
    path: str = hf_hub_download(f"{owner}/{name}", file)
    return path


def _unpickled(content: bytes, name: str, made: Answer | None) -> Model:
    return Model(load(content, called=name)._native, made)


def _profile_unpickled(content: bytes, made: Answer | None) -> Profile:
    return Profile(load_profile(content)._native, made)


__all__ = ["Model", "ModelLike", "Profile", "load", "load_profile"]
