"""Our image by itself: who it runs as, what it may write, what it holds."""

import json

import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from tests.containers import images

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1500)]  # a new machine builds the images first

testcontainers_config.ryuk_disabled = True  # its image cannot be pulled here; every container is a context manager


def answer(container: DockerContainer, *command: str) -> tuple[int, str]:
    """Exit code and output of a command in a running container."""
    found = container.get_wrapped_container().exec_run(list(command))
    return found.exit_code, found.output.decode()


def test_it_runs_as_a_user_without_rights_on_a_root_it_cannot_write(local_images: dict[str, str]) -> None:
    image = DockerContainer(local_images["hourstream"]).with_command("sleep 120")
    with image.with_tmpfs_mount("/tmp").with_kwargs(read_only=True, cap_drop=["ALL"]) as container:  # noqa: S108
        assert answer(container, "id", "-u")[1].strip() == "10001"
        code, _ = answer(container, "touch", "/opt/hourstream/x")
        assert code != 0
        code, said = answer(container, "hourstream", "--version")
        assert (code, said.split()[0]) == (0, "hourstream"), said
        code, said = answer(container, "hourstream", "schemas", "check")
        assert code == 0, said


def test_it_holds_no_test_tools(local_images: dict[str, str]) -> None:
    with DockerContainer(local_images["hourstream"]).with_command("sleep 60") as container:
        code, listed = answer(
            container, "/opt/hourstream/.venv/bin/python", "-m", "pip", "--no-cache-dir", "list", "--format", "json"
        )
        assert code == 0, listed
        held = {package["name"].lower() for package in json.loads(listed[listed.index("[") :])}
        assert {"faust-streaming", "confluent-kafka"} <= held
        assert not held & {"pytest", "hypothesis", "mypy", "ruff", "playwright", "schemathesis", "testcontainers"}


def size_of(image: str) -> int:
    """Bytes of an image."""
    return int(images.run("docker", "image", "inspect", "--format", "{{.Size}}", image))


def test_its_size_is_known(local_images: dict[str, str]) -> None:
    own = size_of(local_images["hourstream"]) - size_of(images.base())
    print(f"the image adds {own / 1e6:.0f} MB to its base")
    assert 0 < own < 900e6
