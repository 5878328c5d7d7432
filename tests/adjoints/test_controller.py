"""act_controller with add_part and mlp: the adjoint of one control against differences, kind by kind."""

import numpy as np
import pytest

from controllers import CPG, MLP, PD, LinearFeedback, OpenLoop, Spline
from tests import zoo
from tests.adjoints import probe as p

pytestmark = pytest.mark.slow  # the kernel that takes each stage alone compiles for a minute

STEPS = 12
XML = zoo.model(
    f'<body pos="0 0 1"><joint name="f" type="free"/>{zoo.BRICK}<body pos=".3 0 0"><joint name="h" axis="0 1 0"/>'
    f'{zoo.ROD}<body pos=".3 0 0"><joint name="s" type="slide" axis="0 0 1"/>{zoo.ROD}</body></body></body>',
    "<actuator><motor joint='h'/><motor joint='s' gear='2'/></actuator>",
)  # fmt: skip
KINDS = {
    "open loop": lambda m: OpenLoop(STEPS, m.nu),
    "spline": lambda m: Spline(m.nu, 4, 5),
    "short spline": lambda m: Spline(m.nu, 1, 5),
    "cpg": lambda m: CPG(m.nu),
    "pd": lambda m: PD(m, kp=3.0, kd=0.4),
    "mlp": lambda m: MLP(m, hidden=(5, 4)),
    "linear": lambda m: MLP(m, hidden=()),
    "feedback": lambda m: LinearFeedback(m, np.random.default_rng(1).normal(size=(3, m.nu, 2 * m.nv + m.na)), every=4),
    "sum": lambda m: (
        PD(m, kp=2.0).tracking(CPG(m.nu) + MLP(m, (4,), ["qpos", ("sin", 0.3)])) + PD(m) + Spline(m.nu, 3, 4)
    ),
}


@pytest.mark.parametrize("rest", (False, True), ids=("moving", "at rest"))
@pytest.mark.parametrize("kind", KINDS)
def test_act_controller(simulators, kind, rest):
    mj, sim = simulators(XML)
    rng = np.random.default_rng(0)
    controller = KINDS[kind](sim.model)
    controller.params += 0.3 * rng.normal(size=controller.params.shape)
    probe = p.Probe(sim, controller, steps=STEPS)
    live = probe.program.pack["params"]
    qpos, qvel = sim.model.qpos0.copy(), np.zeros(mj.nv)
    if not rest:
        qpos, qvel = qpos + 0.3 * rng.normal(size=mj.nq), rng.normal(size=mj.nv)  # the quaternion's length too
    case = p.Case(probe, (qpos, qvel, [], np.zeros(mj.nu)))
    case.x["params"] = np.array(controller.params)
    weights = rng.normal(size=mj.nu)

    def set_(**changed):
        p.Case.set(case, **changed)
        live[: case.x["params"].size] = changed.get("params", case.x["params"])
        sim.data.time[:] = 0.37

    case.set = set_
    for t in (0, 4, 5, STEPS - 1):

        def forward(t=t):
            case.run((p.CONTROLLER, t))
            return float(weights @ sim.data.ctrl[0])

        case.set()
        forward()
        probe.clear()
        probe.g["ctrl_bar"][: mj.nu] = weights
        case.run((p.CONTROLLER_VJP, t))
        bars = {n: probe.bar(n) for n in ("qpos", "qvel")}
        case.compare(forward, bars | {"params": probe.g["params_bar"][: case.x["params"].size].copy()})
