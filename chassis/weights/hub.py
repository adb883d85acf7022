"""The model hub as a source: huggingface_hub fetches single files, with its own settings (HF_ENDPOINT, HF_TOKEN, …)."""

from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from chassis.weights.catalog import HubFile, ModelFile
from chassis.weights.errors import STORAGE_ERRNOS, ContentError, SourceError
from chassis.weights.settings import SourceName
from chassis.weights.source import Arrived, Finished, Outcome, sha256_of


class HubSource:
    """Fetches each file whole; huggingface_hub continues a file that was interrupted."""

    name = SourceName.HUB.value

    def offers(self, file: ModelFile) -> bool:
        return file.hub is not None

    def fetch(self, files: Sequence[ModelFile], workspace: Path, arrived: Arrived) -> Generator[Outcome]:
        done = 0
        for file in files:
            if file.hub is None:
                raise SourceError(f"{self.name}: does not have {file.model}/{file.name}")
            path = self._download(file.hub, workspace / "hub", partial(_add, arrived, done))
            if (got := sha256_of(path)) != file.sha256:
                path.unlink()
                yield ContentError(model=file.model, file=file.name, source=self.name, expected=file.sha256, got=got)
                continue
            done += file.size
            yield Finished(file, path)

    def _download(self, file: HubFile, workspace: Path, arrived: Arrived) -> Path:
        # Imported here because it takes longer than all the rest of a start with every file in place.
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError
        from huggingface_hub.utils.tqdm import tqdm

        class Meter(tqdm):
            """The progress bar that huggingface_hub calls; it draws nothing."""

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **(kwargs | {"disable": True}))  # type: ignore[no-untyped-call] # tqdm has no types
                self.length = int(kwargs.get("initial") or 0)

            def update(self, n: float | None = 1) -> bool | None:
                self.length += int(n or 0)
                arrived(self.length)
                return None

        try:
            return Path(
                hf_hub_download(
                    file.repo, file.file, revision=file.revision, local_dir=workspace / file.repo, tqdm_class=Meter
                )
            )
        except Exception as error:  # its transport, and with it what it raises, differs from release to release
            if isinstance(error, OSError) and error.errno in STORAGE_ERRNOS:
                raise
            if isinstance(error, LocalEntryNotFoundError):
                raise SourceError(f"{self.name}: the model hub cannot be reached: {error.__cause__}") from error
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise SourceError(f"{self.name}: cannot get {file.repo}/{file.file}: {reason}") from error


def _add(arrived: Arrived, before: int, length: int) -> None:
    arrived(before + length)
