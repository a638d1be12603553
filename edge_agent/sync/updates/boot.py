"""Which bundle the agent begins with: the one in use, the last good one where that fails, else the configured one."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import InUse, Slot, bundle_dir
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.shelf import MAX_BOOTS, Shelf

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, slots=True)
class Begun:
    """What the agent begins with.

    Attributes:
        bundle: The models.
        left: How many bundles were left for it, because they cannot be used or did not do well.
    """

    bundle: Bundle
    left: int


def begin(state_dir: Path, configured: str, shipped: Callable[[], Bundle], fit: Callable[[Bundle], None]) -> Begun:
    """Find the bundle to begin with, and make `active.json` say so.

    A bundle that is not confirmed yet is given three starts. One that cannot be loaded, or whose profiles do not fit,
    is left at once.

    Args:
        state_dir: The agent's state directory.
        configured: `model.bundle`.
        shipped: Loads the configured bundle.
        fit: Raises where the profiles in use do not fit a bundle.

    Raises:
        BundleError: No bundle can be used; or the configured one has a flaw, and nothing ever came from a hub.
        UpdateError: The disk refuses to have its file changed.
        Exception: What `fit` raises, of the last bundle that could be tried.
    """
    shelf = Shelf(state_dir)
    left = 0
    try:
        in_use = shelf.in_use()
    except BundleError as error:
        _log.error("%s; set aside as %s", error, shelf.set_aside())
        in_use = None
        left += 1
    if in_use is not None and in_use.configured != configured:
        _log.warning("model.bundle is %r now; bundles from the hub are set aside: %s", configured, shelf.set_aside())
        in_use = None
    while in_use is not None:
        problem = ""
        if not in_use.confirmed:
            in_use = _counted(shelf, in_use)
            if in_use.boots > MAX_BOOTS:
                problem = f"started {MAX_BOOTS} times without doing well"
        try:
            bundle = None if problem else _opened(state_dir, in_use.active, fit)
        except Exception as error:  # whatever it is, the agent begins with what was good
            if in_use.last_good is None and in_use.confirmed and not isinstance(error, BundleError):
                raise
            problem, bundle = f"{type(error).__name__}: {error}", None
        if bundle is not None:
            return Begun(bundle, left)
        left += 1
        _log.error("bundle %s %s: %s", in_use.active.bundle.name, in_use.active.bundle.version, problem)
        in_use = shelf.go_back(f"at the start: {problem}", failed=True)
        if in_use is None:
            _log.error("no last good bundle; beginning with model.bundle, set aside: %s", shelf.set_aside())
        else:
            _log.warning("back to bundle %s %s", in_use.active.bundle.name, in_use.active.bundle.version)
    bundle = shipped()
    fit(bundle)
    return Begun(bundle, left)


def _counted(shelf: Shelf, in_use: InUse) -> InUse:
    try:
        return shelf.booting(in_use)
    except UpdateError as error:  # a full disk: better to begin uncounted than not at all
        _log.error("the start is not counted: %s", error)
        return in_use


def _opened(state_dir: Path, slot: Slot, fit: Callable[[Bundle], None]) -> Bundle:
    bundle = load_bundle(bundle_dir(state_dir, slot.bundle.sha256), probe=False)
    if bundle.ref != slot.bundle:
        raise BundleError(f"{bundle.root}: is another bundle ({bundle.sha256[:12]}) than it should be")
    fit(bundle)
    return bundle
