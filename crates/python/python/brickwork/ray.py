"""Profiles, evaluations, refits and sweeps on a cluster of Ray: `pip install brickwork[ray]`.

Nothing is computed here. Workers find partials (`Model.shared`), Ray brings them together, and the caller's process
adds up the rest; what comes out is what one process gives.

>>> import brickwork as bw, brickwork.ray
>>> model = bw.load("resnet50.onnx")
>>> profile = bw.ray.profile(model, "/shared/imagenet", workers=8, threads=4)
>>> bw.ray.evaluate(model, ray.data.read_parquet("s3://bucket/val"), workers=8)
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, product
from typing import TYPE_CHECKING, Any, TypeVar

from brickwork._errors import Error, OptionsError
from brickwork._images import images as _images
from brickwork._model import Model, Profile
from brickwork._work import Partial, Work, total

try:
    import pyarrow
    import ray
    import ray.data
except ImportError as error:
    raise ImportError("brickwork.ray needs Ray; install it: pip install 'brickwork[ray]'") from error

if TYPE_CHECKING:
    import numpy

    from brickwork._ask import Data
    from brickwork._verbs import EvalAnswer

    Batch = dict[str, "numpy.ndarray[Any, Any]"]

T = TypeVar("T")

PORTIONS = 4
"""Portions of paths for each worker: a slow one does fewer."""
BATCH = 1024
"""Rows of a dataset that a worker looks at together, at most."""
ADDED = 16
"""Partials that are added up on the cluster before they go to the caller."""


def profile(
    model: Model,
    data: Data | ray.data.Dataset,
    *,
    workers: int = 2,
    threads: int = 1,
    image: str = "image",
    label: str = "label",
    names: Sequence[str] | None = None,
    batch: int = BATCH,
    seed: int = 0,
    **options: Any,
) -> Profile:
    """`Model.profile`, shared among workers: what one process gives, to the bit.

    Args:
        model: the model, which is sent once
        data: paths that every worker can read, as `Model.profile` takes them, or a `ray.data.Dataset` with a column
            of images, uint8 or float32 `[h, w, c]` or `[h, w]` of one size, and one of labels
        workers: processes that look at images
        threads: threads of each, and CPUs that Ray keeps for it
        image: the column of images
        label: the column of labels: names of classes, or their numbers among `names`
        names: the names of all classes of the dataset, in order [default: the model's]
        batch: rows of the dataset that a worker looks at together, at most
        seed: seed of every random choice
        options: what `Model.profile` takes besides
    """
    pieces = _Pieces(data, Columns(image, label, names or model.classes), workers, threads, batch)
    return pieces.do(model.shared.profile(pieces.paths, seed=seed, **options))


def evaluate(
    model: Model,
    data: Data | ray.data.Dataset,
    *,
    workers: int = 2,
    threads: int = 1,
    image: str = "image",
    label: str = "label",
    names: Sequence[str] | None = None,
    batch: int = BATCH,
    seed: int = 0,
    **options: Any,
) -> EvalAnswer:
    """`Model.evaluate`, shared among workers: what one process gives, to the bit. Latency is not measured.

    Args:
        model: the model, which is sent once
        data: as `profile` takes it
        workers: processes that look at images
        threads: threads of each, and CPUs that Ray keeps for it
        image: the column of images
        label: the column of labels: names of classes, or their numbers among `names`
        names: the names of all classes of the dataset, in order [default: the model's]
        batch: rows of the dataset that a worker looks at together, at most
        seed: seed of every random choice
        options: what `Model.evaluate` takes besides
    """
    pieces = _Pieces(data, Columns(image, label, names or model.classes), workers, threads, batch)
    return pieces.do(model.shared.evaluate(pieces.paths, seed=seed, no_latency=True, **options))


def refit(
    model: Model,
    source: Model,
    data: Data | ray.data.Dataset,
    *,
    workers: int = 2,
    threads: int = 1,
    image: str = "image",
    label: str = "label",
    names: Sequence[str] | None = None,
    batch: int = BATCH,
    seed: int = 0,
    progress: Callable[[str, int, int], object] | None = None,
    **options: Any,
) -> Model:
    """The component `model`, its layers refitted one after the other to what `source` gives there.

    Sums over all images are taken by workers (`Model.shared.refit_layer`); what comes out is what one process gives,
    up to the rounding of float64 sums.

    Args:
        model: the component
        source: the model that it was cut from
        data: as `profile` takes it
        workers: processes that look at images
        threads: threads of each, and CPUs that Ray keeps for it
        image: the column of images
        label: the column of labels: names of classes, or their numbers among `names`
        names: the names of all classes of the dataset, in order [default: the component's]
        batch: rows of the dataset that a worker looks at together, at most
        seed: seed of every random choice
        progress: is told of every layer: its name, how many are done, and how many there are
        options: what `Model.shared.refit_layer` takes besides
    """
    pieces = _Pieces(data, Columns(image, label, names or model.classes), workers, threads, batch)
    layers = model.shared.layers(source)
    for done, layer in enumerate(layers):
        if progress is not None:
            progress(layer, done, len(layers))
        model = pieces.do(model.shared.refit_layer(layer, source, pieces.paths, seed=seed, **options))
    return model


def sweep(
    run: Callable[..., T],
    *,
    threads: int = 1,
    **choices: Iterable[Any],
) -> dict[tuple[Any, ...], T]:
    """What `run` gives for every combination of `choices`, each in a process of its own.

    >>> def cut(model, classes, macs, seed):
    ...     part = model.disassemble(classes, macs=macs, data="photos/", threads=2, seed=seed)
    ...     return part.evaluate("photos/", no_latency=True).accuracy_per_image
    >>> bw.ray.sweep(cut, model=[model], classes=["cat,dog", "cat"], macs=[0.5, 0.3], seed=[0, 1], threads=2)
    {(<model>, 'cat,dog', 0.5, 0): 97.1, ...}

    Args:
        run: a function of one of every choice, by name
        threads: CPUs that Ray keeps for each run
        choices: for every argument of `run` the values it takes; each is sent once
    """
    remote = ray.remote(num_cpus=threads)(run)
    lists = [list(some) for some in choices.values()]
    sent = [[ray.put(value) for value in some] for some in lists]
    found = [remote.remote(**dict(zip(choices, some))) for some in product(*sent)]
    return dict(zip(product(*lists), ray.get(found)))


class Columns:
    """Which columns of a dataset hold what."""

    def __init__(self, image: str, label: str, names: Sequence[str]) -> None:
        self.image, self.label, self.names = image, label, list(names)

    def numbers(self, labels: numpy.ndarray[Any, Any]) -> list[int]:
        """The classes of rows, by their places among the names."""
        if labels.dtype.kind in "biu":
            numbers = [int(label) for label in labels]
            if max(numbers) >= len(self.names):
                raise OptionsError(
                    f"there is a label {max(numbers)}, but {len(self.names)} classes have names; name all classes of "
                    "the dataset, in order (`names=`)"
                )
            return numbers
        places = {name: place for place, name in enumerate(self.names)}
        lost = sorted({str(label) for label in labels} - places.keys())
        if lost:
            told = ", ".join(lost[:8])
            raise OptionsError(f"rows are of classes that have no names: {told}; name all of them (`names=`)")
        return [places[str(label)] for label in labels]

    def check(self, known: Sequence[str]) -> None:
        """That there are such columns among those that are known."""
        lost = {self.image, self.label} - set(known)
        if lost:
            raise OptionsError(
                f"the dataset has no column {' and '.join(sorted(lost))}, only {', '.join(known)}; say which are the "
                "images and the labels (`image=`, `label=`)"
            )


_PLACE, _PORTION = "brickwork_place", "id"
_FOUND = "found"


class _Pieces:
    """Data in pieces: portions of paths, or batches of rows."""

    def __init__(self, data: Any, columns: Columns, workers: int, threads: int, batch: int) -> None:
        for name, number in {"workers": workers, "threads": threads, "batch": batch}.items():
            if number < 1:
                raise OptionsError(f"`{name}={number}` must be 1 or more")
        self.columns, self.workers, self.threads = columns, workers, threads
        if not isinstance(data, ray.data.Dataset):
            self.paths, self.batch, self.count = data, 1, PORTIONS * workers
            self.rows = ray.data.range(self.count, override_num_blocks=self.count).materialize()
            return
        columns.check(data.schema().names)
        rows = _kept(data.select_columns([columns.image, columns.label]))
        self.paths, self.batch, self.count = (), batch, rows.count()
        self.rows = _placed(rows)

    def do(self, work: Work[T]) -> T:
        """The work, done by workers."""
        # Workers may have all CPUs: nothing beside them waits for one, neither their input nor adding up.
        sent = ray.put(work)  # Held here, so that workers which are started again find it.
        found = self.rows.map_batches(
            _Finder,
            batch_size=self.batch,
            compute=ray.data.ActorPoolStrategy(size=self.workers),
            num_cpus=self.threads,
            fn_constructor_args=(sent, self.count, self.columns, self.threads),
        ).map_batches(_added, batch_size=ADDED, batch_format="pyarrow", num_cpus=0)
        return work.finish(_partials(row[_FOUND] for row in found.iter_rows()))


def _kept(rows: ray.data.Dataset) -> ray.data.Dataset:
    """Rows that are read once and kept, in their order: places are the same for whoever reads them again."""
    options = rows.context.execution_options
    before, options.preserve_order = options.preserve_order, True
    try:
        return rows.materialize()
    finally:
        options.preserve_order = before


def _placed(rows: ray.data.Dataset) -> ray.data.Dataset:
    """Rows with their places, which are in the order of the blocks that they lie in."""
    blocks = rows.to_arrow_refs()
    count, numbered = ray.remote(_count), ray.remote(_numbered)
    counts = ray.get([count.remote(block) for block in blocks])
    starts = [0, *accumulate(counts)]
    return ray.data.from_arrow_refs([numbered.remote(*pair) for pair in zip(blocks, starts)])


def _count(block: pyarrow.Table) -> int:
    return len(block)


def _numbered(block: pyarrow.Table, start: int) -> pyarrow.Table:
    places = range(start, start + len(block))
    return block.append_column(_PLACE, pyarrow.array(places, pyarrow.int64()))


class _Finder:
    """Finds partials on portions of paths, or on batches of rows. One lives in every worker."""

    def __init__(self, work: Any, count: int, columns: Columns, threads: int) -> None:
        self.work: Work[Any] = ray.get(work)
        self.count, self.columns, self.threads = count, columns, threads

    def __call__(self, batch: Batch) -> pyarrow.Table:
        try:
            return _row(self.found(batch))
        except Error as error:
            return _row(error)

    def found(self, batch: Batch) -> Partial:
        """What there is to find on a batch."""
        if _PLACE not in batch:
            return self.work.partial(int(batch[_PORTION][0]) + 1, of=self.count, threads=self.threads)
        columns = self.columns
        pixels, labels = batch[columns.image], columns.numbers(batch[columns.label])
        if pixels.dtype == object:
            raise OptionsError("images of a batch differ in size; resize them, or read them from paths")
        rows = _images(pixels, labels, layout="nhwc" if pixels.ndim == 4 else None, classes=columns.names)
        return self.work.partial(images=rows.part_of(batch[_PLACE].tolist(), self.count), threads=self.threads)


def _row(found: Partial | Error) -> pyarrow.Table:
    """What was found as a row of a dataset."""
    return pyarrow.table({_FOUND: pyarrow.array([pickle.dumps(found)], pyarrow.large_binary())})


def _partials(rows: Iterable[bytes]) -> Iterator[Partial]:
    """What was found, as it is in rows. What went wrong in a worker is raised."""
    for content in rows:
        found = pickle.loads(content)
        if isinstance(found, Error):
            raise found
        yield found


def _added(batch: pyarrow.Table) -> pyarrow.Table:
    """Several partials as one."""
    try:
        return _row(total(_partials(batch[_FOUND].to_pylist())))
    except Error as error:
        return _row(error)
