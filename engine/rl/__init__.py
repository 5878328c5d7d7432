"""Gymnasium environments of all scenes that have a task (extra `rl`).

    import gymnasium
    import engine.rl                                           # registers Pullback/HalfCheetah-v0 and the others

    env = gymnasium.make("Pullback/HalfCheetah-v0")
    envs = gymnasium.make_vec("Pullback/HalfCheetah-v0", num_envs=64)

Gymnasium 1 has no plugins: without the import, name this package in the id, `engine.rl:Pullback/HalfCheetah-v0`.
"""

from importlib import import_module

try:
    import gymnasium  # noqa: F401
except ImportError as e:
    raise ImportError('engine.rl needs Gymnasium: pip install "pullback[rl]"') from e

from engine.rl.registration import env_id, register_scenes
from engine.words import meant

# Names whose modules hold kernels: importing one starts Taichi, so `engine.init` can come first.
_LAZY = {
    "Env": "engine.rl.env", "VectorEnv": "engine.rl.vector_env", "StateView": "engine.rl.state_view",
    "RslVecEnv": "engine.rl.rsl", "SB3VecEnv": "engine.rl.sb3",
}  # fmt: skip

__all__ = ["env_id", "register_scenes", *_LAZY]


def __getattr__(name):
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    near, known = meant(name, __all__), ", ".join(__all__)
    raise AttributeError(f"module 'engine.rl' has no attribute {name!r}{near}; it has: {known}")


def __dir__():
    return sorted(__all__)


register_scenes()
