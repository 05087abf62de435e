"""`python -m ops.prometheus`: writes ops/prometheus/rules.yml; with --home, all that a Prometheus beside `up` needs."""

import argparse
from pathlib import Path

from ops.prometheus.config import text, write_beside
from ops.prometheus.rules import Tuning, rules

FILE = Path(__file__).with_name("rules.yml")
_HEAD = "# Made by `python -m ops.prometheus`.\n"


def page() -> str:
    """The content of rules.yml."""
    return _HEAD + text(rules())


def main() -> None:
    """As the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m ops.prometheus", description=__doc__)
    parser.add_argument("--home", type=Path, help="the HOURSTREAM_HOME of the workers")
    parser.add_argument("--alertmanager", metavar="HOST:PORT", help="where alerts are sent")
    parser.add_argument("--webhook", metavar="URL", help="where Alertmanager sends them")
    given = parser.parse_args()
    if given.home is None:
        FILE.write_text(page(), encoding="utf-8")
    else:
        folder = write_beside(given.home.absolute(), Tuning(), given.alertmanager, given.webhook)
        print(f"prometheus --config.file={folder / 'prometheus.yml'} --web.listen-address=127.0.0.1:9090")


if __name__ == "__main__":
    main()
