"""What protocols found, kept and found again."""

from dataclasses import replace
from pathlib import Path

import pytest

from training_hub.evaluation.context import QUICK, Effort, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.parts import PartStore, code_digest, merge
from training_hub.evaluation.report import Confusion, Figure, Row, Skipped

FOUND = Findings(
    rows=[
        Row(
            protocol="p",
            case="c",
            machine_type="t",
            machine_id="m",
            system="ours",
            figures=(Figure(name="auc", value=0.9),),
        )
    ],
    confusion=Confusion(heard=("a",), said=("a",), shares=((1.0,),), clips=(3,)),
    skipped=[Skipped(what="x", reason="y")],
)


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    PartStore(tmp_path / "new", ["bundle", "data"]).keep("stream", QUICK, FOUND, 12.5)
    assert PartStore(tmp_path / "new", ["bundle", "data"]).find("stream", QUICK) == (FOUND, 12.5)


@pytest.mark.parametrize(
    ("protocol", "effort", "ingredients"),
    [
        ("noise", QUICK, ["bundle", "data"]),
        ("stream", replace(QUICK, draws=4), ["bundle", "data"]),
        ("stream", QUICK, ["another bundle", "data"]),
        ("stream", QUICK, ["bundle"]),
    ],
)
def test_anything_that_differs_is_another_part(
    tmp_path: Path, protocol: str, effort: Effort, ingredients: list[str]
) -> None:
    PartStore(tmp_path, ["bundle", "data"]).keep("stream", QUICK, FOUND, 1.0)
    assert PartStore(tmp_path, ingredients).find(protocol, effort) is None


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    store = PartStore(None, [])
    store.keep("stream", QUICK, FOUND, 1.0)
    assert store.find("stream", QUICK) is None
    assert not list(tmp_path.iterdir())


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    PartStore(tmp_path, []).keep("stream", QUICK, FOUND, 1.0)
    (path,) = tmp_path.iterdir()
    path.write_text("{}")
    with pytest.raises(EvaluationError, match=f"{path.name}.*remove it"):
        PartStore(tmp_path, []).find("stream", QUICK)


def test_merging_adds_and_keeps_the_confusion() -> None:
    into = Findings()
    merge(into, FOUND)
    merge(into, Findings(rows=list(FOUND.rows)))
    assert len(into.rows) == 2
    assert into.confusion == FOUND.confusion
    assert len(FOUND.rows) == 1


def test_the_code_has_a_digest_that_stays() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 64
