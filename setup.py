"""What pyproject.toml cannot say: files outside the packages that a wheel carries too (`edge_agent.resources`)."""

from setuptools import find_packages, setup

CARRIED = ("models/default", "models/speech", "config", "deploy/systemd")


def _package(path: str) -> str:
    return f"edge_agent.shipped.{path.replace('/', '.')}"


setup(
    packages=[*find_packages(include=["edge_agent*", "training_hub*"]), *map(_package, CARRIED)],
    package_dir={_package(path): path for path in CARRIED},
)
