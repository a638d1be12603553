"""Builds the Debian package: the agent and all it needs under /opt/edge-agent, so that a gateway needs no network.

usage: .venv/bin/python -m deploy.debian.build_deb [--out DIR] [--python /usr/bin/python3]

The package is for the Debian release whose Python is given: the wheels of the dependencies are made for that version.
Building needs a package index, or wheels in a directory (PIP_NO_INDEX=1 PIP_FIND_LINKS=DIR); installing does not.
"""

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import edge_agent
from deploy.debian.man_page import man_page
from deploy.release.targets import CONSTRAINTS, REPOSITORY, requirements

RECIPE = Path(__file__).resolve().parent
PREFIX = Path("opt/edge-agent")
_LAUNCHER = """#!/opt/edge-agent/bin/python3 -I
import sys

from edge_agent.cli import main

sys.exit(main())
"""
# tests, compilers' files, and what drives accelerators that a gateway has not: a third of the package
_NOT_NEEDED = (
    "**/tests", "**/__pycache__", "numpy/f2py", "numpy/_core/include",
    "ai_edge_litert/tools", "ai_edge_litert/vendors", "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
)  # fmt: skip


def build(out: Path, python: Path) -> Path:
    """Build the package.

    Args:
        out: Directory of the package.
        python: Python of the Debian release that it is for.

    Returns:
        The package.
    """
    version = _ask(python, "import sys; print('%d.%d' % sys.version_info[:2])")
    if not str(python).startswith("/usr/bin/"):
        raise SystemExit(f"{python} is not Debian's own Python; install python3 and give --python /usr/bin/python3")
    root = out / "root"
    shutil.rmtree(root, ignore_errors=True)
    prefix = root / PREFIX
    packages = prefix / "lib" / f"python{version}" / "site-packages"
    _install_dependencies(python, prefix)
    _install_agent(prefix, packages, version)
    _install_files(root)
    _prune(packages)
    # checked by nobody at run time: the files belong to the package and do not change
    _run(python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash",
         "-s", str(root), "-p", "/", str(packages))  # fmt: skip
    _write_control(root, version, packages)
    _set_modes(root)
    architecture = _ask_tool("dpkg", "--print-architecture")
    package = out / f"edge-agent_{edge_agent.__version__}_{architecture}.deb"
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _ask_tool("git", "-C", str(REPOSITORY), "log", "-1", "--format=%ct")
    _run("dpkg-deb", "--root-owner-group", "-Zzstd", "--build", str(root), str(package), SOURCE_DATE_EPOCH=epoch)
    shutil.rmtree(root)
    return package


def _install_dependencies(python: Path, prefix: Path) -> None:
    # --copies would bring a python along; the link follows the security updates of the system's
    _run(python, "-m", "venv", "--without-pip", str(prefix))
    _run(sys.executable, "-m", "pip", "--python", str(prefix / "bin" / "python3"), "--disable-pip-version-check",
         "install", "--quiet", "--no-compile", "--only-binary", ":all:",
         "-c", str(CONSTRAINTS), *requirements("sync"))  # fmt: skip


def _install_agent(prefix: Path, packages: Path, version: str) -> None:
    shutil.copytree(
        REPOSITORY / "edge_agent", packages / "edge_agent", ignore=shutil.ignore_patterns("__pycache__", ".*")
    )
    shutil.copytree(REPOSITORY / "models", prefix / "models", ignore=shutil.ignore_patterns(".*"))
    (packages / "models").symlink_to(Path("../../../models"))  # beside the package, where the agent looks
    shutil.rmtree(prefix / "bin")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python3").symlink_to(f"/usr/bin/python{version}")
    (prefix / "bin" / "edge-agent").write_text(_LAUNCHER)
    # the path of the build must not travel along
    (prefix / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n")
    for leftover in ("include", "share", "lib64"):
        path = prefix / leftover
        path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)


def _install_files(root: Path) -> None:
    documents = root / "usr/share/doc/edge-agent"
    for directory in ("usr/bin", "usr/lib/systemd/system", "etc/edge-agent", "usr/share/man/man1"):
        (root / directory).mkdir(parents=True)
    documents.mkdir(parents=True)
    (root / "usr/bin/edge-agent").symlink_to("/opt/edge-agent/bin/edge-agent")
    shutil.copy(REPOSITORY / "deploy/systemd/edge-agent.service", root / "usr/lib/systemd/system")
    shutil.copy(REPOSITORY / "deploy/systemd/edge-agent-as-service", root / "usr/bin")
    shutil.copy(REPOSITORY / "config/agent.toml", root / "etc/edge-agent/agent.toml")
    shutil.copy(RECIPE / "copyright", documents)
    _write_gzip(documents / "CHANGELOG.md.gz", (REPOSITORY / "CHANGELOG.md").read_text())
    (root / "usr/share/man/man1/edge-agent-as-service.1.gz").symlink_to("edge-agent.1.gz")
    _write_gzip(root / "usr/share/man/man1/edge-agent.1.gz", man_page())


def _prune(packages: Path) -> None:
    for pattern in _NOT_NEEDED:
        for path in packages.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for record in packages.glob("*.dist-info/direct_url.json"):
        record.unlink()


def _write_control(root: Path, version: str, packages: Path) -> None:
    control = root / "DEBIAN"
    control.mkdir()
    size_kib = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    values = {
        "VERSION": edge_agent.__version__,
        "ARCHITECTURE": _ask_tool("dpkg", "--print-architecture"),
        "INSTALLED_SIZE": str(size_kib),
        "PYTHON": f"python{version}",
        "GLIBC": _newest_glibc(packages),
    }
    text = (RECIPE / "control.in").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    (control / "control").write_text(text)
    (control / "conffiles").write_text("/etc/edge-agent/agent.toml\n")
    for script in ("postinst", "prerm", "postrm"):
        shutil.copy(RECIPE / script, control / script)


def _newest_glibc(packages: Path) -> str:
    """The newest C library that any of the wheels asks for, by its own tag."""
    found = {(2, 17)}
    for wheel in packages.glob("*.dist-info/WHEEL"):
        tags = [line for line in wheel.read_text().splitlines() if line.startswith("Tag: ")]
        versions = [(int(a), int(b)) for a, b in re.findall(r"manylinux_(\d+)_(\d+)_", "\n".join(tags))]
        if versions:
            found.add(min(versions))  # tags of one wheel are alternatives
    major, minor = max(found)
    return f"{major}.{minor}"


def _set_modes(root: Path) -> None:
    programs = {"postinst", "prerm", "postrm", "edge-agent", "edge-agent-as-service"}
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            program = path.name in programs and path.parent.name in ("DEBIAN", "bin")
            path.chmod(0o755 if path.is_dir() or program else 0o644)


def _write_gzip(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _run(*command: str | Path, **environment: str) -> None:
    subprocess.run([str(word) for word in command], check=True, env={**os.environ, **environment})


def _ask(python: Path, code: str) -> str:
    return _ask_tool(str(python), "-c", code)


def _ask_tool(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Build, and say where it lies."""
    parser = argparse.ArgumentParser(description="Builds the Debian package of the edge agent.")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "dist")
    parser.add_argument("--python", type=Path, default=Path("/usr/bin/python3"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    package = build(arguments.out.resolve(), arguments.python)
    print(f"{package}  {package.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
