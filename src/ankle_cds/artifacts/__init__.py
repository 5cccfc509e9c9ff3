"""The content of each condition: read from its folder, completed, checked, frozen, and every canonical resolved.

`load` gives a package that can be run and published, or refuses with every mistake, its file and its line.
"""

from __future__ import annotations

from pathlib import Path

from ankle_cds.artifacts.build import build
from ankle_cds.artifacts.dependencies import closure, needed
from ankle_cds.artifacts.package import Package
from ankle_cds.artifacts.requirements import Input
from ankle_cds.artifacts.writing import documents, notices, write
from ankle_cds.errors import ContentError

__all__ = ["Input", "Package", "closure", "documents", "load", "load_all", "needed", "notices", "write"]

_HOME = Path(__file__).resolve().parent.parent


def load(condition_dir: Path, *, profiles: Path | None = None) -> Package:
    """Build the package of one content folder; `profiles` defaults to the project's own.

    Afterwards nothing of it changes any more, and every canonical in it resolves. Raises ContentError whose causes are
    all mistakes found, each with file and line.
    """
    return build(condition_dir, profiles or profiles_folder())


def load_all(content: Path | None = None, *, profiles: Path | None = None) -> dict[str, Package]:
    """Build every folder under `content` (default: the embedded content), by CDS service id.

    Raises ContentError also for two folders that publish one service, and for a profile that belongs to no folder.
    """
    packages: dict[str, Package] = {}
    for settings in sorted((content or _HOME / "content").glob("*/package.yaml")):
        package = load(settings.parent, profiles=profiles)
        if package.service_id in packages:
            raise ContentError(
                f"Two content folders publish the CDS service {package.service_id}; rename one endpoint.",
                where=str(settings),
            )
        packages[package.service_id] = package
    read = {source.document.path for package in packages.values() for source in package.sources.values()}
    for path in sorted((profiles or profiles_folder()).glob("*.yaml")):
        if path not in read:
            raise ContentError(
                "The profile belongs to no condition; begin its id with the prefix of one.", where=f"{path}:1"
            )
    return packages


def profiles_folder() -> Path:
    """Give the folder of the profiles: in the wheel beside the content, in a checkout at its root."""
    packed = _HOME / "profiles"
    return packed if packed.is_dir() else _HOME.parent.parent / "profiles"
