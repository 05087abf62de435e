"""The sections of docs/attacks.md about the console, the interface and the receiver, made of the tests themselves.

`python -m tests.integration.access.attacks_page` writes them anew; the rest of the page is left as it is.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "attacks.md"
TITLES = {
    "## Console and interface, without a login": "tests/integration/access/test_attacks_without_login.py",
    "## Console and interface, with a login": "tests/integration/access/test_attacks_with_login.py",
    "## Receiver": "tests/integration/sources/test_webhook_attacks.py",
}
# What comes of the attacks of each test.
VERDICTS: Mapping[str, str] = {
    "test_raw": "refused; no data, no session, no other site",
    "test_token": "401, nothing shown",
    "test_no_name_is_opened": "no name is opened",
    "test_callbacks_of_nobody_fill_no_audit": "403, then 429; the audit is as it was",
    "test_wrong_tokens_lock_out_no_right_one": "429 for the wrong, 200 for the right one",
    "test_made_up_proxies_give_no_new_tries": "429",
    "test_forged_form": "403, nothing changed",
    "test_no_other_method_changes_anything": "refused, nothing changed",
    "test_more_than_a_viewer_may": "refused, no amount shown, nothing changed",
    "test_body": "refused as a problem, nothing changed",
    "test_form": "refused, nothing changed",
    "test_a_value_out_of_bounds_is_refused": "400 or 422",
    "test_stored_text_stays_text": "shown as text",
    "test_reflected_text_stays_text": "shown as text",
    "test_an_open_console_serves_nobody_behind_a_proxy": "403 or 421",
    "test_the_message_of_another_login_is_not_shown": "not shown",
    "test_a_name_is_opened_for_who_may_see_it_and_only_from_the_database": "not opened from an address",
    "test_the_audit_is_kept_from_the_role_of_the_console": "refused by the database",
    "test_refused": "refused, nothing published",
    "test_a_malformed_message_that_is_signed_is_kept_and_answered": "200, a dead letter or a record, once",
    "test_a_slow_message_ends_in_time": "ended within the time limit",
    "test_a_hundred_slow_senders_keep_nobody_out": "others are answered",
}


def ids(file: str) -> list[str]:
    """The tests of a file as pytest collects them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", file]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in found.stdout.splitlines() if "::" in line]


def _rows(file: str) -> Iterator[str]:
    for each in ids(file):
        test, _, case = each.partition("::")[2].partition("[")
        what = case.removesuffix("]") or test.removeprefix("test_").replace("_", " ")
        shown = what.replace("|", "\\|").replace("`", "'")
        yield f"| {test.removeprefix('test_').replace('_', ' ')} | {shown} | {VERDICTS[test]} | `{each}` |\n"


def with_sections(page: str) -> str:
    """The page with these sections replaced, or put at its end."""
    for title, file in TITLES.items():
        section = f"{title}\n\n| kind | what is tried | verdict | test |\n|---|---|---|---|\n{''.join(_rows(file))}"
        before, found, after = page.partition(f"{title}\n")
        _, next_title, rest = after.partition("\n## ")
        page = f"{before if found else page.rstrip() + chr(10) * 2}{section}"
        page += f"{next_title}{rest}" if next_title else ""
    return page


if __name__ == "__main__":
    PAGE.write_text(with_sections(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
