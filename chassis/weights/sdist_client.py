"""`python sdist_client.py NAME==VERSION DIR`: one source archive, by pip's own index lookup and network session.

`pip download` cannot do it: for a source archive it runs the package's build backend to learn its metadata, which is
code of the package (and needs the backend installed). pip has no public call that stops before that, so this program
uses the internal pieces that `pip download` itself is made of: they read the user's configuration, index, mirrors,
credentials, proxies and certificates. It is a program of its own, so that pip never shares a process with the fleet.
"""

import logging
import sys
from pathlib import Path
from typing import cast

from pip._internal.commands import create_command
from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import PipError
from pip._vendor.packaging.requirements import Requirement

CHUNK = 1 << 20


def main(requirement: str, directory: Path) -> None:
    """Writes the archive into `directory`; exits with status 1 and one line on stderr where it cannot be had."""
    wanted = Requirement(requirement)
    command = cast(DownloadCommand, create_command("download"))
    options, _ = command.parse_args(["--no-deps", "--no-input", "--no-binary", wanted.name, requirement])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        best = finder.find_best_candidate(wanted.name, wanted.specifier).best_candidate
        if best is None:
            raise SystemExit(f"ERROR: No source archive found for {requirement}")
        with session.get(best.link.url_without_fragment, stream=True, headers={"Accept-Encoding": "identity"}) as reply:
            reply.raise_for_status()
            with (directory / best.link.filename).open("wb") as archive:
                for chunk in reply.iter_content(CHUNK):
                    archive.write(chunk)


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except (PipError, OSError) as error:  # the network errors of pip's session are OSErrors
        raise SystemExit(f"ERROR: {error}") from error
