"""All figures of one `edge-agent bench`, for machines and for people."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.bench.energy import Instructions
from edge_agent.bench.installed import Installed
from edge_agent.bench.listening import LiveFigures
from edge_agent.bench.machine import Host
from edge_agent.bench.replaying import ReplayFigures
from edge_agent.bench.running import RunFigures


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        host: On what.
        load_before, load_after: How busy it was.
        bundle: Name and version of the models.
        sound_s: Seconds of simulated sound that were replayed.
        replay: Replay.
        live: Live channels, for several numbers of them.
        channels_per_core: How many one core holds with 99 in 100 events within 250 ms.
        run: The agent as a process; None where it was left out.
        installed: Disk that the base install takes.
        instructions: For replay of those clips, start-up included.
        seconds: How long it took to measure.
    """

    host: Host
    load_before: float
    load_after: float
    bundle: str
    sound_s: float
    replay: ReplayFigures
    live: tuple[LiveFigures, ...]
    channels_per_core: int
    run: RunFigures | None
    installed: Installed
    instructions: Instructions
    seconds: float

    @property
    def live_cost_spread(self) -> float:
        """What a channel costs where it costs most, over what it costs where it costs least."""
        costs = [each.cpu_percent_per_channel for each in self.live]
        return round(max(costs) / min(costs), 3)

    def document(self) -> dict[str, Any]:
        """One object for `--json`; the figures asked for most stand at its top."""
        count = self.instructions.count
        live = {each.channels: each for each in self.live}
        return {
            "replay_real_time_factor": self.replay.real_time_factor,
            "replay_over_kernels": self.replay.over_kernels,
            "live_cpu_percent_per_channel": live[max(live)].cpu_percent_per_channel,
            "live_cost_ratio": round(
                live[max(live)].cpu_percent_per_channel / live[min(live)].cpu_percent_per_channel, 3
            ),
            "live_cost_spread": self.live_cost_spread,
            "channels_per_core": self.channels_per_core,
            "memory_mb": None if self.run is None else self.run.memory_mb,
            "ready_s": None if self.run is None else self.run.ready_s,
            "import_s": None if self.run is None else self.run.import_s,
            "installed_mb": self.installed.total_mb,
            "installed_compiled_mb": self.installed.compiled_mb,
            "bytes_per_result": self.replay.result_bytes,
            "instructions_per_second_of_sound": None if count is None else round(count / self.sound_s),
            "instructions_missing_because": self.instructions.reason,
            "processor_s_per_hour_of_sound": round(3600 / self.replay.real_time_factor, 2),
            "cpu": self.host.cpu,
            "load_before": self.load_before,
            "load_after": self.load_after,
            "details": asdict(self),
        }

    def to_json(self) -> str:
        """The object as text."""
        return json.dumps(self.document(), indent=1)

    def table(self) -> str:
        """For a person."""
        replay, load = self.replay, f"load {self.load_before:g} before, {self.load_after:g} after"
        rows = [
            ("machine", f"{self.host.cpu}, {self.host.architecture}, {self.host.cores} logical processors; {load}"),
            ("models", self.bundle),
            (
                "replay, one core",
                f"{replay.real_time_factor:.0f} x real time (best of {replay.repeats}: "
                f"{replay.best_real_time_factor:.0f} x), {replay.over_kernels:.2f} times its kernels alone",
            ),
            ("  kernels, ms a window", _parts(replay.kernels_ms)),
            ("  stages, ms a window", f"{_parts(replay.stages_ms)}; together {replay.window_ms:g}"),
        ]
        rows += [
            (
                f"live, {each.channels} channel{'s' if each.channels > 1 else ''}",
                f"{each.cpu_percent_per_channel:.3f} % of a core each, "
                f"window end to event {each.p99_ms:g} ms for 99 in 100",
            )
            for each in self.live
        ]
        rows.append(("  dearest over cheapest", f"{self.live_cost_spread:.2f}"))
        rows.append(("channels a core holds", f"{self.channels_per_core} (an estimate from the two largest)"))
        if self.run is not None:
            run = self.run
            ready = f"{run.ready_s:.2f} s, {run.ready_processor_s:.2f} s of it processor; imports {run.import_s:.2f} s"
            rows += [
                ("ready after", ready),
                ("memory, one channel", f"{run.memory_mb:.0f} MB, {run.resident_mb:.0f} resident"),
            ]
        disk = self.installed
        largest = ", ".join(f"{name} {size:.0f}" for name, size in list(disk.packages_mb.items())[:4])
        said = f"{disk.total_mb:.0f} MB, {disk.compiled_mb:.0f} MB of it compiled ({largest})"
        rows.append(("base install", said))
        rows.append(("a result", f"{replay.result_bytes} bytes, {replay.stored_bytes} in the outbox"))
        counted = self.instructions
        energy = (
            f"not counted: {counted.reason}"
            if counted.count is None
            else f"{counted.count / self.sound_s / 1e6:.1f} million a second of sound"
        )
        rows.append(("instructions", f"{energy}; {3600 / replay.real_time_factor:.1f} s of processor an hour of sound"))
        return "\n".join(f"{name:24} {said}" for name, said in rows)


def _parts(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in figures.items())
