"""Height fields: read from text and files, built, stored, written as MJCF, and refused by name."""

import json
import struct
import zlib

import numpy as np
import pytest

import engine
from engine.arrays import pair_contacts
from engine.commands.contents import contents, lines
from engine.model import ModelBuilder, ModelError, load
from engine.model.elements.hfield import elevations, surface
from engine.model.pairs import MOST_OF_FIELD
from engine.model.portable import model_from_arrays, model_to_arrays
from tests import zoo
from tests.model.model_zoo import assert_same_model

mujoco = pytest.importorskip("mujoco")

GRID = np.array([[0.5, 2.0, 1.0], [3.0, 2.5, 0.7], [1.5, 0.5, 2.0], [0.9, 1.1, 1.3]])  # the first row at the least y
TEXT = " ".join(map(str, GRID[::-1].ravel()))  # of MJCF it is the last
BALL = "<body name='ball' pos='0 0 1'><freejoint/><geom name='ball' size='.1' mass='1'/></body>"
SIZE = (2, 1.5, 0.5, 0.2)


def scene(asset, ground="", more=""):
    return f"""<mujoco model="land"><asset>{asset}</asset><worldbody>
      <geom name="ground" type="hfield" hfield="hills" {ground}/>{BALL}</worldbody>{more}</mujoco>"""


def text_of(elevation=TEXT, name="hills"):
    return f'<hfield name="{name}" nrow="4" ncol="3" size="2 1.5 .5 .2" elevation="{elevation}"/>'


def built():
    b = ModelBuilder("land")
    b.hfield("hills", size=SIZE, elevation=GRID)
    b.geom("world", "ground", type="hfield", hfield="hills")
    b.body("ball", pos=(0, 0, 1))
    b.joint("ball", None, type="free")
    b.geom("ball", "ball", size=0.1, mass=1)
    return b


def test_a_field_is_what_mujoco_makes_of_it():
    m = load(scene(text_of()))
    np.testing.assert_allclose(elevations(m, 0), (GRID - 0.5) / 2.5, atol=1e-7)
    assert m.hfield("hills") == 0 and m.geom_dataid.tolist() == [0, -1] and m.npair == 1
    assert_same_model(built().compile(), m)


def png(gray):
    """An image of gray numbers (n, m) below 256."""
    def chunk(kind, data):
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    rows = b"".join(b"\0" + bytes(row) for row in gray.tolist())
    head = struct.pack(">IIBBBBB", gray.shape[1], gray.shape[0], 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ("hills.png", "hills.bin"))
def test_files(tmp_path, name):
    """An image, and MuJoCo's own format, given as bytes and on disk."""
    gray = (GRID * 80).astype(np.uint8)
    data = png(gray) if name.endswith("png") else struct.pack("<ii", 4, 3) + GRID.astype(np.float32).tobytes()
    xml = scene(f'<hfield name="hills" file="{name}" size="2 1.5 .5 .2"/>')
    m = load(xml, assets={name: data})
    (tmp_path / name).write_bytes(data)
    (tmp_path / "land.xml").write_text(xml)
    assert_same_model(load(tmp_path / "land.xml"), m)
    rows = gray[::-1] / 80 if name.endswith("png") else GRID
    np.testing.assert_allclose(elevations(m, 0), (rows - rows.min()) / np.ptp(rows), atol=1e-6)
    assert load(m.to_mjcf()).hfield_data.tolist() == m.hfield_data.tolist()


def test_stored_and_written():
    m = load(scene(text_of(), 'pos=".1 .2 .3" euler="10 20 30" margin=".01"'))
    assert_same_model(model_from_arrays(model_to_arrays(m)), m, 0)
    assert_same_model(load(m.to_mjcf()), m)
    m.hfield_data[:] *= 0.5  # MJCF has elevations to 1: of half the height
    again = load(m.to_mjcf())
    np.testing.assert_allclose(surface(again, 0)[0], surface(m, 0)[0], atol=1e-7)
    m.hfield_data[:] += 0.1
    with pytest.raises(ModelError, match="hfield 'hills': its least elevation is 0.1.*; allowed in MJCF: 0"):
        m.to_mjcf()


def test_a_robot_stored_before_there_were_any():
    """Its field was drawn only, and is now nothing: it had no elevations."""
    m = load(scene(text_of(), 'contype="0" conaffinity="0"'))
    m.geom_dataid[0] = -1
    arrays = model_to_arrays(m)
    header = json.loads(str(arrays["header"]))
    del header["names"]["hfield"]
    old = {name: a for name, a in arrays.items() if not name.startswith("hfield")}
    again = model_from_arrays(old | {"header": np.array(json.dumps(header))})
    assert again.nhfield == 0 and again.geom_type[0] == 1
    assert "a hfield, which is only drawn, is left out" in again.to_mjcf()


def test_ground_that_moves():
    """A height field has no mass: its body's is the file's, or that of other geoms."""
    b = built()
    b.body("board", pos=(0, 0, 3))
    b.joint("board", type="free")
    b.geom("board", "lid", type="hfield", hfield="hills")
    b.geom("board", "weight", type="box", size=(0.1, 0.1, 0.1), mass=2)
    assert b.compile().body_mass[2] == 2


