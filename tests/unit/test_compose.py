"""docker-compose.yml against the settings, the worker image and what Prometheus reads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.seal import noted
from cli.worker import AGENTS, FOR_THE_CONSOLE
from ops.grafana.panels import SOURCE
from ops.prometheus.config import JOB
from settings import CHECKOUT, PREFIX, Settings

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("hourstream:")}
WORKERS = {name: service for name, service in OURS.items() if service["command"][:2] == ["hourstream", "worker"]}
DOCKERFILE = (CHECKOUT / "ops" / "container" / "Dockerfile").read_text("utf-8")
MOUNTED = "/run/secrets/"
SERVERS = {"kafka", "registry", "postgres", "prometheus", "alertmanager", "grafana"}
ONCE = ("topics", "schemas")
SECRETS = {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}


def filled(value: str) -> str:
    """The value as Compose fills it in with every secret set to `s3cret`."""
    return re.sub(r"\$\{\w+:\?[^}]+\}", "s3cret", value)


def secrets_of(service: dict[str, Any]) -> list[str]:
    """The secrets mounted into a service, each readable by its user alone, or our processes would refuse it."""
    mounted = service.get("secrets", [])
    user, group = (service.get("user") or COMPOSE["x-worker"]["user"]).split(":") if mounted else ("", "")
    for each in mounted:
        assert (each["uid"], each["gid"], each["mode"]) == (user, group, 0o400)
    return [each["source"] for each in mounted]


@pytest.fixture(params=sorted(OURS))
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The settings a process of ours reads inside its container, its secrets' files in `tmp_path`."""
    for name, value in OURS[request.param]["environment"].items():
        if value.startswith(MOUNTED):
            (tmp_path / value.removeprefix(MOUNTED)).write_text("s3cret")
            (tmp_path / value.removeprefix(MOUNTED)).chmod(0o400)
        monkeypatch.setenv(name, filled(value).replace(MOUNTED, f"{tmp_path}/"))
    return Settings.load()


def test_all_of_it_is_there() -> None:
    assert set(WORKERS) == {*AGENTS, *FOR_THE_CONSOLE}
    assert all(service["command"][2] == name for name, service in WORKERS.items())
    assert set(SERVICES) - set(WORKERS) == {*SERVERS, *ONCE, "console", "commands", "seal"}
    assert {name: SERVICES[name]["command"][1:3] for name in ONCE} == {
        "topics": ["topics", "create"],
        "schemas": ["schemas", "register"],
    }
    for name in ONCE:
        assert SERVICES[name]["restart"] == "no"
        assert all(
            each["depends_on"][name]["condition"] == "service_completed_successfully" for each in WORKERS.values()
        )


def test_one_seals_with_a_key_that_no_other_service_sees() -> None:
    seal = SERVICES["seal"]
    assert seal["command"] == ["hourstream", "seal", "--every", "60"]
    assert seal["environment"] == {
        **SERVICES["settle"]["environment"],
        PREFIX + "SEAL_KEY_FILE": f"/run/secrets/{secrets_of(seal)[0]}",
    }
    assert [name for name, service in SERVICES.items() if "seal_key" in secrets_of(service)] == ["seal"]
    assert COMPOSE["secrets"] == {name: {"environment": name.upper()} for name in ("seal_key", "people_key")}
    assert noted(Settings.load(home=Path("/var/lib/hourstream"))).as_posix() in seal["healthcheck"]["test"][3]


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_a_setting(name: str) -> None:
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    assert set(OURS[name]["environment"]) <= known


def test_addresses_are_those_of_the_servers(settings: Settings) -> None:
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"INTERNAL://{settings.bootstrap}" in advertised
    assert SERVICES["registry"]["environment"]["APICURIO_KAFKASQL_BOOTSTRAP_SERVERS"] == settings.bootstrap
    database = {name: filled(value) for name, value in SERVICES["postgres"]["environment"].items()}
    assert settings.database_url == (
        f"postgresql://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}@postgres:5432/{database['POSTGRES_DB']}"
    )
    assert settings.schema_registry_url == "http://registry:8080/apis/ccompat/v7"


