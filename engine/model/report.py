"""What an importer made of a file: printed by people who wonder whether it is still the same robot."""

import re
from dataclasses import dataclass, field

SHOWN = 4  # names in a line
_LINE = re.compile(r"(?P<who>(?:'[^']*'|[^:'])*): (?P<what>(?:'[^']*'|[^;'])*)(?P<cure>;.*)?", re.DOTALL)
_ELEMENT = re.compile(r"([a-z ]+?) ((?:'|\d).*)", re.DOTALL)


class Refusal(str):
    """A line about all uses of one kind. `kind`: what is used, in few words; `count_of`: how often."""

    def __new__(cls, text, kind, count=1):
        line = super().__new__(cls, text)
        line.kind, line.count_of = kind, count
        return line

    def __getnewargs__(self):  # so that another process' error arrives
        return str(self), self.kind, self.count_of


def grouped(lines):
    """One Refusal for each kind of line, in the order in which kinds appear.

    lines: "geom 'foot': adhesion = 0.1; allowed: 0", an element and its name, what it uses, what is allowed; those
    of one kind differ in the name and in the number. A Refusal stays as it is.
    """
    kinds = {}
    for line in lines:
        if isinstance(line, Refusal):
            kinds[line] = line
            continue
        parts = _LINE.fullmatch(line)
        who = parts and _ELEMENT.fullmatch(parts["who"])
        if not who:
            kinds[line] = Refusal(line, line.partition(" = ")[0].partition(":")[0])
            continue
        what = re.sub(r"'[^']*'", "...", parts["what"]).partition(" = ")[0].strip()
        kinds.setdefault((who[1], what, parts["cure"] or ""), []).append((who[2], parts["what"], line))
    return [group if isinstance(group, Refusal) else _together(*kind, group) for kind, group in kinds.items()]


def shown(names, n=None):
    """The first of n names, and how many more there are."""
    n = n or len(names)
    return ", ".join(names[:SHOWN]) + f" and {n - SHOWN} more" * (n > SHOWN)


def _together(element, what, cure, group):
    kind, n = f"{element}: {what}", len(group)
    if n == 1:
        return Refusal(group[0][2], kind)
    names = shown([name for name, _, _ in group])
    more = ", ..." if len({text for _, text, _ in group}) > 1 else ""
    return Refusal(f"{n} times {element} {names}: {group[0][1]}{more}{cure}", kind, n)


@dataclass
class ImportReport:
    """`used` is taken over as it is, `changed` is translated or dropped (and says how), `refused` stops the import.

    Each is a list of lines, one for each kind of thing. Those of `refused` have a `kind` and `count_of`, how many uses.
    `model` is the Model, where `load` was asked for the report and nothing was refused.
    """

    source: str
    used: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    model: object = field(default=None, repr=False, compare=False)

    def __str__(self):
        lines = [f"import of {self.source}"]
        for title in ("used", "changed", "refused"):
            entries = getattr(self, title)
            lines.append(f"{title}:" if entries else f"{title}: nothing")
            lines += [f"  {entry}" for entry in entries]
        return "\n".join(lines)
