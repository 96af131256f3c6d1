"""Metrics: arrays in, numbers out. They never see a model, a data set or a device.

Every score works on numpy arrays and on torch tensors, of shape (example, code) for codes and
(example, factor) for class indices. ``mrtc metrics`` lists them.
"""

from mrtc.metrics.active_units import active_units
from mrtc.metrics.aggregate import aggregate_terms
from mrtc.metrics.beta_vae import beta_vae
from mrtc.metrics.catalogue import CATALOGUE, Metric, choose
from mrtc.metrics.ceiling import image_keys, information_ceiling
from mrtc.metrics.dci import dci_fast, dci_gbt
from mrtc.metrics.effective_units import effective_dimension, soft_active_units
from mrtc.metrics.explicitness import explicitness
from mrtc.metrics.factor_vae import factor_vae
from mrtc.metrics.importance_weighted import importance_weighted_bound
from mrtc.metrics.infomec import info_c, info_e, info_m
from mrtc.metrics.information import information_matrix
from mrtc.metrics.irs import irs
from mrtc.metrics.mig import mig_chen
from mrtc.metrics.mig_histogram import mig_locatello, mig_quantile
from mrtc.metrics.mig_variants import dcimig, jemmig, mig_sup
from mrtc.metrics.modularity import modularity
from mrtc.metrics.rate_distortion import rate_per_code, rate_per_example
from mrtc.metrics.sap import sap_continuous, sap_discrete
from mrtc.metrics.score import Score
from mrtc.metrics.scorecard import Representation, scorecard
from mrtc.metrics.udr import udr
from mrtc.metrics.uncertainty import bootstrap_interval, permutation_null

__all__ = [
    "CATALOGUE",
    "Metric",
    "Representation",
    "Score",
    "active_units",
    "aggregate_terms",
    "beta_vae",
    "bootstrap_interval",
    "choose",
    "dci_fast",
    "dci_gbt",
    "dcimig",
    "effective_dimension",
    "explicitness",
    "factor_vae",
    "image_keys",
    "importance_weighted_bound",
    "info_c",
    "info_e",
    "info_m",
    "information_ceiling",
    "information_matrix",
    "irs",
    "jemmig",
    "mig_chen",
    "mig_locatello",
    "mig_quantile",
    "mig_sup",
    "modularity",
    "permutation_null",
    "rate_per_code",
    "rate_per_example",
    "sap_continuous",
    "sap_discrete",
    "scorecard",
    "soft_active_units",
    "udr",
]
