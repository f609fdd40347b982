"""A block's datasheet: from its class, its catalogue entry and what was measured of it."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluice.block import Block
from sluice.catalogue import Entry
from sluice.export import ports_of, streams_of, to_rtlil
from sluice.registers import register_map

__all__ = [
    "LUT4",
    "REGISTERS",
    "area_and_speed",
    "datasheet",
    "digest",
    "fingerprint",
    "net_area",
]

LUT4, REGISTERS = "LUT4", "registers"

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)


def fingerprint(entry: Entry, parameters: Mapping[str, Any]) -> str:
    """Return a digest of the netlist; measurements of another one are stale."""
    text = to_rtlil(entry.cls(**parameters), entry.name)
    return digest(text)


def digest(text: str) -> str:
    """Return what stands for a netlist in the records of measurements."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def datasheet(
    entry: Entry,
    measured: Sequence[Mapping[str, Any]],
    mutation: Mapping[str, Any] | None,
    survivors: Mapping[str, str],
    parts: Mapping[str, Any] | None = None,
) -> str:
    """Return the datasheet as Markdown.

    Parameters
    ----------
    measured : sequence of dict
        Records of ``scripts/measure``.
    mutation : dict or None
        The record of ``scripts/mutants``.
    survivors : mapping of fault to text
        Why a fault that survived is harmless.
    parts : dict, optional
        What parts of the block cost: ``script`` that measured it, ``note``, ``columns``, ``rows``.
    """
    block = entry.make()
    sections = _sections(entry.docstring)
    said = _contracts(sections.get("Parameters", ""))
    lines = [
        f"# {entry.name}",
        "",
        sections.pop(""),
        "",
        f"Class `{entry.block.replace(':', '.')}`"
        + (f"; golden model `{entry.golden.replace(':', '.')}`" if entry.golden else "")
        + (f"; implements {', '.join(entry.systems)}" if entry.systems else "")
        + ".",
        "",
        *(["**Preview**: see [verification](#verification).", ""] if entry.preview else []),
        "## Parameters",
        "",
        *_table(
            ("name", "default", "range", "meaning"),
            (
                (
                    f"`{p.name}`",
                    f"`{_text(getattr(block, p.name))}`",
                    p.range,
                    said.get(p.name) or p.meaning,
                )
                for p in block.PARAMETERS
            ),
        ),
        "",
        *_presets(entry),
        "## Ports",
        "",
        "Verilog names and widths of the default preset; `clk` and `rst` (synchronous, active",
        "high) are there always. A stream moves a payload where `valid` and `ready` are high.",
        "",
        *_ports(block),
        "",
        *_registers(block),
    ]
    for name, title in (
        ("Members", "Port contracts"),
        ("Attributes", "Timing"),
        ("Notes", "Notes"),
    ):
        if name in sections:
            lines += [f"## {title}", "", *_definitions(sections[name]), ""]
        if name == "Attributes":
            lines += [
                f"Default preset: latency {block.latency} cycles, interval {block.interval:g}.",
                "The bench test `latency_and_interval` holds both to the cycle, in every",
                "configuration.",
                "",
            ]
    lines += ["## Area and speed", "", *_measurements(measured), ""]
    if parts is not None:
        lines += ["### What its parts cost", "", *_table(parts["columns"], parts["rows"]), ""]
        lines += [f"{parts['note']} Measured by `{parts['script']}`.", ""]
    lines += ["## Verification", ""]
    if entry.preview:
        lines += [
            "This block is a preview: its bench does not yet reject 95 % of the faults, or accepts",
            "one for no reason that is given here.",
            "",
        ]
    lines += _verification(entry, mutation, survivors)
    return "\n".join(lines).rstrip() + "\n"


def _sections(docstring: str) -> dict[str, str]:
    pieces = _SECTION.split(_markdown(docstring))
    names = ["", *pieces[1::2]]
    return {n: text.strip("\n") for n, text in zip(names, pieces[::2], strict=True)}


def _markdown(text: str) -> str:
    text = re.sub(r":(?:class|func|meth|mod|attr):`~?([^`]+)`", r"`\1`", text)
    return text.replace("``", "`")


def _definitions(text: str) -> list[str]:
    """Return `name : type` entries with indented text as a list; anything else stays."""
    result: list[str] = []
    for line in text.split("\n"):
        if line.startswith("    ") and result:
            result.append("  " + line.strip())
        elif re.match(r"[\w., ]+ : ", line):
            name, _, rest = line.partition(" : ")
            result.append(f"- `{name}`: `{rest}`" if "(" in rest else f"- `{name}`: {rest}")
        else:
            result.append(line)
    return result


