"""Images made where none can be pulled: a Debian by debootstrap, and on it our image and those of the servers.

Each image carries a digest of what it is made of in its tag, so an unchanged one is not built again.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from devstack.jars import classpath
from devstack.registry import program
from settings import CHECKOUT, Settings

HERE = Path(__file__).parent / "images"
DEBIAN = "bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PREFIX = "hourstream-local"
_ENVIRONMENT = {**os.environ, "DOCKER_BUILDKIT": "0"}
_OURS = ("ops/container/Dockerfile", "requirements.lock", "pyproject.toml", "README.md", "LICENSE", "settings.py")


def run(*command: str, seconds: float = 900) -> str:
    """Standard output of a command. Raises RuntimeError with the end of what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=_ENVIRONMENT, check=False)
    if done.returncode:
        said = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}\n{said}")
    return done.stdout


def exists(tag: str) -> bool:
    """Whether the engine has an image of that tag."""
    return bool(run("docker", "images", "--quiet", tag).strip())


def debian() -> str:
    """A minimal Debian."""
    tag = f"{PREFIX}/debian:{DEBIAN}"
    if not exists(tag):
        with tempfile.TemporaryDirectory() as folder:
            archive, root = Path(folder) / "root.tar", Path(folder) / "root"
            run("debootstrap", "--variant=minbase", DEBIAN, str(root))
            run("tar", "--create", "--file", str(archive), "--directory", str(root), ".")
            run("docker", "import", str(archive), tag)
    return tag


def base() -> str:
    """Debian with Python, Java, PostgreSQL and Prometheus, and the host's certificates."""
    return _built("base", {"ca-certificates.crt": CERTIFICATES}, DEBIAN=debian())


def kafka(settings: Settings) -> str:
    """Kafka from the embedded broker's jars."""
    jars = classpath(settings.cache_dir, print)
    files = {f"libs/{number:02}-{jar.name}": jar for number, jar in enumerate(jars)}
    scripts = {name: HERE / name for name in ("kafka.sh", "kafka-broker-api-versions.sh")}
    return _built("kafka", {**files, **scripts}, BASE=base())


def registry(settings: Settings) -> str:
    """Apicurio Registry."""
    folder = program(settings.cache_dir, print).parent
    files = {f"registry/{file.relative_to(folder)}": file for file in sorted(folder.rglob("*")) if file.is_file()}
    return _built("registry", files, BASE=base())


def postgres() -> str:
    """PostgreSQL."""
    return _built("postgres", {"postgres.sh": HERE / "postgres.sh"}, BASE=base())


def prometheus() -> str:
    """Prometheus."""
    return _built("prometheus", {}, BASE=base())


def alertmanager() -> str:
    """Alertmanager."""
    return _built("alertmanager", {}, BASE=base())


def ours() -> str:
    """Our own image, by its own Dockerfile, on the base instead of the official Python."""
    tracked = run("git", "-C", str(CHECKOUT), "ls-files", "-z").split("\0")
    packages = {file.parent.name for file in CHECKOUT.glob("*/__init__.py")} - {"benchmarks", "ops", "tests"}
    wanted = (name for name in tracked if name in _OURS or name.partition("/")[0] in packages)
    files = {name: CHECKOUT / name for name in wanted if (CHECKOUT / name).is_file()}
    return _built("hourstream", files, dockerfile=CHECKOUT / "ops" / "container" / "Dockerfile", PYTHON_IMAGE=base())


def _built(name: str, files: dict[str, Path], dockerfile: Path | None = None, **arguments: str) -> str:
    dockerfile = dockerfile or HERE / f"{name}.Dockerfile"
    digest = hashlib.sha256(dockerfile.read_bytes() + repr(sorted(arguments.items())).encode())
    for place, file in sorted(files.items()):
        digest.update(f"{place} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    tag = f"{PREFIX}/{name}:{digest.hexdigest()[:16]}"
    if exists(tag):
        return tag
    with tempfile.TemporaryDirectory() as folder:
        for place, file in files.items():
            target = Path(folder) / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            target.chmod(0o755 if os.access(file, os.X_OK) else 0o644)  # a cache may be private to its owner
        for inner in Path(folder).rglob("*/"):
            inner.chmod(0o755)
        shutil.copy(dockerfile, Path(folder) / "Dockerfile")
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        run("docker", "build", "--quiet", "--network", "host", "--tag", tag, *given, folder)
    return tag


def build_all() -> dict[str, str]:
    """The tag of each service's image, built where the engine has none of its content."""
    settings = Settings.load()
    return {
        "hourstream": ours(),
        "kafka": kafka(settings),
        "registry": registry(settings),
        "postgres": postgres(),
        "prometheus": prometheus(),
        "alertmanager": alertmanager(),
    }


if __name__ == "__main__":
    for service, image in build_all().items():
        print(f"{service}: {image}")
