"""Which contexts and functions an expression may use at which key of a workflow.

After the table "Context availability" of GitHub's documentation.
"""

from tutorial.github.expressions import Availability
from tutorial.github.functions import STATUS

_RUN = ("github", "inputs", "vars")
_JOB = ("github", "needs", "strategy", "matrix", "vars", "inputs")
_STEP_IF = (*_JOB, "job", "runner", "env", "steps")

RUN_NAME = CONCURRENCY = Availability(_RUN)
RUN_ENV = Availability((*_RUN, "secrets"))
JOB_IF = Availability(("github", "needs", "vars", "inputs"), STATUS)
STRATEGY = Availability(("github", "needs", "vars", "inputs"))
JOB = Availability(_JOB)
JOB_ENV = Availability((*_JOB, "secrets"))
JOB_OUTPUT = Availability((*_STEP_IF, "secrets"))
ENVIRONMENT_URL = Availability(_STEP_IF)
DEFAULTS = Availability((*_JOB, "env"))
STEP = Availability((*_STEP_IF, "secrets"), ("hashfiles",))
STEP_IF = Availability(_STEP_IF, (*STATUS, "hashfiles"))
NOWHERE = Availability(())
