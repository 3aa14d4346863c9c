"""The topics of one node, all under its base; only `<id>` and rule slugs are in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of the node of one identity."""

    identity: str
    """`<id>`: see `device_identity`."""

    @property
    def base(self) -> str:
        """What all topics but the discovery topic begin with."""
        return f"edgehome/{self.identity}"

    @property
    def availability(self) -> str:
        """`online` or `offline`, retained; the broker says `offline` when the node is lost."""
        return f"{self.base}/availability"

    @property
    def state(self) -> str:
        """What the node sees and what ails it: one JSON object, retained."""
        return f"{self.base}/state"

    @property
    def alert(self) -> str:
        """Each alert once (more than once after an outage, with the same id), not retained."""
        return f"{self.base}/alert"

    @property
    def last_alert(self) -> str:
        """The newest alert, retained: for whoever was away."""
        return f"{self.base}/alert/last"

    @property
    def heartbeat(self) -> str:
        """The counters, sent while the node works, not retained."""
        return f"{self.base}/heartbeat"

    @property
    def snapshot(self) -> str:
        """The picture of the last alert, a JPEG; retained only where the config says so."""
        return f"{self.base}/snapshot"

    @property
    def snapshot_attributes(self) -> str:
        """Which alert the picture belongs to, and when it was taken; sent before the picture."""
        return f"{self.base}/snapshot/attributes"

    @property
    def mode(self) -> str:
        """`disarmed`, `home`, `away` or `night`, retained."""
        return f"{self.base}/mode"

    @property
    def motion(self) -> str:
        """Percent of the picture that moves, in coarse steps; `None` while unknown; retained."""
        return f"{self.base}/motion"

    @property
    def armed(self) -> str:
        """Where there was a switch before there were modes; only to be cleared."""
        return f"{self.base}/armed"

    def rule(self, slug: str) -> str:
        """Return the topic that is `ON` while the rule fires, retained."""
        return f"{self.base}/rule/{slug}"

    def rule_attributes(self, slug: str) -> str:
        """Return the topic of what is to be known of the rule beside its state, retained."""
        return f"{self.base}/rule/{slug}/attributes"

    def mute(self, slug: str) -> str:
        """Return the topic that is `ON` while the rule raises no alerts, retained."""
        return f"{self.base}/{mute_key(slug)}"

    def threshold(self, slug: str) -> str:
        """Return the topic of `above` of an adjustable rule, retained."""
        return f"{self.base}/{threshold_key(slug)}"

    @property
    def taught(self) -> str:
        """What is being taught and how far each taught activity is: one JSON object, retained."""
        return f"{self.base}/taught"

    @property
    def update(self) -> str:
        """The version that runs and the newest that is known, retained."""
        return f"{self.base}/update"

    def command(self, key: str) -> str:
        """Return the topic on which Home Assistant asks the node to change `key`."""
        return f"{self.base}/{key}/set"

    def discovery(self, prefix: str) -> str:
        """Return the topic of the one discovery message of the device, retained."""
        return f"{prefix}/device/{self.identity}/config"


def mute_key(slug: str) -> str:
    """Return what stands between base and `/set` in the command that mutes a rule."""
    return f"rule/{slug}/mute"


def threshold_key(slug: str) -> str:
    """Return what stands between base and `/set` in the command that sets a rule's threshold."""
    return f"rule/{slug}/threshold"
