"""Every worker as a StatefulSet: an identity that lasts, a volume for its state, probes, and a pod that may do little.

Kafka, PostgreSQL and a schema registry are yours; their addresses are in the ConfigMap and the Secret named here. A
worker's name in its group is kept on its volume, so a pod that restarts is the same member and causes no rebalance.
The sealer's key is a Secret of its own, which no worker sees.
"""

from dataclasses import dataclass
from typing import Any

from cli.worker import AGENTS, FOR_THE_CONSOLE

Manifest = dict[str, Any]

IMAGE = "hourstream:0.1.0"
CONFIG, SECRET, SEAL_KEY = "hourstream", "hourstream-secrets", "hourstream-seal-key"
PEOPLE, _PEOPLE_FOLDER = "hourstream-people", "/etc/hourstream/people"
_KEY_FOLDER = "/etc/hourstream/seal"
_SEALED_SECONDS = 600  # time without a seal after which the sealer is restarted
_HOME, _PORT, _USER = "/var/lib/hourstream", 9100, 10001
_LABEL = "app.kubernetes.io/name"
_STAGE = "hourstream/stage"
_SERVES = {"hourstream/serves": "metrics"}  # workers do; the sealer and what runs once have none to scrape
_OF_THE_POD = {"name": "home", "emptyDir": {}}


@dataclass(frozen=True)
class Size:
    """A worker's resources, and the number of workers; one if its partitions cannot be shared."""

    replicas: int = 1
    cpu: str = "100m"
    memory: str = "384Mi"
    most_memory: str = "768Mi"
    volume: str = "1Gi"


SIZES = {
    "settle": Size(replicas=2, cpu="500m", memory="640Mi", most_memory="1Gi", volume="20Gi"),
    "intake": Size(cpu="250m", volume="5Gi"),
}


def manifests() -> list[Manifest]:
    """All manifests, in the order of application."""
    names = (*AGENTS, *FOR_THE_CONSOLE)
    workers = [worker(name, SIZES.get(name, Size())) for name in names]
    budgets = [budget(name) for name in names if SIZES.get(name, Size()).replicas > 1]
    return [config(), topics(), schemas(), service(), network(), *workers, sealer(), commands(), *budgets]


def config() -> Manifest:
    """Settings without secrets; HOURSTREAM_POSTGRES_URL and HOURSTREAM_SCHEMA_REGISTRY_URL are in the Secret."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _named(CONFIG),
        "data": {
            "HOURSTREAM_BROKER": "kafka:9092",
            "HOURSTREAM_HOME": _HOME,
            "HOURSTREAM_METRICS_HOST": "0.0.0.0",  # noqa: S104 - of the pod; the network policy says who may ask
            "HOURSTREAM_METRICS_PORT": str(_PORT),
            "HOURSTREAM_REPLICATION": "3",
            "HOURSTREAM_SESSION_SECONDS": "30",  # a pod that moves to another node keeps its partitions
        },
    }


def topics() -> Manifest:
    """Creates missing topics, and ends."""
    return _job("topics", ["hourstream", "topics", "create"])


def schemas() -> Manifest:
    """Registers every released schema, and ends; it fails where the registry gave other ids than ours."""
    return _job("schemas", ["hourstream", "schemas", "register", "--own-ids", "--ids", "/tmp/schema-ids.json"])  # noqa: S108 - of the pod


def _job(stage: str, command: list[str]) -> Manifest:
    pod = _pod(stage, command, Size())
    pod["spec"] |= {"restartPolicy": "OnFailure", "volumes": [*pod["spec"]["volumes"], _OF_THE_POD]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _named(f"hourstream-{stage}"),
        "spec": {"backoffLimit": 10, "template": pod},
    }


def sealer() -> Manifest:
    """The sealer; a second one would only take over from the first. Its notes may be lost."""
    pod = _pod("seal", ["hourstream", "seal", "--every", "60"], Size())
    (container,) = pod["spec"]["containers"]
    container["env"] = [{"name": "HOURSTREAM_SEAL_KEY_FILE", "value": f"{_KEY_FOLDER}/key"}]
    container["volumeMounts"].append({"name": "key", "mountPath": _KEY_FOLDER, "readOnly": True})
    age = f"time.time() - os.stat('{_HOME}/run/sealed').st_mtime"
    alive = {
        "exec": {"command": ["python", "-c", f"import os, time; assert {age} < {_SEALED_SECONDS}"]},
        "periodSeconds": 30,
        "timeoutSeconds": 5,
    }
    container |= {
        "startupProbe": alive | {"failureThreshold": 120},  # the first time everything there is is sealed
        "livenessProbe": alive | {"failureThreshold": 3},
    }
    key = {"name": "key", "secret": {"secretName": SEAL_KEY, "defaultMode": 0o440}}
    pod["spec"]["volumes"] += [_OF_THE_POD, key]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _named("hourstream-seal"),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {_STAGE: "seal"}},
            "template": pod,
        },
    }


def service() -> Manifest:
    """The names of the pods, and where Prometheus finds them."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _named("hourstream"),
        "spec": {
            "clusterIP": "None",
            "selector": _SERVES,
            "ports": [{"name": "metrics", "port": _PORT}],
        },
    }


