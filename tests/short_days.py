"""`edgehome` on a machine whose /sys is a folder, where minutes are seconds.

EDGEHOME_TEST_SYSFS=FOLDER python tests/short_days.py run ...
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from edgehome import app, health, heat, supervisor
from edgehome.__main__ import main

heat.DOWN_S, heat.UP_S = 2.0, 3.0
health.CHECK_S = 0.3
supervisor.HEARTBEAT_S = 0.5
app.examine = partial(health.examine, sysfs=Path(os.environ["EDGEHOME_TEST_SYSFS"]))

if __name__ == "__main__":
    sys.exit(main())
