"""Settings: defaults, addresses, errors a person can act on, and no secret in any of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from faust.auth import SASLCredentials

from settings import CHECKOUT, PREFIX, Settings, SettingsError
from streaming.kafka_security import connection, credentials, librdkafka

PASSWORD = "s3cret-9f2"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(PREFIX + field.upper(), raising=False)


def test_without_variables_everything_is_embedded_in_the_checkout() -> None:
    settings = Settings.load()
    assert (settings.broker, settings.postgres_url, settings.schema_registry_url) == (None, None, None)
    assert settings.home == CHECKOUT / ".hourstream"
    assert settings.state_dir("settle") == settings.home / "state" / "settle"


def test_variables_and_given_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOURSTREAM_BROKER", "one:9092,two:9093")
    monkeypatch.setenv("HOURSTREAM_PARTITIONS", "12")
    monkeypatch.setenv("HOURSTREAM_SCHEMA_REGISTRY_URL", "")
    settings = Settings.load(home=tmp_path, partitions=6)
    assert (settings.bootstrap, settings.partitions, settings.home) == ("one:9092,two:9093", 6, tmp_path)
    assert settings.schema_registry_url is None


def test_a_child_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path, broker="[::1]:9092", postgres_url=f"postgresql://u:{PASSWORD}@h:1/d")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == settings


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BROKER", "kafka", "'kafka' is no broker address; write host:port[,host:port]"),
        ("BROKER", "kafka:0", "'kafka:0' is no broker address"),
        ("BROKER", "one:9092,", "'' is no broker address"),
        ("PARTITIONS", "0", "greater than or equal to 1"),
        ("PARTITIONS", "many", "valid integer"),
        ("METRICS_PORT", "70000", "less than or equal to 65535"),
        ("SESSION_SECONDS", "-1", "greater than 0"),
        ("JOURNALS", "next,next", "'next,next' is no list of names"),
        ("JOURNALS", "journal", "and not journal"),
        ("JOURNALS", "a b", "each of a-z, 0-9 and -"),
        ("SCHEMA_REGISTRY_URL", "registry:8081", "is no address of the form http://host:port/path"),
        ("POSTGRES_URL", f"mysql://u:{PASSWORD}@h/d", "is no address of the form postgresql://"),
        ("POSTGRES_URL", f"postgresql://u:{PASSWORD}@h:port/d", "is no address of the form postgresql://"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    text = str(caught.value)
    assert text.startswith(f"{PREFIX}{name}: ")
    assert told in text
    assert PASSWORD not in text + repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURSTREAM_BROKERS", "kafka:9092")
    with pytest.raises(SettingsError, match="HOURSTREAM_BROKERS is no setting; did you mean HOURSTREAM_BROKER"):
        Settings.load()


def test_secrets_are_not_shown() -> None:
    settings = Settings.load(
        postgres_url=f"postgresql://u:{PASSWORD}@h/d", schema_registry_url=f"https://u:{PASSWORD}@registry"
    )
    assert PASSWORD not in f"{settings} {settings!r}"


def test_what_is_missing_is_said() -> None:
    with pytest.raises(SettingsError, match="HOURSTREAM_BROKER is not set"):
        _ = Settings.load().bootstrap
    with pytest.raises(SettingsError, match="HOURSTREAM_POSTGRES_URL is not set"):
        _ = Settings.load().database_url


def test_downloads_are_kept_where_the_user_may_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Settings.load().cache_dir == tmp_path / "hourstream"
    assert Settings.load(cache=tmp_path / "own").cache_dir == tmp_path / "own"


def test_how_kafka_is_spoken_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    monkeypatch.setenv("HOURSTREAM_KAFKA_SECURITY", "SASL_SSL")
    monkeypatch.setenv("HOURSTREAM_KAFKA_USER", "settle")
    monkeypatch.setenv("HOURSTREAM_KAFKA_PASSWORD_FILE", str(secret))
    settings = Settings.load()
    assert librdkafka(settings) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "settle",
        "sasl.password": PASSWORD,
    }
    assert connection("one:9092")["bootstrap.servers"] == "one:9092"
    faust = credentials(settings)
    assert isinstance(faust, SASLCredentials)
    assert (faust.username, faust.password, str(faust.protocol.value)) == ("settle", PASSWORD, "SASL_SSL")
    assert PASSWORD not in f"{settings!r} {faust!r} {settings.environment()}"


def test_a_plain_cluster_is_the_default() -> None:
    assert connection("one:9092") == {"bootstrap.servers": "one:9092"}
    assert credentials(Settings.load()) is None


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"SECURITY": "TLS"}, "HOURSTREAM_KAFKA_SECURITY: Input should be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT'"),
        ({"SECURITY": "SASL_SSL"}, "SASL_SSL needs HOURSTREAM_KAFKA_USER and HOURSTREAM_KAFKA_PASSWORD"),
        ({"SECURITY": "SASL_SSL", "USER": "u", "PASSWORD": ""}, "SASL_SSL needs HOURSTREAM_KAFKA_USER"),
        ({"USER": "u"}, "HOURSTREAM_KAFKA_USER is for SASL_SSL or SASL_PLAINTEXT, not PLAINTEXT"),
        ({"SECURITY": "SSL", "CERT_FILE": __file__}, "HOURSTREAM_KAFKA_CERT_FILE and HOURSTREAM_KAFKA_KEY_FILE go"),
        ({"SECURITY": "SSL", "CA_FILE": "/nowhere/ca.pem"}, "HOURSTREAM_KAFKA_CA_FILE names no file: /nowhere/ca.pem"),
        ({"PASWORD": PASSWORD}, "HOURSTREAM_KAFKA_PASWORD is no setting; did you mean HOURSTREAM_KAFKA_PASSWORD?"),
    ],
)
def test_half_a_way_to_speak_to_kafka_is_refused(
    values: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"HOURSTREAM_KAFKA_{name}", value)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert told in str(caught.value)
    assert PASSWORD not in str(caught.value)
