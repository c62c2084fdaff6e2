"""Write the upgrade scripts to the present version, of what was added since the last: python sql/make.py

The last version's scripts lie in tests/host/released. A function with other arguments takes the place of
the one that it was. What is changed otherwise than by additions, comments and other labels of a function is
written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import ruattn_fdw
from ruattn_fdw.ddl import main_script, pgvector_script

HERE = Path(__file__).parent
RELEASED = HERE.parent / "tests" / "host" / "released"
[LAST] = {script.stem.split("--")[1] for script in RELEASED.iterdir()}
HEAD = """\
-- complain if the script is sourced in psql rather than run by ALTER EXTENSION
\\echo Use "ALTER EXTENSION {name} UPDATE TO '{version}'" to load this file. \\quit

"""
OBJECT = re.compile(r"CREATE (?:[A-Z]+ )+\w+(?:\([^)]*\))?")
DEFAULT = re.compile(r" DEFAULT [^,)]+")
FUNCTION = "CREATE FUNCTION "


def statements(script: str) -> list[str]:
    """The statements of a script without its comments."""
    lines = [line for line in script.splitlines() if not line.startswith(("--", "\\"))]
    return [part.strip() for part in re.split(r";\n", "\n".join(lines) + "\n") if part.strip()]


def created(statement: str) -> str | None:
    """What a statement creates, None where it creates nothing."""
    found = OBJECT.match(statement)
    return None if found is None else found[0]


def additions(before: list[str], after: list[str]) -> Iterator[str]:
    """The statements that lead from the one script to the other."""
    known = {made for statement in before if (made := created(statement))}
    made_now = {made for statement in after if (made := created(statement))}
    gone = [made for statement in before if (made := created(statement)) and made not in made_now]
    changed = [
        made for statement in after if statement not in before and (made := created(statement)) in known
    ]
    by_hand = [made for made in (*gone, *changed) if not made.startswith(FUNCTION)]
    if by_hand:
        sys.exit("write the upgrade by hand, these are gone or changed: " + "; ".join(by_hand))
    for made in gone:
        yield DEFAULT.sub("", made).replace("CREATE", "DROP", 1)
    for statement in after:
        if statement not in before:
            is_known = created(statement) in known
            yield statement.replace("CREATE", "CREATE OR REPLACE", 1) if is_known else statement


def main() -> None:
    """Write the scripts of both extensions."""
    version = ruattn_fdw.__version__
    for name, script in (("ruattn_fdw", main_script()), ("ruattn_fdw_pgvector", pgvector_script())):
        before = (RELEASED / f"{name}--{LAST}.sql").read_text(encoding="utf-8")
        steps = "".join(f"{statement};\n" for statement in additions(statements(before), statements(script)))
        target = HERE / f"{name}--{LAST}--{version}.sql"
        target.write_text(HEAD.format(name=name, version=version) + steps, encoding="utf-8")


if __name__ == "__main__":
    main()
