"""docker-compose.yml as the Compose of Debian can read it, with images that were made here in place of pulled ones.

That Compose is version 1: it knows neither `name`, nor secrets from the environment, nor optional env files. What is
changed for it is in `as_version_1`; every health check and every restriction is the file's own.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from settings import CHECKOUT
from tests.containers.images import run

PROJECT = f"hourstream-test-{os.getpid()}"
OWNER = 10001  # the user of our image
WITHOUT_IMAGE = ("grafana",)  # no registry that is reached here has it
CONSOLE_ENV = {"HOURSTREAM_CONSOLE_URL": "https://console.example"}  # what ops/compose/console.env holds


def as_version_1(images: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """The compose file for version 1: local images, secrets as files of `folder`, no published ports."""
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text("utf-8"))
    services = {name: service for name, service in found["services"].items() if name not in WITHOUT_IMAGE}
    for name, service in services.items():
        service["secrets"] = [each["source"] for each in service.get("secrets", [])]
        service["image"] = images["hourstream" if service["image"].startswith("hourstream:") else name]
        service.pop("build", None)
        service.pop("ports", None)  # several runs may share a machine; tests ask from inside
        service.pop("env_file", None)
        service["volumes"] = [_absolute(each) for each in service.get("volumes", [])]
    services["console"]["environment"] = {**services["console"]["environment"], **CONSOLE_ENV}
    secrets = {}
    for name in found["secrets"]:
        file = folder / name
        file.write_text(f"{name} of the tests, 32 bytes or more\n" if name != "people_key" else "ab" * 32)
        file.chmod(0o400)  # Compose mounts a file as it is, so its owner is set here
        os.chown(file, OWNER, OWNER)
        secrets[name] = {"file": str(file)}
    return {"version": "3.9", "services": services, "secrets": secrets, "volumes": found["volumes"]}


def _absolute(volume: str) -> str:
    return str(CHECKOUT / volume) if volume.startswith("./") else volume


@dataclass(frozen=True, slots=True)
class Compose:
    """A running compose project."""

    file: Path

    def __call__(self, *command: str, seconds: float = 600) -> str:
        """Run docker-compose; its standard output."""
        return run("docker-compose", "--project-name", PROJECT, "--file", str(self.file), *command, seconds=seconds)

    def container(self, service: str) -> str:
        """The id of a service's container."""
        labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
        filters = [
            word for label in (*labels, "com.docker.compose.oneoff=False") for word in ("--filter", f"label={label}")
        ]
        return run("docker", "ps", "--all", "--quiet", "--no-trunc", *filters).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine says of a service's container."""
        (found,) = json.loads(run("docker", "inspect", self.container(service)))
        return dict(found)

    def health(self, services: list[str]) -> dict[str, str]:
        """Of each service: healthy, unhealthy, starting; the exit code of a container that ended."""
        ids = {service: self.container(service) for service in services}
        found = {each["Id"]: each["State"] for each in json.loads(run("docker", "inspect", *ids.values()))}
        return {service: _health(found[id_]) for service, id_ in ids.items()}

    def wait_healthy(self, services: list[str], seconds: float) -> dict[str, float]:
        """Wait until all are healthy; the seconds each took. Raises TimeoutError with the log of one that is not."""
        began, took = time.monotonic(), dict[str, float]()
        while late := [service for service in services if service not in took]:
            states = self.health(late)
            took |= {name: round(time.monotonic() - began, 1) for name, state in states.items() if state == "healthy"}
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{late[0]} is {states[late[0]]}\n{self('logs', '--tail', '60', late[0])}")
            time.sleep(1)
        return took


def _health(state: Mapping[str, Any]) -> str:
    return str(state["Health"]["Status"] if "Health" in state and state["Running"] else state["ExitCode"])
