"""Rules of the code that a machine can check: who imports whom, what kernels may not contain, one table of arrays."""

import ast
import functools
import graphlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine import schema
from engine.theta import THETA

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings it
    import tomli as tomllib

pytestmark = pytest.mark.smoke

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "scenes", "controllers", "demos")

# From the bottom up. A file imports from its own unit and from lower layers.
LAYERS = (
    ("engine.files", "engine.lock", "engine.version", "engine.words"),
    ("engine.plain", "engine.compiler", "engine.parts", "engine.theta"),
    ("engine.buffers",),
    ("engine.clocks", "engine.errors", "engine.finite", "engine.model", "engine.schema"),
    ("engine.compiler.backend", "engine.compiler.columns", "engine.entries"),
    ("engine.compiler.direct", "engine.compiler.features", "engine.compiler.session"),
    ("engine.compiler.tracing",),
    ("engine.math", "engine.compiler.memory", "engine.compiler.variant"),
    ("engine.arguments", "engine.arrays", "engine.named", "engine.quantities", "engine.residuals", "engine.state"),
    ("engine.leaves", "engine.compiler.inlined"),
    ("engine.parameters",),
    ("engine.compiler.launch", "engine.compiler.stages", "engine.views"),
    ("engine.dynamics",),
    ("engine.contact",),
    ("engine.constraint",),
    ("engine.sensing",),
    ("engine.linear_feedback", "engine.records"),
    ("engine.evaluation", "engine.feedback"),
    ("engine.joint_rows", "engine.step"),
    ("engine.linearized", "engine.rows"),
    ("engine.box_qp", "engine.com_based", "engine.guard", "engine.kernels"),
    ("engine.box_ddp",),
    ("engine.compiler.forms",),
    ("engine.simulator",),
    ("engine.comparison", "engine.diff", "engine.rays", "engine.replay"),
    ("engine.view",),
    ("engine.recording", "engine.objectives", "engine.distributed", "engine.identify"),
    ("engine.jax", "engine.population", "engine.torch"),
    ("engine",),
    ("controllers", "scenes"),
    ("controllers.training",),
    ("engine.commands", "engine.public", "engine.rl"),
    ("engine.cli",),
    ("demos",),
)
RANK = {unit: i for i, layer in enumerate(LAYERS) for unit in layer}
# The only imports upwards, inside functions: Simulator.linearize and .rays are public, and built on Simulator.
UPWARD = {("engine.simulator", "engine.diff.linearize"), ("engine.simulator", "engine.rays")}

# The files of `engine` that know scenes or controllers, inside functions: the command line, the list of environments.
# (`engine.public` has them among the public names, and imports what somebody asks for.)
REACHING = {"engine.commands", "engine.rl.registration"}

# Packages beyond the standard library: who may import them at the top of a file, and who inside functions.
# Pillow comes with matplotlib, which requires it.
KERNEL_UNITS = {
    "engine.math", "engine.arrays", "engine.dynamics", "engine.contact", "engine.constraint", "engine.sensing",
    "engine.evaluation", "engine.feedback", "engine.linear_feedback", "engine.joint_rows", "engine.linearized",
    "engine.records", "engine.step", "engine.kernels", "engine.box_ddp", "engine.box_qp", "engine.com_based",
    "engine.guard", "engine.objectives", "engine.rows",
    *(f"engine.compiler.{n}" for n in ("columns", "direct", "inlined", "launch", "session", "stages", "tracing")),
    "engine.compiler.variant", "engine.rays",
}  # fmt: skip
THIRD_PARTY = {
    "numpy": (set(RANK), set(RANK)),
    "taichi": (KERNEL_UNITS, {"engine.compiler.backend"}),
    "matplotlib": ({"engine.rl", "engine.view"}, {"engine.rl"}),
    "pyarrow": (set(), {"engine.identify"}),
    "mcap": (set(), {"engine.identify"}),
    "PIL": ({"engine.view"}, set()),
    "mujoco": (set(), {"engine.model", "engine.commands", "controllers.training"}),
    "trimesh": (set(), {"engine.model"}),
    "tqdm": (set(), {"engine.commands"}),
    "scipy": (set(), {"controllers"}),
    "viser": (set(), {"engine.view"}),
    "websockets": (set(), {"engine.view"}),  # which viser brings
    "imageio_ffmpeg": (set(), {"engine.view"}),
    "gymnasium": ({"engine.rl"}, {"controllers.training"}),
    "stable_baselines3": ({"engine.rl"}, {"controllers.training"}),
    "onnx": (set(), {"controllers.training"}),
    "ray": (set(), {"engine.distributed"}),
    "jax": ({"engine.jax"}, set()),
    "torch": ({"engine.torch", "engine.rl", "controllers.training"}, set()),
    "rsl_rl": ({"engine.rl"}, set()),
    "tensordict": ({"engine.rl"}, set()),  # which rsl_rl brings
}
# who may touch taichi.lang
INTERNALS = {f"engine.compiler.{name}" for name in ("columns", "direct", "launch", "session", "stages", "tracing")}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_of(p): p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in SOURCES.items()}


