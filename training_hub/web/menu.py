"""Where one can go, by role."""

from dataclasses import dataclass

from training_hub.accounts.principal import Role


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the menu."""

    title: str
    path: str
    current: bool


_MENU: tuple[tuple[str, tuple[tuple[str, str, Role], ...]], ...] = (
    (
        "Listen",
        (("Clips", "/clips", Role.VIEWER), ("Alarms", "/alarms", Role.VIEWER), ("Machines", "/machines", Role.VIEWER)),
    ),
    (
        "Sounds",
        (
            ("Dataset", "/dataset", Role.VIEWER),
            ("Add sounds", "/add", Role.OPERATOR),
            ("Test a sound", "/test", Role.OPERATOR),
            ("Map", "/map", Role.VIEWER),
        ),
    ),
    (
        "Models",
        (
            ("Training", "/models", Role.VIEWER),
            ("Compare", "/compare", Role.VIEWER),
            ("Rollouts", "/rollouts", Role.VIEWER),
        ),
    ),
    (
        "Hub",
        (
            ("Fleet", "/fleet", Role.VIEWER),
            ("Exports", "/exports", Role.VIEWER),
            ("Audit", "/audit", Role.ENGINEER),
            ("People", "/people", Role.ADMIN),
            ("Gateways", "/gateways", Role.ADMIN),
        ),
    ),
)


def menu_for(role: Role, path: str) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """The menu's groups, without what the role may not see; the page one is on is marked.

    >>> [group for group, _ in menu_for(Role.VIEWER, "/clips")]
    ['Listen', 'Sounds', 'Models', 'Hub']
    """
    groups = []
    for group, entries in _MENU:
        shown = tuple(
            Entry(title, to, path == to or path.startswith(f"{to}/")) for title, to, least in entries if role >= least
        )
        if shown:
            groups.append((group, shown))
    return tuple(groups)
