"""Somebody else in the account, with boto3: a call a line on stdin, its answer a line on stdout, both JSON.

A call is {"as": access key, "service": …, "call": …, "with": arguments}; an
answer is {"out": …}, or {"code": …, "error": …}. A {"$file": path} among the
arguments is the bytes of that file.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
LOADED = boto3.Session()  # the models are read once
CLIENTS = {}


def client(who, service):
    """A person's client of a service, made once."""
    if (who, service) not in CLIENTS:
        CLIENTS[who, service] = LOADED.client(service, config=ONCE, aws_access_key_id=who, aws_secret_access_key="any")
    return CLIENTS[who, service]


def given(value):
    """An argument as boto3 takes it."""
    if isinstance(value, dict) and set(value) == {"$file"}:
        with open(value["$file"], "rb") as file:
            return file.read()
    if isinstance(value, dict):
        return {name: given(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [given(inner) for inner in value]
    return value


def answer(call):
    """What boto3 answers."""
    try:
        out = getattr(client(call["as"], call["service"]), call["call"])(**given(call["with"]))
    except ClientError as refused:
        return {"code": refused.response["Error"]["Code"], "error": str(refused)}
    except Exception as fault:  # arguments boto3 itself refuses
        return {"code": type(fault).__name__, "error": str(fault)}
    out.pop("ResponseMetadata", None)
    return {"out": out}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), default=str), flush=True)
