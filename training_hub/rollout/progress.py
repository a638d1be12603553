"""One gateway in one rollout: what its reports add up to, and what speaks against going on. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.sync.wire import GatewayReport, ShadowReport, UpdatePhase
from training_hub.rollout.limits import Limits

Phase = UpdatePhase | Literal["assigned"]
LEFT: frozenset[Phase] = frozenset({"failed", "rolled_back"})
"""The gateway will not run it."""

_REMEMBERED_WINDOWS = 4000


class Tally(BaseModel):
    """What windows came to; older ones fade, so that a year of normal running does not hide an hour of trouble.

    Attributes:
        windows: Scored.
        failed: Not scored for an error.
        anomalous: Above the threshold.
        percentile_sum: Of the windows' percentiles, `percentile_windows` of them.
        computing_s: Of the windows' processor time, `computing_windows` of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: Annotated[float, Field(ge=0)] = 0.0
    failed: Annotated[float, Field(ge=0)] = 0.0
    anomalous: Annotated[float, Field(ge=0)] = 0.0
    percentile_sum: Annotated[float, Field(ge=0)] = 0.0
    percentile_windows: Annotated[float, Field(ge=0)] = 0.0
    computing_s: Annotated[float, Field(ge=0)] = 0.0
    computing_windows: Annotated[float, Field(ge=0)] = 0.0

    def plus(self, report: GatewayReport) -> "Tally":
        """With the windows of one more report."""
        keep = 0.5 if self.windows + self.failed > _REMEMBERED_WINDOWS else 1.0
        heard = [machine for machine in report.machines if machine.mean_percentile is not None]
        windows = sum(machine.windows for machine in report.machines)
        timed = 0 if report.window_computing_s is None else windows
        return Tally(
            windows=keep * self.windows + windows,
            failed=keep * self.failed + sum(machine.failed for machine in report.machines),
            anomalous=keep * self.anomalous + sum(machine.anomalous for machine in report.machines),
            percentile_sum=keep * self.percentile_sum + sum((m.mean_percentile or 0.0) * m.windows for m in heard),
            percentile_windows=keep * self.percentile_windows + sum(machine.windows for machine in heard),
            computing_s=keep * self.computing_s + timed * (report.window_computing_s or 0.0),
            computing_windows=keep * self.computing_windows + timed,
        )

    @property
    def error_share(self) -> float:
        """Of all windows, those that could not be scored."""
        return self.failed / max(1.0, self.windows + self.failed)

    @property
    def exceedance(self) -> float:
        """Of the scored windows, those above the threshold."""
        return self.anomalous / max(1.0, self.windows)

    @property
    def percentile(self) -> float | None:
        """Mean percentile; None where there is none."""
        return self.percentile_sum / self.percentile_windows if self.percentile_windows else None

    @property
    def window_computing_s(self) -> float | None:
        """Mean processor time of a window; None where no gateway told it."""
        return self.computing_s / self.computing_windows if self.computing_windows else None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of a bundle at a gateway, against the one before it; None where nothing can be said.

    Attributes:
        windows, failed: Scored by it, and not.
        computing_ratio: Processor time of a window over that before.
        exceedance, exceedance_before: Shares of windows above the threshold.
        percentile_shift: Of the mean percentile, in points.
    """

    windows: int
    failed: int
    computing_ratio: float | None
    exceedance: float | None
    exceedance_before: float | None
    percentile_shift: float | None


class Progress(BaseModel):
    """What the hub knows of a gateway in a rollout.

    Attributes:
        phase: How far it is.
        why: In its words, where it failed or went back.
        healthy: Good reports since it runs the bundle.
        before, since: Windows before and since it runs the bundle.
        latency_before_s, latency_s: Its median time to a result, then and now.
        shadow: The comparison while both run.
        reported_at: When the hub last heard of it.
        sent_at: The report's own stamp: one that was sent twice counts once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: Phase = "assigned"
    why: str = ""
    healthy: Annotated[int, Field(ge=0)] = 0
    before: Tally = Tally()
    since: Tally = Tally()
    latency_before_s: float | None = None
    latency_s: float | None = None
    shadow: ShadowReport | None = None
    reported_at: datetime | None = None
    sent_at: str = ""

    def told(
        self, report: GatewayReport, rollout: str, bundle_sha256: str, limits: Limits, now: datetime
    ) -> "Progress":
        """After one more report of the gateway."""
        if report.reported_at == self.sent_at:
            return self
        update = report.update if report.update is not None and report.update.rollout == rollout else None
        runs = report.bundle.sha256 == bundle_sha256
        phase: Phase = self.phase
        if update is not None:
            phase = update.phase
        elif runs and phase not in LEFT:
            phase = "active"
        elif not runs and phase not in LEFT:  # it runs another one, and says nothing of this one
            phase = "rolled_back" if phase == "active" else "assigned"
        changes: dict[str, object] = {
            "phase": phase,
            "why": (update.why or "") if update is not None else self.why,
            "shadow": update.shadow if update is not None and update.shadow is not None else self.shadow,
            "reported_at": now,
            "sent_at": report.reported_at,
        }
        if runs:
            changes |= {"since": self.since.plus(report), "latency_s": report.window_latency_s}
        else:
            latency_s = report.window_latency_s
            changes |= {
                "before": self.before.plus(report),
                "latency_before_s": self.latency_before_s if latency_s is None else latency_s,
            }
        after = self.model_copy(update=changes)
        scored = sum(machine.windows for machine in report.machines)
        good = runs and scored > 0 and after.objection(limits) is None
        return after.model_copy(update={"healthy": after.healthy + 1 if good else 0 if not runs else after.healthy})

    @property
    def seen(self) -> Seen | None:
        """What is seen of the bundle: in use where it was in use, else in the shadow; None before either."""
        since, before, shadow = self.since, self.before, self.shadow
        if self.phase != "shadow" and since.windows + since.failed > 0:
            return Seen(
                windows=round(since.windows),
                failed=round(since.failed),
                computing_ratio=_ratio(since.window_computing_s, before.window_computing_s),
                exceedance=since.exceedance if since.windows else None,
                exceedance_before=before.exceedance if before.windows else None,
                percentile_shift=_difference(since.percentile, before.percentile),
            )
        if shadow is None:
            return None
        return Seen(
            windows=shadow.windows,
            failed=shadow.errors,
            computing_ratio=shadow.latency_ratio,
            exceedance=shadow.exceedance_new,
            exceedance_before=shadow.exceedance_old,
            percentile_shift=shadow.percentile_shift,
        )

    def objection(self, limits: Limits) -> str | None:
        """Why the new bundle should leave this gateway again; None where nothing speaks against it."""
        running = self.phase == "active"
        return next(self._objections_running(limits) if running else self._objections_shadow(limits), None)

    def compared(self, limits: Limits) -> bool:
        """Whether the shadow has seen enough, and nothing speaks against it."""
        if limits.shadow_windows == 0:
            return True
        seen = self.shadow is not None and self.shadow.windows >= limits.shadow_windows
        return seen and next(self._objections_shadow(limits), None) is None

    def silent(self, limits: Limits, now: datetime) -> bool:
        """Whether nobody has heard of it for too long."""
        last = self.reported_at or datetime.min.replace(tzinfo=UTC)
        return (now - last).total_seconds() > 60.0 * limits.silence_minutes

    def _objections_running(self, limits: Limits) -> Iterator[str]:
        since, before = self.since, self.before
        if since.windows + since.failed < limits.min_windows:
            return
        if since.error_share > limits.max_error_share:
            yield f"{since.error_share:.1%} of the windows cannot be scored, at most {limits.max_error_share:.1%} may"
        slow_s, was_s = self.latency_s, self.latency_before_s
        if slow_s is not None and was_s and slow_s > max(limits.latency_floor_s, limits.max_latency_ratio * was_s):
            yield f"a result takes {slow_s:.2f} s, {slow_s / was_s:.1f} times as long as before"
        if before.windows < limits.min_windows:
            return
        ratio = _ratio(since.window_computing_s, before.window_computing_s)
        if ratio is not None and ratio > limits.max_latency_ratio:
            yield f"a window takes {ratio:.1f} times as much computing as before"
        if since.exceedance - before.exceedance > limits.max_exceedance_rise:
            yield f"{since.exceedance:.1%} of the windows are above the threshold, {before.exceedance:.1%} were before"
        shift = _difference(since.percentile, before.percentile)
        if shift is not None and abs(shift) > limits.max_percentile_shift:
            yield f"scores moved by {shift:+.0f} points of percentile, {limits.max_percentile_shift:.0f} may be"

    def _objections_shadow(self, limits: Limits) -> Iterator[str]:
        shadow = self.shadow
        if shadow is None or shadow.windows + shadow.errors < limits.min_windows:
            return
        share = shadow.errors / (shadow.windows + shadow.errors)
        if share > limits.max_error_share:
            yield f"in the shadow {share:.1%} of the windows cannot be scored"
        if shadow.latency_ratio is not None and shadow.latency_ratio > limits.max_latency_ratio:
            yield f"in the shadow a window takes {shadow.latency_ratio:.1f} times as long"
        new, old = shadow.exceedance_new, shadow.exceedance_old
        if new is not None and old is not None and new - old > limits.max_exceedance_rise:
            yield f"in the shadow {new:.1%} of the windows are above the threshold, {old:.1%} are in use"
        shift = shadow.percentile_shift
        if shift is not None and abs(shift) > limits.max_percentile_shift:
            yield f"in the shadow scores move by {shift:+.0f} points of percentile"


def _ratio(now: float | None, before: float | None) -> float | None:
    return now / before if now is not None and before else None


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