REFUSED = [
    (lambda b: b.hfield("hills", size=SIZE, elevation=GRID), "hfield 'hills' exists"),
    (lambda b: b.hfield("h", size=(1, 1, 0, 1), elevation=GRID), "size = .*four positive"),
    (lambda b: b.hfield("h", size=SIZE), "no elevation; allowed: finite numbers, two rows of two or more"),
    (lambda b: b.hfield("h", size=SIZE, elevation=GRID[:1]), "elevation = .*two rows of two or more"),
    (lambda b: b.hfield("h", size=SIZE, elevation=GRID * np.inf), "(?s)elevation = .*finite numbers"),
    (lambda b: b.hfield("h", size=SIZE, elevation=GRID * 1e39), "(?s)elevation = .*of 32 bits"),
    (lambda b: b.geom("ball", "g", type="hfield"), "no hfield None"),
    (lambda b: b.geom("ball", "g", type="hfield", hfield="hilss"), "no hfield 'hilss'.*'hills'"),
    (lambda b: b.geom("ball", "g", type="hfield", hfield="hills", size=1), "size or fromto; allowed: none"),
    (lambda b: b.geom("ball", "g", type="hfield", hfield="hills", mass=1), "mass = 1.0; allowed: none for a hfield"),
    (lambda b: b.geom("ball", "g", size=0.1, hfield="hills"), "hfield = 'hills'; allowed: with type hfield"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_refused_by_the_builder(make, words):
    with pytest.raises(ModelError, match=words):
        make(built())


@pytest.mark.parametrize(("name", "index", "value", "words"), [
    ("hfield_size", (0, 2), 0.0, "hfield 'hills': hfield_size = .*; allowed: four positive numbers"),
    ("hfield_data", 3, 1.5, "hfield_data 3: hfield_data = 1.5; allowed: 0 to 1"),
    ("hfield_data", 3, -0.5, "hfield_data = -0.5; allowed: zero or more"),
    ("hfield_data", 3, np.nan, "hfield_data = nan; allowed: finite"),
    ("hfield_nrow", 0, 5, "hfield_adr = 0; allowed: a grid within hfield_data"),
    ("hfield_ncol", 0, 1, "hfield_ncol = 1; allowed: 2 or more"),
    ("hfield_adr", 0, -1, "hfield_adr = -1; allowed: a grid within"),
    ("geom_dataid", 0, 1, "geom 'ground': geom_dataid = 1; allowed: -1 to 0, a height field, or -1"),
    ("geom_dataid", 0, -1, "pair_geom1 = 0; allowed: a height field with elevations"),
])  # fmt: skip
def test_refused_of_a_model(name, index, value, words):
    m = built().compile()
    getattr(m, name)[index] = value
    with pytest.raises(ModelError, match=words):
        engine.Simulator(m)


def test_room_for_contacts():
    """By the cells under a ball around the other geom and its margin, at most as many as MuJoCo keeps."""
    fine = " ".join("01"[k % 2] for k in range(50 * 60))
    for n, radius, wanted in ((4, 0.1, 8), (4, 5.0, 12), (50, 0.1, 40), (50, 0.2, MOST_OF_FIELD)):
        field = text_of() if n == 4 else text_of(fine).replace('nrow="4" ncol="3"', 'nrow="50" ncol="60"')
        m = load(scene(field).replace("size='.1'", f"size='{radius}'"))
        assert pair_contacts(m).tolist() == [wanted]


def test_the_surface_that_is_drawn():
    """Triangles as MuJoCo's rays meet them, closed by sides and a bottom."""
    xml = scene(text_of(), 'pos=".3 -.2 .1"')
    m, mj = load(xml), mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    vert, face = surface(m, 0)
    edges = np.sort(np.concatenate([face[:, [0, 1]], face[:, [1, 2]], face[:, [2, 0]]]), axis=1)
    bottom = len(vert) - 2 * (4 + 3 - 2)  # whose triangles leave out corners along the sides
    inner = (edges < bottom).all(axis=1)
    assert (np.unique(edges[inner], axis=0, return_counts=True)[1] == 2).all()
    up = face[: 2 * 3 * 2]
    assert (np.cross(vert[up[:, 1]] - vert[up[:, 0]], vert[up[:, 2]] - vert[up[:, 0]])[:, 2] > 0).all()
    for triangle in up:
        at = vert[triangle].T @ [0.2, 0.3, 0.5] + m.geom_pos[0]
        above = np.array([at[0], at[1], 3.0])
        found = mujoco.mj_ray(mj, data, above, np.array([0, 0, -1.0]), None, True, 1, np.zeros(1, np.int32))
        assert 3.0 - found == pytest.approx(at[2], abs=1e-7)


def test_what_info_says():
    found = contents(load(scene(text_of())))["hfields"]
    assert list(lines({"hfields": found})) == ["hfields: 1", "  hills, 4 x 3 points, 4 x 3 m, 0.5 m high"]
    assert "1 height field" in str(load(scene(text_of()), report=True))


def test_more_fields_than_meshes():
    """Each kind of geom names its own data: the second field is no mesh."""
    flat = '<hfield name="{}" nrow="2" ncol="2" size="1 1 .1 .1"/>'
    text = zoo.touching("hfield", "mesh").replace("<asset><hfield", "<asset>" + flat.format("first") + "<hfield")
    model = engine.load(text)
    assert model.nmesh == 1 and model.nhfield == 2 and model.geom_dataid[model.pair_geom1[0]] == 1
