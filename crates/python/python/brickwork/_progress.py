"""Who is told how far work is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Union

LOG = logging.getLogger("brickwork")

ProgressLike = Union[Callable[[str, int, int], object], bool, None]
"""A callable that is given a phase, what is done of it and all that is to be done; False for nobody."""


class Listener:
    """Hears of phases and notes; notes go to the logger `brickwork`."""

    def begin(self, phase: str, total: int, /) -> None:
        """A phase begins."""

    def step(self, done: int, /) -> None:
        """So many more are done."""

    def note(self, text: str, /) -> None:
        """Something that the user should know."""
        LOG.info(text)

    def detail(self, text: str, /) -> None:
        """Something that only those want to know who ask for more."""
        LOG.debug(text)

    def close(self) -> None:
        """The work is over."""


class _Called(Listener):
    def __init__(self, tell: Callable[[str, int, int], object]) -> None:
        self._tell, self._phase, self._done, self._total = tell, "", 0, 0

    def begin(self, phase: str, total: int, /) -> None:
        self._phase, self._done, self._total = phase, 0, total
        self._tell(phase, 0, total)

    def step(self, done: int, /) -> None:
        self._done += done
        self._tell(self._phase, self._done, self._total)


class _Bar(Listener):
    def __init__(self, bar: Any) -> None:
        self._make, self._bar = bar, None

    def begin(self, phase: str, total: int, /) -> None:
        self.close()
        self._bar = self._make(total=total, desc=phase, leave=False)

    def step(self, done: int, /) -> None:
        if self._bar is not None:
            self._bar.update(done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def listener(progress: ProgressLike) -> Listener:
    """Who listens, from what `progress=` says."""
    if callable(progress):
        return _Called(progress)
    if progress is False:
        return Listener()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return Listener()
    return _Bar(tqdm)
