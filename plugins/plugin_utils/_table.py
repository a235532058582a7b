# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain aligned tables, and the table of nodes that the playbooks show. Pure functions."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._answers import HIDDEN, SEQUENCES
from ansible_collections.gravity.cluster.plugins.plugin_utils._reach import Addresses, rpc_url

# Colours of Ansible's display by value, for columns called "state".
COLOURS: t.Mapping[str, str] = {
    "ready": "green",
    "running": "green",
    "starting": "yellow",
    "stopped": "yellow",
    "unhealthy": "red",
    "error": "red",
    "absent": "red",
    "unknown": "red",
}
UNKNOWN = "unknown"

GAP = "  "
NOTHING = "-"

# Colours are the only sequences that stay; an end of line does not.
COLOUR = r"\x1b\[[0-9;]*m"
UNPRINTABLE = re.compile(rf"({COLOUR})|{SEQUENCES}|{HIDDEN}|\n")

# A cell is never made shorter than this to fit a width.
SHORTEST = 8

# Columns that are shortened before all others, from their beginning, and down to what length.
FIRST_TO_CUT = {"IMAGE"}
SHORTEST_FIRST = 14


@dataclass(frozen=True)
class Cell:
    """A cell ready to print: its text, the blanks after (or, for numbers, in) it, and the colour of the text."""

    text: str
    padding: str = ""
    colour: t.Optional[str] = None


def printable(text: t.Any) -> str:
    """``text`` without what could move the cursor or change the terminal; colours stay."""
    return UNPRINTABLE.sub(lambda match: match.group(1) or "", str(text))


def lay_out(columns: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]], width: int = 120) -> t.List[t.List[Cell]]:
    """The title line and the rows as cells of equal width per column. Numbers are flush right.

    A row that is too short is filled up. Where the whole is wider than ``width``, the widest columns are shortened.
    """
    titles = [printable(column).upper() for column in columns]
    texts = [[_text(value) for value in [*row, *[None] * len(columns)][: len(columns)]] for row in rows]
    numeric = [
        any(_number(row[index]) for row in rows if index < len(row))
        and all(row[index] is None or _number(row[index]) for row in rows if index < len(row))
        for index in range(len(columns))
    ]
    # Of an image, the tag at its end says most.
    tails = [title in FIRST_TO_CUT for title in titles]
    widths = _fit([max(len(line[index]) for line in [titles, *texts]) for index in range(len(columns))], width, tails)
    lines = [[_cell(text, widths[index], numeric[index], False) for index, text in enumerate(titles)]]
    for row_texts in texts:
        colours = [COLOURS.get(text) if title == "STATE" else None for title, text in zip(titles, row_texts)]
        lines += [[_cell(text, widths[index], numeric[index], tails[index], colours[index]) for index, text in enumerate(row_texts)]]
    return lines


def plain(cells: t.Iterable[Cell]) -> str:
    """A line without colours."""
    return "".join(cell.text + cell.padding for cell in cells).rstrip()


def render(columns: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]], width: int = 120) -> t.List[str]:
    """A table as plain lines."""
    return [plain(cells) for cells in lay_out(columns, rows, width)]


