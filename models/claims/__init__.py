"""Claims: what papers state about the circuits, measured on the circuit files themselves.

A claim has an id ("pem.bounds"), the place in the paper, the statement, how it is computed, what is
expected and how near. The quick ones are tests; the slow ones are run by `apical claims --slow`.
"""

from .claim import KINDS as KINDS, Claim as Claim, Verdict as Verdict
from .ledger import MODELS as MODELS, claims as claims, run as run

__all__ = ["KINDS", "MODELS", "Claim", "Verdict", "claims", "run"]
