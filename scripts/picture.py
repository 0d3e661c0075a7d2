"""The picture in README.md, made by Chromium of a page in site/.

tox run -e site && tox run -e all -- python scripts/picture.py
"""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PAGE = f"{(ROOT / 'site' / 'backward.html').as_uri()}#linear_grad&v=linear_grad:1-3&s=x"
STYLE = "#linear_grad { padding: 20px } h2 { border: 0 !important; margin: 0 !important; padding: 0 !important }"
REST = "#linear_grad .steps, #linear_grad .pairs ~ * { display: none }"


def main() -> None:
    """The name linear_grad down to two of its versions, without the derivation."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1140, "height": 900})
        page.goto(PAGE)
        page.add_style_tag(content=STYLE + REST)
        page.locator("#linear_grad").screenshot(path=ROOT / "docs" / "linear_grad.png")
        browser.close()


if __name__ == "__main__":
    main()
