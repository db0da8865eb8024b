"""What is made from the command line's parser, in the shells that use it, and what docs/cli.md says of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
HIDDEN = ("completion", "man")


def help_of(headroom, *command):
    outcome = headroom(*command, "--help")
    assert outcome.code == 0, command
    return outcome.out


def flags(text):
    """Of a --help: {"--format": "-f", "--json": None}, without --help."""
    found = re.findall(r"^  (?:(-\w),)?(--[a-z][a-z-]*)", text, re.M)
    return {long: short or None for short, long in found if long != "--help"}


def commands(text):
    listed = text.split("\nSubcommands:\n")
    return re.findall(r"^  ([a-z][a-z-]*) ", listed[1], re.M) if len(listed) > 1 else []


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    from conftest import Headroom

    headroom = Headroom(tmp_path_factory.mktemp("home"))
    found, left = {}, [()]
    while left:
        path = left.pop()
        text = help_of(headroom, *path)
        found[path] = flags(text)
        left += [(*path, name) for name in commands(text)]
    assert len(found) > 25 and found[("status",)]["--format"] == "-f"
    assert not any(name in path for path in found for name in HIDDEN)
    return found


def script(headroom, tmp_path, shell, name):
    outcome = headroom("completion", shell)
    assert outcome.code == 0
    path = tmp_path / name
    path.write_text(outcome.out)
    return path


def run(headroom, shell, *args, **kwargs):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    env = {**headroom.env, "PATH": f"{headroom.bin}:{headroom.env['PATH']}", "TERM": "dumb"}
    p = subprocess.run([shell, *args], env=env, capture_output=True, text=True, timeout=60, **kwargs)
    return p


class Bash:
    def __init__(self, headroom, tmp_path):
        self.headroom = headroom
        self.script = script(headroom, tmp_path, "bash", "headroom.bash")

    def __call__(self, *words):
        """What is offered for the last of them."""
        driver = f"""
            set -eu
            source '{self.script}'
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            $(complete -p headroom | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            printf '%s\\n' "${{COMPREPLY[@]}}" """
        p = run(self.headroom, "bash", "--norc", "-c", driver, "driver", "headroom", *words)
        assert p.returncode == 0 and p.stderr == "", p.stderr
        return sorted(p.stdout.split())


def test_bash(headroom, tmp_path, tree):
    bash = Bash(headroom, tmp_path)
    assert bash("") == sorted(path[0] for path in tree if len(path) == 1)
    assert bash("hist") == ["history"]
    assert bash("history", "") == ["clear", "list", "paste", "show"]
    assert bash("history", "list", "--un") == ["--undelivered"]
    assert bash("status", "-") == sorted(["-h", "--help", "--follow", "-f", "--format", "--socket"])
    for words in (["--format", ""], ["-f", ""], ["--follow", "--format", "="], ["--format", "=", ""]):
        assert bash("status", *words) == ["json", "text", "waybar"], words
    assert bash("status", "--format", "=", "w") == ["waybar"]
    assert bash("transcribe", "-f", "s") == ["srt"]
    # Files, which bash itself completes when it is offered nothing.
    assert bash("transcribe", "") == bash("transcribe", "--output", "") == []
    for path, options in tree.items():
        offered = bash(*path, "-")
        wanted = {n for pair in options.items() for n in pair if n} | {"-h", "--help"}
        assert set(offered) == wanted, path


def test_fish(headroom, tmp_path, tree):
    path = script(headroom, tmp_path, "fish", "headroom.fish")

    def fish(line):
        p = run(headroom, "fish", "--no-config", "-c", f"source {path}; complete -C '{line}'")
        assert p.returncode == 0 and p.stderr == "", p.stderr
        return dict(l.split("\t", 1) if "\t" in l else (l, "") for l in p.stdout.splitlines())

    assert set(fish("headroom ")) == {path[0] for path in tree if len(path) == 1}
    assert fish("headroom hist")["history"] != ""
    assert set(fish("headroom history ")) == {"clear", "list", "paste", "show"}
    assert set(fish("headroom history list --")) == {"--help", "--limit", "--undelivered", "--json", "--socket"}
    assert set(fish("headroom status --format ")) == {"json", "text", "waybar"}


def test_zsh(headroom, tmp_path):
    script(headroom, tmp_path, "zsh", "_headroom")
    # Completion needs a terminal: zsh types Tab into itself through its pty module.
    driver = f"""
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PS1= fpath=({tmp_path} \\$fpath); autoload -U compinit; compinit -D -u"
        zpty -w z "zstyle ':completion:*' list-prompt ''; LISTMAX=500; bindkey '^I' complete-word; echo rea''dy"
        zpty -r z line '*ready*'
        zpty -w -n z "$1"
        zpty -w -n z $'\\t'
        zpty -r -m z line "*$2*" && print -r -- found
        """
    for typed, expected in (("headroom hist", "history"), ("headroom history sh", "show"),
                            ("headroom status --fol", "--follow"), ("headroom status -f way", "waybar")):
        # The rest of the word is what completion adds.
        rest = expected[len(typed.split()[-1]):]
        p = run(headroom, "timeout", "20", "zsh", "-f", "-c", driver, "driver", typed, rest)
        assert "found" in p.stdout, (typed, p)
    p = run(headroom, "zsh", "-f", "-n", tmp_path / "_headroom")
    assert p.returncode == 0, p.stderr


def test_the_manual_page(headroom, tmp_path, tree):
    page = tmp_path / "headroom.1"
    page.write_text(headroom("man").out)
    p = run(headroom, "mandoc", "-Tlint", "-Wwarning", page)
    # It has no date, so that building it twice gives the same.
    assert [line for line in p.stdout.splitlines() if "missing date" not in line] == []
    text = run(headroom, "mandoc", "-Tutf8", "-Owidth=120", page).stdout
    text = re.sub(".\b", "", text)
    for path, options in tree.items():
        if not path:
            continue
        assert re.search(rf"^ +headroom {' '.join(path)}$", text, re.M), path
        part = re.split(rf"^ +headroom {' '.join(path)}$", text, flags=re.M)[1]
        part = re.split(r"^   headroom [a-z -]+$", part, flags=re.M)[0]
        for long, short in options.items():
            shown = f"{short}, {long}" if short else long
            assert re.search(rf"^ +{re.escape(shown)}( |$)", part, re.M), (path, long)


def sections(page):
    """{("listen",): text of its section} for each command that a heading names."""
    found = {}
    for part in re.split(r"^## ", page, flags=re.M)[1:]:
        heading, _, text = part.partition("\n")
        if not heading.startswith("headroom "):
            continue
        for name in re.sub(r"\[.*?\]| \|.*| --.*", "", heading).split(","):
            words = [w for w in name.split() if w != "headroom" and re.fullmatch("[a-z][a-z-]*", w)]
            if words:
                assert words[0] not in found, f"{words[0]} has two sections"
                found[words[0]] = text
    return found


def options_of(section):
    """The flags of a section's table: {"--format": "-f"}; each once."""
    found = {}
    for cell in re.findall(r"^\| (`-.*?`) \|", section, re.M):
        for one in re.findall(r"`(.+?)`", cell):
            names = re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", one)
            long = next(n for n in names if n.startswith("--"))
            assert long not in found, f"{long} is there twice"
            found[long] = next((n for n in names if not n.startswith("--")), None)
    return found


def test_the_documentation_has_every_flag_once_and_no_other(tree):
    page = (DOCS / "cli.md").read_text()
    by_command = sections(page)
    assert set(by_command) | set(HIDDEN) >= {path[0] for path in tree if path}
    assert set(by_command) <= {path[0] for path in tree if path}, "a command that does not exist"
    for text in set(by_command.values()):
        names = {name for name, its in by_command.items() if its == text}
        wanted = {}
        for path, options in tree.items():
            if path and path[0] in names:
                wanted |= options
        table = options_of(text)
        # A line above the table may say "`--gpu` as for watch".
        prose = set(re.findall(r"`(--?[a-z][a-z-]*)`", re.sub(r"^\|.*", "", text, flags=re.M)))
        as_elsewhere = {l: s for l, s in wanted.items() if l not in table and {l, s} & prose}
        assert table | as_elsewhere == wanted, names
    known = {long for options in tree.values() for long in options} | {"--help"}
    known |= {short for options in tree.values() for short in options.values() if short}
    spoken = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*(?![\w-])", " ".join(re.findall(r"`[^`]+`", page))))
    assert spoken <= known, spoken - known
