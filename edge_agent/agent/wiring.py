"""From settings to what the parts take: each part has words of its own."""

from collections.abc import Mapping

import edge_agent
from edge_agent.agent.alarming.conditions import ConditionRules
from edge_agent.agent.asking.commander import CommandRules
from edge_agent.agent.hearing.plan import ChannelPlan, SourcePlan
from edge_agent.agent.hearing.sources import stamps_by_arrival
from edge_agent.agent.profiles import ProfileStore
from edge_agent.alarms.delay import Delays
from edge_agent.alarms.plant import PlantRules
from edge_agent.alarms.rules import AlarmRules
from edge_agent.config.machine import MachineSection
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import AUTO
from edge_agent.delivery.home_assistant import discovery
from edge_agent.delivery.mqtt_settings import Endpoint, MqttSettings, TlsSettings
from edge_agent.delivery.outbox import OutboxLimits
from edge_agent.delivery.signals import Letter
from edge_agent.delivery.topics import Topics
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.profile import Profile
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.roster import Roster


def alarm_budget(settings: AgentSettings, machine: MachineSection | None = None) -> AlarmBudget:
    """How windows become an alarm; a machine may have a budget of its own."""
    own = None if machine is None else machine.false_alarms_per_week
    detection = settings.detection
    return AlarmBudget(
        false_alarms_per_week=detection.false_alarms_per_week if own is None else own,
        raise_after=detection.raise_after,
        raise_within=detection.raise_within,
        clear_after=detection.clear_after,
        hysteresis=detection.hysteresis,
        window_hop_s=settings.window.hop_s,
        background_margin=detection.background_margin,
    )


def alarm_rules(settings: AgentSettings) -> AlarmRules:
    """How alarms behave."""
    alarms = settings.alarms
    plant = PlantRules(share=alarms.plant_share, machines=alarms.plant_machines, within_s=float(alarms.plant_within_s))
    return AlarmRules(latch=alarms.latch, rejoin_s=float(alarms.rejoin_s), settle_s=float(alarms.settle_s), plant=plant)


def condition_rules(settings: AgentSettings) -> ConditionRules:
    """What raises an alarm."""
    alarms = settings.alarms
    return ConditionRules(
        raise_after=settings.detection.raise_after,
        raise_within=settings.detection.raise_within,
        fault_delays=Delays(on_s=float(alarms.fault_on_s), off_s=float(alarms.fault_off_s)),
        ignored_faults=frozenset(alarms.ignored_faults),
    )


def roster(settings: AgentSettings, bundle: Bundle, store: ProfileStore) -> Roster:
    """A listener for every machine of the configuration, and for all commissioned ones where a channel is routed.

    Profiles keep what was learnt; how rare an alarm must be is the configuration's to say.

    Raises:
        DetectionError: A profile cannot be used with the bundle.
    """
    routed = any(channel.machine == AUTO for source in settings.source for channel in source.channel)
    sections = {machine.id: machine for machine in settings.machine}
    wanted = [*sections, *(m for m in store.machines() if routed and m not in sections)]
    profiles: dict[str, Profile | None] = {}
    for machine_id in wanted:
        profile = store.find(machine_id)
        budget = alarm_budget(settings, sections.get(machine_id))
        profiles[machine_id] = None if profile is None else profile.with_budget(budget)
    return Roster(bundle, profiles)


def source_plans(settings: AgentSettings, machines: Roster) -> dict[str, SourcePlan]:
    """What is heard of each source."""
    return {
        source.id: SourcePlan(
            channels=tuple(
                ChannelPlan(
                    channel.index,
                    machines.router() if channel.machine == AUTO else machines.listener(channel.machine),
                    channel.calibration_db,
                )
                for channel in source.channel
            ),
            stamped_by_arrival=stamps_by_arrival(source),
        )
        for source in settings.source
    }


def machines_of(settings: AgentSettings) -> dict[str, tuple[str, ...]]:
    """The machines that each source hears."""
    return {source.id: tuple(c.machine for c in source.channel if c.machine != AUTO) for source in settings.source}


def home_assistant_letters(settings: AgentSettings, topics: Topics) -> tuple[Letter, ...]:
    """What Home Assistant is told of the gateway and its machines."""
    heard = machines_of(settings)
    machines = {
        machine.id: [source for source, names in heard.items() if machine.id in names] for machine in settings.machine
    }
    return discovery(topics, machines, version=edge_agent.__version__, prefix=settings.mqtt.home_assistant.prefix)


def outbox_limits(settings: AgentSettings) -> OutboxLimits:
    """How much may wait for the broker."""
    outbox = settings.mqtt.outbox
    return OutboxLimits(max_bytes=outbox.max_bytes, max_age_s=float(outbox.max_age_s))


def command_rules(settings: AgentSettings) -> CommandRules:
    """What may be asked of the gateway."""
    commands = settings.mqtt.commands
    return CommandRules(
        allowed=frozenset(commands.allowed),
        max_age_s=float(commands.max_age_s),
        longest_shelving_s=settings.alarms.longest_shelving_s,
    )


def mqtt_settings(settings: AgentSettings, environ: Mapping[str, str]) -> MqttSettings:
    """How to reach the broker.

    Raises:
        SecretFileError: The password cannot be read.
    """
    mqtt = settings.mqtt
    password = None if mqtt.password_file is None else mqtt.password_file.read(environ).get_secret_value()
    tls = TlsSettings(mqtt.tls.ca_file, mqtt.tls.cert_file, mqtt.tls.key_file) if mqtt.tls.enabled else None
    return MqttSettings(
        host=mqtt.host,
        port=mqtt.port,
        fallback=tuple(Endpoint.parse(each) for each in mqtt.fallback),
        client_id=mqtt.client_id or "",
        username=mqtt.username,
        password=password,
        tls=tls,
        protocol=mqtt.protocol,
        keepalive_s=mqtt.keepalive_s,
        backlog_rate_per_s=mqtt.outbox.drain_per_s,
        result_expiry_s=mqtt.result_expiry_s,
    )
