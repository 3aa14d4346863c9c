"""From scores to alerts: inactive, pending, firing, in Prometheus' words.

Pure: time and identities are arguments. docs/reference/rules.md has the meaning of everything.
"""

from edgehome.rules.engine import RuleEngine
from edgehome.rules.states import RuleStatus, State, Transition, Verdict

__all__ = ["RuleEngine", "RuleStatus", "State", "Transition", "Verdict"]
