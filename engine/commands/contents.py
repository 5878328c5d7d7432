"""What a Model holds, element by element, for `pullback info`: as plain values, and as lines for people."""

from engine.model import constants as c
from engine.model.sensors import ROWS

_OBJECTS = ("body", "body", "site", "geom", "joint", "actuator", None, "tendon")  # by OBJ_ number


def contents(model):
    """{kind: [{name, ...}]}: joints, actuators, sites, sensors, keyframes, tendons, equalities, height fields, as JSON
    takes them."""
    m = model
    joints = [
        {"name": name, "type": c.JOINT_NAMES[int(m.jnt_type[j])], "body": m.body_names[m.jnt_bodyid[j]],
         "range": m.jnt_range[j].tolist() if m.jnt_limited[j] else None, "qposadr": int(m.jnt_qposadr[j]),
         "dofadr": int(m.jnt_dofadr[j])}
        for j, name in enumerate(m.joint_names)
    ]  # fmt: skip
    actuators = [
        {"name": name, "of": _driven(m, i), "servo": bool(m.actuator_biasprm[i, 1] < 0),
         "ctrlrange": m.actuator_ctrlrange[i].tolist() if m.actuator_ctrllimited[i] else None,
         "act": bool(m.actuator_actadr[i] >= 0)}
        for i, name in enumerate(m.actuator_names)
    ]  # fmt: skip
    sites = [{"name": name, "body": m.body_names[m.site_bodyid[s]]} for s, name in enumerate(m.site_names)]
    sensors = [
        {"name": name, "type": ROWS[m.sensor_type[s]].name, "of": _measured(m, s), "dim": int(m.sensor_dim[s]),
         "adr": int(m.sensor_adr[s])}
        for s, name in enumerate(m.sensor_names)
    ]  # fmt: skip
    keyframes = [{"name": name, "time": float(m.key_time[k])} for k, name in enumerate(m.key_names)]
    tendons = [{"name": name} for name in m.tendon_names]
    equalities = [
        {"name": name, "type": c.EQUALITY_NAMES[int(kind)]}
        for name, kind in zip(m.equality_names, m.eq_type, strict=True)
    ]
    hfields = [
        {"name": name, "points": [int(m.hfield_nrow[k]), int(m.hfield_ncol[k])], "size": m.hfield_size[k].tolist()}
        for k, name in enumerate(m.hfield_names)
    ]
    return {"joints": joints, "actuators": actuators, "sites": sites, "sensors": sensors, "keyframes": keyframes,
            "tendons": tendons, "equalities": equalities, "hfields": hfields}  # fmt: skip


def lines(found):
    """Those of `contents` that there are, a line for each element."""
    for kind, elements in found.items():
        if elements:
            yield f"{kind}: {len(elements)}"
        one = "equality" if kind == "equalities" else kind[:-1]
        yield from (f"  {_words(one, i, dict(element))}" for i, element in enumerate(elements))


def _words(kind, i, element):
    words = [element.pop("name") or f"({kind} {i})"]
    if "type" in element:
        words.append(element["type"])
    if element.get("servo"):
        words.append("servo")
    if element.get("of"):
        words.append(f"of {element['of']}")
    if element.get("body"):
        words.append(f"on {element['body']}")
    for name in ("range", "ctrlrange"):
        if element.get(name):
            words.append("from {:g} to {:g}".format(*element[name]))
    if element.get("points"):
        words.append("{} x {} points".format(*element["points"]))
    if element.get("size"):
        x, y, height, _ = element["size"]
        words.append(f"{2 * x:g} x {2 * y:g} m, {height:g} m high")
    if element.get("dim", 1) > 1:
        words.append(f"{element['dim']} numbers")
    if element.get("act"):
        words.append("with an activation")
    return ", ".join(words)


def _driven(m, i):
    return m.label(c.DRIVEN.get(int(m.actuator_trntype[i]), "joint"), m.actuator_trnid[i])


def _measured(m, s):
    kind = _OBJECTS[m.sensor_objtype[s]]
    return kind and m.label(kind, m.sensor_objid[s])
