"""Azurite, Microsoft's emulator of Azure's blob storage, as a process of its own; its objects are in its memory."""

import os
import signal
import socket
import subprocess
import time

from azure.storage.blob import BlobServiceClient
from server import free_ports

# The account that every emulator has, and its published key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

CREDENTIALS = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY}


class Azurite:
    """The same calls as `moto_server.S3` has."""

    def __init__(self, folder, bucket, program):
        self.port = free_ports(1)[0]
        self.host = f"http://127.0.0.1:{self.port}"
        self.endpoint = f"{self.host}/{ACCOUNT}"
        self.url = f"az://{bucket}"
        self.log = open(os.path.join(folder, "azurite.log"), "ab")
        command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(self.port)]
        command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--silent"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.wait_ready()
        service = BlobServiceClient(self.endpoint, credential={"account_name": ACCOUNT, "account_key": KEY})
        self.container = service.create_container(bucket)

    def settings(self, prefix):
        return [
            f"storage.bucket={self.url}/{prefix}",
            f"storage.bucket_options.azure_storage_endpoint={self.endpoint}",
            "storage.bucket_options.azure_allow_http=true",
        ]

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"azurite did not start; see {self.log.name}")

    def pause(self):
        """Out of reach: connections are taken and never answered."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def keys(self, prefix):
        return [blob.name for blob in self.container.list_blobs(name_starts_with=prefix)]

    def body(self, key):
        return self.container.download_blob(key).readall()

    def put(self, key, body):
        self.container.upload_blob(key, body, overwrite=True)

    def delete(self, key):
        self.container.delete_blob(key)
