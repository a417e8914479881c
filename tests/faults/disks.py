"""File systems without room, without inodes and read-only, and a process without descriptors.

Small ext4 in loop-mounted files, so that the errors come from the kernel and at the moments that it chooses: the last write that
still finds some room is a short one. Needs root and loop devices; what cannot be done is said and not counted.
"""

import glob
import os
import resource
import subprocess

from power import PowerCutDisk
from workload import Bench

MIB = 1 << 20

# Rounds of the workload on such a disk: so many that the log comes to its next file, whatever it has room for in this one.
ROUNDS = 8


class Ballast:
    """Files that take what is left of a file system, until they are removed."""

    def __init__(self, mount_point):
        self.folder = os.path.join(mount_point, "ballast")
        os.makedirs(self.folder, exist_ok=True)

    def take_bytes(self, left):
        """Takes all but about `left` bytes."""
        status = os.statvfs(self.folder)
        with open(os.path.join(self.folder, "bytes"), "wb") as file:
            size = max(0, status.f_bavail * status.f_frsize - left)
            while size >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                    return
                except OSError:
                    # The file's own blocks of administration need room, too.
                    size -= max(4096, size // 200)

    def take_inodes(self, left=0):
        """Takes all inodes but `left`."""
        for number in range(os.statvfs(self.folder).f_favail - left):
            try:
                open(os.path.join(self.folder, f"{number}"), "wb").close()
            except OSError:
                return

    def give_back(self):
        for path in glob.glob(os.path.join(self.folder, "*")):
            os.remove(path)


class Place:
    """A bench on a small disk, with some data from before the fault."""

    def __init__(self, options, folder, size_bytes=192 * MIB, mkfs=()):
        os.makedirs(folder, exist_ok=True)
        # No blocks kept for root, who the server may be here.
        self.disk = PowerCutDisk(folder, size_bytes, ["-m", "0", "-e", "remount-ro", *mkfs])
        self.bench = Bench(options, folder, options.seed, 8, data_dir=os.path.join(self.disk.mount_point, "data"))
        self.ballast = Ballast(self.disk.mount_point)
        self.bench.server.start()
        self.bench.begin()
        self.bench.work()
        self.bench.recover()

    def without_room(self):
        """The workload on a disk without room: refusals, and statements over what is there are answered."""
        bench = self.bench
        bench.begin()
        bench.work(rounds=ROUNDS)
        if not bench.refused_in_case():
            bench.findings.add("blind", "nothing was refused: the fault was none")
        self.must_answer()

    def must_answer(self):
        self.bench.check(0)
        if not self.bench.look():
            self.bench.findings.add("statement", "a statement was not answered while nothing can be written")

    def start_without_room(self):
        """A kill and a start that finds no room: it works or ends with an error, and does no harm."""
        bench = self.bench
        bench.close_links()
        bench.server.kill()
        try:
            bench.server.start()
            outcome = "it started"
            bench.check(0)
        except RuntimeError:
            outcome = f"it ended with {bench.server.process.poll()}"
            if bench.server.process.poll() != 1:
                bench.findings.add("start", outcome)
                bench.server.end()
        return outcome

    def heal(self):
        """Room is back: whoever runs the server starts it where it ended, as systemd does, and nothing else is done."""
        self.ballast.give_back()
        if self.bench.server.process.poll() is not None:
            self.bench.server.start()
        self.bench.recover()
        self.bench.restart()
        self.bench.begin()
        self.bench.work(rounds=1)
        if self.bench.refused_in_case():
            self.bench.findings.add("refused", "a disk with room refuses")
        self.bench.finish()

    def close(self):
        self.bench.close()
        self.disk.close()


def full(options, folder, checks):
    place = Place(options, folder)
    outcomes = []
    try:
        # With a little left, some writes find room for a part of what they have.
        place.ballast.take_bytes(600_000)
        place.without_room()
        place.ballast.give_back()
        place.bench.recover()
        place.ballast.take_bytes(0)
        place.without_room()
        outcomes.append(place.start_without_room())
        place.heal()
    finally:
        place.close()
    complaints = place.bench.take_complaints()
    print(f"a start on the full disk: {', '.join(outcomes)}")
    checks.row("3.6", "a full disk: refusals, statements answered, recovery by itself", "ext4 on a loop device", complaints)


def inodes(options, folder, checks):
    place = Place(options, folder, mkfs=["-N", "1500"])
    try:
        place.ballast.take_inodes(left=3)
        place.without_room()
        place.ballast.give_back()
        place.bench.recover()
        place.ballast.take_inodes()
        place.without_room()
        outcome = place.start_without_room()
        place.heal()
    finally:
        place.close()
    complaints = place.bench.take_complaints()
    print(f"a start without inodes: {outcome}")
    checks.row("3.6", "no inodes left: refusals, statements answered, recovery by itself", "ext4 on a loop device", complaints)


def read_only(options, folder, checks):
    """An ext4 that met an error goes read-only by itself: files that are open for writing stay so and fail.

    A mount cannot be made read-only by `mount` while files are open for writing, and one that an error made so must be mounted
    anew. The way back under the running server is the part `lasting`, with EROFS.
    """
    check = "a disk that goes read-only: refusals, statements answered, all there when it is mounted again"
    place = Place(options, folder)
    try:
        device = subprocess.run(
            ["findmnt", "-no", "SOURCE", place.disk.mount_point], capture_output=True, text=True, check=True
        )
        switch = f"/sys/fs/ext4/{os.path.basename(device.stdout.strip())}/trigger_fs_error"
        if not os.path.exists(switch):
            checks.skip("3.6", check, "ext4 on a loop device", f"there is no {switch}")
            return
        bench = place.bench
        bench.begin()
        bench.work(rounds=1)
        with open(switch, "w", encoding="ascii") as file:
            file.write("1")
        place.without_room()
        bench.close_links()
        bench.server.kill()
        subprocess.run(["umount", place.disk.mount_point], check=True)
        subprocess.run(["e2fsck", "-fy", place.disk.image], check=False, capture_output=True)
        place.disk.mount()
        place.heal()
    finally:
        place.close()
    checks.row("3.6", check, "ext4 on a loop device, trigger_fs_error", place.bench.take_complaints())


def descriptors(options, folder, checks):
    """The limit of the running process is lowered until it can open nothing, or little, and raised again."""
    bench = Bench(options, folder, options.seed, 8)
    try:
        bench.server.start()
        bench.begin()
        bench.work()
        bench.recover()
        process = bench.server.process.pid
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        bench.may_break, bench.patience = True, 0.3
        refused = 0
        for more in (0, 2, 6):
            bench.begin()
            # The limit is one on numbers: the next descriptor is the lowest that is free.
            taken = {int(name) for name in os.listdir(f"/proc/{process}/fd")}
            lowest = min(set(range(len(taken) + 1)) - taken)
            resource.prlimit(process, resource.RLIMIT_NOFILE, (lowest + more, before[1]))
            bench.work(rounds=ROUNDS)
            refused += bench.refused_in_case()
            resource.prlimit(process, resource.RLIMIT_NOFILE, before)
            bench.recover()
        bench.may_break, bench.patience = False, 30
        if not refused:
            bench.findings.add("blind", "nothing was refused: the fault was none")
        bench.restart()
        bench.finish()
    finally:
        bench.close()
    checks.row("3.6", "no file descriptors left: refusals, recovery by itself", "prlimit on the process", bench.take_complaints())


ON_DISKS = {"full": full, "inodes": inodes, "read-only": read_only}


def part(options, folder, checks):
    """All of them."""
    descriptors(options, os.path.join(folder, "descriptors"), checks)
    for name, run in ON_DISKS.items():
        try:
            probe = os.path.join(folder, f"probe-{name}")
            os.makedirs(probe)
            PowerCutDisk(probe, 16 * MIB).close()
        except (OSError, subprocess.CalledProcessError) as error:
            checks.skip("3.6", f"disks: {name}", "ext4 on a loop device", f"this machine cannot mount one: {error}")
            continue
        run(options, os.path.join(folder, name), checks)
