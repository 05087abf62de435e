"""What a person does: finds the biggest blocked amount, maps its code, watches it heal, traces it to the invoice."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import picture
from tests.browser.office import ENGAGEMENT, LINES, TASK, Office


def test_the_biggest_blocked_amount_is_mapped_heals_and_is_traced_to_its_invoice(
    page: Page, office: Office, tmp_path: Path
) -> None:
    page.goto("/")
    picture(page, "console-overview")
    page.get_by_role("link", name="Causes", exact=True).click()
    biggest = page.locator("tbody tr").first
    expect(biggest).to_contain_text("UNMAPPED_CODE")
    expect(biggest).to_contain_text("tempo:engagement:2")
    expect(biggest.locator("td").nth(3)).to_have_text(str(LINES))
    picture(page, "console-causes")

    _map(page, ENGAGEMENT)
    biggest = page.locator("tbody tr", has_text="tempo:task:2")
    _reloaded_until(page, lambda: biggest.count() == 1 and biggest.locator("td").nth(3).inner_text() == str(LINES))
    _map(page, TASK)
    _reloaded_until(page, lambda: page.locator("tbody tr", has_text="UNMAPPED_CODE").count() == 0)
    office.rest()

    page.goto("/causes?status=resolved&code=UNMAPPED_CODE")
    resolved = page.locator("tbody tr", has_text="tempo:task:2")
    expect(resolved.locator("td").nth(3)).to_have_text(str(LINES))

    office.invoice(tmp_path)
    office.rest()
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("9000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("time:9000")
    stages = page.locator(".timeline .stage").all_inner_texts()
    assert stages == ["source", "fact", "charge", "posting", "invoice", "status"], stages
    expect(page.locator(".timeline")).to_contain_text("source.tock.lines:0:0")
    picture(page, "console-trace")

    page.get_by_role("link", name=re.compile("^why this amount")).click()
    expect(page.get_by_role("heading", name="Which rates competed")).to_be_visible()
    expect(page.locator("tr.wins")).to_have_count(1)
    picture(page, "console-rate")
    page.go_back()
    page.get_by_role("link", name=re.compile("^open invoice")).click()
    expect(page.locator("tbody")).to_contain_text(["issued"])
    expect(page.get_by_role("cell", name="time:9000", exact=True)).to_be_visible()


def _map(page: Page, canonical_id: str) -> None:
    """With the keyboard alone, from the first cause of the list."""
    page.locator("tbody tr", has_text="UNMAPPED_CODE").first.get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Id here").focus()
    page.keyboard.type(canonical_id)
    page.keyboard.press("Tab")
    page.keyboard.type("named in the contract")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(f"is {canonical_id} now")


def _reloaded_until(page: Page, true: object) -> None:
    assert callable(true)
    for _ in range(240):
        if true():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(f"this never came: {page.locator('table').inner_text()}")


def test_exceptions_are_filtered_chosen_and_waived_in_bulk(page: Page, office: Office) -> None:
    page.goto("/exceptions")
    page.get_by_label("Code").select_option("TASK_CLOSED")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr")
    shown = rows.count()
    assert shown > 3
    retry, waive = page.get_by_role("button", name="Retry"), page.get_by_role("button", name="Waive")
    expect(waive).to_be_disabled()
    for n in range(2):
        rows.nth(n).get_by_role("checkbox").check()
    expect(page.locator("legend", has_text="With the 2 selected")).to_be_visible()
    picture(page, "console-exceptions")
    waive.click()
    assert page.evaluate("document.activeElement.name") == "reason"  # nothing is waived without a reason
    page.get_by_label("Reason").fill("written off with the client")
    waive.click()
    expect(page.get_by_role("status")).to_contain_text("Waive of 2 is on its way")
    _reloaded_until(page, lambda: rows.count() == shown - 2)

    page.goto("/exceptions?status=waived&code=TASK_CLOSED")
    expect(rows).to_have_count(2)
    rows.first.get_by_role("link").click()
    expect(page.locator(".state.waived")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("waive by anybody: written off with the client")
    picture(page, "console-exception")
    page.get_by_label("Reason").fill("once more")
    retry.click()
    expect(page.get_by_role("status")).to_contain_text("Retry of 1 is on its way")


def test_times_are_those_of_who_looks(page: Page, office: Office) -> None:
    page.goto("/exceptions")
    expect(page.locator(".zone")).to_have_text("Europe/Berlin")
    with office.pool.connection() as connection:
        query = (
            "SELECT to_char(first_seen AT TIME ZONE 'Europe/Berlin', 'YYYY-MM-DD HH24:MI') FROM hourstream.exceptions"
            " WHERE status = 'open' ORDER BY first_seen, exception_id LIMIT 1"
        )
        ((first,),) = connection.execute(query).fetchall()
    expect(page.locator("tbody .date").first).to_have_text(first)
