"""Actuators of random robots that came last: muscles, adhesion, pid and dcmotor, delays, orientation servos.

Each is a text put into a robot's; a new kind is one more function in KINDS.
"""

import re

MOTOR = 'motorconst=".3" resistance="2"'


def driven(robot, rng):
    """The text of a robot with some of them."""
    text = robot.xml
    scalar = [name for name, kind in robot.joints if kind in ("hinge", "slide")]
    lines = [f'joint="{name}"' for name in scalar]
    lines += [f'tendon="{name}"' for name in re.findall('<(?:fixed|spatial) name="([^"]*)"', text)]
    for kind, p in KINDS:
        if rng.random() < p:
            text = kind(text, robot, lines, rng)
    return text


def added(text, drives, sensors=""):
    return text.replace("</mujoco>", f"<actuator>{drives}</actuator><sensor>{sensors}</sensor></mujoco>")


def several(rng, low=1, high=4):
    return range(rng.integers(low, high))


def sensed(name, rng, kinds=("pos", "vel", "frc")):
    return "".join(f'<actuator{kind} actuator="{name}"/>' for kind in kinds if rng.random() < 0.6)


def muscles(text, robot, lines, rng):
    """On joints and tendons, whole ones and with one part of a muscle alone."""
    drives = sensors = ""
    for k in several(rng) if lines else ():
        name, on = f"u{k}", lines[rng.integers(len(lines))]
        low, high = sorted(rng.uniform(-1.5, 2, 2))
        common = f'name="{name}" {on} lengthrange="{low:.3g} {high + 0.3:.3g}"'
        common += f' gear="{rng.uniform(-1.5, 1.5):.3g}"' * (rng.random() < 0.5)
        common += ' ctrlrange="0 1"' * (rng.random() < 0.5) + ' forcerange="-9 .5"' * (rng.random() < 0.2)
        shape = f"{rng.uniform(0.2, 0.8):.3g} {rng.uniform(1, 1.8):.3g}"
        curve = f'{shape} {rng.choice(("4", "-1"))} 200 .5 1.6 1.5 1.3 1.2'
        times = f"{rng.uniform(0.01, 0.05):.3g} {rng.uniform(0.02, 0.08):.3g}"
        ways = (
            f'<muscle {common} range="{shape}" timeconst="{times}"/>',
            f'<muscle {common} range="{shape}" timeconst="{times}" force="8" tausmooth=".4" fpmax="1.1" vmax="2"/>',
            f'<general {common} dyntype="muscle" dynprm="{times} .2" gaintype="affine" gainprm="2 .3 .1"/>',
            f'<general {common} gaintype="muscle" gainprm="{curve}" biastype="affine" biasprm=".4 -1.5 -.2"/>',
            f'<general {common} dyntype="filter" dynprm=".05" gaintype="fixed" gainprm="2" biastype="muscle" '
            f'biasprm="{curve}"/>',
        )
        drives += ways[rng.integers(len(ways))]
        sensors += sensed(name, rng)
    return added(text, drives, sensors)


def adhesion(text, robot, lines, rng):
    """On bodies. With the integrator discrete MuJoCo's islands end at slopes of what pulls within a gap."""
    drives = sensors = ""
    stiff = 'integrator="discrete"' in text
    damped, by_length = (0, 0) if stiff else (-0.3, 0.2)
    for k in several(rng, high=3):
        name, body = f"h{k}", robot.bodies[rng.integers(len(robot.bodies))]
        common = f'name="{name}" body="{body}"'
        ways = (
            f'<adhesion {common} gain="{rng.uniform(1, 20):.3g}" ctrlrange="0 {rng.uniform(0.5, 2):.2g}"/>',
            f'<general {common} dyntype="filter" dynprm=".05" biastype="affine" biasprm=".5 0 {damped}"/>',
            f'<general {common} gaintype="affine" gainprm="3 {by_length} 0" ctrlrange="-1 2" forcerange="-1 4"/>',
        )
        drives += ways[rng.integers(len(ways))]
        sensors += sensed(name, rng)
    return added(text, drives, sensors)


