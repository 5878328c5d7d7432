"""Gymnasium ids of the built-in scenes: Pullback/HalfCheetah-v0 and so on, one for each scene that has a task.

Scene.env is the name in the id: that of the scene in capitals, unless the scene says another.
"""

import gymnasium

VERSION = 0


def env_id(name: str) -> str:
    """The id of a built-in scene: half_cheetah is Pullback/HalfCheetah-v0."""
    import scenes

    return _id(scenes.load(name))


def _id(scene):
    return f"Pullback/{scene.env}-v{VERSION}"


def register_scenes() -> None:
    """Register every built-in scene that has a task and is not registered yet; returns their ids."""
    import scenes

    ids = []
    for name in scenes.names():
        scene = scenes.load(name)  # milliseconds: no kernels
        if scene.task is None:
            continue
        ids.append(_id(scene))
        if ids[-1] not in gymnasium.registry:
            gymnasium.register(
                ids[-1],
                entry_point="engine.rl.env:Env",
                vector_entry_point="engine.rl.vector_env:VectorEnv",
                max_episode_steps=scene.steps,
                kwargs={"scene": name},
            )
    return ids


def find_scene(scene):
    """A Scene with a task, from its name or as it is."""
    import scenes

    if isinstance(scene, str):
        scene = scenes.load(scene)
    if getattr(scene, "task", None) is None:
        raise ValueError(f"scene: got {getattr(scene, 'name', scene)!r}, which has no task; allowed: one that has")
    return scene
