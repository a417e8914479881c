"""Azurite, Microsoft's emulator of Azure's blob storage, as a process of its own; its objects are in its memory."""

import os
import socket

from azure.storage.blob import BlobServiceClient
from bucket_server import BucketServer
from server import free_ports

# The account that every emulator has, and its published key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

CREDENTIALS = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY}


class Azurite(BucketServer):
    """The same calls as `moto_server.S3` has."""

    def __init__(self, folder, bucket, program):
        self.port = free_ports(1)[0]
        self.host = f"http://127.0.0.1:{self.port}"
        self.endpoint = f"{self.host}/{ACCOUNT}"
        self.url = f"az://{bucket}"
        command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(self.port)]
        command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--silent"]
        self.begin(command, os.path.join(folder, "azurite.log"))
        service = BlobServiceClient(self.endpoint, credential={"account_name": ACCOUNT, "account_key": KEY})
        self.container = service.create_container(bucket)

    def settings(self, prefix):
        return [
            f"storage.bucket={self.url}/{prefix}",
            f"storage.bucket_options.azure_storage_endpoint={self.endpoint}",
            "storage.bucket_options.azure_allow_http=true",
        ]

    def answers(self):
        socket.create_connection(("127.0.0.1", self.port), timeout=5).close()

    def keys(self, prefix):
        return [blob.name for blob in self.container.list_blobs(name_starts_with=prefix)]

    def body(self, key):
        return self.container.download_blob(key).readall()

    def put(self, key, body):
        self.container.upload_blob(key, body, overwrite=True)

    def delete(self, key):
        self.container.delete_blob(key)
