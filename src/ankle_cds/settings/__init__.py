"""Site configuration: one YAML file and the environment, checked at start, refused with file and line.

A site sets how the service is reached, which FHIR servers it may read, and the parameters of the logic by their CQL
names. Every value is checked against the type the logic declares; a name the logic does not know is refused.

site       the settings, their defaults, and what is refused before anything is served
loading    where they are read from
of_logic   the parameters of the logic
"""

from ankle_cds.settings.loading import load
from ankle_cds.settings.of_logic import PER_CALL, Declared, site_parameters
from ankle_cds.settings.site import Settings

__all__ = ["PER_CALL", "Declared", "Settings", "load", "site_parameters"]
