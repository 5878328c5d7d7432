"""The kinds of elements that a robot is made of, one file each: here is their list. kind.py says what a kind is.

A kind reads what the kinds before it have made, and messages come in this order.
"""

from .actuator import Actuator
from .body import Body
from .equality import Equality
from .foreign import Flex, Plugin
from .geom import Geom
from .hfield import HField
from .joint import Joint
from .key import Key
from .mesh import Mesh
from .option import OptionKind
from .pair import PairKind
from .residual import Residual
from .sensor import Sensor
from .site import Site
from .tendon import Tendon

OPTION, KEY = OptionKind(), Key()
KINDS = (
    OPTION, Body(), Flex(), Plugin(), Joint(), Geom(), Mesh(), HField(), Site(), Tendon(), Equality(), Actuator(),
    Sensor(), PairKind(), Residual(), KEY,
)  # fmt: skip


class Methods(
    Body.Methods, Joint.Methods, Tendon.Methods, Geom.Methods, HField.Methods, Site.Methods, Equality.Methods,
    Actuator.Methods, Sensor.Methods, PairKind.Methods, Key.Methods,
):  # fmt: skip
    """The methods of a builder that add an element; they return its name."""
