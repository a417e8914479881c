"""A real rsyslog that forwards what it gets on a port of its own, by every way that a user would choose."""

import os
import signal
import socket
import subprocess
import time

# What is linked against libraries of the machine's own suite.
PACKAGES = ["libcurl4", "libestr0", "libfastjson4", "rsyslog", "rsyslog-elasticsearch"]

# A program's name and how its messages go on.
WAYS = {
    "udp3164": 'protocol="udp" template="RSYSLOG_TraditionalForwardFormat"',
    "udp5424": 'protocol="udp" template="RSYSLOG_SyslogProtocol23Format"',
    "tcp5424": 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"',
    "tcp3164": 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_ForwardFormat"',
    "lines": 'protocol="tcp" TCP_Framing="traditional" template="RSYSLOG_SyslogProtocol23Format"',
}

# The way by Elasticsearch's bulk API.
ELASTIC = "elastic"

# Bodies in both framings and both formats: what JSON and syslog have to escape, and Unicode.
HARD = ['a "quoted" \\ body', "ümläut 日本語 🚀", "[not=\"data\"] <13> 1 -", "x" * 3000]


def settings(folder, port, way_ports):
    """The text of a configuration: in over UDP, out by `WAYS` and by the bulk API."""
    syslog, http = way_ports
    lines = [
        f'global(workDirectory="{folder}" maxMessageSize="64k")',
        'module(load="imudp")',
        'module(load="omelasticsearch")',
        f'input(type="imudp" address="127.0.0.1" port="{port}")',
        'template(name="document" type="list" option.jsonf="on") {',
        '  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")',
        '  property(outname="message" name="msg" position.from="2" format="jsonf")',
        '  property(outname="level" name="syslogseverity-text" format="jsonf")',
        '  property(outname="service.name" name="programname" format="jsonf")',
        "}",
    ]
    for name, how in WAYS.items():
        lines.append(
            f'if $programname == "{name}" then action(type="omfwd" target="127.0.0.1" port="{syslog}" {how} '
            'queue.type="LinkedList" action.resumeRetryCount="-1")'
        )
    lines.append(
        f'if $programname == "{ELASTIC}" then action(type="omelasticsearch" server="127.0.0.1" serverport="{http}" '
        'template="document" bulkmode="on" searchIndex="syslog" searchType="" esVersion.major="8" '
        'queue.type="LinkedList" action.resumeRetryCount="-1")'
    )
    return "\n".join(lines) + "\n"


class Rsyslog:
    """One process with its files in `folder`."""

    def __init__(self, root, folder, port, way_ports):
        self.port = port
        self.libraries = os.path.join(root, "usr", "lib", os.uname().machine + "-linux-gnu")
        self.program = os.path.join(root, "usr", "sbin", "rsyslogd")
        self.path = os.path.join(folder, "rsyslog.conf")
        self.pid = os.path.join(folder, "rsyslog.pid")
        self.log = open(os.path.join(folder, "rsyslog.log"), "wb")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(settings(folder, port, way_ports))
        self.process = None

    def start(self):
        command = [self.program, "-n", "-f", self.path, "-i", self.pid, "-M", os.path.join(self.libraries, "rsyslog")]
        environment = os.environ | {"LD_LIBRARY_PATH": self.libraries}
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)
        deadline = time.monotonic() + 20
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"rsyslogd does not listen; see {self.log.name}")
            time.sleep(0.05)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
        self.log.close()


def listens(port):
    """Whether somebody has the UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def send(port, name, bodies, severity):
    """Datagrams of RFC 3164, as a device on the network sends them; a short pause after some, as UDP has no flow control."""
    stamp = time.strftime("%b %d %H:%M:%S", time.gmtime())
    stamp = stamp[:4] + stamp[4:6].lstrip("0").rjust(2) + stamp[6:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for number, body in enumerate(bodies):
            text = f"<{16 * 8 + severity}>{stamp} box {name}[77]: {body}"
            out.sendto(text.encode(), ("127.0.0.1", port))
            if number % 20 == 19:
                time.sleep(0.01)
