"""Write the parts of these pages that come from declarations: python docs/make.py

A part stands between `<!-- kind: name -->` and `<!-- end -->`; everything else on a page is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.mechanism import Mechanism

from ruattn_fdw.functions import FUNCTIONS
from ruattn_fdw.functions.declaration import ANY_SPELLING, VECTOR, Function
from ruattn_fdw.tables import TABLES

HERE = Path(__file__).parent
PART = re.compile(r"(<!-- (\w+): ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
SPELLINGS = {VECTOR: "vector", ANY_SPELLING: "vectors or jsonb"}


def rendered(page: str) -> str:
    """The text of a page with its parts written anew."""
    return PART.sub(lambda part: part[1] + KINDS[part[2]](part[3]) + part[4], page)


def pages() -> list[Path]:
    """The pages of this folder and those of the mechanisms."""
    return sorted(HERE.rglob("*.md"))


def results(name: str) -> str:
    """The result columns of a table."""
    rows = ((f"`{r.name}`", f"`{r.type}`", r.help) for r in TABLES[name].declaration.results)
    return grid(("result", "type", ""), rows)


def parameters(name: str) -> str:
    """The parameters of a table."""
    rows = ((f"`{p.name}`", f"`{p.type}`", p.status, p.help) for p in TABLES[name].declaration.parameters)
    return grid(("parameter", "type", "", ""), rows)


def mechanisms(name: str) -> str:
    """The mechanisms that a table or function takes, or all of them by family."""
    if name != "all":
        found = [mechanism for mechanism in registry.MECHANISMS if name in mechanism.operations]
        return ", ".join(_linked(mechanism) for mechanism in found) + ".\n"
    rows = ((_linked(m), m.family, m.best_for) for m in registry.MECHANISMS)
    return grid(("mechanism", "family", "best for"), rows)


MHA = "mha_search"


def sharded(name: str) -> str:
    """The mechanisms that shards can be asked for under their default options."""
    found = [
        m for m in registry.MECHANISMS if m.merges(MHA, registry.parse_options(m, {})) and MHA in m.operations
    ]
    return ", ".join(_linked(mechanism) for mechanism in found) + ".\n"


def mechanism(name: str) -> str:
    """What there is to know of one mechanism from its entry."""
    found = registry.find(name)
    lines = [
        f"Also called {', '.join(f'`{alias}`' for alias in found.aliases)}. {found.reference}. "
        f"One query over n rows: {found.complexity} time, {found.memory} memory. "
        f"Weights of the kind {found.weight_kind}.\n",
        f"Takes part in {', '.join(f'`{operation}`' for operation in found.operations)}."
        + ("" if found.training is None else " Takes [learned weights](../weights.md).")
        + "\n",
    ]
    if found.parameters:
        rows = (
            (f"`{o.name}`", f"`{json.dumps(o.default)}`" if o.default is not None else "", o.help)
            for o in found.parameters
        )
        lines.append(grid(("option", "default", ""), rows))
    return "\n".join(lines)


def tensors(name: str) -> str:
    """What sets of weights hold, for the mechanisms that take them."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for entry in registry.MECHANISMS:
        if entry.training is not None:
            kind = entry.training.required, entry.training.optional
            found.setdefault(kind, []).append(_linked(entry))
    rows = (
        (", ".join(takers), *(", ".join(f"`{tensor}`" for tensor in tensors) for tensors in kind))
        for kind, takers in found.items()
    )
    return grid(("mechanisms", "required", "optional"), rows)


def functions(name: str) -> str:
    """The SQL functions of all groups."""
    rows = ((f"`{_signature(f)}`", f"`{_returns(f)}`", f.help) for f in FUNCTIONS.values())
    return grid(("function", "returns", ""), rows)


def tables(name: str) -> str:
    """What each table is for, with links to its page."""
    rows = ((f"[`{table}`]({table}.md)", TABLES[table].declaration.help) for table in TABLES)
    return grid(("table", ""), rows)


def _linked(mechanism: Mechanism) -> str:
    return f"[`{mechanism.name}`](mechanisms/{mechanism.family}.md#{mechanism.name})"


def _signature(function: Function) -> str:
    arguments = (
        f"{a.name.strip(chr(34))} {SPELLINGS.get(a.type, a.type)}" + (f" = {a.default}" if a.default else "")
        for a in function.arguments
    )
    return f"{function.name}({', '.join(arguments)})"


def _returns(function: Function) -> str:
    return function.returns if len(function.returns) < 90 else function.returns.split("(")[0] + "(...)"


def grid(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in lines)


KINDS: dict[str, Callable[[str], str]] = {
    "results": results,
    "parameters": parameters,
    "mechanisms": mechanisms,
    "mechanism": mechanism,
    "functions": functions,
    "tables": tables,
    "tensors": tensors,
    "sharded": sharded,
}

if __name__ == "__main__":
    for page in pages():
        page.write_text(rendered(page.read_text(encoding="utf-8")), encoding="utf-8")
