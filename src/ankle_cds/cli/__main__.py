"""`python -m ankle_cds.cli`: the same as `ankle-cds`."""

import sys

from ankle_cds.cli import main

if __name__ == "__main__":
    sys.exit(main())