def network() -> Manifest:
    """Only pods labelled hourstream/scrapes=true, in any namespace, reach the metrics port of a worker."""
    scraper = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"hourstream/scrapes": "true"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _named("hourstream"),
        "spec": {
            "podSelector": {"matchLabels": {_LABEL: "hourstream"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [scraper], "ports": [{"port": _PORT}]}],
        },
    }


def worker(name: str, size: Size) -> Manifest:
    """One process of the stream."""
    pod = _pod(name, ["hourstream", "worker", name], size)
    alive = {"httpGet": {"path": "/healthz", "port": "metrics"}, "periodSeconds": 10, "timeoutSeconds": 5}
    (container,) = pod["spec"]["containers"]
    container |= {
        "ports": [{"name": "metrics", "containerPort": _PORT}],
        "startupProbe": alive | {"failureThreshold": 180},  # the masters may be many, and the state on its way
        "livenessProbe": alive | {"failureThreshold": 6},
        "readinessProbe": alive,
    }
    pod["metadata"]["labels"] |= _SERVES
    pod["spec"]["terminationGracePeriodSeconds"] = 60  # the batch under way ends first
    return _stateful(name, pod, size)


def _stateful(name: str, pod: Manifest, size: Size) -> Manifest:
    claim = {
        "metadata": {"name": "home"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size.volume}}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": _named(f"hourstream-{name}"),
        "spec": {
            "serviceName": "hourstream",
            "replicas": size.replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {_STAGE: name}},
            "template": pod,
            "volumeClaimTemplates": [claim],
        },
    }


def commands() -> Manifest:
    """The pod for commands (`kubectl exec`): the one pod with the key of personal data, its Secret's `key`.

    The list of erasures is on the pod's volume, so apart from the database and its backups.
    """
    pod = _pod("commands", ["sleep", "infinity"], Size())
    (container,) = pod["spec"]["containers"]
    container["env"] = [
        {"name": "HOURSTREAM_PEOPLE_KEY_FILE", "value": f"{_PEOPLE_FOLDER}/key"},
        {"name": "HOURSTREAM_PEOPLE_ERASED_FILE", "value": f"{_HOME}/people.erased"},
    ]
    container["volumeMounts"].append({"name": "people", "mountPath": _PEOPLE_FOLDER, "readOnly": True})
    pod["spec"]["volumes"].append({"name": "people", "secret": {"secretName": PEOPLE, "defaultMode": 0o440}})
    pod["spec"]["terminationGracePeriodSeconds"] = 1
    return _stateful("commands", pod, Size())


def budget(name: str) -> Manifest:
    """Of several, one at a time may be moved."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _named(f"hourstream-{name}"),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {_STAGE: name}}},
    }


def _named(name: str) -> Manifest:
    return {"name": name, "labels": {_LABEL: "hourstream"}}


def _pod(stage: str, command: list[str], size: Size) -> Manifest:
    container = {
        "name": stage,
        "image": IMAGE,
        "command": command,
        "envFrom": [{"configMapRef": {"name": CONFIG}}, {"secretRef": {"name": SECRET}}],
        "resources": {
            "requests": {"cpu": size.cpu, "memory": size.memory},
            "limits": {"memory": size.most_memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "home", "mountPath": _HOME}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - of the pod
    }
    return {
        "metadata": {"labels": {_LABEL: "hourstream", _STAGE: stage}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,  # its variables would begin with HOURSTREAM_ too
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
