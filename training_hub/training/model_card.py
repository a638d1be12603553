"""MODEL_CARD.md, written from the manifest, with what was measured elsewhere in notes at its end.

Sections after M. Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019).
"""

from collections import Counter

from edge_agent.inference.manifest import Manifest

_USE = """\
The encoder turns 2 s of machine sound (one log-mel patch, 64 frames of 128 bands) into a 128-number embedding and one
logit per machine it was trained on. The agent compares a machine's embeddings with those of its own normal sound,
learnt on site; the logits tell known machines apart and show that a microphone was moved.

It is no fault classifier, and its logits say nothing about a machine's health. Sound with speech is screened by the
agent and is not what the encoder is for.
"""

_LIMITS = """\
- Simulated machines give variety; results on them are no evidence of quality on real machines, and are listed apart.
- The recorded machines are few. Figures on them come from recordings held out by session, of the same machines.
- A machine with a single recording session is trained on whole; nothing is measured on it.
- Sound above 8 kHz and below some 30 Hz does not reach the encoder.
"""


def write_model_card(manifest: Manifest, notes: str = "") -> str:
    """The text of MODEL_CARD.md; `notes`, in Markdown, stand at its end."""
    parts = [f"# {manifest.name} {manifest.version}", manifest.description, "## Use", _USE, "## Results"]
    parts.append(
        "\n".join(
            ["| what | value | measured on |", "|---|---|---|"]
            + [f"| {r.name} | {_number(r.value)} {r.unit} | {r.on} |" for r in manifest.results]
        )
    )
    if manifest.training is not None:
        training = manifest.training
        parts.append("## Training")
        parts.append(
            f"{training.steps} steps in {training.minutes:g} minutes, seed {training.seed}. {training.note}".strip()
        )
        parts.append(
            "\n".join(
                ["| data | recordings | licence |", "|---|---|---|"]
                + [f"| {source.name} | {source.recordings} | {source.licence} |" for source in training.data]
            )
        )
    kinds = Counter(label.machine_type for label in manifest.labels)
    parts += ["## Machines it knows", ", ".join(f"{n} x {kind}" for kind, n in sorted(kinds.items()))]
    parts += ["## Limits", _LIMITS, "## Licence", manifest.licence, notes]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 10 else f"{value:.4g}"
