"""Keys and secrets that others may read are refused by every reader; a home is its owner's alone."""

import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from cli.receive import read_secrets
from common.private import SharedFile, make_private, read_secret
from console.access.settings import AccessSettings
from privacy.errors import PeopleError
from privacy.keys import MasterKey
from settings import Settings, SettingsError
from sinks.delivery.secret_ref import NoSecret, Secret

SECRET = "0123456789abcdef" * 4


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A secret of its owner alone."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    return file


READERS: dict[str, Callable[[Path], object]] = {
    "seal key": lambda file: Settings.load(seal_key_file=file).seal_key,
    "key of personal data": MasterKey.read,
    "setting of that key": lambda file: Settings.load(people_key_file=file),
    "Kafka password": lambda file: Settings.load(
        kafka_security="SASL_PLAINTEXT", kafka_user="us", kafka_password_file=file
    ).kafka_secret("password"),
    "Kafka key": lambda file: Settings.load(kafka_cert_file=file, kafka_key_file=file),
    "password of the Kafka key": lambda file: Settings.load(kafka_key_password_file=file).kafka_secret("key_password"),
    "webhook secrets": read_secrets,
    "target's secret": lambda file: Secret.of(f"file:{file}").reveal(),
    "client secret": lambda file: AccessSettings.load(oidc_client_secret_file=file).client_secret(),
}
REFUSALS = (SettingsError, PeopleError, NoSecret, click.ClickException, SharedFile)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o602])
def test_a_secret_that_others_may_read_or_write_is_refused(secret: Path, reader: str, mode: int) -> None:
    READERS[reader](secret)
    secret.chmod(mode)
    with pytest.raises(REFUSALS, match="chmod 600") as refusal:
        READERS[reader](secret)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_its_owner_alone_may_read_it(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    assert read_secret(secret) == f"{SECRET}\n".encode()


def test_the_mode_of_the_file_behind_a_link_counts(secret: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret)
    assert read_secret(link)
    secret.chmod(0o644)
    with pytest.raises(SharedFile):
        read_secret(link)


def test_everything_below_a_home_becomes_private_and_programs_stay_programs(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    (home / "state" / "settle").mkdir(parents=True)
    outside.write_text("not ours")
    for path, mode in ((home / "ports.json", 0o644), (home / "state" / "settle" / "row", 0o664)):
        path.write_text("x")
        path.chmod(mode)
    (home / "program").write_text("x")
    (home / "program").chmod(0o755)
    (home / "link").symlink_to(outside)
    outside.chmod(0o644)
    for folder in (home, home / "state", home / "state" / "settle"):
        folder.chmod(0o755)
    make_private(home)
    modes = {str(p.relative_to(home)): os.lstat(p).st_mode & 0o777 for p in home.rglob("*") if not p.is_symlink()}
    assert modes == {"ports.json": 0o600, "program": 0o700, "state": 0o700, "state/settle": 0o700} | {
        "state/settle/row": 0o600
    }
    assert home.stat().st_mode & 0o777 == 0o700
    assert outside.stat().st_mode & 0o777 == 0o644
