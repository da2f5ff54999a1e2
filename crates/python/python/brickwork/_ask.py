"""From the arguments of a call to a request, and from its answer to objects."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, Union

from brickwork import _native
from brickwork._answer import Answer
from brickwork._errors import OptionsError, told
from brickwork._images import Images, Layout, array, images, is_array
from brickwork._progress import ProgressLike, listener

if TYPE_CHECKING:
    from brickwork._images import ArrayLike, Labels
    from brickwork._model import Model, Profile

A = TypeVar("A", bound=Answer)


class Proto(Protocol):
    """A message of protobuf, such as `onnx.ModelProto`."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802


File = Union[str, "os.PathLike[str]"]
ModelLike = Union["Model", File, bytes, Proto]
"""A model: read before, a file, its bytes, or an `onnx.ModelProto`."""
ProfileLike = Union["Profile", File]
Sides = Union[int, str, "tuple[int, int]"]
"""Height and width: 224, "224x160" or (224, 160)."""
OneSet = Union[File, Images, "tuple[ArrayLike, Labels]", "tuple[ArrayLike, Labels, Layout]"]
Data = Union[OneSet, "Sequence[OneSet]", "Mapping[str, OneSet | Sequence[OneSet]]"]
"""Labelled images: a path, images in memory, arrays `(images, labels, layout)`, several of them, or for
each part of an assembled model."""
Pictures = Union[Data, "ArrayLike"]
"""Images without labels, too."""

_MOST_THREADS = 1024


def several(value: Any) -> Any:
    """A list of what may be one or several."""
    if value is None:
        return []
    if isinstance(value, Mapping) or not isinstance(value, Iterable) or _is_one(value):
        return [value]
    return list(value)


def _is_one(value: object) -> bool:
    from brickwork._model import Model, Profile

    whole = (str, bytes, os.PathLike, Images, Model, Profile)
    return isinstance(value, whole) or _are_arrays(value) or _is_pixels(value)


def _are_arrays(value: object) -> bool:
    return isinstance(value, tuple) and len(value) in (2, 3) and is_array(value[0])


def _is_pixels(value: object) -> bool:
    return is_array(value) and array(value).ndim > 1


def names(value: str | int | Sequence[str | int] | None) -> str | None:
    """A list of classes as a command line has it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    return ",".join(_quoted(str(one)) for one in value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


def size(value: Sides | None) -> int | str | None:
    """A size as a command line has it."""
    return "x".join(str(side) for side in value) if isinstance(value, (tuple, list)) else value


class _Memory:
    """What a request names that is in memory."""

    def __init__(self) -> None:
        self.things: list[tuple[str, _native.Model | _native.Images | _native.Profile]] = []

    def name(self, thing: _native.Model | _native.Images | _native.Profile, called: str) -> str:
        for name, other in self.things:
            if other is thing:
                return name
        name = f"memory:{len(self.things) + 1}/{called}"
        self.things.append((name, thing))
        return name

    def plain(self, value: Any) -> Any:
        """An argument as JSON has it."""
        from brickwork._model import Model, Profile, load

        if isinstance(value, Model):
            return self.name(value._native, f"{value.name}.onnx")
        if isinstance(value, Profile):
            return self.name(value._native, f"{value.model}.safetensors")
        if isinstance(value, Images):
            return self.name(value._native, value.name)
        if isinstance(value, Absent):
            return f"memory:{len(self.things) + 1}/{value.name}"
        if _are_arrays(value):
            layout = value[2] if len(value) == 3 else None
            return self.plain(images(value[0], value[1], layout=layout))
        if _is_pixels(value):
            return self.plain(images(value))
        if isinstance(value, bytes) or hasattr(value, "SerializeToString"):
            return self.plain(load(value))
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, Mapping):
            return [f"{name}={self.plain(one)}" for name, all_ in value.items() for one in several(all_)]
        if is_array(value):
            return array(value).tolist()
        if isinstance(value, (list, tuple)):
            lists = [self.plain(one) for one in value]
            return [item for one in lists for item in (one if isinstance(one, list) else [one])]
        return value


def check_threads(threads: int | None) -> None:
    """Refuses a number of threads that there cannot be."""
    if threads is not None and not 1 <= threads <= _MOST_THREADS:
        raise OptionsError(f"`threads={threads}` is no number from 1 to {_MOST_THREADS}")


class Absent:
    """Images in memory that are not at hand: their name is all that is told of them."""

    def __init__(self, name: str) -> None:
        self.name = name


def asking(verb: str, options: dict[str, Any], seed: int, made: str | None = None) -> _native.Request:
    """A request, with what it names in memory; what it makes is written there, too, as the file `made`."""
    if not 0 <= seed < 1 << 64:
        raise OptionsError(f"`seed={seed}` is no number from 0 to 2**64 - 1")
    memory = _Memory()
    plain = {name: memory.plain(value) for name, value in options.items()}
    if made is not None:
        plain["output"] = f"memory:made/{made}"
    try:
        text = json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OptionsError(f"an argument of {verb} cannot be understood: {error}") from None
    with told():
        return _native.Request(verb, text, memory.things, seed)


def _asked(
    verb: str,
    form: type[A],
    options: dict[str, Any],
    made: str | None,
    progress: ProgressLike,
    threads: int | None,
    seed: int,
) -> tuple[A, Any]:
    """The answer to a request, and what it made."""
    check_threads(threads)
    request = asking(verb, options, seed, made)
    ear = listener(progress)
    try:
        with told():
            found = request.ask(ear, threads)
    finally:
        ear.close()
    return form.from_native(found), found.made


def answered(
    verb: str,
    form: type[A],
    request: dict[str, Any],
    *,
    progress: ProgressLike,
    threads: int | None,
    seed: int,
) -> A:
    """The answer to a request."""
    return _asked(verb, form, request, None, progress, threads, seed)[0]


def made(
    verb: str,
    form: type[Answer],
    request: dict[str, Any],
    *,
    called: str | None,
    own: Any,
    progress: ProgressLike,
    threads: int | None,
    seed: int,
) -> Model:
    """The model that a request makes."""
    from brickwork._model import Model

    called = called or (own.name if own is not None else verb)
    answer, native = _asked(verb, form, request, f"{called}.onnx", progress, threads, seed)
    return Model(native, answer)


def profiled(
    verb: str,
    form: type[Answer],
    request: dict[str, Any],
    *,
    progress: ProgressLike,
    threads: int | None,
    seed: int,
) -> Profile:
    """The profile that a request makes."""
    from brickwork._model import Profile

    answer, native = _asked(verb, form, request, "profile.safetensors", progress, threads, seed)
    return Profile(native, answer)
