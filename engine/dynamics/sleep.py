"""Trees of bodies that sleep (MuJoCo documentation, Simulation, "Sleeping islands"): their state, what the user does
that wakes them, how they fall asleep, and that they stay where they are.

Of each tree act has MuJoCo's tree_asleep less that of the start (model/sleeping.py): below zero it is awake, else it
says which tree comes next in the cycle of those that fell asleep with it and wake with it. A tree that sleeps is left
out of what constrains, and no force acts on it.

Before a step moves anything, islands whose trees were all slow for long enough fall asleep: their velocity is zero,
and the step is evaluated once more with them awake (`fall_asleep`, then `settle`), whose readings sensors then keep.
`tree_awake` is who was awake when a rule for waking began, which MuJoCo asks, too.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.math.index import bounded
from engine.math.types import real

FULLY = -11  # awake, as sleeping.AWAKE


@ti.func
def tree_asleep(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    return m.sleep_start[t] + ti.cast(ti.round(d.act[w * m.na + m.sleepfirst + t]), ti.i32)


@ti.func
def set_asleep(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, x: ti.i32):
    d.act[w * m.na + m.sleepfirst + t] = ti.cast(x - m.sleep_start[t], real)


@ti.func
def has_slept(m: ti.template(), w: ti.i32, t: ti.i32):
    """Where act says whether tree t has fallen asleep since the start."""
    return w * m.na + m.sleepfirst + m.nsleeptree + t


@ti.func
def qpos_asleep(m: ti.template(), w: ti.i32, i: ti.i32):
    """Where act has number i of qpos as it was when its tree fell asleep."""
    return w * m.na + m.sleepfirst + 2 * m.nsleeptree + i


@ti.func
def place_asleep(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """Number i of qpos where its tree sleeps; of one that has slept since the start that of qpos0."""
    x = m.qpos0[i]
    if d.act[has_slept(m, w, m.sleep_qpos[i])] > 0:
        x = d.act[qpos_asleep(m, w, i)]
    return x


@ti.func
def sleeping(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """Whether tree t sleeps; -1 and below: what is none never does."""
    x = False
    if m.nsleeptree > 0:
        if t >= 0:
            x = tree_asleep(m, d, w, t) >= 0
    return x


@ti.func
def dof_sleeps(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    x = False
    if m.nsleeptree > 0:
        x = tree_asleep(m, d, w, m.dof_treeid[i]) >= 0
    return x


@ti.func
def dof_rests(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """The same, by tree_awake: once all rules for waking have been asked."""
    x = False
    if m.nsleeptree > 0:
        x = d.tree_awake[w, m.dof_treeid[i]] == 0
    return x


@ti.func
def all_sleep(m: ti.template(), d: ti.template(), w: ti.i32, t1: ti.i32, t2: ti.i32):
    """Whether what is in these trees sleeps: all of them do, -1 being none, and there is one."""
    x = sleeping(m, d, w, t1)
    if x and t2 >= 0:
        x = sleeping(m, d, w, t2)
    return x


@ti.func
def neither_awake(m: ti.template(), d: ti.template(), w: ti.i32, t1: ti.i32, t2: ti.i32):
    """Whether of two trees, or -1 for what cannot move and -2 for what the user moves, none is awake."""
    x = t1 != -2 and t2 != -2
    if x and t1 >= 0:
        x = sleeping(m, d, w, t1)
    if x and t2 >= 0:
        x = sleeping(m, d, w, t2)
    return x


@ti.func
def is_up(d: ti.template(), w: ti.i32, t: ti.i32):
    """Whether tree t is awake, by tree_awake, or -2 for what the user moves."""
    x = t == -2
    if t >= 0:
        x = d.tree_awake[w, t] == 1
    return x


@ti.func
def heeded(m: ti.template(), d: ti.template(), w: ti.i32, g1: ti.i32, g2: ti.i32):
    """Whether contacts of two geoms matter: one of their bodies is awake, or the user moves it."""
    x = True
    if m.nsleeptree > 0:
        x = is_up(d, w, m.sleep_body[m.geom_bodyid[g1]]) or is_up(d, w, m.sleep_body[m.geom_bodyid[g2]])
    return x


@serves("sleep")
@ti.func
def note_awake(m: ti.template(), d: ti.template(), w: ti.i32):
    for t in range(m.nsleeptree):
        d.tree_awake[w, t] = ti.cast(tree_asleep(m, d, w, t) < 0, ti.i32)


@ti.func
def wake(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, x: ti.i32):
    """Tree t and those that sleep with it wake with x; one that is awake has the lesser number."""
    now = tree_asleep(m, d, w, t)
    if now < 0:
        set_asleep(m, d, w, t, ti.min(now, x))
    else:
        k = t
        for _ in range(m.nsleeptree):
            after = tree_asleep(m, d, w, k)
            if after >= 0:
                set_asleep(m, d, w, k, x)
                d.woken[w] = 1
                k = ti.min(after, m.nsleeptree - 1)


@outline("md", "w", when="sleep")
@ti.func
def wake_disturbed(m: ti.template(), d: ti.template(), w: ti.i32):
    """Trees that the user has moved, given a velocity or a force. A rule that begins with who is awake."""
    if m.nsleeptree > 0:
        d.woken[w] = 0
        note_awake(m, d, w)
        for i in range(m.nq):
            t = m.sleep_qpos[i]
            if not d.tree_awake[w, t]:
                if d.qpos[w * m.nq + i] != place_asleep(m, d, w, i):
                    wake(m, d, w, t, FULLY)
        for i in range(m.nv):
            if not d.tree_awake[w, m.dof_treeid[i]]:
                if d.qvel[w * m.nv + i] != 0 or d.qfrc_applied[w * m.nv + i] != 0:
                    wake(m, d, w, m.dof_treeid[i], FULLY)
        for b in range(m.nbody):
            t = m.sleep_body[b]
            if t >= 0:
                f = d.xfrc_applied[bounded(w * m.nbody + b), 0]
                n = d.xfrc_applied[bounded(w * m.nbody + b), 1]
                if not d.tree_awake[w, t] and f.dot(f) + n.dot(n) > 0:
                    wake(m, d, w, t, FULLY)
        note_awake(m, d, w)
        wake_strung(m, d, w)
        note_awake(m, d, w)


@serves("tendon")
@ti.func
def wake_strung(m: ti.template(), d: ti.template(), w: ti.i32):
    """Trees that a tendon ties to one that is awake, where it is at a limit."""
    for k in range(m.ntendon):
        t1 = m.ten_tree1[k]
        t2 = m.ten_tree2[k]
        if m.tendon_limited[k] and t1 >= 0 and t2 >= 0:
            x = d.ten_length[w, k]
            margin = m.tendon_margin[k]
            if ti.min(x - m.tendon_range[k, 0], m.tendon_range[k, 1] - x) < margin:
                if d.tree_awake[w, t1] != d.tree_awake[w, t2]:
                    if d.tree_awake[w, t1]:
                        wake(m, d, w, t2, tree_asleep(m, d, w, t1))
                    else:
                        wake(m, d, w, t1, tree_asleep(m, d, w, t2))


@outline("md", "w", when="sleep")
@ti.func
def rest_forces(m: ti.template(), d: ti.template(), w: ti.i32):
    """No force acts on what sleeps."""
    for i in range(m.nv):
        if dof_sleeps(m, d, w, i):
            d.qfrc_smooth[w, i] = 0.0


@serves("sleep")
@ti.func
def can_sleep(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """Whether tree t may sleep, is slow, and the user pulls at it nowhere."""
    good = m.sleep_policy[t] != 0
    for i in range(m.nv):
        if m.dof_treeid[i] == t:
            v = m.sleep_length[i] * ti.abs(d.qvel[w * m.nv + i])
            slow = v < m.sleep_tolerance or v == 0 and m.sleep_tolerance == 0
            good = good and slow and d.qfrc_applied[w * m.nv + i] == 0
    for b in range(m.nbody):
        if m.sleep_body[b] == t:
            f = d.xfrc_applied[bounded(w * m.nbody + b), 0]
            n = d.xfrc_applied[bounded(w * m.nbody + b), 1]
            good = good and f.dot(f) + n.dot(n) == 0
    return good


@ti.func
def top_of(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    k = t
    while d.tree_link[w, k] != k:
        k = d.tree_link[w, k]
    return k


@ti.func
def tie(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, j: ti.i32):
    """Trees of dofs i and j are in one island."""
    if i >= 0 and j >= 0:
        a = top_of(m, d, w, m.dof_treeid[i])
        b = top_of(m, d, w, m.dof_treeid[j])
        d.tree_link[w, ti.max(a, b)] = ti.min(a, b)


@serves("sleep")
@ti.func
def fall(m: ti.template(), d: ti.template(), w: ti.i32):
    """Expects islands in tree_link. Of those whose trees are all ready, velocities are zero and `falling` says so."""
    nt = m.nsleeptree
    for t in range(nt):
        now = tree_asleep(m, d, w, t)
        d.tree_ready[w, t] = 1
        d.tree_last[w, t] = -1
        d.tree_next[w, t] = -1
        if now < 0:
            x = ti.min(now + 1, -1)
            if not can_sleep(m, d, w, t):
                x = FULLY
            set_asleep(m, d, w, t, x)
    for t in range(nt):
        if tree_asleep(m, d, w, t) != -1:
            d.tree_ready[w, top_of(m, d, w, t)] = 0
    for t in range(nt):
        top = top_of(m, d, w, t)
        if d.tree_ready[w, top]:
            before = d.tree_last[w, top]
            if before >= 0:
                d.tree_next[w, before] = t
            d.tree_next[w, t] = top  # the first one, of the least number
            d.tree_last[w, top] = t
            d.falling[w] = 1
    for i in range(m.nv):
        if d.tree_next[w, m.dof_treeid[i]] >= 0:
            d.qvel[w * m.nv + i] = 0.0


@outline("md", "w", when="sleep")
@ti.func
def settle(m: ti.template(), d: ti.template(), w: ti.i32):
    """Trees that fall asleep do so now: where they are, and what their sensors told, is kept."""
    for i in range(m.nq):
        if d.tree_next[w, m.sleep_qpos[i]] >= 0:
            d.act[qpos_asleep(m, w, i)] = d.qpos[w * m.nq + i]
    for i in range(m.nv):
        if d.tree_next[w, m.dof_treeid[i]] >= 0:
            d.qacc_warmstart[w * m.nv + i] = 0.0
    for t in range(m.nsleeptree):
        if d.tree_next[w, t] >= 0:
            set_asleep(m, d, w, t, d.tree_next[w, t])
            d.act[has_slept(m, w, t)] = 1.0
    if ti.static(has.sensor):
        for s in range(m.nsleepsensor):
            if m.sensor_held[s] >= 0 and all_sleep(m, d, w, m.sensor_tree1[s], m.sensor_tree2[s]):
                new = d.tree_next[w, m.sensor_tree1[s]] >= 0
                if m.sensor_tree2[s] >= 0:
                    new = new or d.tree_next[w, m.sensor_tree2[s]] >= 0
                if new:
                    for k in range(m.sensor_dim[s]):
                        told = d.sensordata[w * m.nsensordata + m.sensor_adr[s] + k]
                        d.act[w * m.na + m.sensor_held[s] + k] = told
    d.falling[w] = 0


@serves("sleep")
@ti.func
def tell_asleep(m: ti.template(), d: ti.template(), w: ti.i32):
    """Sensors of what sleeps tell what they told last."""
    for s in range(m.nsleepsensor):
        if m.sensor_held[s] >= 0:
            if all_sleep(m, d, w, m.sensor_tree1[s], m.sensor_tree2[s]):
                for k in range(m.sensor_dim[s]):
                    a = w * m.na + m.sensor_held[s] + k
                    d.sensordata[w * m.nsensordata + m.sensor_adr[s] + k] = d.act[a]


@outline("md", "w", when="sleep")
@ti.func
def stay(m: ti.template(), d: ti.template(), w: ti.i32):
    """After a step what sleeps is where it was, to the bit."""
    if m.nsleeptree > 0:
        for i in range(m.nq):
            if sleeping(m, d, w, m.sleep_qpos[i]):
                d.qpos[w * m.nq + i] = place_asleep(m, d, w, i)
        for i in range(m.nv):
            if dof_sleeps(m, d, w, i):
                d.qvel[w * m.nv + i] = 0.0
