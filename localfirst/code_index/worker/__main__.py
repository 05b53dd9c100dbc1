"""`python -m localfirst.code_index.worker ROOT`: the worker of the project at ROOT, detached from whoever started it.

The process that is called only makes the worker and ends, so that the worker is nobody's child.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

NICENESS = 5
"""People's own programs go first."""


def main() -> None:
    """Parts from the parent and works; an error ends in the log."""
    if hasattr(os, "fork") and os.fork():
        os._exit(0)
    with suppress(OSError, AttributeError):
        os.nice(NICENESS)
    import logging
    from pathlib import Path

    from localfirst.log import log_to_file

    log_to_file()
    status = 1
    try:
        from localfirst import settings
        from localfirst.code_index.worker import process

        process.run(settings.load(Path(sys.argv[1])))
        status = 0
    except BaseException:
        logging.getLogger("localfirst.worker").exception("the worker ended with an error")
    finally:
        logging.shutdown()
        # Threads that hang are not waited for; the lease goes with the process.
        os._exit(status)


if __name__ == "__main__":
    main()
