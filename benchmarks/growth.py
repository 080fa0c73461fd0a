"""How time, memory and the cost of building grow with the number of passages: a table with exponents, and a drawing.

    python benchmarks/growth.py FILE.jsonl.gz... --sites DATA_DIR... [--requests 200] [--drawing FILE.svg]

Each DATA_DIR is a site of its own size that benchmarks/big_site.py made, which wrote down what each step took. They are
served one after the other as benchmarks/pages.py does, without reranking. The exponent between two sizes is the e for
which the figure grows as size^e: 0 is no growth, 1 is as fast as the site. The last column is over all sizes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from big_site import STEPS
from pages import Server, address, alone, p50_p95, questions
from startup import processes

Figures = dict[str, float]
MEGABYTE = 1e6


def measured(folder: Path, files: list[Path], requests: int, seed: int) -> Figures:
    """The figures of one site; `passages` among them."""
    built = json.loads((folder / STEPS).read_text())
    asked = map(address, questions(files, seed))
    with Server(folder) as server:
        alone(server, asked, lambda done: done < 20)  # files are mapped, caches are filled
        half, most = p50_p95(alone(server, asked, lambda done: done < requests))
        held = sum(one.pss for one in processes(server.process.pid).values())
    index = sum(path.stat().st_size for path in (folder / "index").rglob("*") if path.is_file())
    return {
        "passages": built.pop("passages"),
        "a page, p50 ms": half,
        "a page, p95 ms": most,
        "memory of all processes, MB": held,
        "index on disk, MB": index / MEGABYTE,
        **{f"{step}, s": taken for step, taken in built.items()},
    }


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the line through the logarithms (least squares)."""
    x, y = [math.log(size) for size in sizes], [math.log(max(value, 1e-9)) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    up = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return up / sum((a - mean_x) ** 2 for a in x)


def table(sites: Sequence[Figures]) -> str:
    sizes = [site["passages"] for site in sites]
    lines = ["| | " + " | ".join(f"{size:,.0f}" for size in sizes) + " | exponent |", "| --- " * (len(sites) + 2) + "|"]
    for name in sites[0]:
        if name != "passages":
            values = [site[name] for site in sites]
            shown = " | ".join(f"{value:,.1f}" for value in values)
            lines.append(f"| {name} | {shown} | {exponent(sizes, values):.2f} |")
    return "\n".join(lines)


def drawing(sites: Sequence[Figures]) -> str:
    """An SVG: each figure by its own at the smallest size, both axes logarithmic; a dotted line grows as the site."""
    width, height, left, bottom, side = 720, 360, 60, 40, 230
    sizes = [site["passages"] for site in sites]
    names = [name for name in sites[0] if name != "passages"]
    larger = sizes[-1] / sizes[0]
    ratios = {name: [site[name] / max(sites[0][name], 1e-9) for site in sites] for name in names}
    highest = max(larger, *(ratio for own in ratios.values() for ratio in own))

    def place(size: float, ratio: float) -> tuple[float, float]:
        across = math.log(size / sizes[0]) / math.log(larger)
        up = math.log(max(ratio, 0.5) / 0.5) / math.log(highest / 0.5)
        return left + across * (width - left - side), (height - bottom) * (1 - up) + 10

    def line(points: Sequence[tuple[float, float]], style: str) -> str:
        return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" {style}/>'

    drawn = [line([place(sizes[0], 1), place(sizes[-1], larger)], 'stroke="#888" stroke-dasharray="2 4"')]
    ends: list[tuple[float, str, str]] = []
    for number, name in enumerate(names):
        colour = f"hsl({number * 360 // len(names)} 65% 45%)"
        points = [place(size, ratio) for size, ratio in zip(sizes, ratios[name], strict=True)]
        drawn.append(line(points, f'stroke="{colour}" stroke-width="2"'))
        ends.append((points[-1][1], name, colour))
    lowest = 0.0
    for y, name, colour in sorted(ends):
        lowest = max(y, lowest + 15)
        drawn.append(f'<text x="{width - side + 8}" y="{lowest + 4:.1f}" fill="{colour}">{name}</text>')
    for size in sizes:
        x, _y = place(size, 1)
        drawn.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#888">{size:,.0f}</text>')
    ratio = 1.0
    while ratio <= highest * 1.01:
        _x, y = place(sizes[0], ratio)
        drawn.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#888">x {ratio:,.0f}</text>')
        ratio *= 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        ' font-size="12">'
        f"<title>Growth with the number of passages</title>{''.join(drawn)}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--sites", type=Path, nargs="+", required=True)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drawing", type=Path)
    given = parser.parse_args()
    sites = [measured(folder.resolve(), given.files, given.requests, given.seed) for folder in given.sites]
    sites.sort(key=lambda one: one["passages"])
    print(table(sites))
    if given.drawing:
        given.drawing.write_text(drawing(sites), encoding="utf-8")


if __name__ == "__main__":
    main()
