"""A small file with the fault of a larger one: elements and attributes are left out as long as the fault stays."""

import re
import time
from xml.etree import ElementTree

from tests.random_files.judge import judged

SECONDS = 40.0


def fault(verdict):
    """What stays the same: the outcome, and the words up to the first number."""
    return verdict.outcome, re.split(r"\d", verdict.detail)[0]


def small(text, verdict):
    """XML text, or None where the text is not XML."""
    wanted = fault(verdict)
    return while_it_stays(text, lambda less: fault(judged(less)) == wanted)


def while_it_stays(text, there, seconds=SECONDS):
    """The same for any fault: there(XML text) -> whether it is there."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    until = time.monotonic() + seconds

    def stays():
        return there(ElementTree.tostring(root, encoding="unicode"))

    if not stays():
        return None
    shrunk = True
    while shrunk and time.monotonic() < until:
        shrunk = False
        for parent in list(root.iter()):
            for child in list(parent):
                if time.monotonic() > until:
                    break
                at = list(parent).index(child)
                parent.remove(child)
                if stays():
                    shrunk = True
                else:
                    parent.insert(at, child)
    for element in list(root.iter()):
        for name in list(element.attrib):
            if time.monotonic() > until + seconds / 2:
                break
            value = element.attrib.pop(name)
            if not stays():
                element.set(name, value)
    return ElementTree.tostring(root, encoding="unicode")
