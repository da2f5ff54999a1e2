"""Work on images that several processes share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from brickwork import _native
from brickwork._ask import Absent, asking, check_threads
from brickwork._errors import OptionsError, told
from brickwork._images import Images
from brickwork._progress import ProgressLike, listener

if TYPE_CHECKING:
    from brickwork._answer import Answer
    from brickwork._model import Profile

T = TypeVar("T")


class Partial:
    """What one process found on some of the images. Partials of one work are added with `+`, in any order.

    It knows which images it is of: one that is in two partials is an error, and so is one that is in none.
    """

    def __init__(self, native: _native.Partial) -> None:
        self._native = native

    @staticmethod
    def load(content: bytes) -> Partial:
        """What is in these bytes."""
        with told():
            return Partial(_native.Partial.decode(content))

    def __add__(self, other: Partial) -> Partial:
        if not isinstance(other, Partial):
            return NotImplemented
        with told():
            return Partial(self._native.add(other._native))

    def __bytes__(self) -> bytes:
        """Its bytes, to be sent or stored."""
        with told():
            return self._native.encode()

    def __reduce__(self) -> tuple[Any, ...]:
        return Partial.load, (bytes(self),)


class Work(Generic[T]):
    """Work that several processes share: it goes to all of them by `pickle`.

    >>> work = model.shared.profile("photos/")
    >>> parts = [work.partial(part, of=4) for part in (1, 2, 3, 4)]  # Anywhere, in any order.
    >>> profile = work.finish(parts)  # What `model.profile("photos/")` gives, to the bit.
    """

    def __init__(
        self, verb: str, form: type[Answer], request: dict[str, Any], seed: int, made: str | None = None
    ) -> None:
        self._verb, self._form, self._request = verb, form, request
        self._seed, self._made = seed, made

    def partial(
        self,
        part: int = 1,
        *,
        of: int = 1,
        images: Images | None = None,
        progress: ProgressLike = False,
        threads: int | None = None,
    ) -> Partial:
        """What is found on some of the images.

        Args:
            part: which of `of` equal portions of every data set, from 1
            of: in how many portions the data is shared; any number, for any number of processes
            images: these images instead, a part of all (`Images.part_of`)
            progress: who is told how far the work is [default: nobody]
            threads: threads to use [default: one per core]
        """
        check_threads(threads)
        if images is not None and (of != 1 or self._request["data"]):
            raise OptionsError("`images` are looked at as they are, in place of the data of the work: leave both out")
        if not 1 <= part <= of:
            raise OptionsError(f"`part={part}` is no number from 1 to `of={of}`")
        options = self._request if images is None else {**self._request, "data": [images]}
        request = asking(self._verb, options, self._seed)
        ear = listener(progress)
        try:
            with told():
                found = request.partial(part, of, ear, threads)
        finally:
            ear.close()
        return Partial(found)

    def finish(
        self, found: Partial | Iterable[Partial], *, name: str = "images", threads: int | None = None
    ) -> T:
        """What one process would have found on all the images.

        Args:
            found: the partials, or their sum
            name: what `images` are called that were given to `partial`
            threads: threads to use [default: one per core]
        """
        check_threads(threads)
        whole = total([found] if isinstance(found, Partial) else found)
        options = dict(self._request)
        if not options["data"]:
            options["data"] = [Absent(name)]
        request = asking(self._verb, options, self._seed, self._made)
        with told():
            answered = request.finish(whole._native, threads)
        given: T = _given(self._form.from_native(answered), answered.made)
        return given


def _given(answer: Answer, thing: Any) -> Any:
    """What was made, or the answer where it is all there is."""
    from brickwork._model import Model, Profile

    if isinstance(thing, _native.Profile):
        return Profile(thing, answer)
    return Model(thing, answer) if isinstance(thing, _native.Model) else answer


def total(partials: Iterable[Partial]) -> Partial:
    """The sum of partials, of which there must be some."""
    whole: Partial | None = None
    for one in partials:
        whole = one if whole is None else whole + one
    if whole is None:
        raise OptionsError("nothing was found: there is no partial to finish, since there are no images")
    return whole


def shared(verb: str, form: type[Any], request: dict[str, Any], *, seed: int) -> Work[Any]:
    """Work that gives an answer."""
    return Work(verb, form, request, seed)


def shared_profile(verb: str, form: type[Any], request: dict[str, Any], *, seed: int) -> Work[Profile]:
    """Work that gives a profile."""
    return Work(verb, form, request, seed, "profile.safetensors")
