"""The pictures of the README, taken from a filled site with the real encoder: `make pictures`.

python -m tests.browser.pictures FOLDER [ENCODER]
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from tests.browser.screenshots import PREPARATION, site

WIDTH, HEIGHT = 1280, 800
LARGEST = 150_000  # bytes, as everyone who clones the project gets them
# name of the picture -> page, language, theme
PICTURES = {
    "search": ("results-zh", "en", "light"),
    "why": ("results-why", "zh-CN", "dark"),
}


def main(folder: Path, encoder: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with site(encoder) as base:
        from PIL import Image
        from playwright.sync_api import sync_playwright

        from tests.browser.pages import ARGUMENTS, CHROMIUM, fill

        pages = fill(pages=40)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for name, (shown, language, theme) in PICTURES.items():
                page = browser.new_page(
                    viewport={"width": WIDTH, "height": HEIGHT}, locale=language, color_scheme=theme
                )
                page.goto(base + pages[shown])
                page.wait_for_load_state("networkidle")
                PREPARATION.get(shown, lambda _page: None)(page)
                picture = folder / f"{name}.webp"
                Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(picture, quality=82, method=6)
                size = picture.stat().st_size
                print(f"{picture}: {size:,} bytes")
                assert size < LARGEST
            browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), (sys.argv[2:] or ["e5-small"])[0])
