"""A real Chromium over the running console; without one these tests are skipped."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.office import Office, working

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
ZONE = "Europe/Berlin"


@pytest.fixture(scope="package")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One day for all tests; they go on from each other's work."""
    with working(tmp_path_factory.mktemp("office")) as started:
        yield started


@pytest.fixture(scope="module")  # its event loop runs as long as it does, and other tests have loops of their own
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium here: `apt-get install chromium`")
    with sync_playwright() as playwright:
        # No sandbox: it cannot be had as root in a container, and nothing but our own pages is opened.
        yield playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])


@pytest.fixture
def page(browser: Browser, office: Office) -> Iterator[Page]:
    """A page of a person in Berlin."""
    with browser.new_context(
        base_url=office.address, timezone_id=ZONE, viewport={"width": 1280, "height": 800}
    ) as context:
        context.set_default_timeout(30_000)
        yield context.new_page()


def picture(page: Page, name: str) -> None:
    """Keep what the page shows as a small picture of the documentation, where `PICTURES` asks for it."""
    if os.environ.get("PICTURES"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"{name}.png"
        page.screenshot(path=file)
        Image.open(file).convert("RGB").quantize(256).save(file, optimize=True)
