"""docker-compose.yml brought up: the demo runs in it, every service is healthy, a stop and a start lose nothing."""

import json
import time

import pytest

from tests.containers.compose import Compose

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1500)]  # a new machine builds the images first

SERVERS = ["kafka", "postgres", "registry"]
WORKERS = [
    "masters",
    "intake",
    "settle",
    "advisories",
    "erp",
    "billing",
    "lifecycle",
    "metrics",
    "warehouse",
    "console",
]
WATCHERS = ["prometheus", "alertmanager"]
COMMANDS = ("--profile", "commands", "--profile", "console")


def audited(compose: Compose) -> dict[str, object]:
    """The audit's statements, as a command inside the network gives them."""
    said = compose(
        "--profile", "commands", "run", "--rm", "-T", "--no-deps", "commands", "hourstream", "audit", "--json"
    )
    return dict(json.loads(said[said.index("{") :]))


def test_the_demo_runs_in_containers_and_a_stop_and_start_lose_nothing(compose: Compose) -> None:
    compose("up", "--detach", *SERVERS)
    print("healthy after", compose.wait_healthy(SERVERS, 120))

    table = compose("--profile", "commands", "run", "--rm", "-T", "commands", "hourstream", "demo", seconds=600)
    print(table)
    assert "in = out, to the minute" in table
    assert "NO" not in table.partition("in = out, to the minute")[2].splitlines()[0]

    began = time.monotonic()
    compose("--profile", "console", "up", "--detach")
    healthy = compose.wait_healthy([*SERVERS, *WORKERS, *WATCHERS], 400)
    print(f"all healthy after {time.monotonic() - began:.0f} s", healthy)
    for service in WORKERS:
        host = compose.inspect(service)["HostConfig"]
        assert compose.inspect(service)["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in host["SecurityOpt"]

    before = audited(compose)
    began = time.monotonic()
    compose("--profile", "console", "stop", "--timeout", "60")
    print(f"stopped in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    compose("--profile", "console", "start")
    healthy = compose.wait_healthy([*SERVERS, *WORKERS, *WATCHERS], 400)
    print(f"started again in {time.monotonic() - began:.0f} s", healthy)
    after = audited(compose)
    assert before == after
    assert after["all_true"] is True, after
