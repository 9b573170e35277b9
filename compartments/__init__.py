"""The words of the circuit language: compartments, connections, functions, rules, library cells."""

from .connectivity import (
    CONNECTIVITY as CONNECTIVITY,
    Connectivity as Connectivity,
    is_autapse as is_autapse,
    weight_mask as weight_mask,
    weight_shape as weight_shape,
)
from .distributions import DISTRIBUTIONS as DISTRIBUTIONS, Distribution as Distribution
from .functions import FUNCTIONS as FUNCTIONS, Function as Function, kind_of as kind_of
from .initialisers import (
    INITIALISERS as INITIALISERS,
    Initialiser as Initialiser,
    RandomStream as RandomStream,
    draw as draw,
)
from .library import CELLS as CELLS, library_text as library_text
from .optimizers import OPTIMIZERS as OPTIMIZERS, UpdateRule as UpdateRule
from .place import PLACES as PLACES, PlaceWord as PlaceWord
from .roles import ROLES as ROLES, Role as Role, role_of as role_of
from .signs import SIGNS as SIGNS, Sign as Sign
from .weight_properties import PROPERTIES as PROPERTIES, Property as Property

__all__ = [
    "CELLS",
    "CONNECTIVITY",
    "Connectivity",
    "DISTRIBUTIONS",
    "Distribution",
    "FUNCTIONS",
    "Function",
    "INITIALISERS",
    "Initialiser",
    "OPTIMIZERS",
    "PLACES",
    "PROPERTIES",
    "Property",
    "ROLES",
    "PlaceWord",
    "RandomStream",
    "SIGNS",
    "Sign",
    "Role",
    "UpdateRule",
    "draw",
    "is_autapse",
    "kind_of",
    "library_text",
    "role_of",
    "weight_mask",
    "weight_shape",
]
