"""Where people bring sounds: what the API and the pages call."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.pipeline.window import AnalysedWindow
from training_hub.catalogue.tables import Machine
from training_hub.parts import HubParts
from training_hub.sounds.answer import (
    BundleId,
    CandidateMachine,
    IdentityAnswer,
    Judgement,
    NearMachine,
    SoundAnswer,
)
from training_hub.sounds.cut import MIN_S, fit_window
from training_hub.sounds.decode import WINDOW_S, Decoded, decode
from training_hub.sounds.ear import Ear
from training_hub.sounds.errors import Refusal, SoundError
from training_hub.sounds.judge import judge
from training_hub.sounds.nearest import direction_of, nearest_clips
from training_hub.sounds.pictures import PictureShelf
from training_hub.sounds.profiles import ProfileShelf
from training_hub.sounds.reading import picture_of
from training_hub.sounds.shelf import BundleShelf
from training_hub.sounds.upload import Upload, sweep


class SoundDesk:
    """Decodes, tests, draws and knows the bundles. One of an app; any thread.

    Args:
        parts: The hub's parts.
    """

    def __init__(self, parts: HubParts) -> None:
        self.parts = parts
        sweep(self.scratch)
        self.pictures = PictureShelf(parts.objects)
        self._decoders = threading.BoundedSemaphore(parts.settings.sounds.max_decoders)

    @property
    def scratch(self) -> Path:
        """Where files lie while they come."""
        return self.parts.state_dir / "scratch"

    @cached_property
    def bundles(self) -> BundleShelf:
        """The bundles that listen."""
        return BundleShelf(self.parts)

    @cached_property
    def profiles(self) -> ProfileShelf:
        """Machines' profiles."""
        return ProfileShelf(self.parts)

    def decode(self, upload: Upload, *, start_s: float = 0.0, longest_s: float, cut: bool) -> Decoded:
        """Decode in a process of its own, a few at a time.

        Raises:
            SoundError: No sound, beyond a limit, or too many others wait.
        """
        with self._turn():
            return decode(
                upload.path,
                start_s=start_s,
                longest_s=longest_s,
                timeout_s=self.parts.settings.sounds.decode_timeout_s,
                cut=cut,
            )

    def test(
        self,
        upload: Upload,
        *,
        machine: tuple[str, str] | None = None,
        bundle_sha256: str | None = None,
        start_s: float = 0.0,
    ) -> SoundAnswer:
        """Say what a sound is, and how odd it is for a machine.

        Args:
            upload: Any WAV, FLAC, MP3 or OGG.
            machine: Site and name of the machine that it shall be of.
            bundle_sha256: The bundle to listen with; None: the one in use.
            start_s: Where in the sound the window begins.

        Raises:
            SoundError: The sound, machine or bundle cannot be used.
        """
        chosen = self._machine(*machine) if machine is not None else None
        ear = self.bundles.ear(bundle_sha256)
        decoded = self.decode(upload, start_s=start_s, longest_s=WINDOW_S, cut=True)
        if decoded.duration_s < MIN_S:
            raise SoundError(Refusal.LIMITS, f"only {decoded.duration_s:.2f} s of sound; give at least {MIN_S} s")
        fitted = fit_window(decoded, start_s=start_s)
        window = ear.hear(fitted.samples, name="the sound")
        judgement, why_not = self._judge(chosen, ear, window)
        identity = ear.identify(window.features)
        ref = ear.bundle.ref
        return SoundAnswer(
            file_name=upload.name,
            file_sha256=upload.sha256,
            file=decoded.facts,
            preparation=fitted.done,
            heard_s=fitted.heard_s,
            level_dbfs=window.level.rms_dbfs if window.level is not None else None,
            bundle=BundleId(name=ref.name, version=ref.version, sha256=ref.sha256),
            identity=None
            if identity is None
            else IdentityAnswer(
                label=identity.label,
                confidence=identity.confidence,
                top=tuple(CandidateMachine(label=t.label, confidence=t.confidence) for t in identity.top),
            ),
            nearest_machine=self._nearest_machine(ear, window),
            machine=None if chosen is None else f"{chosen.site}/{chosen.name}",
            judgement=judgement,
            why_not_judged=why_not,
            spectrogram_png=base64.b64encode(picture_of(window.features.log_mel_db)).decode(),
        )

    def _judge(self, machine: Machine | None, ear: Ear, window: AnalysedWindow) -> tuple[Judgement | None, str | None]:
        if machine is None:
            return None, "no machine was chosen"
        try:
            return judge(machine.name, window, self.profiles.of(machine, ear)), None
        except SoundError as error:
            return None, str(error)

    def _nearest_machine(self, ear: Ear, window: AnalysedWindow) -> NearMachine | None:
        towards = direction_of(window.features)
        if towards is None:
            return None
        with self.parts.database.transaction(writes=False) as session:
            found = nearest_clips(session, towards, ear.bundle.sha256)
        if not found:
            return None
        near = found[0]
        return NearMachine(
            site=near.machine.site,
            machine=near.machine.name,
            type=near.machine.type,
            clip=near.clip,
            distance=near.distance,
        )

    def _machine(self, site: str, name: str) -> Machine:
        with self.parts.database.transaction(writes=False) as session:
            found = machine_named(session, site, name)
        if found is None:
            raise SoundError(Refusal.UNKNOWN, f"there is no machine {site}/{name}; GET /machines lists them")
        return found

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._decoders.acquire(timeout=self.parts.settings.sounds.decode_timeout_s):
            raise SoundError(Refusal.UNAVAILABLE, "too many sounds are being decoded; try again in a minute")
        try:
            yield
        finally:
            self._decoders.release()


def machine_named(session: Session, site: str, name: str) -> Machine | None:
    """A machine by its site and name."""
    return session.scalar(select(Machine).where(Machine.site == site, Machine.name == name))
