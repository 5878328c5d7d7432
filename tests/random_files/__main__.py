"""`python -m tests.random_files`; run.py has it all, where processes of their own find it."""

import sys

from tests.random_files.run import main

sys.exit(main())
