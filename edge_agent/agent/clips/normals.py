"""What of a machine's normal sound may be kept beside its profile: `[clips]` holds for it as for clips."""

from edge_agent.agent.clips.keeping import speech_screen
from edge_agent.commissioning.withhold import KEEP_ALL, Withhold
from edge_agent.config.settings import AgentSettings
from edge_agent.speech.errors import SpeechError


def withheld_by(settings: AgentSettings) -> Withhold:
    """The rule for windows that were heard live.

    Frames are all that is kept of them, and these can be turned back into blurred sound: with policy `mask` as with
    `drop` a window in which somebody may speak is not kept. It is learnt from all the same: a machine whose sound the
    screen takes for speech could not be learnt otherwise, and statistics hold no words.
    """
    if not settings.clips.enabled:
        return Withhold(lambda _: True, "as clips.enabled is false")
    if settings.clips.speech == "off":
        return KEEP_ALL
    try:
        screen = speech_screen(settings)
    except SpeechError as error:
        return Withhold(lambda _: True, f"as they cannot be screened for speech ({error})")
    return Withhold(screen.holds_speech, "as somebody may speak in them")
