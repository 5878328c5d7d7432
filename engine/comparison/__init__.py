"""Two models of a robot under the same controls: where they differ first (`engine.compare`).

`aligned.py`: which element is which; `numbers.py`: arrays that differ; `terms.py`: the terms of a step side by side;
`compare.py`: the rollout, the first difference; `result.py`: how it is told.
"""

from .compare import compare
from .result import Comparison, Part

__all__ = ["Comparison", "Part", "compare"]
