"""`voxfleet up` over scripted servers, as a process of its own: what the tests of signals send theirs to.

Each argument is one server: `NAME` or `NAME:ARG,ARG`. `LEASH` in the environment chooses the leash.
"""

import asyncio
import os
import sys
from typing import cast

from rich.console import Console

from client.commands import up
from client.fleet.leash import DEFAULT_MODE, LeashMode
from client.fleet.supervisor import FleetError
from tests.support.fleets import fleet_of, scripted


def main() -> int:
    plan = fleet_of(
        *(
            scripted(name, *filter(None, args.split(",")), drain_s=60.0)
            for name, _, args in (argument.partition(":") for argument in sys.argv[1:])
        )
    )
    leash = cast("LeashMode", os.environ.get("LEASH", DEFAULT_MODE))
    try:
        return asyncio.run(up.serve(plan, Console(), leash=leash))
    except FleetError as error:
        print(f"error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
