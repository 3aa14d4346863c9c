"""`edgehome replay`: clips, or recorded scores, through rules; no broker, no process, no clock."""

from datetime import UTC, datetime

MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)
"""What the clock shows at a clip's first frame unless another time is given."""
