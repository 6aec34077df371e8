"""`python -m digit_exp`."""

import sys

from digit_exp.cli.entry import main

sys.exit(main())
