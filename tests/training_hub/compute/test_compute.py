"""The contract of every way of spreading work."""

import os
from collections.abc import Iterator

import pytest

from tests.support.cluster import running_cluster
from tests.support.tasks import blas_threads, fail_at_seven, square, where
from training_hub.compute.compute import Compute
from training_hub.compute.errors import ComputeError
from training_hub.compute.opening import open_compute
from training_hub.config.compute import ComputeSection


@pytest.fixture(scope="module", params=["threads", "processes", "dask"])
def compute(request: pytest.FixtureRequest) -> Iterator[Compute]:
    if request.param != "dask":
        with open_compute(ComputeSection(local=request.param, workers=2)) as opened:
            yield opened
        return
    with running_cluster(2) as (address, _), open_compute(ComputeSection(scheduler=address)) as opened:
        yield opened


def test_results_come_in_order(compute: Compute) -> None:
    assert list(compute.map(square, range(200))) == [k * k for k in range(200)]
    assert list(compute.map(square, [])) == []


def test_an_error_of_the_function_comes_through(compute: Compute) -> None:
    results = compute.map(fail_at_seven, range(20))
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="seven is too odd"):
        next(results)


def test_items_are_taken_as_they_are_needed(compute: Compute) -> None:
    taken = []

    def items() -> Iterator[int]:
        for k in range(1000):
            taken.append(k)
            yield k

    results = compute.map(square, items())
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert len(taken) <= 40
    assert list(compute.map(square, range(3))) == [0, 1, 4]


def test_blas_has_one_thread(compute: Compute) -> None:
    for counts in compute.map(blas_threads, range(4)):
        assert counts and set(counts) == {1}


def test_processes_are_others() -> None:
    with open_compute(ComputeSection(local="processes", workers=2)) as compute:
        assert os.getpid() not in set(compute.map(where, range(8)))


def test_nobody_at_the_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_hub.compute.cluster._CONNECT_S", 0.5)
    with (
        pytest.raises(ComputeError, match="no Dask scheduler answers at tcp"),
        open_compute(ComputeSection(scheduler="tcp://127.0.0.1:9")),
    ):
        pass


def test_tls_needs_its_files() -> None:
    with pytest.raises(ValueError, match="tls needs tls_ca_file"):
        ComputeSection(scheduler="tls://scheduler:8786")
