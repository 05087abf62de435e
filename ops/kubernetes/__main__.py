"""Writes ops/kubernetes/hourstream.yaml: `python -m ops.kubernetes`."""

from pathlib import Path

import yaml

from ops.kubernetes.manifests import manifests

FILE = Path(__file__).with_name("hourstream.yaml")
_HEAD = """\
# Made by `python -m ops.kubernetes`. Apply beside two Secrets: hourstream-secrets with HOURSTREAM_POSTGRES_URL and
# HOURSTREAM_SCHEMA_REGISTRY_URL, and hourstream-seal-key with `key`, the key of seals. Without a registry leave the Job
# hourstream-schemas out.
"""


class _Plain(yaml.SafeDumper):
    """Without anchors: repeated parts are written out for each pod."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def text() -> str:
    """The whole file."""
    return _HEAD + yaml.dump_all(manifests(), Dumper=_Plain, sort_keys=False, explicit_start=True, width=110)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
