"""The pages of the project and the blocks of code in them, which the tests run as a reader would.

    python -m tests.papers.pages engine/LOADING.md     # the blocks of one page in a process of their own

A page's blocks run in their order, in one namespace and in one folder. That folder is the documented setup: copies of
demos/robot.xml and demos/arm.xml, a short run of the half cheetah where a command looks at one, and what earlier blocks
of the page have left there. Of a shell block all commands are checked (`checked`), and those run that cost little: some
in the quick tests (QUICK), those that draw pictures only in a process of their own (DRAWN).
"""

import importlib.util
import os
import re
import shlex
import shutil
import sys
import tempfile
import types
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDERS = ("engine", "scenes", "controllers", "demos", "tests")
SETUP = ("demos/robot.xml", "demos/arm.xml")
RUN = "runs/half_cheetah"  # looked at by pages; what `pullback optimize half_cheetah` leaves
QUICK, DRAWN = ("info", "check"), ("info", "check", "plot", "view")  # commands of `pullback`; `view` only to a file
LANGUAGES = ("python", "sh")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# A package that pip does not bring with ".[test]", and the extra that has it.
EXTRAS = {"torch": "torch", "jax": "jax", "ray": "ray", "stable_baselines3": "sb3", "imageio_ffmpeg": "video"}


class Block(NamedTuple):
    """A block of code. page: its path in the project. line: number of its first line there."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def pages():
    """Paths of all pages, in the project."""
    found = [ROOT / "README.md"] + [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page):
    """The Blocks of a page, in order."""
    text = text_of(page)
    return [Block(page, text.count("\n", 0, found.start(2)) + 1, *found.groups()) for found in _FENCE.finditer(text)]


def commands(text):
    """The commands of a shell block, each a list of words."""
    parts = [part for line in text.splitlines() for part in re.split(r"\s&&\s", line)]
    return [words for words in (shlex.split(part, comments=True) for part in parts) if words]


def spans(page):
    """The commands among a page's words in backticks, each a list of words; of a bare `pullback word` its help."""
    spans = _SPAN.findall(re.sub(_FENCE, "", text_of(page)))
    spans = [span for span in spans if re.match(r"(pullback|pytest|python3?) \S", span) and "..." not in span]
    found = [words for span in spans for words in commands(span)]
    return [[*words, "-h"] if words[0] == "pullback" and len(words) == 2 else words for words in found]


def checked(words):
    """Raise where a command is not one: `pullback` as its own parser says, of others what they name must exist."""
    if words[0] == "pullback":
        from engine.cli import parser

        try:
            parser().parse_args(words[1:])
        except SystemExit as end:
            assert end.code == 0, f"{' '.join(words)}: the parser says why on standard error"  # 0: help
    elif words[:3] in (["python", "-m", "pytest"], ["python3", "-m", "pytest"]) or words[0] == "pytest":
        for word in words[1 if words[0] == "pytest" else 3 :]:
            if "/" in word:
                assert (ROOT / word.partition("::")[0]).exists(), f"{word}: not there"
    elif words[0] in ("python", "python3"):
        if words[1] != "-m":
            assert (ROOT / words[1]).is_file(), f"{words[1]}: not there"
        elif words[2] not in ("pip", "venv"):
            place = ROOT / words[2].replace(".", "/")
            there = place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
            assert there, f"{words[2]}: no such module"
    else:
        assert words[0] in (".", "cp", "git", "pip", "ray"), f"{' '.join(words)}: what is {words[0]}?"


class Reader:
    """Somebody who runs the blocks of a page one after the other, in a folder with the files that pages start from.

    runs: the commands of `pullback` that are carried out, not only checked.
    """

    def __init__(self, page, folder, runs=QUICK):
        self.runs = runs
        self.page, self.folder, self.done, self.failed, self.lack = page, Path(folder), 0, None, None
        self.blocks = [b for b in blocks(page) if b.language in LANGUAGES]
        for name in SETUP:
            shutil.copy(ROOT / name, self.folder)
        # all Python of the page as a file, since Taichi reads the source of functions; lines as in the page
        name = re.sub(r"\W", "_", page.removesuffix(".md")).lower()
        self.file = self.folder / f"{name}.py"
        lines = [""] * text_of(page).count("\n")
        for b in self.blocks:
            if b.language == "python":
                lines[b.line - 1 : b.line - 1 + b.text.count("\n")] = b.text.splitlines()
        self.file.write_text("\n".join(lines), encoding="utf-8")
        self.module = types.ModuleType(name)
        self.module.__file__ = str(self.file)

    def run(self, block):
        """Run a block after those before it, which are run once. Raises ImportError for want of an extra."""
        if self.failed is not None and self.failed != block:
            raise RuntimeError(f"{self.failed}, a block before this one, failed")
        here = os.getcwd()
        sys.modules[self.module.__name__] = self.module  # for pickle, as of any script
        os.chdir(self.folder)
        try:
            while self.done <= self.blocks.index(block):
                now = self.blocks[self.done]
                self.failed, self.done = now, self.done + 1
                try:
                    self._run(now)
                except ImportError as error:
                    self.lack = self.lack or lacking(error)
                    self.failed = now if lacking(error) is None else None
                    if self.failed or now == block:
                        raise
                except NameError as error:  # of what a block would have made that was left out
                    if self.lack is None:
                        raise
                    self.failed = None
                    if now == block:
                        raise ImportError(str(error), name=self.lack) from error
                self.failed = None
        finally:
            os.chdir(here)

    def _run(self, block):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, self.file, "exec"), self.module.__dict__)
            return
        from engine.cli import main

        for words in commands(block.text):
            checked(words)
            if words[0] == "pullback" and words[1] in self.runs and ("--html" in words or words[1] != "view"):
                if words[2] == RUN and not Path(RUN).exists():
                    short = ["--seconds", "0.1", "--iterations", "1", "--worlds", "2"]
                    assert main(["optimize", "half_cheetah", *short]) in (0, 1)  # 1: it has not gone far
                assert main(words[1:]) == 0, f"{block}: {' '.join(words)}"


def lacking(error):
    """The package that an ImportError misses, where an extra brings it and it is not installed; else None."""
    for package, extra in EXTRAS.items():
        named = error.name == package or f"pullback[{extra}]" in str(error)
        if named and importlib.util.find_spec(package) is None:
            return package
    return None


def main(argv):
    sys.path.insert(0, str(ROOT))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # of Ray's
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(argv[0], folder, DRAWN)
        for block in reader.blocks:
            print(f"--- {block}", flush=True)
            try:
                reader.run(block)
            except ImportError as error:
                if lacking(error) is None:
                    raise
                print(f"left out: needs {lacking(error)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
