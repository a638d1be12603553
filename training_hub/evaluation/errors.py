"""The package's exception."""


class EvaluationError(ValueError):
    """Recordings, options or a bundle that cannot be evaluated; the message names the thing and the mend."""
