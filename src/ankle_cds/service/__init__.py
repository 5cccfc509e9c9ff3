"""The door for EHRs: CDS Hooks over HTTP. https://cds-hooks.hl7.org/2.0/ ."""

from ankle_cds.service.app import create_app, guidance_settings
from ankle_cds.service.remembering import Remembering
from ankle_cds.service.routes import discovery_entries, offered_hooks
from ankle_cds.service.server import background, run

__all__ = ["Remembering", "background", "create_app", "discovery_entries", "guidance_settings", "offered_hooks", "run"]
