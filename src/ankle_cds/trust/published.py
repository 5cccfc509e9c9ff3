"""Keys whose private half anybody can read: good for tests, never for patients.

Each is named by its thumbprint (https://www.rfc-editor.org/rfc/rfc7638), so that a new name does not hide it.
"""

PUBLISHED = {
    "s9fOe-KDYD1myZ8YCzleUqJQgrYZL49kVijBxhnZvZc": "CDS Hooks sandbox (cds-hooks/sandbox, keys/)",
    "RBFgQFFUIf4hfG8iUUZrf3vFZ_V2r3YRGPx9nKJXk5M": "Inferno Da Vinci CRD test kit, ES384",
    "Q7fgcIzqt0bVAKsWaw_FyUFSDDpOTfsGdGtjJmAnzFY": "Inferno Da Vinci CRD test kit, RS384",
}
"""Where a key was published, by thumbprint."""
