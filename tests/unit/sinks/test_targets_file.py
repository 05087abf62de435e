"""The targets file: what it comes to, what is said of one that is wrong, and no secret in any of it."""

import importlib
from pathlib import Path

import pytest

from sinks.delivery.config import KINDS, TargetsError, declared
from sinks.delivery.rate_limit import CallPolicy
from sinks.delivery.secret_ref import NoSecret, Secret
from sinks.delivery.status_source import StatusSource
from sinks.http import options
from sinks.http.target import HttpTarget

SAMPLE = Path(options.__file__).with_name("ledgerline.yaml")
PASSWORD = "s3cret-9f2"
ACME = "targets:\n  acme:\n    kind: http\n"
HTTP = "    http: {url: 'https://billing.example.com/api/', mapping: ledgerline.yaml}\n"


def wrong(folder: Path, text: str, name: str = "targets.yaml") -> str:
    """What is said of a file, once its targets are made."""
    (folder / name).write_text(text)
    with pytest.raises(TargetsError) as caught:
        _ = [each.make() for each in declared(folder / name).values()]
    assert PASSWORD not in str(caught.value) + repr(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a mapping."""
    (tmp_path / "ledgerline.yaml").write_text(SAMPLE.read_text())
    return tmp_path


def test_a_target_in_either_language(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERLINE_KEY", PASSWORD)
    (folder / "targets.yaml").write_text(
        "targets:\n  ledgerline:\n    kind: http\n    rate: {per_second: 0.5, burst: 3}\n    concurrency: 2\n"
        "    retry: {first_seconds: 1, budget_seconds: 60}\n    breaker: {failures: 3}\n"
        "    http: {url: 'https://billing.example.com/api/', mapping: ledgerline.yaml,"
        " auth: {kind: key, key: 'env:LEDGERLINE_KEY'}}\n"
    )
    (folder / "targets.toml").write_text(
        '[targets.ledgerline]\nkind = "http"\nconcurrency = 2\nrate = {per_second = 0.5, burst = 3}\n'
        "retry = {first_seconds = 1, budget_seconds = 60}\nbreaker = {failures = 3}\n"
        '[targets.ledgerline.http]\nurl = "https://billing.example.com/api"\nmapping = "ledgerline.yaml"\n'
        'auth = {kind = "key", key = "env:LEDGERLINE_KEY"}\n'
    )
    policy = CallPolicy(per_second=0.5, burst=3, concurrency=2, first_pause=1, budget=60, breaker_failures=3)
    for name in ("targets.yaml", "targets.toml"):
        (found,) = declared(folder / name).values()
        assert (found.name, found.policy) == ("ledgerline", policy)
        target = found.make()
        assert isinstance(target, HttpTarget)
        assert (target.name, target.largest_group) == ("ledgerline", 100)
        assert PASSWORD not in repr(vars(target))
        target.close()


def test_without_a_file_there_are_no_targets() -> None:
    assert declared(None) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("targets: {}\n", "targets: Dictionary should have at least 1 item"),
        ("targets:\n  Acme:\n    kind: http\n" + HTTP, "targets.Acme"),
        ("targets:\n  journal:\n    kind: http\n" + HTTP, "journal is the name of a sink that is always there"),
        ("targets:\n  acme:\n    kind: htpt\n", "targets.acme.kind is 'htpt'; there are http"),
        ("targets:\n  acme:\n    kind: http\n    rte: 5\n" + HTTP, "targets.acme has no 'rte'"),
        (
            "targets:\n  acme:\n    kind: http\n    rate: {per_second: 0}\n" + HTTP,
            "targets.acme.rate.per_second: Input",
        ),
        ("targets:\n  acme:\n    kind: http\n", "targets.acme.http.url: Field required"),
        ("targets:\n  acme:\n    kind: http\n    http: 5\n", "targets.acme.http must be a record of options"),
        (ACME + HTTP.replace("https", "http"), "money goes over https"),
        (ACME + HTTP.replace("billing.", f"me:{PASSWORD}@"), "without user, password"),
        (ACME + HTTP.replace("ledgerline.yaml", "no.yaml"), "no.yaml, line 1: cannot"),
        (
            ACME + HTTP.replace("}", f", sign: {PASSWORD}}}"),
            "written as env:NAME or file",
        ),
        (ACME + HTTP.replace("}", ", sign: 'env:NOT_SET'}"), "env:NOT_SET is empty"),
        (ACME + HTTP.replace("}", ", ca: none.pem}"), "No such file"),
        ("targets:\n  acme: {kind: http}\n  acme: {kind: http}\n", "`acme` twice"),
    ],
)
def test_a_wrong_file_is_told_of_by_its_place(folder: Path, text: str, told: str) -> None:
    said = wrong(folder, text)
    assert told in said
    assert str(folder) in said


def test_a_file_that_is_not_there_or_no_toml_is_told_of(folder: Path) -> None:
    with pytest.raises(TargetsError, match="cannot be read: No such file or directory; HOURSTREAM_TARGETS names it"):
        declared(folder / "none.yaml")
    assert "targets.toml" in wrong(folder, "targets = {", "targets.toml")


def test_each_kind_of_target_can_be_made() -> None:
    assert all(callable(getattr(importlib.import_module(module), name)) for module, name in KINDS.values())


def test_a_secret_is_a_reference_and_read_when_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(f"{PASSWORD}\n")
    monkeypatch.setenv("KEY", PASSWORD)
    for reference in (f"file:{file}", "env:KEY"):
        secret = Secret.of(reference)
        assert secret.reveal() == PASSWORD
        assert PASSWORD not in f"{secret!r} {secret}"
    file.write_text("one\ntwo")
    for reference, told in (
        (f"file:{file}", "line ends"),
        ("env:NONE", "is empty or not set"),
        ("file:/no", "cannot be"),
    ):
        with pytest.raises(NoSecret, match=told):
            Secret.of(reference).reveal()
    for text in (PASSWORD, "", "env:", f"http:{PASSWORD}"):
        with pytest.raises(NoSecret) as caught:
            Secret.of(text)
        assert PASSWORD not in str(caught.value)


def test_only_a_system_that_can_tell_is_asked_what_became_of_invoices(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "acme.statuses: kind http cannot be polled" in wrong(
        folder, ACME + HTTP + "    statuses: {every_seconds: 30}\n"
    )
    assert "every_seconds" in wrong(folder, ACME + HTTP + "    statuses: {every_seconds: 0}\n")
    monkeypatch.setenv("ERP_KEY", PASSWORD)
    tryton = "targets:\n  erp:\n    kind: tryton\n    tryton: {url: 'https://erp.example.com/db', key: 'env:ERP_KEY'}\n"
    for line, seconds in (("", 60.0), ("    statuses: {every_seconds: 30}\n", 30.0)):
        (folder / "targets.yaml").write_text(tryton + line)
        (found,) = declared(folder / "targets.yaml").values()
        assert found.status_seconds == seconds
        assert isinstance(found.make(), StatusSource)
