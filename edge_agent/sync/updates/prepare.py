"""A downloaded archive before anybody listens with it: verified, profiles fitted, tried on recent clips.

It runs in a process of its own, at the lowest priority: it computes for seconds to minutes, and a bundle that crashes
crashes there.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from edge_agent.agent.hearing.offline import OfflineAnalyser
from edge_agent.agent.profiles import ProfileStore
from edge_agent.detection.errors import CommissioningError, DetectionError
from edge_agent.detection.refit import refit
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import bundle_dir, profiles_dir
from edge_agent.inference.manifest import BundleRef
from edge_agent.pipeline.priors import feature_source, type_prior
from edge_agent.pipeline.window import WindowShape
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.recent import recent_clips, try_on
from edge_agent.sync.updates.scorers import model_of
from edge_agent.sync.updates.shelf import Shelf

Phase = Literal["verified", "refitting"]


class Preparation(BaseModel):
    """What is to be prepared.

    Attributes:
        state_dir: The agent's state directory.
        archive: The downloaded `.tar`.
        expected: The bundle that was signed.
        former: Directory of the bundle in use.
        profiles: Name of the set of profiles to make.
        machines: Machines that are listened to; others that are commissioned come along where they can.
        clips: Directory of the gateway's clips.
    """

    model_config = ConfigDict(frozen=True)

    state_dir: Path
    archive: Path
    expected: BundleRef
    former: Path
    profiles: str
    machines: tuple[str, ...]
    clips: Path


class Prepared(BaseModel):
    """What was prepared.

    Attributes:
        machines: Whose profiles were fitted anew.
        left_out: Commissioned machines that nobody listens to and that cannot be fitted, each with the reason.
        clips: Recent clips that were compared.
        took_s: Seconds of it all.
    """

    model_config = ConfigDict(frozen=True)

    machines: tuple[str, ...]
    left_out: tuple[str, ...]
    clips: int
    took_s: float


def prepare(orders: Preparation, tell: Callable[[Phase], None], step: Callable[[str], None]) -> Prepared:
    """Verify, fit, try; bundle and profiles then lie in their places, and nothing says yet that they are in use.

    Raises:
        UpdateError: The bundle is not for this gateway, or the disk refuses.
    """
    started_s = time.monotonic()
    shelf = Shelf(orders.state_dir, step)
    place = bundle_dir(orders.state_dir, orders.expected.sha256)
    bundle = _there_already(place) or shelf.unpack(orders.archive)
    if bundle.ref != orders.expected:
        raise UpdateError(
            f"the archive holds {bundle.manifest.name} {bundle.manifest.version} ({bundle.sha256[:12]}), signed was "
            f"{orders.expected.name} {orders.expected.version} ({orders.expected.sha256[:12]})"
        )
    tell("verified")
    tell("refitting")
    former = load_bundle(orders.former, probe=False, self_test=False)
    store = ProfileStore(orders.state_dir)
    fresh = ProfileStore(orders.state_dir, shelf.incoming / "profiles")
    done, left_out = [], []
    for machine_id in store.machines():
        try:
            _refit(machine_id, store, fresh, former, bundle)
        except (DetectionError, CommissioningError, BundleError, CommandError, OSError) as error:
            if machine_id in orders.machines:
                raise UpdateError(f"machine {machine_id}: {error}") from error
            left_out.append(f"{machine_id}: {error}")
        else:
            done.append(machine_id)
    fresh.directory.mkdir(parents=True, exist_ok=True)
    shelf.place_profiles(fresh.directory, orders.profiles)
    placed = ProfileStore(orders.state_dir, profiles_dir(orders.state_dir, orders.profiles))
    try:
        clips = recent_clips(orders.clips, done, bundle.manifest.signal)
        compared = try_on(clips, model_of(former, store, done), model_of(bundle, placed, done))
    except (DetectionError, BundleError) as error:
        raise UpdateError(str(error)) from error
    return Prepared(machines=tuple(done), left_out=tuple(left_out), clips=compared, took_s=time.monotonic() - started_s)


def _there_already(place: Path) -> Bundle | None:
    """The bundle where a former attempt has left it, verified anew."""
    if not place.is_dir():
        return None
    try:
        return load_bundle(place)
    except BundleError:
        return None  # unpacked again in its place


def _refit(machine_id: str, store: ProfileStore, fresh: ProfileStore, former: Bundle, bundle: Bundle) -> None:
    profile = store.load(machine_id)
    fitted, normals = refit(
        profile,
        store.all_normals(profile),
        type_prior(former, profile.machine_type),
        type_prior(bundle, profile.machine_type),
        bundle.ref,
        feature_source(bundle),
        OfflineAnalyser(bundle, WindowShape()).features,
        created_ns=time.time_ns(),
    )
    digests = tuple(fresh.keep_normals(machine_id, each) for each in normals)
    fresh.save(replace(fitted, normals=digests))
