"""One module per protocol, each with `NAME` and `run(evaluation, findings)`."""
