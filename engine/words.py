"""What messages are made of: arrays in one line, what somebody may have meant by a name, and things of a wrong kind."""

import difflib
from pathlib import Path


def shapes(arrays):
    """{name: array} as "qpos (4, 3), qvel (4, 3)", without those that are empty or None."""
    return ", ".join(f"{name} {tuple(a.shape)}" for name, a in arrays.items() if a is not None and 0 not in a.shape)


def meant(name, known):
    """" (did you mean 'torso'?)" where one of the known names is like this one and about as long, else nothing."""
    name = str(name)
    near = [k for k in known if isinstance(k, str) and k and abs(len(k) - len(name)) <= max(2, len(name) // 4)]
    near = difflib.get_close_matches(name, near, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def required(name, value, kind, how):
    """`value`, where it is of this class; else TypeError, which names the argument and says `how` one is made."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}: got {type(value).__name__}, allowed: a {kind.__name__} ({how})")
    return value


def counted(number, word, words=None):
    """"1 dof", "2 dofs"; words: of several, where it is not the word with an s."""
    return f"{number} {word if number == 1 else words or f'{word}s'}"


def neighbours(path):
    """Paths of the files beside one that is not there, as it would have been written."""
    path = Path(path)
    try:
        return [str(path.with_name(p.name)) for p in path.parent.iterdir()] if path.name else []
    except (OSError, ValueError):  # no such folder, or what can be no path
        return []