def unit_of(module):
    return next(m for m in prefixes(module) if m in RANK)


def prefixes(module):
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]


def source_of(module, node):
    """The module that a `from ... import` of a file names."""
    base = node.module or ""
    if not node.level:
        return base
    package = module if SOURCES[module].name == "__init__.py" else module.rpartition(".")[0]
    above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
    return f"{above}.{base}" if base else above


def imports(module):
    """(imported module, inside a function) of every import in a file that Python carries out."""
    inside = {
        id(node)
        for function in ast.walk(TREES[module]) if isinstance(function, (ast.FunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }  # fmt: skip
    unread = {id(node) for node in for_types(module)}
    for node in ast.walk(TREES[module]):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = source_of(module, node)
            names = [f"{base}.{alias.name}" for alias in node.names]
            found = [name if name in SOURCES else base for name in names]
        else:
            continue
        yield from ((name, id(node) in inside) for name in found)


def own(name):
    return name.split(".")[0] in (*PACKAGES, "tests")


def for_types(module):
    """Nodes of a file that type checkers alone read."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (below for child in node.body for below in ast.walk(child))


def test_every_file_has_a_layer():
    for module in SOURCES:
        if module.split(".")[0] == "engine" and module != "engine":
            assert unit_of(module) != "engine", f"{module}: give it a place in LAYERS"


def names_of(module):
    """What a file of the project defines or imports at its top, whatever it does there under a condition; None where
    names are made when they are asked for."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return None if "__getattr__" in found else found


@pytest.mark.parametrize("module", SOURCES)
def test_imported_names_exist(module):
    """Those inside functions, too, which only fail when somebody calls them."""
    for node in ast.walk(TREES[module]):
        source = source_of(module, node) if isinstance(node, ast.ImportFrom) else ""
        names = names_of(source) if source in SOURCES else None
        for alias in node.names if names is not None else ():
            there = alias.name in names or f"{source}.{alias.name}" in SOURCES
            assert there, f"{module} imports {alias.name} from {source}, which is not there"


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    here = unit_of(module)
    for name, inside in imports(module):
        if not own(name) or (module, name) in UPWARD and inside:
            continue
        there = unit_of(name) if name.split(".")[0] != "tests" else "tests"
        assert there in RANK, f"{module} imports {name}"
        assert there == here or RANK[there] < RANK[here], f"{module} imports {name}, which is not below it"


def test_imports_upwards_are_used():
    for module, name in UPWARD:
        assert (name, True) in imports(module)


def test_files_do_not_import_in_circles():
    graph = {m: {name for name, inside in imports(m) if own(name) and not inside} - {m} for m in SOURCES}
    list(graphlib.TopologicalSorter(graph).static_order())


def test_few_files_reach_scenes_and_controllers():
    """Inside functions, so that the command line starts fast and a bare `import engine` stays free of them."""
    reaching = set()
    for module in SOURCES:
        for name, inside in imports(module):
            if module.split(".")[0] == "engine" and name.split(".")[0] in ("scenes", "controllers"):
                reacher = next((m for m in prefixes(module) if m in REACHING), None)
                assert reacher and inside, f"{module} imports {name}"
                reaching.add(reacher)
    assert reaching == REACHING


@pytest.mark.parametrize("module", [m for m in SOURCES if not m.startswith("demos")])
def test_other_packages(module):
    for name, inside in imports(module):
        package = name.split(".")[0]
        if own(name) or package in sys.stdlib_module_names:
            continue
        assert package in THIRD_PARTY, f"{module} imports {name}"
        top, functions = THIRD_PARTY[package]
        allowed = top | functions if inside else top
        assert unit_of(module) in allowed, f"{module} imports {name}{' in a function' if inside else ''}"


def test_importing_starts_nothing():
    """Neither the base import nor building every scene needs Taichi, MuJoCo or pictures."""
    code = (
        "import sys, engine, scenes, controllers\n"
        "[scenes.load(name) for name in scenes.names()]\n"
        "bad = {'taichi', 'mujoco', 'matplotlib', 'torch', 'jax', 'gymnasium', 'ray'} & set(sys.modules)\n"
        "bad |= {'engine.kernels'} & set(sys.modules)\n"
        "sys.exit(f'imported: {sorted(bad)}' if bad else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -------------------------------------------------------------------------------------------------------- kernels


def device_functions(module):
    """Functions of a file that Taichi compiles, with the texts of their decorators."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef):
            marks = [ast.unparse(d) for d in node.decorator_list]
            if {"ti.func", "ti.kernel", "ti.real_func"} & set(marks):
                yield node, marks


KERNEL_FILES = [m for m in SOURCES if next(device_functions(m), None)]
LETTERS = next(
    ast.literal_eval(node.value) for node in TREES["engine.schema"].body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LETTERS"
)  # fmt: skip


def test_kernel_files_are_found():
    assert {"engine.kernels", "engine.evaluation", "engine.constraint.solver"} <= set(KERNEL_FILES)
    assert set(LETTERS.values()) == set(schema.PACKS)


@pytest.mark.parametrize("module", KERNEL_FILES)
def test_no_atomics(module):
    """`x[i] += y` on an array is an atomic add: slow, and its order depends on threads."""
    for function, _ in device_functions(module):
        for node in ast.walk(function):
            where = f"{SOURCES[module]}:{getattr(node, 'lineno', 0)}"
            assert not (isinstance(node, ast.AugAssign) and not isinstance(node.target, ast.Name)), where
            assert not (isinstance(node, ast.Attribute) and node.attr.startswith("atomic_")), where


@pytest.mark.parametrize("module", KERNEL_FILES)
def test_annotations_are_objects(module):
    assert not any(name == "__future__" for name, _ in imports(module))


@pytest.mark.parametrize("module", KERNEL_FILES)
def test_packs_have_their_letters(module):
    """stages.py finds the arrays that a stage reads by these letters."""
    of_columns, of_trees = {"at", "array"}, {"tree_parent", "tree_run", "tree_depth", "tree_row"}
    for function, _ in device_functions(module):
        templates = {a.arg for a in function.args.args if a.annotation and ast.unparse(a.annotation) == "ti.template()"}
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in templates:
                where = f"{SOURCES[module]}:{node.lineno}: {node.value.id}.{node.attr}"
                other = of_trees if node.value.id == "t" else of_columns
                known = (node.value.id, node.attr) in schema.PLACES
                assert known if node.value.id in LETTERS else node.attr in other, where


def stages():
    """{name: (function, packs, ints)} of the functions that stages.py compiles by themselves."""
    found = {}
    for module in KERNEL_FILES:
        for function, marks in device_functions(module):
            for mark in marks:
                if mark.startswith("outline("):
                    found[function.name] = (function, *map(ast.literal_eval, ast.parse(mark, mode="eval").body.args))
    return found


def test_stages_state_their_parameters():
    for name, (function, packs, ints) in stages().items():
        assert [a.arg for a in function.args.args] == [*packs, *ints.split()], name


def test_the_stages_are_those_of_a_few_files():
    import engine.constraint.ahead
    import engine.constraint.derivatives
    import engine.constraint.discrete
    import engine.constraint.exact
    import engine.constraint.islands
    import engine.constraint.metric
    import engine.constraint.noslip
    import engine.constraint.order
    import engine.constraint.parameters
    import engine.constraint.rolling
    import engine.constraint.solved_rows
    import engine.constraint.surface
    import engine.constraint.wake
    import engine.contact.box_box
    import engine.contact.box_contacts
    import engine.contact.collide
    import engine.contact.convex
    import engine.contact.corners
    import engine.contact.epa
    import engine.contact.gjk
    import engine.contact.hfield
    import engine.contact.mesh
    import engine.contact.multicontact
    import engine.contact.prism
    import engine.contact.refine
    import engine.contact.search
    import engine.contact.size_vjp
    import engine.contact.speculative
    import engine.dynamics.ellipsoid_frames
    import engine.dynamics.frame_leaves
    import engine.dynamics.implicit
    import engine.dynamics.orientation
    import engine.dynamics.path
    import engine.dynamics.sleep
    import engine.evaluation
    import engine.kernels
    import engine.linearized
    import engine.sensing.apart
    import engine.sensing.frames
    import engine.sensing.stages
    import engine.step
    from engine.compiler.stages import Stage

    modules = vars(engine.evaluation), vars(engine.step), vars(engine.kernels), vars(engine.linearized)
    modules += vars(engine.sensing.stages), vars(engine.constraint.islands), vars(engine.constraint.order)
    modules += (vars(engine.constraint.exact),)
    modules += vars(engine.contact.box_contacts), vars(engine.contact.box_box), vars(engine.contact.mesh)
    modules += vars(engine.constraint.rolling), vars(engine.constraint.solved_rows)
    modules += vars(engine.constraint.derivatives), vars(engine.constraint.noslip), vars(engine.constraint.surface)
    modules += vars(engine.constraint.parameters), vars(engine.contact.size_vjp)
    modules += vars(engine.constraint.discrete), vars(engine.constraint.metric)
    modules += vars(engine.contact.collide), vars(engine.contact.convex), vars(engine.contact.epa)
    modules += vars(engine.contact.refine), vars(engine.contact.speculative)
    modules += vars(engine.contact.gjk), vars(engine.contact.multicontact), vars(engine.contact.search)
    modules += vars(engine.contact.hfield), vars(engine.contact.corners), vars(engine.contact.prism)
    modules += vars(engine.dynamics.implicit), vars(engine.dynamics.path), vars(engine.dynamics.plastic)
    modules += vars(engine.dynamics.frame_leaves), vars(engine.sensing.frames), vars(engine.dynamics.ellipsoid_frames)
    modules += vars(engine.sensing.apart), vars(engine.dynamics.orientation)
    modules += vars(engine.dynamics.sleep), vars(engine.constraint.wake), vars(engine.constraint.ahead)
    assert {s.__name__ for names in modules for s in names.values() if isinstance(s, Stage)} == set(stages())


def test_internals_of_taichi_stay_in_four_files():
    for module, tree in TREES.items():
        touches = any(name.startswith("taichi.lang") for name, _ in imports(module)) or any(
            isinstance(n, ast.Attribute) and ast.unparse(n) == "ti.lang" for n in ast.walk(tree)
        )
        assert not touches or module in INTERNALS, module


@functools.cache
def defined(module):
    return {n.name: n for n in ast.walk(TREES[module]) if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("module", KERNEL_FILES)
def test_an_adjoint_stands_beside_its_primal(module):
    """x_vjp is in the file of x; where no function is called x, its docstring says what it is the adjoint of."""
    here = defined(module)
    elsewhere = {name for other in KERNEL_FILES if other != module for name in defined(other)}
    for name, function in here.items():
        stem = name.removesuffix("_vjp")
        if stem != name and stem not in here:
            assert stem not in elsewhere, f"{module}.{name}: its primal is in another file"
            assert ast.get_docstring(function), f"{module}: {name} has neither a primal nor a docstring"


# --------------------------------------------------------------------------------------------------------- schema

BUFFERS = {b.name: b for pack in schema.PACKS.values() for b in pack}


def test_names_of_buffers_are_unique():
    names = [b.name for pack in schema.PACKS.values() for b in pack]
    assert len(names) == len(set(names))
    assert {b.dtype for b in BUFFERS.values()} <= {"real", "int", "vec3", "vec4"}


def test_names_of_columns_are_unique_in_a_pack():
    for letter, pack in schema.LETTERS.items():
        names = [name for b in schema.PACKS[pack] for name in {b.name, *b.columns}]
        assert len(names) == len(set(names)), (letter, sorted({n for n in names if names.count(n) > 1}))


def test_no_file_knows_where_a_column_lies():
    """Numbers of columns come from the table by their names: schema.py has none to import."""
    numbers = {n for n, v in vars(schema).items() if n.isupper() and isinstance(v, int)}
    assert numbers == {"MOST", "OK", "DIVERGED", "OVERFLOW"}


def test_orders_that_code_relies_on():
    assert schema.TRAJECTORY[-1].name == "record"  # sized by the tape's schedule
    assert [b.name for b in schema.ADJOINT[-2:]] == ["params_bar", "scratch_bar"]  # sized by the controller
    offsets = [p.offset for p in THETA]
    assert len(offsets) == len(set(offsets)) and all(o in schema.DIMS.split() for o in offsets)


# ------------------------------------------------------------------------------------------------------ the tree


def files_of_the_project():
    """Files under version control and new ones that are not ignored; where there is no git, the sources."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        return [*SOURCES.values(), ROOT / "pyproject.toml", ROOT / "README.md"]
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def test_no_paths_of_one_machine():
    machine = re.compile(rb"(?<![\w.\-])(/(home|root|Users|work|tmp|opt|mnt)/|[A-Z]:\\\\?Users)")
    for path in files_of_the_project():
        data = path.read_bytes()
        if b"\0" not in data:
            for number, line in enumerate(data.splitlines(), 1):
                assert not machine.search(line), f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace')}"


def test_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.match(r"[\w\-]+", d).group() for d in project["dependencies"]} == {"numpy", "taichi", "matplotlib"}


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
def test_ruff():
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
