"""The checks, by what they look at. https://cds-hooks.hl7.org/2.0/ ."""
