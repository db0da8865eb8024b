"""headroom config, as a person uses it."""

import re
from pathlib import Path


def test_check_names_every_mistake_with_its_line(headroom, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('[speech]\nsilense = "1s"\n[output]\ntargets = ["type", "telepathy"]\n')
    outcome = headroom("config", "check", path)
    assert outcome.code == 2
    assert outcome.out.splitlines() == [
        f"{path}:2: [speech] has no key silense; did you mean silence?",
        f'{path}:4: output.targets: "telepathy" is not one of type, clipboard, stdout, file, command',
    ]
    path.write_text('[speech]\nsilence = "1s"\n')
    outcome = headroom("config", "check", path)
    assert (outcome.code, outcome.out) == (0, f"{path}: valid, 1 key changed from the default\n")
    assert headroom("config", "check", tmp_path / "none").code == 3


def test_the_users_own_file(headroom):
    own = headroom.home / ".config/headroom/config.toml"
    assert headroom("config", "path").out == f"{own}\n"
    outcome = headroom("config", "check")
    assert outcome.code == 0 and "does not exist" in outcome.out
    own.parent.mkdir(parents=True)
    own.write_text(headroom("config", "example").out)
    assert "valid, 0 keys" in headroom("config", "check").out
    # Every key without its '#' is a good file as well, and the same as the defaults.
    lines = own.read_text().splitlines()
    own.write_text("\n".join(re.sub(r"^#(?! )", "", line) for line in lines))
    outcome = headroom("config", "check")
    assert outcome.code == 0 and "2 keys" in outcome.out, outcome.out  # the two example phrases
    shown = headroom("config", "show")
    assert shown.code == 0 and 'silence = "800ms"' in shown.out
    own.write_text(shown.out)
    assert headroom("config", "show").out == shown.out
    own.write_text("[speech]\nmode = 1\n")
    outcome = headroom("config", "show")
    assert outcome.code == 2 and f"{own}:2: speech.mode" in outcome.err


def test_what_the_guides_tell_to_set_is_understood(headroom):
    page = (Path(__file__).parent.parent / "docs/memory.md").read_text()
    headroom.configure(page.split("```toml\n")[1].split("```")[0])
    done = headroom("config", "check")
    assert done.code == 0, done.err
    shown = headroom("config", "show").out
    assert "canary-1b-flash:Q8_0@gpu" in shown and 'when_cold = "fast"' in shown