def _contracts(text: str) -> dict[str, str]:
    """Return what a section says of each name."""
    result: dict[str, list[str]] = {}
    names: list[str] = []
    for line in text.split("\n"):
        if line.startswith("    "):
            for name in names:
                result[name].append(line.strip())
        else:
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
            result |= {name: [] for name in names}
    return {name: " ".join(lines) for name, lines in result.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return lines + [
        "| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in rows
    ]


def _presets(entry: Entry) -> list[str]:
    if len(entry.presets) < 2:
        return []
    rows = (
        (f"`{name}`", ", ".join(f"`{k}={_text(v)}`" for k, v in values.items()) or "defaults")
        for name, values in entry.presets.items()
    )
    return [*_table(("preset", "parameters"), rows), ""]


def _ports(block: Block) -> list[str]:
    carries = {f"{s.name}__payload": str(s.shape) for s in streams_of(block)}
    rows = (
        (f"`{p.name}`", "in" if p.is_input else "out", p.width, carries.get(p.name, ""))
        for p in ports_of(block)
    )
    return _table(("port", "direction", "bits", "carries"), rows)


def _registers(block: Block) -> list[str]:
    rows = [
        (f"`{port['port']}`", f"`{f['name']}`", f"{f['low'] + f['width'] - 1}:{f['low']}")
        for port in register_map(block)
        for f in port["fields"]
        if f["name"]
    ]
    return [*_table(("port", "field", "bits"), rows), ""] if rows else []


def _measurements(measured: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of what each device needs and reaches, without the harness."""
    if not measured:
        return ["Not measured."]
    rows = []
    for m in measured:
        area, speed = area_and_speed(m)
        rows.append((m["part"], f"`{m['preset']}`", speed, area))
    tools = {k: v for m in measured for k, v in m["tools"].items()}
    return [
        *_table(("part", "preset", "Fmax in MHz, worst (by seed)", "area"), rows),
        "",
        "Measured by `scripts/measure` with every port behind a register and on no pin; the",
        "registers and tables of that harness are taken off.",
        f"Tools: {', '.join(f'{k} {v}' for k, v in sorted(tools.items()))}.",
    ]


def area_and_speed(measured: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a record of ``scripts/measure`` says of both, for a table."""
    net = net_area(measured)
    if "harness" not in measured:
        return ", ".join(f"{name} {count}" for name, count in net.items()), "-"
    area = ", ".join(f"{name} {count}" for name, count in net.items() if count)
    if "ICESTORM_LC" in measured["area"]:
        area += f", with the harness ({measured['harness']['registers']} registers)"
    if "worst_mhz" not in measured:
        return area, "-"
    return area, f"{measured['worst_mhz']} ({', '.join(str(f) for f in measured['fmax_mhz'])})"


def net_area(measured: Mapping[str, Any]) -> dict[str, int]:
    """Return what the block of a record takes, in the datasheet's words, without the harness.

    A logic cell of the iCE40 holds a table and a register, so the harness stays in that number.
    """
    if "harness" not in measured:
        flip_flops = sum(n for cell, n in measured["area"].items() if "DFF" in cell)
        return {"gates": measured["gates"], "flip-flops": flip_flops}
    harness = {
        "TRELLIS_COMB": measured["harness"]["tables"],
        "TRELLIS_FF": measured["harness"]["registers"],
    }
    area: dict[str, int] = measured["area"]
    return {
        _CELLS.get(cell, cell): count - harness.get(cell, 0)
        for cell, count in area.items()
        if cell not in _AROUND
    }


_AROUND = {"DCCA", "TRELLIS_IO", "SB_IO", "SB_GB", "ICESTORM_GB"}
_CELLS = {
    "TRELLIS_COMB": LUT4,
    "TRELLIS_FF": REGISTERS,
    "TRELLIS_RAMW": "RAM writers",
    "DP16KD": "block RAM",
    "MULT18X18D": "multipliers",
    "ICESTORM_LC": "logic cells",
    "ICESTORM_RAM": "block RAM",
    "ICESTORM_DSP": "multipliers",
}


def _verification(
    entry: Entry, mutation: Mapping[str, Any] | None, survivors: Mapping[str, str]
) -> list[str]:
    variants = list(entry.variants())
    proofs = (
        "; ".join(f"`{k}={_text(v)}`" for k, v in p.items()) or "defaults" for p in entry.proofs
    )
    lines = [
        f"- **Simulation**: {len(variants)} configurations against the golden model, word by word,",
        f"  with and without stalls on all sides: `sluice test {entry.name}`.",
        f"- **Proof**, for all time and all inputs, by `sluice prove {entry.name}`:",
        f"  {'; and '.join(proofs)}.",
    ]
    if mutation is None:
        return [*lines, "- **Mutation coverage**: not measured."]
    if not mutation["faults"]:
        return [*lines, "- **Mutation coverage**: wires only, in which no fault can be put."]
    tried = mutation["killed"] + mutation["survived"]
    share = f"{100 * mutation['score']:.1f} %"
    again = f"sluice mutate {entry.name} --count {mutation['count']}"
    lines += [
        f"- **Mutation coverage**: of {tried} faulty netlists the bench rejects",
        f"  {mutation['killed']} ({share}); {mutation['equivalent']} more were proven to make no",
        f"  difference. `{again}` does it again.",
    ]
    for fault in mutation["survivors"]:
        lines.append(f"  - survived: {fault}. {survivors.get(fault, 'Not explained.')}")
    return lines
