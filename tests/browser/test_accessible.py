"""Every page, in light and dark, with axe: nothing that keeps anybody out."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import picture
from tests.browser.office import Office

PAGES = {
    "overview": "/",
    "causes": "/causes",
    "no cause": "/causes?engagement=none",
    "exceptions": "/exceptions",
    "of a cause": "/exceptions?code=TASK_CLOSED&kind=-",
    "no exceptions": "/exceptions?client=none",
    "aging": "/unbilled?stage=parked",
    "throughput": "/throughput",
    "hours": "/throughput?by=hour",
    "reconciliation": "/reconciliation",
    "nothing found": "/search?q=nothing",
    "several found": "/search?q=E1-T1",
    "empty trace": "/trace",
    "error": "/exceptions/none",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_anybody_out(browser: Browser, office: Office, scheme: str) -> None:
    with office.pool.connection() as connection:
        ((exception_id,),) = connection.execute(
            "SELECT exception_id FROM hourstream.exceptions WHERE status = 'open' ORDER BY exception_id LIMIT 1"
        ).fetchall()
        ((charge_id, engagement, subject),) = connection.execute(
            "SELECT charge_id, engagement_id, subject FROM hourstream.charges WHERE amount > 0 LIMIT 1"
        ).fetchall()
        invoices = connection.execute("SELECT invoice_id FROM hourstream.invoices LIMIT 1").fetchall()
    pages = {
        **PAGES,
        "exception": f"/exceptions/{exception_id}",
        "charge": f"/charge?id={charge_id}",
        "trace": f"/trace?engagement={engagement}&subject={subject}",
        **{f"invoice {invoice_id}": f"/invoice?id={invoice_id}" for (invoice_id,) in invoices},
    }
    wrong = []
    with browser.new_context(
        base_url=office.address,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": 1280, "height": 800},
    ) as context:
        page = context.new_page()
        for name, address in pages.items():
            page.goto(address)
            found = Axe().run(page).response["violations"]
            wrong += [(name, each["id"], [node["html"] for node in each["nodes"]]) for each in found]
            if name in ("aging", "throughput", "reconciliation", "overview") and scheme == "dark":
                picture(page, f"console-{name}-dark")
    assert wrong == []
