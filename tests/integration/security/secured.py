"""A Kafka that wants to know who asks: one listener for certificates (mTLS), one for SCRAM over TLS, and rights.

Certificates are made here, for the test alone. The broker and the administrator present theirs; processes have SCRAM.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization as pem

from devstack.kafka import Front, Kafka
from devstack.ports import LOOPBACK, free_port
from settings import PREFIX, Settings
from topics.catalogue import TOPICS, changelog_of
from topics.create import create_topics

ADMIN = "admin"


@dataclass
class Secured:
    """The running cluster. `mtls` and `scram` are its two addresses."""

    folder: Path
    ca: trustme.CA
    kafka: Kafka
    scram: str
    admin: AdminClient
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def mtls(self) -> str:
        """The listener that wants a certificate."""
        return self.kafka.broker

    def users(self, *names: str) -> None:
        """Make SCRAM users."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        self.passwords |= {name: secrets.token_urlsafe(18) for name in names}
        wanted = [UserScramCredentialUpsertion(name, info, self.passwords[name].encode()) for name in names]
        for made in self.admin.alter_user_scram_credentials(wanted).values():
            made.result(30)

    def wait_for(self, name: str, topic: str) -> None:
        """Wait until the broker has learned of a user and of its rights: both reach it a moment after being made."""
        client = AdminClient({"bootstrap.servers": self.scram, "log_level": 0, **self.scrammed(name)})
        deadline = time.monotonic() + 60
        while True:
            try:
                if topic in client.list_topics(timeout=1).topics:
                    return
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def scrammed(self, name: str) -> dict[str, str]:
        """Client settings of a SCRAM user."""
        return {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.folder / "ca.pem"),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": self.passwords[name],
        }

    def settings_of(self, name: str) -> dict[str, str]:
        """The environment of a process that is this SCRAM user, its password in a file."""
        file = self.folder / f"{name}.password"
        file.touch(mode=0o600)
        file.write_text(f"{self.passwords[name]}\n", encoding="utf-8")
        values = {
            "broker": self.scram,
            "kafka_security": "SASL_SSL",
            "kafka_ca_file": str(self.folder / "ca.pem"),
            "kafka_user": name,
            "kafka_password_file": str(file),
        }
        return {PREFIX + key.upper(): value for key, value in values.items()}


def certified(folder: Path, ca: trustme.CA, name: str) -> dict[str, str]:
    """Client settings with a certificate in this name, made anew."""
    files = certificate(folder, ca, name)
    return {
        "security.protocol": "SSL",
        "ssl.ca.location": str(folder / "ca.pem"),
        "ssl.certificate.location": str(files[0]),
        "ssl.key.location": str(files[1]),
    }


def certificate(folder: Path, ca: trustme.CA, name: str) -> tuple[Path, Path]:
    """(certificate, key) files of a certificate in this name, for this machine."""
    made = ca.issue_cert(LOOPBACK, common_name=name)
    cert, key = folder / f"{name}.crt.pem", folder / f"{name}.key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    private = pem.load_pem_private_key(made.private_key_pem.bytes(), None)
    key.touch(mode=0o600)
    key.write_bytes(private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
    return cert, key


def _properties(folder: Path, ca: trustme.CA) -> Mapping[str, str]:
    cert, key = certificate(folder, ca, "broker")
    store = folder / "broker.pem"
    store.write_bytes(key.read_bytes() + cert.read_bytes())
    return {
        "listener.security.protocol.map": "CONTROLLER:SSL,PLAINTEXT:SSL,FRONT0:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.controller.ssl.client.auth": "required",
        "listener.name.plaintext.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.front0.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:broker;User:{ADMIN}",
    }


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """The cluster with every topic in one partition, until the end of the context."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    port = free_port()
    kafka = Kafka(
        folder / "kafka",
        Settings.load(home=folder),
        lambda _: None,
        None,
        _properties(folder, ca),
        [Front(port, port)],
        certified(folder, ca, ADMIN),
    )
    kafka.start()
    try:
        admin = AdminClient({"bootstrap.servers": kafka.broker, "log_level": 0, **certified(folder, ca, ADMIN)})
        create_topics(admin, [*TOPICS.values(), changelog_of("masters", 1)], 1)
        yield Secured(folder, ca, kafka, f"{LOOPBACK}:{port}", admin)
    finally:
        kafka.stop()