def servos(text, robot, lines, rng):
    """Of those with several controls the force is not sensed, nor limited: both are refused."""
    drives = sensors = ""
    for k in several(rng) if lines else ():
        name, on = f"v{k}", lines[rng.integers(len(lines))]
        common = f'name="{name}" {on}' + f' gear="{rng.uniform(-1.5, 1.5):.3g}"' * (rng.random() < 0.5)
        kp, kv, way = f'{rng.uniform(0, 6):.3g}', f"{rng.uniform(0, 0.5):.3g}", rng.integers(6)
        many = (1, 3, 5)
        drives += (
            f'<pid {common} kp="{kp}" kv="{kv}" input="pos" forcerange="-1 2"/>',
            f'<pid {common} kp="{kp}" kv="{kv}" posrange="-.6 .5"/>', f'<dcmotor {common} {MOTOR}/>',
            f'<pid {common} kp="{kp}" kv="{kv}" input="pos vel ff" velrange="-.5 .5"/>',
            f'<dcmotor {common} {MOTOR} saturation=".2 0 0"/>',
            f'<dcmotor {common} {MOTOR} controller="{kp} 0 {kv} 0 0 0" input="pos ff voltage"/>',
        )[way]
        sensors += sensed(name, rng, ("pos", "vel") if way in many else ("pos", "vel", "frc"))
    return added(text, drives, sensors)


def motors(text, robot, lines, rng):
    """DC motors with currents, heat, friction, cogging and clamped voltages."""
    drives = sensors = ""
    for k in several(rng) if lines else ():
        name, on = f"e{k}", lines[rng.integers(len(lines))]
        common = f'name="{name}" {on} {MOTOR}' + f' gear="{rng.uniform(-1.5, 1.5):.3g}"' * (rng.random() < 0.5)
        kp, kd, ki = (f"{rng.uniform(0, most):.3g}" for most in (6, 0.5, 4))
        limits = f'{rng.choice((0, 3))} {rng.choice((0, 0.02))} {rng.choice((0, 1.5))}'
        words = rng.choice(("voltage", "pos", "pos vel", "pos ff voltage"))
        common += f' input="{words}"' + f' controller="{kp} {ki} {kd} {limits}"' * (words != "voltage")
        common += f' saturation="{rng.choice((0, 0.1))} 0 {rng.choice((0, 40))}"'
        parts = [' inductance="0 .006"', ' thermal="2 .05 0 .02 20 30"', f' cogging=".2 {rng.integers(2, 9)} .3"']
        parts += [' lugre="30 .4 .1 .2 .3"']
        common += "".join(part for part in parts if rng.random() < 0.5)
        drives += f"<dcmotor {common}/>"
        sensors += sensed(name, rng)
    return added(text, drives, sensors)


def delays(text, robot, lines, rng):
    """Of actuators that are there, between steps and at steps, past the oldest control."""
    step = 0.004 if 'timestep="0.004"' in text else 0.002

    def late(found):
        words = found[0]
        if rng.random() < 0.5:
            return words
        n = rng.integers(1, 6)
        places = (rng.integers(1, n + 2), rng.uniform(0.1, n + 0.5), rng.uniform(0.1, 1))
        how = f' delay="{step * places[rng.integers(3)]:.8g}" nsample="{n}"'
        return words[:-2] + how + rng.choice(("", ' interp="zoh"', ' interp="linear"', ' interp="cubic"')) + "/>"

    kinds = "motor|position|velocity|general|intvelocity|cylinder|damper|muscle|adhesion|pid|dcmotor"
    inside = re.compile("<actuator>.*?</actuator>", re.DOTALL)
    return inside.sub(lambda section: re.sub(f"<({kinds}) [^>]*/>", late, section[0]), text)


def late_sensors(text, robot, lines, rng):
    """Sensors that tell what was."""
    step = 0.004 if 'timestep="0.004"' in text else 0.002

    def late(found):
        if rng.random() < 0.6:
            return found[0]
        n = rng.integers(1, 5)
        delay = step * (rng.integers(1, n + 2) if rng.random() < 0.5 else rng.uniform(0.1, n + 0.5))
        how = rng.choice(("", ' interp="linear"', ' interp="cubic"'))
        return found[0][:-2] + f' delay="{delay:.8g}" nsample="{n}"{how}/>'

    inside = re.compile("<sensor>.*?</sensor>", re.DOTALL)
    return inside.sub(lambda section: re.sub(r"<\w+ [^<>]*/>", late, section[0]), text)