def test_the_host_reaches_kafka_where_it_says_it_is() -> None:
    kafka = SERVICES["kafka"]
    advertised = dict(item.split("://") for item in kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert kafka["ports"] == [f"{advertised['HOST']}:9092"]


@pytest.mark.parametrize("settings", sorted(set(OURS) - {"commands"}), indirect=True)  # commands serve no figures
def test_prometheus_reads_every_worker(settings: Settings) -> None:
    scraped = yaml.safe_load((CHECKOUT / "ops" / "compose" / "prometheus.yml").read_text("utf-8"))
    (job,) = scraped["scrape_configs"]
    targets = {target for group in job["static_configs"] for target in group["targets"]}
    assert job["job_name"] == JOB  # which the alerts ask for
    assert targets == {f"{name}:{settings.metrics_port}" for name in WORKERS}
    (relabel,) = job["relabel_configs"]
    assert {re.fullmatch(relabel["regex"], target)[1] for target in targets} == set(WORKERS)  # type: ignore[index]
    assert all(f":{settings.metrics_port}/metrics" in worker["healthcheck"]["test"][3] for worker in WORKERS.values())


def test_rules_alerts_and_dashboards_are_where_their_servers_look() -> None:
    scraped = yaml.safe_load((CHECKOUT / "ops" / "compose" / "prometheus.yml").read_text("utf-8"))
    mounted = dict(volume.split(":")[:2][::-1] for name in SERVERS for volume in SERVICES[name].get("volumes", []))
    assert mounted[scraped["rule_files"][0]] == "./ops/prometheus/rules.yml"
    assert scraped["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]
    provisioning = CHECKOUT / "ops" / "compose" / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"][0]
    assert (source["url"], source["uid"]) == ("http://prometheus:9090", SOURCE.uid)
    boards = yaml.safe_load((provisioning / "dashboards" / "hourstream.yml").read_text("utf-8"))
    assert mounted[boards["providers"][0]["options"]["path"]] == "./ops/grafana"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_pinned_confined_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z./-]+:v?\d+\.\d+(\.\d+)?", service["image"])
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "test" in service["healthcheck"] or name in (*ONCE, "commands")
    assert all(needed in SERVICES for needed in service.get("depends_on", {}))
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (CHECKOUT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_ours_run_the_image_built_here(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["build"]["dockerfile"] == "ops/container/Dockerfile"
    assert f"USER {service['user']}\n" in DOCKERFILE
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((CHECKOUT / path).exists() for path in source.split())


def test_the_image_holds_every_package() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    for package in project["tool"]["setuptools"]["packages"]["find"]["include"]:
        assert f"COPY {package.removesuffix('*')} /opt/hourstream/{package.removesuffix('*')}\n" in DOCKERFILE


def test_the_image_holds_no_test_tools() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    for_tests = {re.split(r"[^\w-]", each)[0].casefold() for each in project["project"]["optional-dependencies"]["dev"]}
    locked, tested = (pinned(name) for name in ("requirements.lock", "requirements-dev.lock"))
    assert "-r /opt/hourstream/requirements.lock" in DOCKERFILE
    assert "requirements-dev" not in DOCKERFILE
    assert not for_tests & {name for name, _ in locked}
    assert locked < tested, "what is tested is what the image holds"


def pinned(lock: str) -> set[tuple[str, str]]:
    """(name, version) of everything a lock holds."""
    return set(re.findall(r"^([\w.-]+)==(\S+)", (CHECKOUT / lock).read_text("utf-8"), re.MULTILINE))


def test_the_key_of_personal_data_is_where_names_are_written_or_read_and_nowhere_else() -> None:
    with_it = {name for name, service in OURS.items() if "HOURSTREAM_PEOPLE_KEY_FILE" in service["environment"]}
    assert with_it == {"console", "commands"}
    for name in with_it:
        service = OURS[name]
        key = service["environment"]["HOURSTREAM_PEOPLE_KEY_FILE"]
        assert [key] == [MOUNTED + secret for secret in secrets_of(service)]
        folder = service["environment"]["HOURSTREAM_PEOPLE_ERASED_FILE"].rpartition("/")[0]
        assert f"people:{folder}" in service["volumes"]
        assert f"--mode=0700 {folder}\n" in DOCKERFILE


def test_no_password_is_committed() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text("utf-8")
    used = re.findall(r"\$\{(\w+)([^}]*)\}", text)
    assert {name for name, _ in used} == SECRETS
    assert all(rest.startswith(":?") for _, rest in used)  # refuses to start without it, in place of a default
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or value.startswith("${"), f"{name}: {variable}"
    example = (CHECKOUT / "ops" / "compose" / "env.example").read_text("utf-8").splitlines()
    assert {line for line in example if not line.startswith("#")} == {
        f"{name}=" for name in (*SECRETS, "SEAL_KEY", "PEOPLE_KEY")
    }
