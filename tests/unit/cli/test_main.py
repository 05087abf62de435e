"""The command line's way of saying no: one message that says what to do, exit status 1, no traceback."""

import importlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, main


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["topics", "list"], {"HOURSTREAM_BROKERS": "x:1"}, "did you mean HOURSTREAM_BROKER?"),
        (["topics", "list"], {"HOURSTREAM_PARTITIONS": "none"}, "HOURSTREAM_PARTITIONS"),
        (["worker", "settle"], {"HOURSTREAM_BROKER": ""}, "`hourstream up` starts one"),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(arguments: list[str], environment: dict[str, str], said: str) -> None:
    found = CliRunner().invoke(main, arguments, env=environment)
    assert found.exit_code == 1
    assert said in found.output
    assert "Traceback" not in found.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str) -> None:
    found = CliRunner().invoke(main, [command, "--help"])
    assert found.exit_code == 0
    assert found.output.startswith(f"Usage: main {command}")


def test_the_list_of_commands_imports_none_of_them() -> None:
    """`hourstream --help` costs what click costs: a tenth of a second."""
    code = (
        "import sys; from click.testing import CliRunner; from cli.main import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0;"
        "print([n for n in ('faust', 'confluent_kafka', 'fastapi', 'settings', 'psycopg') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_list_of_commands_names_every_module_of_commands() -> None:
    modules = {listed.path for listed in COMMANDS.values()}
    for module in modules:
        assert importlib.import_module(module).__doc__
