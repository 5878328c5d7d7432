"""What a kind of element is: everything that the model package asks of it, with the answers that most kinds give.

A kind is one file beside this one and its line in `elements/__init__.py`. The builder, the importer, the checks, the
derived constants and the device's buffers are loops over the kinds; none of them knows one by name.
"""

from typing import NamedTuple

import numpy as np

from ..errors import ModelError

F, N, B = np.float64, np.int32, np.bool_


# Of each dtype: what an array may hold, in words, and which kinds of NumPy's dtypes hold nothing else.
HOLDS = {F: ("numbers", "biuf"), N: ("whole numbers", "iu"), B: ("booleans", "b")}


def cast(name, value, dtype):
    """A copy of `value` with a dtype of the table. Raises ModelError where that would change a number, or is none."""
    words = HOLDS[dtype][0]
    try:
        value = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ModelError(f"{name}: {error}; allowed: an array of {words}") from None
    if value.dtype.kind not in "biuf":
        raise ModelError(f"{name} is an array of {value.dtype}; allowed: {words}")
    with np.errstate(invalid="ignore"):
        cast = np.array(value, dtype=dtype, order="C")
    if dtype is not F and not np.array_equal(cast, value):
        bad = value[cast != value].flat[0]
        limits = f" of {np.dtype(dtype).itemsize * 8} bits" if dtype is N else " (0, 1)"
        raise ModelError(f"{name} holds {bad}; allowed: {words}{limits}")
    return cast


class Field(NamedTuple):
    """An array of the Model: dtype, shape of one entry, unit, meaning. least: no entry may be below. before: what
    robots have that were stored before there was such an array. since: the age of stored robots (portable.AGE) that
    have it."""

    dtype: type
    shape: tuple
    unit: str
    meaning: str
    least: float | None = None
    differentiable: bool = False
    before: int | None = None
    since: int = 1


def real(unit, meaning, *shape, least=None, differentiable=False, before=None, since=1):
    return Field(F, shape, unit, meaning, least, differentiable, before, since)


def integer(meaning, *shape, before=None, since=1):
    return Field(N, shape, "", meaning, before=before, since=since)


def boolean(meaning, before=None, since=1):
    return Field(B, (), "", meaning, before=before, since=since)


class Kind:
    """A kind of element. Methods that return lines yield messages for people, one for each use."""

    name = ""  # "joint": in messages, `joint_names`, and in capitals MuJoCo's mjOBJ_
    plural = ""  # where a builder keeps them, by name; "" where it does not
    on_bodies = False  # whether each belongs to a body and is numbered along the bodies
    defaulted = False  # whether ModelBuilder.default knows it
    named = None  # the leading size that counts them, where the Model keeps their names
    counted = None  # the same in an MjModel, where that has another word
    fields = {}  # {leading size: {array: Field}}; the first array of a size defines it
    attributes = {}  # what the builder's method accepts, {name: Attribute}; stored in the array of that name ...
    stored = {}  # ... or of another: {array: attribute}
    must_be_zero = ()  # arrays of an MjModel: (array, what messages call it)

    # ------------------------------------------------------------------------------------------- the builder

    def start(self):
        """What a new builder holds of this kind, {attribute of the builder: container}."""
        return {self.plural: {}} if self.plural else {}

    def ordered(self, builder, bodies):
        """The builder's elements in the Model's order."""
        if self.on_bodies:
            return [element for body in bodies for element in body.attached[self.plural]]
        return list(getattr(builder, self.plural).values())

    def assembled(self, order, m):
        """{array: values} from the builder. order: assemble.Order; m: the arrays of the kinds before, and all names.

        Arrays that nobody makes are zeros until `set_const`.
        """
        return self.columns(order.elements[self.name]) if self.named else {}

    def columns(self, elements, size=None):
        """{array: values} of what elements store as it was given."""
        arrays = {}
        for array in self.fields[size or self.named]:
            attribute = self.stored.get(array, array.partition("_")[2])
            if attribute in self.attributes:
                arrays[array] = [getattr(element, attribute) for element in elements]
        return arrays

    # ------------------------------------------------------------------------------------------ the importer

    def read(self, mujoco, mj, m):
        """{array: values} from an MjModel. m: the arrays of the kinds before, and all names."""
        return {array: np.array(getattr(mj, array)) for group in self.fields.values() for array in group}

    def refusals(self, mujoco, mj):
        """Lines: what an MjModel uses and the engine lacks, with what is allowed."""
        for array, attribute in self.must_be_zero:
            value = np.asarray(getattr(mj, array, ()))  # MuJoCo 3.17 has not all of them
            for i in np.flatnonzero(value.reshape(len(value), -1).any(axis=1)) if value.size else ():
                allowed = "false" if value.dtype == bool else "0"
                yield f"{self.who(mujoco, mj, i)}: {attribute} = {value[i]}; allowed: {allowed}"
        yield from self.refused(mujoco, mj)

    def refused(self, mujoco, mj):
        """Lines: the same, beyond the arrays that must be zero."""
        return ()

    def lacking(self, m):
        """Lines: what the arrays of a robot ask for and the engine lacks, whoever made them."""
        return ()

    def changed(self, mujoco, mj):
        """Lines: what of an MjModel is translated, or left out since it has no effect on the motion."""
        return ()

    def who(self, mujoco, mj, index, element=None):
        """How a line calls an element of an MjModel: "joint 'knee'", or its number where it has no name."""
        name = mujoco.mj_id2name(mj, getattr(mujoco.mjtObj, f"mjOBJ_{self.name.upper()}"), index)
        return f"{element or self.name} {name!r}" if name else f"{element or self.name} {index}"

    def names(self, mujoco, mj):
        """Names of the elements of an MjModel, "" for those without."""
        number = getattr(mujoco.mjtObj, f"mjOBJ_{self.name.upper()}")
        return [mujoco.mj_id2name(mj, number, i) or "" for i in range(getattr(mj, self.counted or self.named))]

    # ------------------------------------------------------------------------------------------ a finished Model

    def label(self, m, array, index):
        """How messages call an entry of an array, once all indices are known to be good."""
        return m.label(self.name, index)

    def count(self, m):
        """Set sizes of Model `m` that follow from arrays."""

    def check_indices(self, m):
        """Raise ModelError at the first index, count or type that points nowhere or contradicts another."""

    def check(self, m):
        """Raise ModelError at the first number that no robot can have. Asked when all indices are good."""

    def set_const(self, m):
        """Recompute in place what depends on masses, inertias, armature, sizes and frames."""

    def device(self, m):
        """{column: values}: what the kernels read, by the names of schema.py, and is no array of the Model."""
        return {}
