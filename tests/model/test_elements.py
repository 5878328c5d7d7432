"""The kinds of elements: what their tables must agree on, and robots stored before a kind existed."""

import json

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError
from engine.model.elements import KINDS, Methods
from engine.model.fields import FIELDS, NAMED, TABLE
from engine.model.pairs import contact_parameters
from engine.model.portable import model_from_arrays, model_to_arrays
from engine.theta import DIFFERENTIABLE, THETA
from tests.model.model_zoo import assert_same_model, cheetah, menagerie


def test_an_array_belongs_to_one_kind():
    names = [array for kind in KINDS for group in kind.fields.values() for array in group]
    assert len(names) == len(set(names)) == len(FIELDS)
    sizes = [size for kind in KINDS for size in kind.fields]
    assert len(sizes) == len(set(sizes)) and set(NAMED.values()) <= set(sizes)


def test_arrays_say_what_they_are():
    for name, field in TABLE.items():
        assert field.meaning, name
        assert field.unit or field.dtype is not np.float64 or name.endswith("solimp"), name


def test_differentiable_arrays_are_the_parameters():
    fields = {name for name, field in TABLE.items() if field.differentiable}
    assert fields == set(DIFFERENTIABLE) - {"gravity"}
    for p in THETA:
        assert p.name == "gravity" or p.width == int(np.prod(TABLE[p.name].shape)), p.name


def test_every_kind_with_methods_is_a_base_of_the_builder():
    assert {kind.Methods for kind in KINDS if hasattr(kind, "Methods")} == set(Methods.__bases__)


def older(model, kind):
    """A Model as stored by an engine that did not know a kind of element."""
    arrays = model_to_arrays(model)
    header = json.loads(str(arrays["header"]))
    del header["names"][kind]
    of_kind = next(k for k in KINDS if k.name == kind).fields
    lost = {array for group in of_kind.values() for array in group}
    left = {name: a for name, a in arrays.items() if name not in lost}
    return left | {"header": np.array(json.dumps(header))}, lost


@pytest.mark.parametrize("kind", ["site", "sensor"])
def test_a_stored_robot_has_none_of_a_kind_that_is_younger(kind):
    model = cheetah().compile()
    stored, lost = older(model, kind)
    assert_same_model(model_from_arrays(stored), model)
    name = sorted(lost)[0]
    with pytest.raises(ModelError, match=f"header names .*; allowed: lists of .*{kind}"):
        model_from_arrays(stored | {name: getattr(model, name)})


def before_mixing(stored, of):
    """What was stored of a robot when every candidate pair had its parameters, `of`."""
    header = json.loads(str(stored["header"])) | {"age": 2}
    older = stored | {f"pair_{name}": values for name, values in of.items()} | {"header": np.array(json.dumps(header))}
    del older["pair_own"]
    return older


def test_a_robot_stored_before_tendons_has_its_actuators_on_joints():
    model = menagerie().compile()
    stored, _ = older(model, "tendon")
    header = json.loads(str(stored["header"]))
    del stored["actuator_trntype"], header["age"]
    stored["header"] = np.array(json.dumps(header))
    assert_same_model(model_from_arrays(stored), model)
    del stored["actuator_gear"]
    with pytest.raises(ModelError, match="the stored model lacks actuator_gear"):
        model_from_arrays(stored)


def test_a_stored_robot_has_of_younger_arrays_and_options_what_it_had():
    model = menagerie().compile()
    stored = model_to_arrays(model)
    header = json.loads(str(stored["header"]))
    for name in ("sensor_reftype", "sensor_refid", "sensor_intprm"):
        del stored[name]
    with pytest.raises(ModelError, match="the stored model lacks sensor_intprm, sensor_refid, sensor_reftype"):
        model_from_arrays(stored)  # which knows the younger option, so it had the arrays
    del header["opt"]["magnetic"], header["age"]
    stored["header"] = np.array(json.dumps(header))
    assert_same_model(model_from_arrays(stored), model)
    del stored["sensor_objid"]
    with pytest.raises(ModelError, match="the stored model lacks sensor_objid"):
        model_from_arrays(stored)


def test_a_robot_stored_before_contacts_were_mixed_has_parameters_of_every_pair():
    model = menagerie().compile()
    assert 0 < model.nown < model.npair
    of = contact_parameters(model)
    stored = before_mixing(model_to_arrays(model), of)
    again = model_from_arrays(stored)
    assert again.nown == again.npair == model.npair
    for name, values in contact_parameters(again).items():
        np.testing.assert_array_equal(values, of[name], err_msg=name)
    del stored["pair_geom1"]
    with pytest.raises(ModelError, match="the stored model lacks pair_geom1, pair_own"):
        model_from_arrays(stored)


def test_a_robot_without_its_bodies_or_joints_is_refused():
    for kind in ("body", "joint"):
        with pytest.raises(ModelError, match="allowed"):
            model_from_arrays(older(cheetah().compile(), kind)[0])


def test_what_stands_on_a_body_is_numbered_along_the_bodies():
    b = ModelBuilder("two")
    b.body("upper", pos=(0, 0, 1))
    b.body("lower", "upper", pos=(0, 0, -1))
    b.site("lower", "foot")
    b.site("upper", "hip")
    b.geom("lower", size=0.1)
    m = b.compile()
    assert m.site_names == ["hip", "foot"] and m.site_bodyid.tolist() == [1, 2]
