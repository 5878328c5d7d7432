"""What loads of a folder of robot files, and what stands in the way of the others.

    python -m tests.robot_files ../shared/robots [--json] [--collide none] [--plain]

One row a file: its size and the time to load it, or what is refused by kind with counts, or why it does not open; at
the end the kinds over all files, with the number of files that each alone keeps out. --collide: passed to `load`, so
that pairs are out of the way; --plain: whether MuJoCo opens the file as it lies.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import engine

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
        import mujoco

        try:
            mujoco.MjModel.from_xml_path(str(path))
            entry["mujoco"] = True
        except ValueError:
            entry["mujoco"] = False
    return entry


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
    args = p.parse_args(argv)
    paths = files_under(args.folders)
    common = Path(*Path(paths[0]).parts[: len(Path(args.folders[0]).resolve().parts)]) if paths else Path()
    entries = []
    for path in paths:
        entries.append(row(path, {"collide": args.collide} if args.collide else {}, args.plain))
        name = path.relative_to(common) if path.is_relative_to(common) else path
        print(json.dumps(entries[-1]) if args.json else f"{str(name):55} {said(entries[-1])}", flush=True)
    if args.json:
        return 0
    print(f"\n{'kind':45} {'files':>6} {'uses':>7} {'alone':>6}")
    for kind, files, uses, alone in kinds(entries):
        print(f"{kind:45} {files:6} {uses:7} {alone:6}")
    for word, these in (("all", entries), ("URDFs", [e for e in entries if e["file"].lower().endswith(".urdf")])):
        opened = [e for e in these if "error" not in e]
        line = f"{word}: {sum('nv' in e for e in these)} of {len(these)} load, {len(opened)} are opened"
        if args.plain:
            line += f" ({sum(e['mujoco'] for e in these)} by MuJoCo as they lie)"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
