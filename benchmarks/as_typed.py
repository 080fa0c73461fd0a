"""How long after the last key the results are on the screen, from Chromium's own trace, beside the server's part of it:

    python benchmarks/as_typed.py http://127.0.0.1:8000 [ROUNDS] [QUESTIONS]

The site must be running, with what shall be searched in it; QUESTIONS is a file with one a line, else some that ask of
the demo. Each is typed into the search page at the pace of a good typist, with pauses between words.

key -> screen: from the event of the last key to the first frame that is drawn once the results are in the page (the
  trace's DrawFrame), without the DEBOUNCE that the page waits whether another key follows.
server: from the request to the last byte of its answer, as the browser saw it (Resource Timing).
page: the rest: the events, and parsing, swapping, style, layout and paint.
alone: such answers asked for one after the other by the same browser, with nothing to show; a peer for "server".
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

DEBOUNCE = 200  # ms, as templates/search/_question.html has it
KEY, WORD = 90, 140  # ms between keys, and before a word
CATEGORIES = ["-*", "blink.user_timing", "devtools.timeline", "disabled-by-default-devtools.timeline.frame"]
QUESTIONS = [
    "how do I report a lost laptop",
    "what happens to my data when I leave",
    "temporary directory that removes itself",
    "how long is parental leave",
    "笔记本电脑丢了怎么办",
    "怎样得到最大的几个元素",
    "出差的费用怎么报销",
    "parse a date from a string",
]
# Marks in the trace: the last key, and when the results are in the page; and what the server took.
WATCH = """() => {
  window.answered = [];
  let key = 0;
  document.getElementById("q").addEventListener("input", (event) => { key = event.timeStamp; }, true);
  document.addEventListener("htmx:afterSwap", ({detail}) => {
    const asked = document.getElementById("answer").dataset.question;
    const address = new URL(detail.pathInfo.finalRequestPath, location.href).href;
    performance.mark(`key ${asked}`, {startTime: key});
    performance.mark(`swapped ${asked}`);
    requestAnimationFrame(() => setTimeout(() => {
      const request = performance.getEntriesByName(address).at(-1);
      window.answered.push({asked, server: request.responseEnd - request.requestStart});
    }));
  });
}"""
ALONE = """async (address) => {
  const before = performance.now();
  await (await fetch(address, {headers: {"HX-Request": "true"}})).text();
  return performance.now() - before;
}"""
ANSWERED = "(asked) => window.answered.some((one) => one.asked === asked)"


def typed(page: Page, question: str, dice: random.Random) -> dict[str, Any]:
    """Types a question into the empty page: {"asked": it, "server": ms, "requests": number of them}."""
    page.fill("#q", "")
    page.wait_for_function("() => document.getElementById('answer').dataset.question === ''")
    page.wait_for_timeout(300)
    page.evaluate("() => { window.answered = []; }")
    page.focus("#q")
    for letter in question:
        page.wait_for_timeout(dice.uniform(0.5, 1.5) * (WORD if letter == " " else KEY))
        page.keyboard.type(letter)
    page.wait_for_function(ANSWERED, arg=question, timeout=60_000)
    page.wait_for_timeout(100)
    answered = page.evaluate("window.answered")
    return next(one for one in answered if one["asked"] == question) | {"requests": len(answered)}


def drawn(trace: bytes) -> dict[str, float]:
    """ms from the last key of each question to the frame that shows its results, by the trace."""
    events = json.loads(trace)["traceEvents"]
    frames = sorted(one["ts"] for one in events if one["name"] == "DrawFrame")
    marks = {one["name"]: one["ts"] for one in events if one["name"].startswith(("key ", "swapped "))}
    found = {}
    for name, swapped in marks.items():
        if name.startswith("swapped "):
            question = name.removeprefix("swapped ")
            frame = next(frame for frame in frames if frame >= swapped)
            found[question] = (frame - marks[f"key {question}"]) / 1000 - DEBOUNCE
    return found


def line(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"{name:14} p50 {statistics.median(ordered):7.1f} ms   p95 {p95:7.1f} ms   n {len(ordered)}"


def main(base: str, rounds: int, questions: list[str]) -> None:
    dice = random.Random(20261129)  # noqa: S311 - the pace of typing
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(base)
        page.evaluate(WATCH)
        typed(page, questions[0], dice)  # what is loaded at the first question of all, people wait for once
        browser.start_tracing(page=page, categories=CATEGORIES)
        # Another ending each time: no question is one whose vector is kept.
        got = [typed(page, f"{one} {number}", dice) for number in range(1, rounds + 1) for one in questions]
        trace = browser.stop_tracing()
        addresses = [f"/?q={one} {number}" for number in range(rounds + 1, 2 * rounds + 1) for one in questions]
        alone = [page.evaluate(ALONE, address) for address in addresses]
        browser.close()
    screen = drawn(trace)
    print(line("key -> screen", [screen[one["asked"]] for one in got]))
    print(line("server", [one["server"] for one in got]))
    print(line("page", [screen[one["asked"]] - one["server"] for one in got]))
    print(line("alone", alone))
    print(f"requests a question: {statistics.mean(one['requests'] for one in got):.1f}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    chosen = Path(sys.argv[3]).read_text("utf-8").splitlines() if len(sys.argv) > 3 else QUESTIONS
    main(sys.argv[1].rstrip("/"), int((sys.argv[2:] or ["3"])[0]), [one.strip() for one in chosen if one.strip()])
