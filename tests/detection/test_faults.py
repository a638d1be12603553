"""Fault prototypes: near ones are named, far ones are not, files are hostile."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.faults import UNKNOWN_FAULT, FaultPrototypes

SIZE = 8


def prototypes(**changes: object) -> FaultPrototypes:
    values: dict[str, object] = {
        "labels": ("bearing", "imbalance"),
        "origin": np.eye(SIZE, dtype=np.float32)[0],
        "centres": np.eye(SIZE, dtype=np.float32)[[1, 2]],
        "limits": np.array([0.2, 0.2], np.float32),
        "temperature": 0.05,
    }
    return FaultPrototypes(**(values | changes))  # type: ignore[arg-type]  # on purpose, also wrong ones


def heard(*moved: float) -> NDArray[np.float32]:
    """Three patches on the whole moved from the origin in this direction."""
    row = np.zeros(SIZE, np.float32)
    row[0] = 1.0
    row[1 : 1 + len(moved)] = moved
    return np.tile(row, (3, 1))


@pytest.mark.parametrize(
    ("moved", "label"),
    [((0.5, 0.0), "bearing"), ((0.05, 0.5), "imbalance"), ((0.4, 0.4), UNKNOWN_FAULT), ((0, 0, 0.5), UNKNOWN_FAULT)],
    ids=["one", "the other", "between", "elsewhere"],
)
def test_the_nearest_fault_is_named_where_it_is_near(moved: tuple[float, ...], label: str) -> None:
    # unit length pulls the first number down: what is compared is the direction seen from the origin
    found = prototypes(origin=np.zeros(SIZE, np.float32)).guess(heard(*moved)[:, :] - heard()[:, :])
    assert found is not None
    assert found.label == label
    assert 0.5 <= found.confidence <= 1.0 and 0.0 <= found.distance <= 2.0


def test_the_level_of_an_embedding_says_nothing() -> None:
    one, loud = prototypes().guess(heard(0.5)), prototypes().guess(9.0 * heard(0.5))
    assert one is not None and loud is not None
    assert one.label == loud.label
    assert one.distance == pytest.approx(loud.distance, abs=1e-6)


def test_no_patch_is_no_guess() -> None:
    assert prototypes().guess(np.empty((0, SIZE), np.float32)) is None


def test_another_encoders_embeddings_are_refused() -> None:
    with pytest.raises(DetectionError, match="embeddings have 3 values, the fault prototypes 8"):
        prototypes().guess(np.ones((2, 3), np.float32))


def test_what_is_written_is_read() -> None:
    read = FaultPrototypes.from_arrays(prototypes().to_arrays())
    assert (read.labels, read.temperature) == (("bearing", "imbalance"), 0.05)
    assert read.guess(heard(0.5)) == prototypes().guess(heard(0.5))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("labels", np.array(["a", "a"]), "a name twice"),
        ("labels", np.array(["a", "b\n"]), "printable"),
        ("labels", np.array([1, 2]), "'labels' is missing or of another kind"),
        ("centres", np.ones((2, 3)), "do not match"),
        ("limits", np.array([0.1, 9.0]), "out of range"),
        ("origin", np.full(SIZE, np.nan), "NaN"),
        ("temperature", np.array([0.0]), "out of range"),
        ("temperature", None, "'temperature' is missing"),
    ],
)
def test_a_hostile_file_is_refused(name: str, value: NDArray[np.float64] | None, message: str) -> None:
    arrays = prototypes().to_arrays() | {name: value}
    with pytest.raises(DetectionError, match=message):
        FaultPrototypes.from_arrays({key: array for key, array in arrays.items() if array is not None})
