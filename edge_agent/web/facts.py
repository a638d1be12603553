"""What is configured and learnt of each machine, in one line."""

from datetime import UTC, datetime

from edge_agent.agent.profiles import ProfileStore
from edge_agent.config.settings import AgentSettings
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.profile import Profile
from edge_agent.web.views import MachineFacts


def machine_facts(settings: AgentSettings, store: ProfileStore) -> tuple[MachineFacts, ...]:
    """Every configured machine, in order of name. Reads the profiles: for a start or a reload, not for a request."""
    heard_at = {channel.machine: source.id for source in settings.source for channel in source.channel}
    return tuple(
        MachineFacts(machine.id, machine.type, heard_at.get(machine.id), _learnt(store, machine.id))
        for machine in sorted(settings.machine, key=lambda machine: machine.id)
    )


def _learnt(store: ProfileStore, machine_id: str) -> str | None:
    try:
        profile = store.find(machine_id)
    except DetectionError as error:
        return f"its profile cannot be used: {error}"
    return None if profile is None else in_words(profile)


def in_words(profile: Profile) -> str:
    """One line on a profile."""
    made = datetime.fromtimestamp(profile.created_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")
    kind = "provisional" if profile.provisional else "calibrated"
    states = f", {len(profile.states)} operating states" if len(profile.states) > 1 else ""
    expected = profile.expected
    return (
        f"{kind}, learnt {made} from {profile.windows} windows of {profile.recordings} recordings{states}; "
        f"{_few(expected.per_week)} false alarms a week expected, {_few(expected.high)} at most"
    )


def _few(per_week: float) -> str:
    """No more zeros than a person reads."""
    return "under 0.001" if per_week < 0.001 else f"{per_week:.2g}"
