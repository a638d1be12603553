"""Identity: are known machines named, and is what was never heard called unknown?"""

from collections.abc import Sequence

import numpy as np

from edge_agent.pipeline.identity import UNKNOWN, Identifier
from training_hub.evaluation.clips import EvalClip
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.report import Confusion, Figure, Row, Skipped
from training_hub.training.recording import Recording
from training_hub.training.splits import held_out_groups

NAME = "identity"
BACKGROUND, UNSEEN = "background", "machines never heard"


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Known machines on recordings that the encoder was not trained on; background and unseen machines on all."""
    identifier = evaluation.identifier
    if identifier is None:
        findings.skipped.append(Skipped(what=NAME, reason="the bundle's model names no machine"))
        return
    evaluation.progress(NAME)
    types = {label.machine_id: label.machine_type for label in evaluation.bundle.manifest.labels}
    heard: dict[str, tuple[Sequence[EvalClip], bool]] = {}
    for machine in evaluation.data.machines:
        known = machine.machine_id in types
        clips = _unheard(machine.normals) if known else machine.normals
        if clips:
            heard[f"{machine.machine_type}/{machine.machine_id}"] = (clips, known)
    heard[BACKGROUND] = (evaluation.data.backgrounds, False)
    answers = {
        name: [_name(evaluation, identifier, clip, types) for clip in evaluation.some(clips)]
        for name, (clips, _) in heard.items()
        if clips
    }
    known_types = {name: name.split("/")[0] for name, (_, known) in heard.items() if known}
    right = [answer == known_types[name] for name in answers if name in known_types for answer in answers[name]]
    per_type = _recall_per_type(answers, known_types)
    rejected = {
        BACKGROUND: [answer == UNKNOWN for answer in answers.get(BACKGROUND, [])],
        UNSEEN: [
            a == UNKNOWN for name in answers if name not in known_types and name != BACKGROUND for a in answers[name]
        ],
    }
    findings.rows.append(
        _row("known types", "recall", right, f"{len(per_type)} types: {_list(per_type)}; held-out recordings")
    )
    if per_type:
        findings.rows.append(_mean_row(per_type, len(right)))
    for case, told in rejected.items():
        findings.rows.append(_row(case, "unknown", told, ""))
    both = [told for part in rejected.values() for told in part]
    findings.rows.append(_row("background and unseen", "unknown", both, ""))
    findings.confusion = _confusion(answers)


def _unheard(clips: Sequence[EvalClip]) -> list[EvalClip]:
    """Recordings that training held out, by the rule that training itself uses."""
    nothing = np.empty((0, 128), np.float16)
    recordings = [Recording(c.name, c.machine_id, c.machine_type, c.condition, c.group, "", nothing) for c in clips]
    held = held_out_groups(recordings)
    return [clip for clip in clips if (clip.machine_id, clip.group) in held]


def _name(evaluation: Evaluation, identifier: Identifier, clip: EvalClip, types: dict[str, str]) -> str:
    """The type that the clip's first window is said to be of."""
    features = evaluation.listener.hear(clip).windows[0].features
    identity = identifier.identify(features.logits, features.embeddings)
    return UNKNOWN if identity is None or identity.label == UNKNOWN else types[identity.label]


def _recall_per_type(answers: dict[str, list[str]], known: dict[str, str]) -> dict[str, float]:
    by_type: dict[str, list[bool]] = {}
    for name, machine_type in known.items():
        by_type.setdefault(machine_type, []).extend(answer == machine_type for answer in answers.get(name, []))
    return {machine_type: float(np.mean(right)) for machine_type, right in by_type.items() if right}


def _row(case: str, figure: str, told: Sequence[bool], note: str) -> Row:
    figures = (Figure(name=figure, value=float(np.mean(told))),) if told else ()
    return Row(
        protocol=NAME, case=case, machine_type="all", machine_id="pooled", system="ours",
        normal_clips=len(told), figures=figures, note=note,
    )  # fmt: skip


def _mean_row(per_type: dict[str, float], clips: int) -> Row:
    return Row(
        protocol=NAME, case="known types", machine_type="all", machine_id="mean of types", system="ours",
        normal_clips=clips, figures=(Figure(name="recall", value=float(np.mean(list(per_type.values())))),),
    )  # fmt: skip


def _list(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in sorted(values.items()))


def _confusion(answers: dict[str, list[str]]) -> Confusion:
    said = [*sorted({answer for told in answers.values() for answer in told} - {UNKNOWN}), UNKNOWN]
    heard = [name for name, told in answers.items() if told]
    shares = tuple(tuple(answers[name].count(answer) / len(answers[name]) for answer in said) for name in heard)
    return Confusion(heard=tuple(heard), said=tuple(said), shares=shares, clips=tuple(len(answers[n]) for n in heard))
