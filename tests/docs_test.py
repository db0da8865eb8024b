"""What can be checked of every page: links and their anchors, and the files of the tree that a page names."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench/results").glob("*.md")]
]
FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# A file or folder of the tree, with * or NAME for any part: `src/base/error.h`, `src/models/formats/skeleton_NAME.cc`.
NAMED = re.compile(r"(?<![\w/$.-])((?:src|tests|bench|fuzz|cmake|packaging|docs|\.ci)/[\w*./-]*[\w*])")


def prose(page):
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M)


def anchors(page):
    """As GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        to = (page.parent / file).resolve() if file else page
        assert to.exists(), target
        if anchor:
            assert anchor in anchors(to), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page):
    tree = set(FILES) | {str(parent) for name in FILES for parent in Path(name).parents}
    for name in NAMED.findall(page.read_text()):
        found = name in tree or any(Path(known).match(name.replace("NAME", "*")) for known in tree)
        assert found, name


def test_every_page_that_the_code_names_exists():
    for name in FILES:
        if not name.endswith((".h", ".cc", ".py", ".toml", ".in", ".sh")) or name.startswith("fuzz/corpus"):
            continue
        for page in re.findall(r"(?<![\w/])docs/[\w-]+\.(?:md|json)", (ROOT / name).read_text()):
            assert (ROOT / page).exists(), f"{name}: {page}"


def test_every_function_of_the_traces_exists():
    page = (ROOT / "docs/architecture.md").read_text()
    sources = [(ROOT / name).read_text() for name in FILES if re.match(r"src/.*(?<!_test)\.(h|cc)$", name)]
    named = set(re.findall(r"`(\w+)::(\w+)`", page.partition("\n## Traces\n")[2].partition("\n## ")[0]))
    for owner, function in named:
        declared = re.compile(rf"\b{owner}::{function}\(|(?:class|struct) {owner}\b.*\b{function}\(", re.S)
        assert any(owner in text and declared.search(text) for text in sources), f"{owner}::{function}"


def test_every_page_is_reached_from_the_readme():
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in LINK.findall(prose(page)):
            to = (page.parent / target.partition("#")[0]).resolve()
            if to.suffix == ".md" and to.exists():
                left.append(to)
    assert set(PAGES) - seen == set()


def test_every_result_says_when_where_and_how():
    for page in (ROOT / "bench/results").glob("*.md"):
        if page.name != "README.md":
            for row in ("date", "machine", "command"):
                assert re.search(rf"^\| {row} \| \S", page.read_text(), re.M), f"{page.name}: {row}"
