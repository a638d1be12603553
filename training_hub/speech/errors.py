"""What can go wrong when the speech detector is trained."""


class SpeechTrainingError(Exception):
    """A part is missing or a figure is out of bounds; the message says what to do."""
