"""Delivery: an alert is delivered when the home has it, not when a socket took it."""

from edgehome.delivery.delivery import Delivery
from edgehome.delivery.status import DeliveryStatus

__all__ = ["Delivery", "DeliveryStatus"]
