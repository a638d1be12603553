"""How much disk the base install takes: the package and all that it requires, without extras."""

import os
import re
from importlib import metadata

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def installed_mb(name: str = "edge-agent") -> dict[str, float]:
    """Megabytes of each distribution that a base install brings along, those that are installed here, largest first."""
    found: dict[str, float] = {}
    pending = [name]
    while pending:
        each = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if each in found:
            continue
        try:
            distribution = metadata.distribution(each)
        except metadata.PackageNotFoundError:
            continue  # of another platform
        files = distribution.files or []
        paths = (distribution.locate_file(file) for file in files)
        found[each] = sum(_size(str(path)) for path in paths) / 1e6
        pending += [
            match[0]
            for requirement in distribution.requires or []
            if "extra ==" not in requirement and (match := _NAME.match(requirement))
        ]
    return dict(sorted(((k, round(v, 2)) for k, v in found.items()), key=lambda item: -item[1]))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # listed, but removed after the install: compiled files of another Python
