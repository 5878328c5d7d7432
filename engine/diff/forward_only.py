"""What can be simulated and has no gradient, asked before anything is allocated for one."""


def require_gradient(sim, what):
    """Raises ValueError where steps of a simulator have no gradient; what: who asks for it."""
    if sim.sizes["nslip"]:
        raise ValueError(
            f"{what}: option noslip_iterations = {sim.model.opt.noslip_iterations} has no gradient, since what it does "
            "after the solver minimises nothing; allowed: 0 (model.opt.noslip_iterations = 0)"
        )
    if sim.sizes["nsleeptree"]:
        raise ValueError(
            f"{what}: the option sleep has no gradient, since trees of bodies stop at once; allowed: False "
            "(model.opt.sleep = False)"
        )
    if sim.model.opt.speculative:
        raise ValueError(
            f"{what}: the option speculative has no gradient, since contacts before an impact come and go at once; "
            "allowed: False (model.opt.speculative = False)"
        )
