"""What an importer made of a file: printed by people who wonder whether it is still the same robot."""

from dataclasses import dataclass, field


@dataclass
class ImportReport:
    """`used` is taken over as it is, `changed` is translated or dropped (and says how), `refused` stops the import."""

    source: str
    used: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __str__(self):
        lines = [f"import of {self.source}"]
        for title in ("used", "changed", "refused"):
            entries = getattr(self, title)
            lines.append(f"{title}:" if entries else f"{title}: nothing")
            lines += [f"  {entry}" for entry in entries]
        return "\n".join(lines)
