#!/usr/bin/env python3
"""capture.py LANG FILE.svg [KEYS...]: the dashboard as a picture for the README.

Runs `target/lab/sfha --demo` in tmux (100 x 26), types KEYS, and draws what is on
the screen with its colours. No other program, no font embedded.
"""

import re
import subprocess
import sys
import time
from html import escape

COLUMNS, LINES = 100, 26
WIDTH, HEIGHT = 8.4, 18
BACK, FORE = "#11151c", "#d3d7de"
BASE = ["#11151c", "#e5626a", "#7bc275", "#e0b25b", "#6ba4e8", "#c08ae0", "#56bfc4", "#d3d7de"]
BRIGHT = ["#5c6675", "#f0858b", "#9ad895", "#f0c97a", "#8fbdf5", "#d3a8ee", "#7fd8dc", "#ffffff"]


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", "sfha-capture", *arguments], check=True, capture_output=True, text=True).stdout


def colour(codes):
    """The colour that 38/48;… begins with, and how many codes it took."""
    if codes[0] == 2:
        return "#%02x%02x%02x" % tuple(codes[1:4]), 4
    n = codes[1]
    if n < 16:
        return (BASE + BRIGHT)[n], 2
    if n < 232:
        n -= 16
        return "#%02x%02x%02x" % tuple(55 + 40 * v if v else 0 for v in (n // 36, n // 6 % 6, n % 6)), 2
    return "#%02x%02x%02x" % ((8 + 10 * (n - 232),) * 3), 2


def apply(style, text):
    codes = [int(code or 0) for code in text.split(";")]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style.clear()
        elif code in (1, 2, 3, 7):
            style[code] = True
        elif code == 22:
            style.pop(1, None), style.pop(2, None)
        elif code in (23, 27):
            style.pop(code - 20, None)
        elif 30 <= code <= 37:
            style["fore"] = BASE[code - 30]
        elif 90 <= code <= 97:
            style["fore"] = BRIGHT[code - 90]
        elif 40 <= code <= 47:
            style["back"] = BASE[code - 40]
        elif 100 <= code <= 107:
            style["back"] = BRIGHT[code - 100]
        elif code in (38, 48):
            value, used = colour(codes)
            del codes[:used]
            style["fore" if code == 38 else "back"] = value
        elif code in (39, 49):
            style.pop("fore" if code == 39 else "back", None)


def draw(screen):
    backs, texts, style = [], [], {}
    for row, line in enumerate(screen.split("\n")[:LINES]):
        column = 0
        for part in re.split(r"(\x1b\[[0-9;]*m)", line):
            if part.startswith("\x1b"):
                apply(style, part[2:-1])
                continue
            if not part:
                continue
            fore, back = style.get("fore", FORE), style.get("back")
            if style.get(7):
                fore, back = back or BACK, style.get("fore", FORE)
            x, y, width = 12 + column * WIDTH, 12 + row * HEIGHT, len(part) * WIDTH
            if back:
                backs.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}" fill="{back}"/>')
            if part.strip():
                extra = ' font-weight="bold"' if style.get(1) else ""
                extra += ' opacity="0.65"' if style.get(2) else ""
                texts.append(
                    f'<text x="{x:.1f}" y="{y + 13.5}" textLength="{width:.1f}" fill="{fore}"{extra}>{escape(part)}</text>'
                )
            column += len(part)
    width, height = 24 + COLUMNS * WIDTH, 24 + LINES * HEIGHT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
            ' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">',
            f'<rect width="100%" height="100%" rx="8" fill="{BACK}"/>',
            *backs,
            *texts,
            "</svg>\n",
        ]
    )


def main():
    language, file, *keys = sys.argv[1:]
    command = f"env LC_ALL=C.UTF-8 COLORTERM=truecolor target/lab/sfha --lang {language} --demo"
    tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), command)
    try:
        time.sleep(25)  # until the graphs of traffic have something to show
        for key in keys:
            tmux("send-keys", key)
            time.sleep(0.5)
        screen = tmux("capture-pane", "-e", "-p")
    finally:
        tmux("kill-server")
    with open(file, "w", encoding="utf-8") as out:
        out.write(draw(screen))


main()
