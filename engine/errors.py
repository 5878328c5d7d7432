"""Errors that a running simulation raises."""


class DivergenceError(RuntimeError):
    """A world's state stopped being finite. Attributes: world, control step, dof. Data stays readable."""

    def __init__(self, message: str, world: int, step: int, dof: int) -> None:
        super().__init__(message)
        self.world, self.step, self.dof = world, step, dof

    def __reduce__(self):  # so that another process' error arrives
        return type(self), (str(self), self.world, self.step, self.dof), self.__dict__


class ContactOverflowError(RuntimeError):
    """A world needs more contacts than its capacity. Attributes: world, step, needed. Data stays readable."""

    def __init__(self, message: str, world: int, step: int, needed: int) -> None:
        super().__init__(message)
        self.world, self.step, self.needed = world, step, needed

    def __reduce__(self):
        return type(self), (str(self), self.world, self.step, self.needed), self.__dict__


class StaleTapeError(RuntimeError):
    """A gradient was asked of a rollout that does not exist or whose inputs changed since."""