def duration(seconds: t.Optional[float]) -> t.Optional[str]:
    """A time span in at most two units, such as ``3h 12m``; None stays None."""
    if seconds is None:
        return None
    left = int(seconds)
    parts: t.List[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
        if len(parts) == 2:
            break
    return " ".join(parts)


def status_rows(
    nodes: t.Sequence[t.Mapping[str, t.Any]],
    info: t.Mapping[str, t.Mapping[str, t.Any]],
    wide: bool = False,
    addresses: t.Optional[Addresses] = None,
) -> t.Dict[str, t.Any]:
    """The table of nodes for the action ``show``: ``{columns, rows}``.

    ``nodes`` are ``gravity_node`` variables, ``info`` maps node names to what ``cluster_info`` or ``rpc_ready`` says of
    them. ``wide`` adds image, uptime and restarts; ``addresses`` as for :func:`status_records`.
    Where files are not what was written for a node, a last column names them.
    """
    columns = ["node", "role", "host", "address", "rpc", "state", "height", "peers"]
    if wide:
        columns += ["image", "uptime", "restarts"]
    records = status_records(nodes, info, addresses)
    if any(record.get("drift") for record in records):
        columns.append("drift")
    return {"columns": columns, "rows": [[_field(record, column) for column in columns] for record in records]}


def plan_rows(results: t.Sequence[t.Mapping[str, t.Any]]) -> t.Dict[str, t.Any]:
    """The table of a plan for the action ``show``, ``{columns, rows}``: what, action, reason.

    ``results`` are those of the module ``containers``, one for each Docker host. Nodes to which nothing happens are in it too.
    """
    rows: t.List[t.List[str]] = []
    for result in results:
        things = [{"what": f"network {thing['name']}", **thing} for thing in [result.get("network")] if thing]
        things += [{"what": f"volume {thing['name']}", **thing} for thing in result.get("volumes") or []]
        rows += [_planned(thing["what"], thing) for thing in things if thing["action"] != "none"]
        rows += [_planned(node["name"], node) for node in result.get("nodes") or []]
    return {"columns": ["what", "action", "reason"], "rows": rows}


def _planned(what: str, step: t.Mapping[str, t.Any]) -> t.List[str]:
    return [what, step["action"], "; ".join(step.get("reasons") or [])]


def status_records(
    nodes: t.Sequence[t.Mapping[str, t.Any]],
    info: t.Mapping[str, t.Mapping[str, t.Any]],
    addresses: t.Optional[Addresses] = None,
) -> t.List[t.Dict[str, t.Any]]:
    """What is known of every node, one mapping each, in the order of ``nodes``: for programs.

    With ``addresses``, which maps Docker hosts to where the controller reaches them, ``rpc_url`` is what the controller can use.
    """
    records = []
    for node in nodes:
        seen = dict(info.get(node["name"]) or {})
        records.append(
            {
                "node": node["name"],
                "role": node.get("role"),
                "flavor": node.get("flavor"),
                "host": node.get("host"),
                "container": node.get("container_name"),
                "address": node.get("network_ip"),
                "rpc_url": node.get("rpc_url") if addresses is None else rpc_url(node, addresses),
                # Nothing was heard of it: its Docker host is out of reach, or its Engine does not answer.
                "state": UNKNOWN,
                **{key: value for key, value in seen.items() if key not in ("container", "address")},
            }
        )
    return records


def _field(record: t.Mapping[str, t.Any], column: str) -> t.Any:
    if column == "rpc":
        return record.get("rpc_url")
    if column == "uptime":
        return duration(record.get("uptime_seconds"))
    if column == "drift":
        return "; ".join(record.get("drift") or [])
    return record.get(column)


def _text(value: t.Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return re.sub(COLOUR, "", printable(value))


def _number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(text: str, width: int, right: bool, tail: bool, colour: t.Optional[str] = None) -> Cell:
    """``right``: flush right; ``tail``: the end of the text matters more than its beginning."""
    if len(text) > width:
        text = f"..{text[2 - width :]}" if tail else f"{text[: width - 2]}.."
    blanks = " " * (width - len(text))
    return Cell(blanks + text, GAP, colour) if right else Cell(text, blanks + GAP, colour)


def _fit(widths: t.Sequence[int], width: int, first: t.Sequence[bool]) -> t.List[int]:
    """Take from the columns ``first``, then from the widest, until all fit or none can become shorter."""
    widths = list(widths)
    while sum(widths) + len(GAP) * (len(widths) - 1) > width and max(widths) > SHORTEST:
        cuttable = [index for index, cheap in enumerate(first) if cheap and widths[index] > SHORTEST_FIRST]
        index = max(cuttable or range(len(widths)), key=lambda one: widths[one])
        widths[index] -= 1
    return widths
