"""moto's S3 server as a process of its own; its objects are in its memory."""

import os
import sys
import urllib.request

import boto3
from bucket_server import BucketServer
from server import free_ports

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "of-cairn"}


class S3(BucketServer):
    """One bucket of it."""

    def __init__(self, folder, bucket):
        self.bucket = bucket
        self.port = free_ports(1)[0]
        self.host = f"http://127.0.0.1:{self.port}"
        self.endpoint = self.host
        self.url = f"s3://{bucket}"
        program = os.path.join(os.path.dirname(sys.executable), "moto_server")
        command = [program, "-H", "127.0.0.1", "-p", str(self.port)]
        self.begin(command, os.path.join(folder, "s3.log"))
        self.client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")
        self.client.create_bucket(Bucket=self.bucket)

    def settings(self, prefix):
        return [
            f"storage.bucket={self.url}/{prefix}",
            f"storage.bucket_options.aws_endpoint={self.endpoint}",
            "storage.bucket_options.aws_allow_http=true",
            "storage.bucket_options.aws_region=us-east-1",
        ]

    def answers(self):
        with urllib.request.urlopen(self.endpoint, timeout=5):
            pass

    def keys(self, prefix):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def body(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def put(self, key, body):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key):
        self.client.delete_object(Bucket=self.bucket, Key=key)
