"""Threads, forks, interrupts, progress, and memory that is given back."""

from __future__ import annotations

import concurrent.futures
import gc
import logging
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import brickwork as bw
import numpy as np
import pytest
from conftest import ASSETS, tiny


def test_four_threads_at_once(digits: bw.Model) -> None:
    batch = np.random.default_rng(1).standard_normal((16, 1, 28, 28), np.float32)
    wanted = digits.run(batch)
    profile = bytes(digits.profile(ASSETS / "digits", samples=3))

    def work(seed: int) -> None:
        for _ in range(3):
            np.testing.assert_array_equal(digits.run(batch, threads=1 + seed % 2), wanted)
        assert bytes(digits.profile(ASSETS / "digits", samples=3)) == profile
        with pytest.raises(bw.Error, match=f"class{seed}"):
            digits.disassemble(f"class{seed}", profile=bw.load_profile(profile), refit="none")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, seed) for seed in range(8)]:
            done.result()


def test_others_run_meanwhile(digits: bw.Model) -> None:
    turns = 0
    over = threading.Event()

    def count() -> None:
        nonlocal turns
        while not over.wait(0.001):
            turns += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        digits.profile(ASSETS / "digits")
    finally:
        over.set()
        thread.join()
    assert turns > 1


def scores(model: bw.Model, batch: np.ndarray) -> list[float]:
    return [float(score) for score in model.run(batch).ravel()]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes(digits: bw.Model, method: str) -> None:
    batch = np.random.default_rng(1).standard_normal((2, 1, 28, 28), np.float32)
    wanted = scores(digits, batch)
    digits.profile(ASSETS / "digits", samples=1)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(scores, [(digits, batch)] * 3) == [wanted] * 3
    assert scores(digits, batch) == wanted


def test_an_interrupt_stops_the_work(digits: bw.Model, tmp_path: Path) -> None:
    phases = []

    def tell(phase: str, done: int, total: int) -> None:
        phases.append(phase)
        if len(phases) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        digits.finetune(ASSETS / "digits", epochs=1000, progress=tell, checkpoint=tmp_path / "run")
    assert phases and digits.run(np.zeros((1, 1, 28, 28), np.float32)).shape == (1, 10)


def test_progress_adds_up(digits: bw.Model, caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, int, int]] = []
    with caplog.at_level(logging.INFO, "brickwork"):
        data = bw.images(np.zeros((4, 28, 28), np.uint8), [0, 1, 2, 3])
        digits.evaluate(data, allow_missing=True, progress=lambda *event: told.append(event))
    last = {phase: (done, total) for phase, done, total in told}
    assert last and all(done == total for done, total in last.values())
    assert all(record.name == "brickwork" for record in caplog.records)
    assert "there is no image of 6 of the 10 classes" in caplog.text
    digits.evaluate(data, allow_missing=True, progress=False)


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts memory as Linux tells it")
def test_a_hundred_thousand_loads_leak_nothing() -> None:
    content = tiny().SerializeToString()
    batch = np.zeros((1, 3, 4, 4), np.float32)

    def rounds(count: int) -> None:
        for k in range(count):
            model = bw.load(content)
            if k % 100 == 0:
                model.run(batch, threads=1)
                bytes(model)
                with pytest.raises(bw.ReadError):
                    bw.load(b"no model")

    rounds(5_000)
    before = resident()
    rounds(100_000)
    # A leak of 100 bytes a load would be ten times as much.
    assert resident() - before < 1 << 20
