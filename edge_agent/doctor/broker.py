"""Connects to the broker as the agent would, and asks whether it may publish and listen where it must."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.agent.wiring import mqtt_settings
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.errors import DeliveryError
from edge_agent.delivery.mqtt_settings import MqttSettings
from edge_agent.delivery.topics import Topics
from edge_agent.doctor.finding import Finding, fail, ok, warn
from edge_agent.settings.secret import SecretFileError

TIMEOUT_S = 5.0
_TOPIC = "broker"
_KEEPS = "events wait in the outbox meanwhile"


@dataclass(slots=True)
class _Answers:
    """What the broker said; None before."""

    connected: ReasonCode | None = None
    published: ReasonCode | None = None
    subscribed: ReasonCode | None = None
    ended: list[str] = field(default_factory=list)


def examine_broker(settings: AgentSettings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Reach it, log in, and try the rights; under a client id of its own, so that a running agent stays connected."""
    if not settings.mqtt.enabled:
        yield ok(_TOPIC, "not used (mqtt.enabled is false)")
        return
    where = f"{settings.mqtt.host}:{settings.mqtt.port}"
    try:
        mqtt = mqtt_settings(settings, environ)
        key_file = None if mqtt.tls is None else mqtt.tls.key_file
        if key_file is not None and _is_open(key_file):
            yield warn(_TOPIC, f"mqtt.tls.key_file {key_file} is open to others", f"chmod 0600 {key_file}")
        started_s = time.monotonic()
        socket.create_connection((mqtt.host, mqtt.port), TIMEOUT_S).close()
        reached_ms = (time.monotonic() - started_s) * 1000
        topics = Topics(settings.mqtt.root_topic, settings.agent.site, settings.agent.gateway)
        yield from _converse(mqtt, topics, reached_ms)
    except (SecretFileError, DeliveryError) as error:
        yield fail(_TOPIC, str(error), "mend the file, or the key of [mqtt] that names it")
    except ssl.SSLCertVerificationError as error:
        yield fail(
            _TOPIC,
            f"its certificate is not trusted: {error.verify_message}",
            "set mqtt.tls.ca_file to the authority that signed it, and mqtt.host to the name in it",
        )
    except ssl.SSLError as error:
        yield fail(
            _TOPIC, f"no TLS: {error.reason or error}", "is mqtt.port the TLS port (8883)? does it ask for cert_file?"
        )
    except OSError as error:
        mend = f"is it running, and is mqtt.host/port right? {_KEEPS}"
        if isinstance(error, PermissionError):
            mend = "the service may not reach this network: IPAddressAllow= in a drop-in (docs/service.md)"
        yield fail(_TOPIC, f"{where} cannot be reached: {error.strerror or error}", mend)


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o007)
    except OSError:
        return False  # told by whoever reads it


def _converse(mqtt: MqttSettings, topics: Topics, reached_ms: float) -> Iterator[Finding]:
    mqtt5 = mqtt.protocol != "3.1.1"
    try:
        answers = _ask(mqtt, topics, mqtt5=mqtt5)
    except (ConnectionError, TimeoutError) as error:
        end = f"{mqtt.host}:{mqtt.port} is reached and hangs up: {error.strerror or error}"
        yield fail(_TOPIC, end, "mqtt.tls.enabled must be as the port wants it: 8883 is usual with TLS, 1883 without")
        return
    if (mqtt.protocol == "auto" and answers.connected is None) or _unsupported(answers.connected):
        mqtt5 = False
        answers = _ask(mqtt, topics, mqtt5=False)
    secured = "TLS" if mqtt.tls else "not encrypted"
    where = f"{mqtt.host}:{mqtt.port}"
    if answers.connected is None:
        mend = (
            "set mqtt.tls.enabled if it wants TLS" if mqtt.tls is None else "is mqtt.port the port for MQTT over TLS?"
        )
        yield fail(_TOPIC, f"{where} is reached but speaks no MQTT", mend)
        return
    if answers.connected.is_failure:
        yield fail(
            _TOPIC,
            f"{where} refuses the agent: {answers.connected}",
            "check mqtt.username and password_file; " + _KEEPS,
        )
        return
    version = "5" if mqtt5 else "3.1.1"
    yield ok(_TOPIC, f"{where} reached in {reached_ms:.0f} ms, MQTT {version}, {secured}")
    rights = {
        "publish to": (answers.published, topics.base + "/#"),
        "listen to": (answers.subscribed, topics.base + "/cmd/#"),
    }
    for verb, (answer, topic) in rights.items():
        if answer is None:
            yield warn(_TOPIC, f"did not say whether the agent may {verb} {topic}", "look into the broker's log")
        elif answer.is_failure:
            yield fail(_TOPIC, f"the agent may not {verb} {topic}: {answer}", "allow it in the broker's access control")
        else:
            yield ok(_TOPIC, f"the agent may {verb} {topic}")


def _unsupported(answer: ReasonCode | None) -> bool:
    return answer is not None and answer.value == 132


def _ask(mqtt: MqttSettings, topics: Topics, *, mqtt5: bool) -> _Answers:
    answers = _Answers()
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"{mqtt.client_id or f'edge-agent-{topics.site}-{topics.gateway}'}-doctor",
        protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
        clean_session=None if mqtt5 else True,
        reconnect_on_failure=False,
    )
    client.connect_timeout = TIMEOUT_S
    if mqtt.username is not None:
        client.username_pw_set(mqtt.username, mqtt.password)
    if mqtt.tls is not None:
        client.tls_set_context(mqtt.tls.context())

    def connected(_c: paho.Client, _d: object, _f: object, code: ReasonCode, _p: Properties | None) -> None:
        answers.connected = code

    def published(_c: paho.Client, _d: object, _m: int, code: ReasonCode, _p: Properties | None) -> None:
        answers.published = code

    def subscribed(_c: paho.Client, _d: object, _m: int, codes: list[ReasonCode], _p: Properties | None) -> None:
        answers.subscribed = codes[0]

    client.on_connect, client.on_publish, client.on_subscribe = connected, published, subscribed
    client.connect(mqtt.host, mqtt.port, keepalive=30)
    try:
        if _wait(client, lambda: answers.connected is not None) and not _is_failure(answers.connected):
            # nobody keeps it, and no subscriber of machines or states hears it
            client.publish(f"{topics.base}/doctor", b"", qos=1, retain=False)
            client.subscribe(f"{topics.base}/cmd/#", qos=1)
            _wait(client, lambda: answers.published is not None and answers.subscribed is not None)
    finally:
        client.disconnect()
        client.loop(0.1)
    return answers


def _is_failure(answer: ReasonCode | None) -> bool:
    return answer is None or answer.is_failure


def _wait(client: paho.Client, condition: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + TIMEOUT_S
    while not condition() and time.monotonic() < until_s:
        if client.loop(0.1) != paho.MQTT_ERR_SUCCESS:
            return condition()
    return condition()
