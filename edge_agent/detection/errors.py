"""The package's exceptions."""


class DetectionError(ValueError):
    """Features, a prior or a profile that detection cannot work with; the message names the thing and the mend."""


class CommissioningError(DetectionError):
    """The recordings cannot teach what this machine's normal sound is; the message says what is wrong and the mend."""
