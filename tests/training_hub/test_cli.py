import sys

import pytest

from training_hub.cli import build_parser, main
from training_hub.commands import discover


def test_every_command_has_a_name_and_help_of_its_own() -> None:
    commands = list(discover())
    assert {"train", "convert", "export"} <= {command.NAME for command in commands}
    assert len({command.NAME for command in commands}) == len(commands)
    assert all(command.HELP for command in commands)


@pytest.mark.parametrize("name", sorted(command.NAME for command in discover()))
def test_help_of_every_command_works_without_the_train_extra(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert "usage: training-hub" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["train"], ["train", "--mix", "some", "--out", "x"]])
def test_usage_errors_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(arguments)
    assert ended.value.code == 2


def test_a_missing_extra_is_named_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # what an import of a package that is not installed finds
    for module in ("training_hub.training.trainer", "training_hub.training.finish"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert main(["train", "--out", "unused"]) == 1
    assert "[train,hub]" in capsys.readouterr().err
