"""Pictures of the operators for docs/operators, each a function drawing synthetic data from a fixed seed.

A module that is not in `PLOTS` has no picture.
"""

import plots_folds
import plots_market
import plots_relations
from plotting import Plot

PLOTS: dict[str, Plot] = {**plots_relations.PLOTS, **plots_market.PLOTS, **plots_folds.PLOTS}
"""What is drawn, by module."""
