"""`python -m digit_exp`."""

import sys

from digit_exp.app.cli import main

sys.exit(main())
