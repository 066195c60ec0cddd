"""Object storage as moto has it, which checks every signature by the vendor's own library.

Prints its port, a key and its secret once it listens.
"""

import logging
import sys
import time
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
given = {
    "endpoint_url": endpoint,
    "region_name": "us-east-1",
    "aws_access_key_id": "none",
    "aws_secret_access_key": "none",
}
iam = boto3.client("iam", **given)
iam.create_user(UserName="quorate")
iam.put_user_policy(
    UserName="quorate",
    PolicyName="objects",
    PolicyDocument='{"Version":"2012-10-17","Statement":'
    '{"Effect":"Allow","Action":"s3:*","Resource":"*"}}',
)
key = iam.create_access_key(UserName="quorate")["AccessKey"]
s3 = boto3.client("s3", **given)
s3.create_bucket(Bucket="audit")
s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
# From now on only who signs.
plain = {"content-type": "text/plain"}
call = urllib.request.Request(endpoint + "/moto-api/reset-auth", data=b"0", headers=plain)
urllib.request.urlopen(call).read()
print(port, key["AccessKeyId"], key["SecretAccessKey"], flush=True)
while sys.stdin.read(1):
    time.sleep(0.1)
