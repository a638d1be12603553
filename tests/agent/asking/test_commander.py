"""What is carried out, refused, remembered and written down; the socket at the gateway."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edge_agent.agent.asking.audit import audit
from edge_agent.agent.asking.commander import Asked, Commander, CommandRules
from edge_agent.agent.asking.control_socket import ControlSocket, Request, ask
from edge_agent.capture.clock import NS_PER_S
from edge_agent.delivery.commands import COMMANDS, CommandReply, Refusal, Verb, command_schema
from edge_agent.delivery.fields import rfc3339
from edge_agent.errors import CommandError
from tests.agent.alarming.desk import Desk

ALL = frozenset(verb.value for verb in Verb)


@dataclass
class Counter:
    """A commander over a desk whose fan is in an alarm."""

    desk: Desk = field(default_factory=Desk)
    allowed: frozenset[str] = ALL
    reloads: list[int] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.desk.play([9.0] * 4)
        self.start()

    def start(self) -> None:
        self.commander = Commander(
            CommandRules(self.allowed),
            alarms=self.desk.desk,
            reload=lambda: self.reloads.append(1),
            audit=audit(self.desk.state_dir),
            metrics=self.desk.metrics,
            clock=self.desk.clock,
        )

    def payload(self, **keys: object) -> bytes:
        self.made += 1
        now = rfc3339(self.desk.clock.wall_ns())
        return json.dumps({"id": f"command-{self.made}", "issued_at": now, "machine": "fan_1", **keys}).encode()

    def ask(self, verb: str, **keys: object) -> CommandReply:
        self.desk.clock.advance(NS_PER_S)
        return self.commander.handle(Asked(verb, self.payload(**keys), "mqtt", "panel-3"))


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_every_verb_does_what_it_says(counter: Counter) -> None:
    told = [
        counter.ask("acknowledge"),
        counter.ask("shelve", for_s=3600, reason="known"),
        counter.ask("unshelve"),
        counter.ask("out_of_service", reason="rebuilt"),
        counter.ask("in_service"),
        counter.ask("label", label="bearing"),
    ]
    states = ["acknowledged", "shelved", "unacknowledged", "out_of_service", "unacknowledged", "unacknowledged"]
    assert [(reply.outcome, reply.state) for reply in told] == [("done", state) for state in states]
    reload = counter.commander.handle(
        Asked("reload", json.dumps({"id": "reload-01", "issued_at": told[-1].at}).encode(), "mqtt")
    )
    assert (reload.outcome, counter.reloads) == ("done", [1])
    entries = list(audit(counter.desk.state_dir).read())
    assert [entry.verb for entry in entries] == [
        "acknowledge", "shelve", "unshelve", "out_of_service", "in_service", "label", "reload",
    ]  # fmt: skip
    assert {entry.caller for entry in entries[:-1]} == {"panel-3"}


def test_the_same_command_is_done_once_also_over_a_restart(counter: Counter) -> None:
    asked = Asked("shelve", counter.payload(for_s=600, reason="x"), "mqtt")
    first = counter.commander.handle(asked)
    counter.ask("unshelve")
    counter.start()
    again = counter.commander.handle(asked)
    assert (again.outcome, again.repeated, again.at, again.state) == ("done", True, first.at, "shelved")
    assert counter.desk.desk.alarms()[0].state.value == "unacknowledged"
    other = counter.commander.handle(Asked("acknowledge", asked.payload.replace(b', "for_s": 600', b""), "mqtt"))
    assert other.refusal is Refusal.INVALID


def test_an_id_is_good_for_one_command_only_also_over_a_restart(counter: Counter) -> None:
    first = counter.payload(reason="x")
    assert counter.commander.handle(Asked("acknowledge", first, "mqtt")).outcome == "done"
    plant = json.loads(first) | {"kind": "plant_event"}
    del plant["machine"]
    later = json.loads(first) | {"issued_at": rfc3339(counter.desk.clock.wall_ns() + NS_PER_S)}
    for life in range(2):
        for other in (plant, later):
            reply = counter.commander.handle(Asked("acknowledge", json.dumps(other).encode(), "mqtt"))
            assert (reply.refusal, "was used for another command" in reply.text) == (Refusal.INVALID, True), life
        counter.start()


@pytest.mark.parametrize("letter", ["\n", "\r", "\x00", "\x1b[2J", "\x9b1m", "\u2028", "\u202e", "\ufeff"])
@pytest.mark.parametrize("key", ["operator", "reason"])
def test_what_could_forge_a_line_is_refused(counter: Counter, key: str, letter: str) -> None:
    reply = counter.ask("acknowledge", **{key: f"anna{letter}CRITICAL root: gone"})
    assert (reply.refusal, reply.text) == (
        Refusal.INVALID, f"{key}: must hold no control characters, such as the end of a line",
    )  # fmt: skip
    entry = list(audit(counter.desk.state_dir).read())[-1]
    assert (entry.outcome, entry.operator, entry.reason) == ("refused", None, None)
    schema = Draft202012Validator(command_schema(Verb.ACKNOWLEDGE))
    assert not schema.is_valid(json.loads(counter.payload(**{key: f"a{letter}b"})))
    assert schema.is_valid(json.loads(counter.payload(**{key: "Łukasz, 田中 and \u0928\u093f\u200d"})))


@pytest.mark.parametrize(
    ("retained", "aged_s", "refusal"),
    [(True, 0, Refusal.RETAINED), (False, 301, Refusal.EXPIRED), (False, -61, Refusal.EXPIRED)],
)
def test_what_comes_at_the_wrong_time_is_refused(
    counter: Counter, retained: bool, aged_s: int, refusal: Refusal
) -> None:
    issued_at = rfc3339(counter.desk.clock.wall_ns() - aged_s * NS_PER_S)
    asked = Asked("acknowledge", counter.payload(issued_at=issued_at), "mqtt", retained=retained)
    assert counter.commander.handle(asked).refusal is refusal
    assert counter.desk.desk.alarms()[0].state.value == "unacknowledged"


def test_a_key_that_stands_twice_is_refused(counter: Counter) -> None:
    payload = counter.payload().replace(b"}", b', "machine": "fan_1"}')
    reply = counter.commander.handle(Asked("acknowledge", payload, "mqtt"))
    assert (reply.refusal, reply.text) == (Refusal.INVALID, "command: a key stands in it twice")
    assert counter.desk.desk.alarms()[0].state.value == "unacknowledged"


def test_a_flood_of_what_is_no_command_is_cut_too(counter: Counter) -> None:
    replies = [counter.commander.handle(Asked("nonsense", b"x", "mqtt")) for _ in range(200)]
    assert sum(reply.refusal is Refusal.BUSY for reply in replies) == 180


def test_only_what_is_allowed_comes_over_mqtt_and_everything_at_the_gateway() -> None:
    counter = Counter(allowed=frozenset({"acknowledge"}))
    assert counter.ask("out_of_service", reason="x").refusal is Refusal.NOT_ALLOWED
    local = counter.commander.handle(Asked("out_of_service", counter.payload(reason="x"), "socket"))
    assert local.outcome == "done"


def test_a_flood_over_mqtt_is_cut_and_does_not_shut_out_the_gateway(counter: Counter) -> None:
    replies = [counter.commander.handle(Asked("acknowledge", b"x", "mqtt")) for _ in range(200)]
    assert sum(reply.refusal is Refusal.BUSY for reply in replies) == 180
    assert len(list(audit(counter.desk.state_dir).read())) == 20
    local = counter.commander.handle(Asked("acknowledge", counter.payload(), "socket"))
    assert local.outcome == "done"
    assert list(audit(counter.desk.state_dir).read())[-1].left_out == 180


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([*ALL, "", "#", "../x"]), st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_bytes_do_more_than_be_refused(verb: str, payload: bytes) -> None:
    before = _COUNTER.desk.desk.alarms()
    reply = _COUNTER.commander.handle(Asked(verb, payload, "socket"))
    assert reply.outcome == "refused"
    assert reply.text.isprintable()
    assert _COUNTER.desk.desk.alarms() == before


_COUNTER = Counter()


@pytest.mark.parametrize("verb", Verb)
def test_the_schema_of_a_command_knows_its_keys(verb: Verb) -> None:
    schema = command_schema(verb)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(COMMANDS[verb].model_fields)
    assert {"id", "issued_at"} <= set(schema["required"])


@pytest.fixture
def served(counter: Counter, tmp_path: Path) -> Iterator[tuple[Path, Counter]]:
    directory = tmp_path / ("long" * 30)  # longer than the path of a socket may be
    directory.mkdir()
    control = ControlSocket(directory, counter.commander.handle)
    control.start()
    yield directory, counter
    control.stop()
    assert not control.path.exists()


def test_the_socket_answers_its_user(served: tuple[Path, Counter]) -> None:
    directory, counter = served
    assert (directory / "control.sock").stat().st_mode & 0o777 == 0o660
    reply = ask(directory, Request(verb="acknowledge", command=json.loads(counter.payload())))
    assert (reply.outcome, reply.state) == ("done", "acknowledged")
    assert list(audit(counter.desk.state_dir).read())[-1].caller.startswith("user ")


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\n", b"{}\n", b"\xff" * 50 + b"\n", b"x" * 100_000, b'{"verb": "reload", "command": []}\n'],
    ids=["nothing", "a line", "no request", "binary", "endless", "no object"],
)
def test_garbage_at_the_socket_harms_nobody(served: tuple[Path, Counter], tmp_path: Path, garbage: bytes) -> None:
    directory, counter = served
    short = f"{tmp_path}/s"
    Path(short).symlink_to(directory / "control.sock")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(short)
        try:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
        except OSError:
            pass  # it was put out before it had said all
    assert ask(directory, Request(verb="acknowledge", command=json.loads(counter.payload()))).outcome == "done"


def test_without_an_agent_the_mend_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no agent runs with state directory"):
        ask(tmp_path, Request(verb="reload", command={}))
