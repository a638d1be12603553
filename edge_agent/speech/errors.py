"""What can be wrong with a speech detector."""


class SpeechError(Exception):
    """The detector cannot be used; the message names the file and the mend."""
