"""What is raised when a robot cannot be built or imported."""

from typing import Any

from .report import grouped


class ModelError(ValueError):
    """A value that no robot can have: the message names the element, the attribute, the value and what is allowed."""


class UnsupportedError(ModelError):
    """A robot that is legal in MuJoCo and uses something the engine lacks; `refused` has a line for each kind of use,
    a Refusal with its `kind` and how many uses there are."""

    SHOWN = 40  # lines in the message; `refused` has them all

    def __init__(self, source: Any, refused: Any) -> None:
        self.source, self.refused = source, grouped(refused)
        lines = [f"{source} uses {len(self.refused)} thing(s) that the engine does not support:"]
        lines += [f"  - {line}" for line in self.refused[: self.SHOWN]]
        if len(self.refused) > self.SHOWN:
            lines.append(f"  ... and {len(self.refused) - self.SHOWN} more (see the error's `refused`)")
        super().__init__("\n".join(lines))

    def __reduce__(self):  # so that another process' error arrives
        return type(self), (self.source, self.refused), self.__dict__
