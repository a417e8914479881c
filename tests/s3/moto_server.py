"""moto's S3 server as a process of its own; its objects are in its memory."""

import os
import signal
import subprocess
import sys
import time
import urllib.request

import boto3
from server import free_ports

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "of-cairn"}


class S3:
    """One bucket of it."""

    def __init__(self, folder, bucket):
        self.bucket = bucket
        self.port = free_ports(1)[0]
        self.host = f"http://127.0.0.1:{self.port}"
        self.endpoint = self.host
        self.url = f"s3://{bucket}"
        self.log = open(os.path.join(folder, "s3.log"), "ab")
        program = os.path.join(os.path.dirname(sys.executable), "moto_server")
        command = [program, "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")
        self.wait_ready()
        self.client.create_bucket(Bucket=self.bucket)

    def settings(self, prefix):
        return [
            f"storage.bucket={self.url}/{prefix}",
            f"storage.bucket_options.aws_endpoint={self.endpoint}",
            "storage.bucket_options.aws_allow_http=true",
            "storage.bucket_options.aws_region=us-east-1",
        ]

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.endpoint, timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"moto_server did not start; see {self.log.name}")

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
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def body(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def put(self, key, body):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key):
        self.client.delete_object(Bucket=self.bucket, Key=key)
