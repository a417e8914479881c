"""A disk whose power can be cut: ext4 in a loop-mounted file and the file system's shutdown ioctl."""

import fcntl
import os
import struct
import subprocess

# EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32); flag 2 is NOLOGFLUSH: the journal is not written out either.
SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class PowerCutDisk:
    """An ext4 of 2 GiB below `folder`, or a smaller one; needs root and loop devices."""

    def __init__(self, folder, size_bytes=2 << 30, options=()):
        self.image = os.path.join(folder, "disk.img")
        self.mount_point = os.path.join(folder, "mnt")
        os.makedirs(self.mount_point)
        with open(self.image, "wb") as image:
            image.truncate(size_bytes)
        subprocess.run(["mkfs.ext4", "-q", "-F", *options, self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.mount_point], check=True)

    def cut(self):
        """From now on nothing reaches the disk, and what was not synced is gone."""
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(descriptor)

    def restore(self):
        """Power is back: unmount what is left of the old mount and mount anew."""
        subprocess.run(["umount", self.mount_point], check=True)
        self.mount()

    def close(self):
        subprocess.run(["umount", self.mount_point], check=False)
