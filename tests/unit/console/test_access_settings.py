"""Settings of who may come in: what cannot be meant is refused by name, and no secret is ever shown."""

from pathlib import Path

import pytest
from click import UsageError

from cli.console import ANYBODY, anybody, serving
from console.access.oidc import groups
from console.access.settings import AccessSettings, right_of
from settings import Settings, SettingsError

PROVIDER = {"oidc_issuer": "https://id.example.com", "oidc_client_id": "c", "oidc_roles": {"staff": "viewer"}}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"console_url": "http://books.example.com"}, "HOURSTREAM_CONSOLE_URL"),
        ({"console_url": "https://user:secret@books.example.com"}, "HOURSTREAM_CONSOLE_URL"),
        ({"console_url": "books.example.com"}, "HOURSTREAM_CONSOLE_URL"),
        ({"console_idle_minutes": 0}, "HOURSTREAM_CONSOLE_IDLE_MINUTES"),
        (PROVIDER | {"oidc_issuer": "http://id.example.com"}, "HOURSTREAM_OIDC_ISSUER"),
        (PROVIDER | {"oidc_client_id": None}, "HOURSTREAM_OIDC_CLIENT_ID"),
        (PROVIDER | {"oidc_roles": {}}, "HOURSTREAM_OIDC_ROLES"),
        (PROVIDER | {"oidc_roles": {"staff": "superuser"}}, "HOURSTREAM_OIDC_ROLES"),
        (PROVIDER | {"oidc_roles": {"staff": "viewer+everything"}}, "HOURSTREAM_OIDC_ROLES"),
        (PROVIDER | {"oidc_roles": {"staff": "viewer+rates+rates"}}, "HOURSTREAM_OIDC_ROLES"),
        ({"console_trusted_proxies": "everybody"}, "HOURSTREAM_CONSOLE_TRUSTED_PROXIES"),
        ({"console_trusted_proxies": "0.0.0.0/0"}, "HOURSTREAM_CONSOLE_TRUSTED_PROXIES"),
        (PROVIDER | {"oidc_scopes": "profile"}, "HOURSTREAM_OIDC_SCOPES"),
        (PROVIDER | {"oidc_client_secret": "hush", "oidc_client_secret_file": "/f"}, "not both"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(given: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        AccessSettings.load(**given)
    assert "secret@" not in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_secret_comes_from_its_variable_or_file_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOURSTREAM_OIDC_CLIENT_SECRET", "hush")
    settings = AccessSettings.load()
    assert settings.client_secret() == "hush"
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    monkeypatch.delenv("HOURSTREAM_OIDC_CLIENT_SECRET")
    (tmp_path / "secret").write_text("whisper\n")
    (tmp_path / "secret").chmod(0o600)
    monkeypatch.setenv("HOURSTREAM_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    assert AccessSettings.load().client_secret() == "whisper"
    monkeypatch.setenv("HOURSTREAM_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="CLIENT_SECRET_FILE cannot be read"):
        AccessSettings.load().client_secret()
    (tmp_path / "secret").chmod(0o640)
    monkeypatch.setenv("HOURSTREAM_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match="others may read this secret"):
        AccessSettings.load().client_secret()


def test_roles_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURSTREAM_OIDC_ROLES", '{"cn=finance,dc=x": "operator+rates"}')
    assert AccessSettings.load().oidc_roles == {"cn=finance,dc=x": "operator+rates"}


@pytest.mark.parametrize(
    ("claims", "claim", "found"),
    [
        ({"groups": ["a", "b"]}, "groups", ["a", "b"]),
        ({"groups": "a"}, "groups", ["a"]),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", ["a"]),
        ({"groups": ["a", 1, None, ["b"]]}, "groups", ["a"]),
        ({"groups": {"a": True}}, "groups", []),
        ({"realm_access": ["roles"]}, "realm_access.roles", []),
        ({}, "groups", []),
    ],
)
def test_groups_are_found_where_providers_put_them(claims: dict[str, object], claim: str, found: list[str]) -> None:
    assert groups(claims, claim) == found


def test_only_by_word_nobody_needs_to_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert anybody(without_login=False) is None
    assert anybody(without_login=True) is ANYBODY
    monkeypatch.setenv("HOURSTREAM_CONSOLE_OPEN", "true")
    assert anybody(without_login=False) is ANYBODY


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("viewer", ("viewer", False, False)),
        ("operator+rates", ("operator", True, False)),
        ("admin+names", ("admin", False, True)),
        ("viewer+names+rates", ("viewer", True, True)),
        ("+rates", None),
        ("root", None),
    ],
)
def test_a_right_is_a_role_and_what_is_shown_beside_it(written: str, right: tuple[str, bool, bool] | None) -> None:
    assert right_of(written) == right


def test_an_open_console_has_no_address_of_others() -> None:
    settings, public = Settings.load(broker="127.0.0.1:1"), AccessSettings.load(console_url="https://b.example.com")
    with (
        pytest.raises(UsageError, match="HOURSTREAM_CONSOLE_URL"),
        serving(settings, None, everybody=ANYBODY, access=public),  # type: ignore[arg-type]
    ):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "books.example.com"])  # noqa: S104 - refused
def test_an_open_console_is_on_this_machine_only(host: str) -> None:
    settings = Settings.load(broker="127.0.0.1:1")
    with pytest.raises(UsageError, match="this machine only"), serving(settings, None, host=host, everybody=ANYBODY):  # type: ignore[arg-type]
        pass
    with pytest.raises(UsageError, match="HOURSTREAM_CONSOLE_URL"), serving(settings, None, host=host):  # type: ignore[arg-type]
        pass
