"""Every block of every page runs, in its order, as a reader would run it; commands are right, links lead somewhere."""

import re
import subprocess
import sys

import pytest

from engine.compiler.backend import gpus
from tests.papers.pages import LANGUAGES, ROOT, Reader, blocks, checked, commands, lacking, pages, spans, text_of

GPU = "engine/GPU.md"
ALONE = ("engine/MACHINES.md", GPU)  # processes of Ray's; a process that has not begun on the CPU
ELSEWHERE = {  # pages whose blocks another file of tests runs: it has the extras in CI, or compiles the same kernels
    "README.md": "tests/bridges/test_pages.py",
    "engine/TORCH_AND_JAX.md": "tests/bridges/test_pages.py",
    "engine/rl/README.md": "tests/bridges/test_pages.py",
    "controllers/README.md": "tests/controllers/test_own.py",
    "engine/RESIDUALS.md": "tests/gradients/test_own_residual.py",
}
_LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")


def cases(chosen):
    """Blocks of pages as parameters."""
    found = [b for page in chosen for b in blocks(page) if b.language in LANGUAGES]
    return [pytest.param(b, id=str(b)) for b in found]


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """readers(page): its Reader, one for all blocks of a page."""
    made = {}

    def reader(page):
        if page not in made:
            made[page] = Reader(page, tmp_path_factory.mktemp("page"))
        return made[page]

    return reader


def run(reader, block):
    try:
        reader.run(block)
    except ImportError as error:
        if lacking(error) is None:
            raise
        pytest.skip(f"{block} needs {lacking(error)}")


@pytest.mark.parametrize("block", cases(page for page in pages() if page not in (*ELSEWHERE, *ALONE)))
def test_block(block, readers):
    run(readers(block.page), block)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in pages() if blocks(page)])
def test_page_in_a_process_of_its_own(page):
    """With the kernels of its robots alone, as a reader's own process has, and with the pictures."""
    if page == GPU and not gpus():
        pytest.skip("no GPU here")
    command = [sys.executable, "-m", "tests.papers.pages", page]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("page", pages())
def test_commands_are_commands(page):
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block}: nobody runs {block.language}"
        for words in commands(block.text) if block.language == "sh" else ():
            checked(words)
    for words in spans(page):
        checked(words)


def anchors(page):
    """What a link may name in a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text_of(page), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page):
    for link in _LINK.findall(text_of(page)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        there = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert there.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(there.relative_to(ROOT).as_posix()), f"{page}: {link}"


@pytest.mark.parametrize("page", ELSEWHERE)
def test_another_file_runs_the_page(page):
    text = (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")
    assert page in text and "block)" in text


def test_the_front_page_is_short():
    assert text_of("README.md").count("\n") <= 150


def test_numbers_of_the_front_page_stand_on_the_page_that_it_links():
    reasons = text_of("README.md").split("## Why\n\n")[1].split("\n\n")[0].split("\n* ")
    assert len(reasons) == 6
    for reason in reasons:
        (link,) = _LINK.findall(reason)
        numbers = re.findall(r"(?<![\w.])\d[\d.,]*(?:e-\d+)?(?<![.,])", re.sub(r"\(.*?\)", "", reason))
        there = text_of(link.partition("#")[0])
        assert numbers and not [n for n in numbers if n not in there], f"{link}: {numbers}"
