"""A Docker Engine and the images of the tests; without an engine these tests skip and say so."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.containers import images
from tests.containers.compose import Compose, as_version_1

_PROGRAMS = ("docker", "docker-compose", "debootstrap")


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Skip where there is no engine, or where what makes base images is missing."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: apt-get install docker.io docker-compose debootstrap iptables")
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S607
    if asked.returncode:
        pytest.skip("no Docker Engine answers: start dockerd")


@pytest.fixture(scope="session")
def local_images(engine: None) -> dict[str, str]:
    """The tag of each service's image, built where it is not there yet."""
    return images.build_all()


@pytest.fixture(scope="module")
def compose(local_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """The compose project; its containers and volumes are removed at the end."""
    folder: Path = tmp_path_factory.mktemp("compose")
    file = folder / "docker-compose.yml"
    file.write_text(yaml.safe_dump(as_version_1(local_images, folder), sort_keys=False))
    (folder / ".env").write_text("POSTGRES_PASSWORD=s3cretWord\nGRAFANA_PASSWORD=unused\n")
    project = Compose(file)
    project("down", "--volumes", "--remove-orphans")
    try:
        yield project
    finally:
        project("down", "--volumes", "--timeout", "5")
