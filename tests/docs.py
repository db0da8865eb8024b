"""Text that a page shows and a program prints: kept equal.

HEADROOM_UPDATE_DOCS=1 writes what the program prints into the page instead of complaining."""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def must_show(page, heading, printed):
    """The first ``` block below the heading is what was printed. The page is named from the root of the tree."""
    path = ROOT / page
    text = path.read_text()
    begin = text.index("```\n", text.index(heading)) + 4
    end = text.index("```", begin)
    if os.environ.get("HEADROOM_UPDATE_DOCS"):
        path.write_text(text[:begin] + printed + text[end:])
        return
    assert text[begin:end] == printed, f"{page} is stale: run this test with HEADROOM_UPDATE_DOCS=1"
