"""What the tests of a training share."""

import sys

from tutorial.home import PROJECT

sys.path.append(str(PROJECT / "tests" / "app"))  # whose `plain` tells what a sentence is
