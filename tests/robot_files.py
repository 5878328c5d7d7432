"""What loads of a folder of robot files, and what stands in the way of the others.

    python -m tests.robot_files ../shared/robots [--json] [--collide none] [--plain] [--shares]

One row a file: its size and the time to load it, or what is refused by kind with counts, or why it does not open; at
the end the kinds over all files, with the number of files that each alone keeps out. --collide: passed to `load`, so
that pairs are out of the way; --plain: whether MuJoCo opens the file as it lies.

--shares: at the end also a row for each folder, as for packages where they are installed: how many of the files that
MuJoCo compiles as they lie load, URDFs counted where we open them; and the same of distinct models with a joint. Each
file is then read in a process of its own, for at most --limit seconds.
"""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from pathlib import Path

import engine
from tests.apart import Apart, Ended

SUFFIXES = (".xml", ".mjcf", ".urdf")


def files_under(folders):
    found = [path for folder in map(Path, folders) for path in ([folder] if folder.is_file() else folder.rglob("*"))
             if path.suffix.lower() in SUFFIXES and path.is_file()]  # fmt: skip
    return sorted(set(path.resolve() for path in found))


def row(path, asked, plain):
    """What became of a file, a dictionary: loads, or refused {kind: count}, or error."""
    began, entry = time.perf_counter(), {"file": str(path)}
    try:
        report = engine.load(path, report=True, **asked)
    except Exception as error:  # whatever a file makes of MuJoCo's compiler or of ours
        entry["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    else:
        m = report.model
        entry |= {"seconds": round(time.perf_counter() - began, 2), "changed": report.changed}
        if m is None:
            entry["refused"] = {line.kind: line.count_of for line in report.refused}
        else:
            entry |= {name: getattr(m, name) for name in ("nv", "nu", "ngeom", "npair", "nsensor")}
    if plain:
        entry |= as_it_lies(path)
    return entry


# What tells models apart, of an MjModel.
TELLING = ("qpos0", "body_parentid", "body_pos", "body_quat", "body_mass", "body_inertia", "jnt_type", "jnt_axis",
           "jnt_range", "geom_type", "geom_size", "geom_pos", "geom_contype", "geom_conaffinity", "geom_condim",
           "actuator_trnid", "actuator_gainprm", "actuator_biasprm", "sensor_type", "eq_type", "key_qpos")  # fmt: skip


def as_it_lies(path):
    """{"mujoco": whether MuJoCo opens a file as it lies}, and of a model with a joint "digest", which tells it apart.
    Of a URDF the latter is asked of what we make of it."""
    import mujoco

    from engine.model.opening import opened
    from engine.model.wishes import Wishes

    mj, entry = None, {"mujoco": True}
    try:
        mj = mujoco.MjModel.from_xml_path(str(path))
    except ValueError:
        entry["mujoco"] = False
        if is_urdf(path):
            try:
                mj = opened(mujoco, path, None, Wishes()).mj
            except (ValueError, OSError, ImportError):
                pass
    if mj is not None and mj.nv:
        arrays = [getattr(mj, name).tobytes() for name in TELLING]
        entry["digest"] = hashlib.sha1(b"".join(arrays)).hexdigest()
    return entry


def is_urdf(path):
    return str(path).lower().endswith(".urdf")


def quiet_row():
    """`row`, in a process of its own."""
    import mujoco

    mujoco.set_mju_user_warning(lambda *_: None)  # which else go to a file
    return row


def shares(folders, entries):
    """The lines of a table, one row a folder and one for all."""
    yield f"\n{'folder':28}{'files':>7}{'compile':>9}{'load':>7}{'share':>8}   {'distinct, with joints: load':>27}"
    chosen = [(f.name, [e for e in entries if Path(e["file"]).is_relative_to(f.resolve())]) for f in map(Path, folders)]
    for name, these in (*chosen, ("all", entries)):
        counted = [e for e in these if ("error" not in e if is_urdf(e["file"]) else e.get("mujoco"))]
        loaded = [e for e in counted if "nv" in e]
        distinct = {e["digest"]: "nv" in e for e in counted if "digest" in e}
        yield (
            f"{name:28}{len(these):7}{len(counted):9}{len(loaded):7}{share(len(loaded), len(counted)):>8}   "
            f"{f'{sum(distinct.values())} of {len(distinct)}':>18}{share(sum(distinct.values()), len(distinct)):>9}"
        )


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def said(entry):
    if "error" in entry:
        return entry["error"][:160]
    if "refused" in entry:
        return "refused: " + ", ".join(f"{n} {kind}" for kind, n in entry["refused"].items())
    sizes = ", ".join(f"{name} {entry[name]}" for name in ("nv", "nu", "ngeom", "npair", "nsensor"))
    return f"loads in {entry['seconds']} s: {sizes}"


def kinds(entries):
    """[(kind, files, uses, files that nothing else keeps out)], the most frequent first."""
    files, uses, alone = Counter(), Counter(), Counter()
    for entry in entries:
        refused = entry.get("refused", {})
        files.update(refused.keys())
        uses.update(refused)
        alone.update(refused.keys() if len(refused) == 1 else ())
    return [(kind, n, uses[kind], alone[kind]) for kind, n in files.most_common()]


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folders", nargs="+")
    p.add_argument("--json", action="store_true", help="one JSON object a file")
    p.add_argument("--collide", choices=("all", "ground", "none"))
    p.add_argument("--plain", action="store_true", help="also whether MuJoCo opens the file as it lies")
    p.add_argument("--shares", action="store_true", help="also a row for each folder")
    p.add_argument("--limit", type=float, default=180.0, help="seconds a file, with --shares")
    args = p.parse_args(argv)
    plain, ask = args.plain or args.shares, Apart(quiet_row, args.limit, start=60.0) if args.shares else row
    paths = files_under(args.folders)
    common = Path(*Path(paths[0]).parts[: len(Path(args.folders[0]).resolve().parts)]) if paths else Path()
    entries = []
    for path in paths:
        try:
            entries.append(ask(path, {"collide": args.collide} if args.collide else {}, plain))
        except Ended as error:
            entries.append({"file": str(path), "error": f"the process {error}"})
        name = path.relative_to(common) if path.is_relative_to(common) else path
        print(json.dumps(entries[-1]) if args.json else f"{str(name):55} {said(entries[-1])}", flush=True)
    if args.shares:
        ask.close()
    if args.json:
        return 0
    print(f"\n{'kind':45} {'files':>6} {'uses':>7} {'alone':>6}")
    for kind, files, uses, alone in kinds(entries):
        print(f"{kind:45} {files:6} {uses:7} {alone:6}")
    for word, these in (("all", entries), ("URDFs", [e for e in entries if e["file"].lower().endswith(".urdf")])):
        opened = [e for e in these if "error" not in e]
        line = f"{word}: {sum('nv' in e for e in these)} of {len(these)} load, {len(opened)} are opened"
        if plain:
            line += f" ({sum(e.get('mujoco', False) for e in these)} by MuJoCo as they lie)"
        print(line)
    for line in shares(args.folders, entries) if args.shares else ():
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
