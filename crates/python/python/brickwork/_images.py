"""Images in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard, Union

from brickwork import _native
from brickwork._errors import OptionsError, told

if TYPE_CHECKING:
    import numpy


class ToDlpack(Protocol):
    """An array of any library that speaks DLPack."""

    def __dlpack__(self) -> Any: ...


class ToArray(Protocol):
    """An array that NumPy can be made of."""

    def __array__(self) -> Any: ...


ArrayLike = Union["numpy.ndarray[Any, Any]", ToArray, ToDlpack]
"""An array of NumPy, or of anything with `__array__` or `__dlpack__`."""
Samples = Union["Iterable[Any]", "Sized"]
"""What gives pairs of images and labels, one by one or in batches."""
Labels = Union[ArrayLike, "Sequence[int]", "Sequence[Sequence[int]]"]
Layout = Literal["nchw", "nhwc"]


class Images:
    """Images with their labels, in memory. Made by `images`."""

    def __init__(self, native: _native.Images) -> None:
        self._native = native

    def __len__(self) -> int:
        return len(self._native)

    @property
    def name(self) -> str:
        """What they are called."""
        return self._native.name

    @property
    def classes(self) -> list[str]:
        """The names of all classes."""
        return self._native.classes

    @property
    def labels(self) -> list[int]:
        """The class of every image, by its place among `classes`."""
        return self._native.labels

    def part_of(self, places: Sequence[int], count: int) -> Images:
        """The same images as a part of `count` images, among which image `k` stands at `places[k]`.

        Work that several processes share knows by it which images were looked at.
        """
        with told():
            return Images(self._native.part_of([int(place) for place in places], count))

    def __repr__(self) -> str:
        return self._native.describe()


def images(
    images: ArrayLike | Samples,
    labels: Labels | None = None,
    *,
    layout: Layout | None = None,
    classes: Sequence[str] | None = None,
    name: str = "images",
) -> Images:
    """Images from arrays, which are copied once, however often they are used.

    Args:
        images: uint8 from 0 to 255, or float32 in any unit: `[n, c, h, w]` or `[n, h, w, c]` with 1 or
            3 channels, or `[n, h, w]` without colours; or what gives them with their labels, one by one or
            in batches, which is read once and whole: any iterable, a Dataset or DataLoader of PyTorch, a
            Dataset of Hugging Face with a column of images and one of labels
        labels: integers `[n]`, or `[n, k]` of zeros and ones, of which a row may hold several
            [default: none; enough to predict]
        layout: which of the two the images are, nchw or nhwc; needs not be said of `[n, h, w]`
        classes: names of the classes, by label [default: their numbers]
        name: what the images are called in messages and profiles
    """
    import numpy

    if is_array(images):
        pixels = array(images)
    else:
        pixels, labels, named = _gathered(images, labels)
        classes = named if classes is None else classes
        if named is not None and layout is None and pixels.ndim == 4:
            layout = "nhwc"  # As Pillow has them.
    kind = pixels.dtype.newbyteorder("=")
    if kind not in (numpy.uint8, numpy.float32):
        raise OptionsError(
            f"images are uint8 or float32, not {pixels.dtype}; convert them: "
            "`astype('float32')`, or `astype('uint8')` if they go from 0 to 255"
        )
    if pixels.ndim == 3 and layout is None:
        pixels, layout = pixels[..., None], "nhwc"
    if pixels.ndim != 4:
        raise OptionsError(
            f"images have the shape {pixels.shape}, expected [n, c, h, w] or [n, h, w, c]"
        )
    if layout not in ("nchw", "nhwc"):
        raise OptionsError(
            f"say which axes images of shape {pixels.shape} have: `layout='nchw'` or `layout='nhwc'`"
        )
    is_float = kind == numpy.float32
    raw = numpy.ascontiguousarray(pixels, dtype="<f4" if is_float else "u1").tobytes()
    count, a, b, c = pixels.shape
    names = None if classes is None else [str(one) for one in classes]
    with told():
        return Images(
            _native.Images(
                name, raw, is_float, (count, a, b, c), layout == "nchw", _labels(labels), names
            )
        )


def _labels(labels: Labels | None) -> tuple[bytes, tuple[int, ...]] | None:
    import numpy

    if labels is None:
        return None
    numbers = array(labels)
    if numbers.dtype.kind not in "biu":
        raise OptionsError(f"labels are integers, not {numbers.dtype}")
    if numbers.dtype == numpy.uint64 and numbers.size and numbers.max() > numpy.iinfo("int64").max:
        raise OptionsError(f"a label is {numbers.max()}, which is no number of a class")
    return numpy.ascontiguousarray(numbers, dtype="<i8").tobytes(), numbers.shape


def _gathered(
    source: Any, labels: Labels | None
) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any], Sequence[str] | None]:
    """All images of what gives them one by one or in batches, their labels, and names of the classes."""
    import numpy

    if isinstance(source, (str, bytes)) or labels is not None:
        raise OptionsError("images are arrays with `labels`, or what gives both, one by one or in batches")
    items, classes = _samples(source)
    pixels: list[numpy.ndarray[Any, Any]] = []
    numbers: list[numpy.ndarray[Any, Any]] = []
    for place, item in enumerate(items):
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise OptionsError(f"item {place} is no pair of images and labels, but {type(item).__name__}")
        image, label = array(item[0]), array(item[1])
        if label.ndim == 0:
            image, label = image[None], label[None]
        if pixels and image.shape[1:] != pixels[0].shape[1:]:
            raise OptionsError(
                f"images of item {place} have the shape {image.shape[1:]}, those before {pixels[0].shape[1:]}; "
                "resize them, or keep them in folders of files, which are resized as the model wants"
            )
        pixels.append(image)
        numbers.append(label)
    if not pixels:
        raise OptionsError("there are no images: the source gives none")
    return numpy.concatenate(pixels), numpy.concatenate(numbers), classes


def _samples(source: Any) -> tuple[Iterable[Any], Sequence[str] | None]:
    """Pairs of images and labels, and the names of the classes if they are known."""
    if hasattr(source, "features") and hasattr(source, "column_names"):
        kinds = {name: type(kind).__name__ for name, kind in source.features.items()}
        image = next((name for name, kind in kinds.items() if kind == "Image"), None)
        label = next((name for name, kind in kinds.items() if kind == "ClassLabel"), "label")
        if image is None or label not in kinds:
            raise OptionsError(f"no column of images and one of labels among {', '.join(kinds)}")
        names = getattr(source.features[label], "names", None)
        return ((row[image], row[label]) for row in source), names
    if not hasattr(source, "__iter__"):
        if not hasattr(source, "__len__") or not hasattr(source, "__getitem__"):
            raise OptionsError(f"{type(source).__name__} is no array and gives no images")
        return (source[k] for k in range(len(source))), None
    return source, None


def array(value: Labels) -> numpy.ndarray[Any, Any]:
    """A NumPy array of what may be another library's."""
    import numpy

    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        return numpy.from_dlpack(value)  # type: ignore[arg-type]
    return numpy.asarray(value)


def is_array(value: object) -> TypeGuard[ArrayLike]:
    """Whether it is an array of any library."""
    return hasattr(value, "__array__") or hasattr(value, "__dlpack__")
