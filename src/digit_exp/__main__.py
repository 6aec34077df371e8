"""`python -m digit_exp`."""

import sys

from digit_exp.app.entry import main

sys.exit(main())
