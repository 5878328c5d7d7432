"""Sum of controllers, and what else is made of several: their parameters one after the other in one array."""

from typing import Any

import numpy as np

from .controller import Controller, from_spec


class Composite(Controller):
    """Members whose parameters are views of this controller's `params`, in their order."""

    def __init__(self, *members):
        name = type(self).__name__
        for i, member in enumerate(members):
            if not isinstance(member, Controller):
                raise ValueError(f"{name}: member {i} is {member!r}, allowed: controllers")
            if member._within is not None or any(member is m for m in members[:i]):
                raise ValueError(f"{name}: member {i} is already a member; a controller has one place")
            if member.nu != members[0].nu:
                raise ValueError(f"{name}: member {i} makes {member.nu} controls, member 0 makes {members[0].nu}")
        self.members = members
        super().__init__(None, {}, members[0].nu)
        self.nparam = sum(m.nparam for m in members)
        rows = {m.params.shape[0] for m in members if m.params.ndim == 2}
        if len(rows) > 1:
            raise ValueError(f"{name}: members have parameters for different numbers of worlds: {sorted(rows)}")
        lead = tuple(rows)
        parts = [np.broadcast_to(m.params, (*lead, m.nparam)) for m in members]
        for m in members:
            m._within = self
        self._hold(np.concatenate(parts, axis=-1))

    def _hold(self, params):
        self._params = params
        at = 0
        for m in self.members:
            m._hold(params[..., at : at + m.nparam])
            at += m.nparam

    def __setstate__(self, state):
        self.__dict__.update(state)
        for m in self.members:
            m._within = self
        self._hold(self._params)

    def view(self, name):
        raise KeyError(f"{type(self).__name__} has no named parameters; its members have: {list(self.members)}")

    def names(self):
        return ()

    def spec(self):
        return {"class": type(self).__name__, "config": [m.spec() for m in self.members]}

    @classmethod
    def from_config(cls, config):
        return cls(*[from_spec(spec) for spec in config])


class Sum(Composite):
    """Adds up what its members make; a sum of sums is one sum of all."""

    def __init__(self, *members: Any) -> None:
        super().__init__(*[m for member in members for m in _flat(member)])

    def _parts(self, tape):
        return [part for m in self.members for part in m.parts(tape)]

    def _control(self, t, time, qpos, qvel):
        return sum(m._control(t, time, qpos, qvel) for m in self.members)


def _flat(member):
    """The members of a sum, released from it; anything else as it is."""
    if not isinstance(member, Sum) or member._within is not None:
        return [member]
    for m in member.members:
        m._within = None
    return member.members
