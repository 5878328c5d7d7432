"""What the table of all device arrays (schema.py) is made of: a buffer with its columns, and the names of sizes and
options, of which a model has one number each."""

from collections import namedtuple

from engine.theta import FOLLOWING, LEAVES, THETA

# ---------------------------------------------------------------------------------------------- sizes (m.dims)

DIMS = (
    "nbody njnt nq nv nu na ngeom npair nsite nsensor nsensordata integrator cone iterations ls_iterations "
    "eulerdamp nconmax nrowmax ntheta nstage ld ncoord nm nh nchain nsweep nalways nnear nmatch neq nmocap ntree stray "
    "ntendon nwrap nJten nspan nccdvert nccdface ccd_iterations multiccd npoly nprism nnetted noslip_iterations "
    "noslip_apart diagexact bare_metric narm narmdof nturn ndelay nmuscle nflow nlate nmetric nmetrictendon nservo "
    "nmotor nso3 nresidual nresidualwork nresidualbar nrest nrestjoint nresttendon nrestJ nrub latefirst lateend "
    "ncam nsleeptree nsleepsensor sleepfirst speculative "
    "nbodyleaf nshapeleaf ncontactleaf nlimitleaf njointleaf nsiteleaf ninertialeaf nfrictionleaf "
    "ntendonleaf nequalityleaf nframeleaf ntaken nfieldleaf "
) + " ".join(p.offset for p in THETA + LEAVES + FOLLOWING)

# ------------------------------------------------------------------------------------- opt (m.opt), not differentiated
OPT = (
    "timestep impratio tolerance refsafe magnetic_x magnetic_y magnetic_z ccd_tolerance density viscosity "
    "wind_x wind_y wind_z noslip_tolerance resolved sleep_tolerance"
)

Column = namedtuple("Column", "name start size")


class Buffer:
    """dtype: real, int, vec3, vec4. count: the symbol counted (a function of the sizes). columns: "name name:size ...",
    without which the buffer is its own column. width: all elements of an entity. blocks: column-major."""

    def __init__(self, name, dtype, count, columns=None, blocks=False):
        self.name, self.dtype, self.count, self.blocks = name, dtype, count, blocks
        self.columns, self.width = {}, 0
        for column in (columns or name).split():
            column, _, size = column.partition(":")
            self.columns[column] = Column(column, self.width, int(size or 1))
            self.width += int(size or 1)
