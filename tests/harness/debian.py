"""Debian's programs, in a folder of their own beside the system: downloaded once, then kept, unpacked and never installed.

An apt root in the folder knows a suite from the mirror that this machine uses for its own: `sid` for static Go, which wants
glibc 2.34, and the machine's own for what is linked against its libraries.
"""

import fcntl
import os
import shutil
import subprocess

SUITE = "sid"

# Where Debian's package of keys puts them.
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Package by program.
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "promtool",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "vmagent": "victoria-metrics",
}


class Unavailable(Exception):
    """A program that cannot be had, with the reason."""


def programs(folder, names):
    """The paths of programs by name, downloaded into `folder` where they are not there yet."""
    os.makedirs(folder, exist_ok=True)
    paths = {name: os.path.join(folder, "root", "usr", "bin", name) for name in names}
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [name for name in names if not os.path.exists(paths[name])]
        if missing:
            download(folder, sorted({PACKAGES[name] for name in missing}))
    gone = [name for name in names if not os.path.exists(paths[name])]
    if gone:
        raise Unavailable(f"Debian's packages do not hold {gone} any more")
    return paths


def unpacked(folder, packages):
    """The root of packages of the machine's own suite, downloaded into `folder` where they are not there yet."""
    os.makedirs(folder, exist_ok=True)
    mark = os.path.join(folder, "unpacked.txt")
    wanted = "\n".join(sorted(packages))
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if read(mark) != wanted:
            download(folder, sorted(packages), release()["VERSION_CODENAME"])
            write(mark, wanted)
    return os.path.join(folder, "root")


def download(folder, packages, suite=SUITE):
    """Unpacks packages into `folder/root`."""
    apt = root_of_apt(folder, suite)
    run(["apt-get", "update", "-qq"], folder, apt)
    archives = os.path.join(folder, "archives")
    shutil.rmtree(archives, ignore_errors=True)
    os.makedirs(archives)
    run(["apt-get", "download", "-qq", *packages], archives, apt)
    for name in sorted(os.listdir(archives)):
        run(["dpkg", "-x", os.path.join(archives, name), os.path.join(folder, "root")], folder, apt)
    print(f"from Debian {suite}: {sorted(os.listdir(archives))}", flush=True)
    shutil.rmtree(archives)


def root_of_apt(folder, suite):
    """The settings of an apt whose lists, cache and state lie in `folder`."""
    apt = os.path.join(folder, "apt")
    for each in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(apt, each), exist_ok=True)
    write(os.path.join(apt, "status"), "")
    write(os.path.join(apt, "sources.list"), f"deb [signed-by={KEYS}] {mirror()} {suite} main\n")
    settings = os.path.join(apt, "apt.conf")
    lines = [
        f'Dir::State "{apt}";', 'Dir::State::lists "lists";', f'Dir::State::status "{apt}/status";',
        f'Dir::Cache "{apt}/cache";', f'Dir::Etc::sourcelist "{apt}/sources.list";', 'Dir::Etc::sourceparts "-";',
        'Dir::Etc::preferencesparts "-";', 'Acquire::Languages "none";', 'APT::Sandbox::User "root";',
        'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
    ]  # fmt: skip
    write(settings, "\n".join(lines) + "\n")
    return settings


def release():
    """What this machine runs, which must be Debian."""
    found = {}
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.strip().partition("=")
                found[name] = value.strip('"')
    except OSError:
        pass
    if found.get("ID") != "debian" or "VERSION_CODENAME" not in found:
        raise Unavailable(f"programs come as Debian's packages, and this machine runs {found.get('ID', 'something else')}")
    return found


def mirror():
    """Where this machine has its own suite from."""
    own = release()["VERSION_CODENAME"]
    listed = run(["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"], "/", None)
    for line in listed.splitlines():
        suite, component, address = line.split(" ", 2)
        if (suite, component) == (own, "main"):
            return address
    raise Unavailable(f"apt knows no mirror of {own}")


def run(command, folder, settings):
    """The output of a command, which has to succeed."""
    environment = os.environ | ({"APT_CONFIG": settings} if settings else {})
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[:2]}: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def read(path):
    """The text of a file; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
