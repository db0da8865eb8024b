"""What `./test` has to install and build for the tests that were asked for, as assignments for a shell.

    needs.py                 all tests
    needs.py REGEX           tests whose ctest name matches
    needs.py -L LABEL        unit, real (with weights), program (pytest) or desktop (pytest with windows and sound)

sections: of packages.apt; targets: of the build, none means all; weights, python: 1 where needed.
ctest knows the unit tests' names only after the build, so they are read from the sources here.
"""
import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.M)


def unit_tests():
    """(target, name, its source asks for weights) of every unit test."""
    for lists in sorted((ROOT / "src").rglob("CMakeLists.txt")):
        for name, body in re.findall(r"headroom_library\((\w+)(.*?)\n?\)", lists.read_text(), re.S):
            if " TESTS" not in body and "\nTESTS" not in body:
                continue
            for file in re.findall(r"[\w./]+_test\.cc", body.split("TESTS", 1)[1]):
                text = (lists.parent / file).read_text()
                for suite, test in TEST.findall(text):
                    yield f"{name}_test", f"{name}.{suite}.{test}", "HEADROOM_TEST_" in text


def chosen(arguments):
    lists = (ROOT / "tests/CMakeLists.txt").read_text()
    real = re.findall(r"^headroom_test\((\w+)", lists, re.M)
    program = re.findall(r"^headroom_pytest\((\w+)\)", lists, re.M)
    desktop = re.findall(r"^headroom_pytest\((\w+) DESKTOP\)", lists, re.M)
    if arguments and arguments[0] == "-L":
        label = arguments[1] if len(arguments) > 1 else ""
        units = sorted({target for target, _, _ in unit_tests()}) if label == "unit" else []
        if label not in ("unit", "real", "program", "desktop"):
            sys.exit(f"test: no label {label!r}; unit, real, program and desktop are")
        return (units, real if label == "real" else [], program if label == "program" else [],
                desktop if label == "desktop" else [], False)
    try:
        wanted = re.compile(arguments[0] if arguments else "")
    except re.error as error:
        sys.exit(f"test: {arguments[0]}: {error}")
    found = [(target, weights) for target, name, weights in unit_tests() if wanted.search(name) or wanted.search(f"{target}_NOT_BUILT")]
    return (sorted({target for target, _ in found}), list(filter(wanted.search, real)),
            list(filter(wanted.search, program)), list(filter(wanted.search, desktop)),
            any(weights for _, weights in found))


def main(arguments):
    units, real, program, desktop, weights = chosen(arguments)
    if not (units or real or program or desktop):
        sys.exit(f"test: no test matches {' '.join(arguments)}")
    sections = ["test"] + ["program"] * bool(program or desktop) + ["desktop"] * bool(desktop)
    everything = bool(program or desktop)  # the program and its workers, as a person has them
    weights = weights or bool(real) or everything
    targets = [] if everything else units + real + ["headroom"] * weights
    print(f"sections={shlex.quote(' '.join(sections))}")
    print(f"targets={shlex.quote(' '.join(targets))}")
    print(f"weights={int(weights)} python={int(everything)}")


main(sys.argv[1:])
