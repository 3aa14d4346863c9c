"""What is well and what is not, part by part, each with its remedy.

Every check is a function of texts, or of a tree of files whose root is an argument, and yields
findings; what cannot be told yields nothing, or says so. `examination` puts them in order.
"""

from edgehome.doctor.examination import examine
from edgehome.doctor.finding import Finding, render

__all__ = ["Finding", "examine", "render"]
