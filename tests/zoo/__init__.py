"""Small MJCF models, each isolating one feature, and random states for them; a file for each subject.

A model is XML text with `{option}` filled in, so that one robot serves every cone and integrator.
"""

from tests.zoo.actuators import *  # noqa: F403
from tests.zoo.bodies import *  # noqa: F403
from tests.zoo.contacts import *  # noqa: F403
from tests.zoo.joints import *  # noqa: F403
from tests.zoo.sensors import *  # noqa: F403
from tests.zoo.smooth import *  # noqa: F403
from tests.zoo.states import *  # noqa: F403
from tests.zoo.tendons import *  # noqa: F403
