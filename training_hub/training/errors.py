"""The package's one exception."""


class TrainingError(Exception):
    """Training, conversion or export cannot go on; the message names the thing, the value and the mend."""
