"""A directory as an object store: its shelves are made at once, and again where somebody took them away."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from training_hub.storage.objects import ObjectStore


def test_the_first_object_makes_all_shelves_and_a_missing_one_is_made_again(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path.as_uri())
    assert store.put(hashlib.sha256(b"first").hexdigest(), b"first")
    shelves = tmp_path / "objects"
    assert len(list(shelves.iterdir())) == 256
    second = hashlib.sha256(b"second").hexdigest()
    shutil.rmtree(shelves / second[:2])
    assert store.put(second, b"second")
    assert store.get(second) == b"second"


def test_many_first_objects_at_once(tmp_path: Path) -> None:
    contents = [str(number).encode() for number in range(64)]
    stores = [ObjectStore(tmp_path.as_uri()) for _ in range(2)]

    def put(number: int) -> bool:
        content = contents[number % 64]
        return stores[number % 2].put(hashlib.sha256(content).hexdigest(), content)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(128))) == 64
    assert sorted(stores[0].get(sha256) for sha256, _ in stores[0].stored()) == sorted(contents)
    assert not list((tmp_path / "incoming").iterdir())