def turning(text, robot, lines, rng):
    """Controllers and motors of ball joints, with states, and motors without inputs."""
    drives = sensors = ""
    balls = [f'joint="{name}"' for name, kind in robot.joints if kind == "ball"]
    for k in several(rng) if lines and balls else ():
        gear = " ".join(f"{x:.3g}" for x in rng.uniform(-1.5, 1.5, 3))
        common = f'name="b{k}" {balls[rng.integers(len(balls))]} gear="{gear}"'
        ki, slew = f"{rng.choice((0, 3))}", f"{rng.choice((0, 4))}"
        parts = [' lugre="30 .4 .1 .2 .3"', ' inductance="0 .006"', f' cogging=".2 {rng.integers(2, 9)} .3"']
        parts = "".join(part for part in parts if rng.random() < 0.5)
        drives += (
            f'<pid {common} kp="2" kv=".2" ki="{ki}" slewmax="{slew}" imax=".2" input="pos"/>',
            f'<pid {common} kp="{rng.choice((0, 1.5))}" kv=".1" ki="{ki}" slewmax="{slew}" input="pos ff"/>',
            f'<pid {common} kp=".5" kv=".2" input="vel"/>',
            f'<dcmotor {common} {MOTOR} controller="2 {ki} .2 {slew} .3 1.5" input="pos"{parts}/>',
            f'<dcmotor name="b{k}" {lines[rng.integers(len(lines))]} {MOTOR} input="none"{parts}/>',
        )[rng.integers(5)]
        sensors += sensed(f"b{k}", rng, ("pos", "vel"))
    return added(text, drives, sensors)


def ticking(text, robot, lines, rng):
    """Sensors that take a new value at intervals, between steps and at steps, some with a delay."""
    step = 0.004 if 'timestep="0.004"' in text else 0.002

    def ticks(found):
        if rng.random() < 0.7 or "nsample" in found[0]:
            return found[0]
        n, period = rng.integers(1, 5), step * (rng.integers(1, 5) if rng.random() < 0.5 else rng.uniform(0.3, 6))
        phase = f" {-period * rng.uniform(0.01, 0.99):.8g}" * (rng.random() < 0.5)
        delay = f' delay="{step * rng.uniform(0.1, 9):.8g}"' * (rng.random() < 0.5)
        how = rng.choice(("", ' interp="linear"', ' interp="cubic"'))
        return found[0][:-2] + f' interval="{period:.8g}{phase}" nsample="{n}"{delay}{how}/>'

    inside = re.compile("<sensor>.*?</sensor>", re.DOTALL)
    return inside.sub(lambda section: re.sub(r"<\w+ [^<>]*/>", ticks, section[0]), text)


def orientations(text, robot, lines, rng):
    """Orientation servos of ball joints and between sites."""
    drives = sensors = ""
    places = [f'joint="{name}"' for name, kind in robot.joints if kind == "ball"]
    if len(robot.sites) > 1:
        one, other = (robot.sites[i] for i in rng.choice(len(robot.sites), 2, replace=False))
        places += [f'site="{one}" refsite="{other}"']
    for k in several(rng) if places else ():
        kp, kv, most = (f"{x:.3g}" for x in rng.uniform((0, 0, 0.2), (4, 0.3, 3)))
        common = f'name="o{k}" {places[rng.integers(len(places))]}'
        common += f' forcerange="0 {most}"' * (rng.random() < 0.3) + ' ctrlrange="-.9 1.2"' * (rng.random() < 0.3)
        late = f' delay="{rng.uniform(0.001, 0.009):.4f}" nsample="3" interp="{rng.choice(("zoh", "linear"))}"'
        common += late * (rng.random() < 0.2)
        law = f'gaintype="so3" biastype="so3" gainprm="{kp}" biasprm="{rng.choice((0, 0.2))} -{kp} -{kv}"'
        early = ' actearly="true"' * (rng.random() < 0.5) + ' actrange="-1 2"' * (rng.random() < 0.3)
        drives += (
            f'<orientation {common} kp="{kp}" kv="{kv}"/>', f'<orientation {common} kp="{kp}" kv="{kv}" input="quat"/>',
            f'<orientation {common} kp="{kp}" dampratio="{kv}"/>',
            f'<general {common} {law} dyntype="integrator"{early}/>', f"<general {common} {law}/>",
        )[rng.integers(5)]
        sensors += sensed(f"o{k}", rng)
    return added(text, drives, sensors)


KINDS = ((muscles, 0.15), (adhesion, 0.1), (servos, 0.12), (motors, 0.12), (delays, 0.1), (late_sensors, 0.1),
         (turning, 0.12), (ticking, 0.1), (orientations, 0.12))  # fmt: skip
