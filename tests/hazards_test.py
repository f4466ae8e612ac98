#!/usr/bin/env python3
"""docs/hazards.md names a test for every fault: each must exist. `tests/hazards_test.py ROOT`; exit 1 and a line for each that does not.

A row's last cell is a list: a program of tests or a corpus in backquotes, then what in it is meant. `x_test.py` has functions, `corpus_x` and
`side_by_side` have cases, by name or by the beginning of their names (a star); `x_fuzz` is a fuzzer. An ending of dots stands for the rest."""
import fnmatch
import importlib
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
tests = root / "tests"
sys.path[:0] = [str(tests / "protocol"), str(tests / "interop"), str(tests / "integration")]
faults = []


def functions(name):
    for folder in ("integration", "protocol", "interop"):
        if (tests / folder / name).exists():
            return re.findall(r"def (test_\w+)", (tests / folder / name).read_text(encoding="utf-8"))
    return None


def cases(name):
    """What a corpus calls its cases; None if there is no such corpus."""
    if name == "side_by_side":
        for file in sorted((tests / "interop" / "side_by_side").glob("cases_*.py")):
            importlib.import_module("side_by_side." + file.stem)
        return [case.name for case in importlib.import_module("side_by_side.case").CASES]
    if (tests / "protocol" / f"{name}.py").exists():
        return [case.name for case in importlib.import_module(name).CASES]
    return None


def known(name):
    """The things that may be meant behind a name in backquotes; None if there is nothing of that name."""
    if name.endswith(".py"):
        return functions(name)
    if name.endswith(("_fuzz", ".cc")):
        return [] if next(tests.rglob(name if name.endswith(".cc") else f"{name}.cc"), None) else None
    return cases(name)


def check(number, cell):
    if not cell:
        return faults.append(f"line {number}: no test is named")
    found, name = None, None
    for word in cell.replace("\\*", "*").replace(",", " ").replace(";", " ").replace("(", " ").replace(")", " ").split():
        if word.startswith("`"):
            name = word.strip("`")
            found = known(name)
            if found is None:
                faults.append(f"line {number}: there is no {name}")
        elif re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]*)*(\*|\.\.\.)?", word) and word != "and":
            pattern = re.sub(r"\.\.\.$", "*", word)
            if found is not None and not fnmatch.filter(found, pattern):
                faults.append(f"line {number}: {name} has no {word}")
    return None


rows = 0
for number, line in enumerate((root / "docs" / "hazards.md").read_text(encoding="utf-8").splitlines(), 1):
    if line.startswith("| ") and not line.startswith(("| fault", "| ---")):
        rows += 1
        check(number, line.strip("| ").split(" | ")[-1] if line.count(" | ") >= 2 else "")
print("\n".join(faults) or f"{rows} faults, each with its tests")
sys.exit(bool(faults) or not rows)
