"""Policies: what `pullback train` learns by gradient (SHAC) or PPO, on tasks made from a robot's model; extra `torch`.

`policy.py` and `in_mujoco.py` need NumPy alone: a policy that was learned runs without torch.
"""
