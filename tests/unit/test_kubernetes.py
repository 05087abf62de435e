"""The manifests against Kubernetes' own schemas, the settings, and what a pod of ours may do."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cli.seal import noted
from cli.worker import AGENTS, FOR_THE_CONSOLE
from ops.kubernetes.__main__ import FILE, text
from settings import PREFIX, Settings

MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all(FILE.read_text("utf-8")))
STATEFUL = {m["metadata"]["name"]: m for m in MANIFESTS if m["kind"] == "StatefulSet"}
PODS = [m["spec"]["template"]["spec"] for m in MANIFESTS if m["kind"] in ("StatefulSet", "Deployment", "Job")]
WORKERS = (*AGENTS, *FOR_THE_CONSOLE)
ALONE = ("masters", "intake")  # read topics of one partition, in one total order


def test_the_file_is_what_is_made_now() -> None:
    assert FILE.read_text("utf-8") == text(), "run `python -m ops.kubernetes`"


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: f"{m['kind']} {m['metadata']['name']}")
def test_kubernetes_takes_it(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.34", strict=True)


def test_every_worker_is_there_with_a_volume_and_an_identity_that_last() -> None:
    assert set(STATEFUL) == {f"hourstream-{name}" for name in (*WORKERS, "commands")}
    for name in WORKERS:
        spec = STATEFUL[f"hourstream-{name}"]["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        assert container["command"] == ["hourstream", "worker", name]
        assert [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]] == ["home"]
        assert name not in ALONE or spec["replicas"] == 1


def test_one_seals_with_a_key_that_no_other_pod_sees() -> None:
    (sealer,) = (m for m in MANIFESTS if m["kind"] == "Deployment")
    assert (sealer["spec"]["replicas"], sealer["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (container,) = sealer["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["hourstream", "seal", "--every", "60"]
    (variable,) = container["env"]
    assert variable["name"] == PREFIX + "SEAL_KEY_FILE"
    assert variable["value"].startswith(next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "key"))
    assert (
        noted(Settings.load(home=Path("/var/lib/hourstream"))).as_posix()
        in container["livenessProbe"]["exec"]["command"][2]
    )
    secrets = [v["secret"]["secretName"] for pod in PODS for v in pod["volumes"] if "secret" in v]
    assert secrets == ["hourstream-seal-key", "hourstream-people"]


def test_what_is_scraped_is_who_serves_metrics() -> None:
    """A pod without a page of metrics would be a worker that is down to whoever scrapes."""
    (selected,) = (m["spec"]["selector"] for m in MANIFESTS if m["kind"] == "Service")
    labels = {
        m["metadata"]["name"]: m["spec"]["template"]["metadata"]["labels"]
        for m in MANIFESTS
        if m["kind"] in ("StatefulSet", "Deployment", "Job")
    }
    assert {name for name, own in labels.items() if selected.items() <= own.items()} == {*STATEFUL} - {
        "hourstream-commands"
    }


def test_topics_and_schemas_are_made_once_and_before_anything_is_written() -> None:
    jobs = {m["metadata"]["name"]: m["spec"]["template"]["spec"] for m in MANIFESTS if m["kind"] == "Job"}
    assert {name: pod["containers"][0]["command"][1:3] for name, pod in jobs.items()} == {
        "hourstream-topics": ["topics", "create"],
        "hourstream-schemas": ["schemas", "register"],
    }
    kinds = [m["kind"] for m in MANIFESTS]
    assert max(n for n, kind in enumerate(kinds) if kind == "Job") < kinds.index("StatefulSet")


def test_every_variable_is_a_setting_and_none_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    (config,) = [m["data"] for m in MANIFESTS if m["kind"] == "ConfigMap"]
    assert set(config) <= {PREFIX + field.upper() for field in Settings.model_fields}
    assert not [name for name in config if "URL" in name]
    for name, value in config.items():
        monkeypatch.setenv(name, value)
    assert Settings.load().metrics_port == 9100


def test_one_pod_has_the_key_of_personal_data_and_keeps_the_list_of_erasures() -> None:
    with_it = [name for name, m in STATEFUL.items() if "HOURSTREAM_PEOPLE" in str(m)]
    assert with_it == ["hourstream-commands"]
    pod = STATEFUL["hourstream-commands"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert set(given) <= {PREFIX + field.upper() for field in Settings.model_fields}
    mounts = {each["name"]: each for each in container["volumeMounts"]}
    assert given["HOURSTREAM_PEOPLE_KEY_FILE"] == f"{mounts['people']['mountPath']}/key"
    assert given["HOURSTREAM_PEOPLE_ERASED_FILE"].startswith(mounts["home"]["mountPath"])
    assert mounts["people"]["readOnly"]


def test_a_pod_may_write_to_its_volume_only_and_become_nobody_else() -> None:
    for pod in PODS:
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        assert not pod["enableServiceLinks"]
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"]
            assert not rights["allowPrivilegeEscalation"]
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
