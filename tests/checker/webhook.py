"""Checks the signatures of webhooks as a receiver would, with nothing but the standard library.

Lines of JSON on standard input: id, timestamp, signature, body, secret. For each, "yes" or "no" on standard output.
"""

import base64
import hashlib
import hmac
import json
import sys


def holds(secret, identifier, timestamp, signature, body):
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = b".".join([identifier.encode(), timestamp.encode(), body.encode()])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    versions = (part.split(",", 1) for part in signature.split(" "))
    return any(len(part) == 2 and part[0] == "v1" and hmac.compare_digest(part[1], expected) for part in versions)


for line in sys.stdin:
    said = json.loads(line)
    right = holds(said["secret"], said["id"], said["timestamp"], said["signature"], said["body"])
    print("yes" if right else "no", flush=True)
