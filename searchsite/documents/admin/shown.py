"""How states, steps and reasons look in every list of the admin."""

from searchsite.documents.shown import STEPS, percent_of, state_badge, step_label, with_reason

__all__ = ["STEPS", "percent_of", "state_badge", "step_label", "with_reason"]
