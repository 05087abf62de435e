"""How this process presents itself to Kafka, for every client of it: TLS, certificates, SCRAM.

One process is one principal on one cluster, so this is read from the environment (`HOURSTREAM_KAFKA_*`), never passed
along; passwords come from there or from files. librdkafka's clients take `connection`, Faust's aiokafka `credentials`.
"""

import ssl

from faust import auth

from settings import KafkaSecurity, Settings


def connection(broker: str) -> dict[str, object]:
    """Settings of a confluent-kafka client that say where Kafka is and who asks. Raises SettingsError."""
    settings = Settings.load()
    return {"bootstrap.servers": broker, **librdkafka(settings)}


def librdkafka(settings: Settings) -> dict[str, object]:
    """Security settings as librdkafka names them; empty for an open cluster."""
    if settings.kafka_security == "PLAINTEXT":
        return {}
    wanted: dict[str, object] = {"security.protocol": settings.kafka_security}
    if _encrypted(settings.kafka_security):
        found = {
            "ssl.ca.location": settings.kafka_ca_file,
            "ssl.certificate.location": settings.kafka_cert_file,
            "ssl.key.location": settings.kafka_key_file,
            "ssl.key.password": settings.kafka_secret("key_password"),
        }
        wanted |= {name: str(value) for name, value in found.items() if value is not None}
    if _named(settings.kafka_security):
        wanted |= {
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_secret("password"),
        }
    return wanted


def credentials(settings: Settings) -> auth.Credentials | None:
    """The same for Faust, None for an open cluster. Raises SettingsError for a certificate that cannot be read."""
    security = settings.kafka_security
    if security == "PLAINTEXT":
        return None
    context = _context(settings) if _encrypted(security) else None
    if not _named(security):
        return auth.SSLCredentials(context)
    return auth.SASLCredentials(
        username=settings.kafka_user,
        password=settings.kafka_secret("password"),
        ssl_context=context,
        mechanism=settings.kafka_mechanism,
    )


def _context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_cert_file is not None:
        context.load_cert_chain(
            settings.kafka_cert_file, settings.kafka_key_file, settings.kafka_secret("key_password")
        )
    return context


def _encrypted(security: KafkaSecurity) -> bool:
    return security.endswith("SSL")


def _named(security: KafkaSecurity) -> bool:
    return security.startswith("SASL")
