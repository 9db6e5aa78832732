#!/usr/bin/env python3
"""Checks what `sam local` needs of this project, without Docker.

    check_sam.py BINARIES

Starts the local stack from the folder BINARIES and has it write the file for `sam local --env-vars`. Then SAM's own code says
which routes it would serve and which environment it would give each function, and vapi-webhook runs under the emulator that SAM
puts into its containers, with exactly that environment: a call is authorized and billed through it. In the end boto3 and the AWS
command line look into the stack.

Needs the packages that .ci/run installs in the Python that runs it. Prints a line for each fact and stops at the first that does
not hold. Nothing leaves this machine.
"""

import hashlib
import hmac
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path

import boto3
import samcli
from flask import Flask, request as flask_request
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from samcli.local.apigw.event_constructor import construct_v2_event_http
from samtranslator.yaml_helper import yaml_parse

REPOSITORY = Path(__file__).resolve().parent.parent
TEMPLATE = REPOSITORY / "template.yaml"
HOST = "127.0.0.1"
REGION = "eu-west-2"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
EMULATOR = Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{ARCHITECTURE}"
WEBHOOK = "VapiWebhookFunction"
WEBHOOK_PATH = "/api/vapi/webhook"

# How long a process may take to answer its first request, and a change to be seen.
PATIENCE_SECS = 20
# The tariff: 56 pence a minute, rounded up.
PENCE_PER_MINUTE = 56


def fact(sentence, holds, shown=""):
    """Prints what holds; what does not ends the check."""
    if not holds:
        sys.exit(f"FAIL  {sentence}: {shown}")
    print(f"ok    {sentence}", flush=True)


def free_port():
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


def until(what, ask):
    """The first answer of `ask` that is something, asked again and again."""
    ends = time.monotonic() + PATIENCE_SECS
    while time.monotonic() < ends:
        try:
            if answer := ask():
                return answer
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    sys.exit(f"FAIL  {what}: not within {PATIENCE_SECS} s")


def send(url, body=None, headers=None):
    """The answer to a GET, or to a POST of `body`: JSON, or text."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, headers=headers or {})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECS) as answer:
        text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


class Stack:
    """The local stack on a folder of its own."""

    def __init__(self, binaries, folder):
        self.program = binaries / "voxanne"
        self.data = folder / "data"
        self.port = free_port()
        self.base = f"http://{HOST}:{self.port}"
        arguments = [self.program, "--port", str(self.port), "--data-dir", self.data, "--empty"]
        environment = {**os.environ, "LOG_LEVEL": "error"}
        self.process = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        self.folder = folder
        until("the stack is up", lambda: send(f"{self.base}/_sandbox"))
        self.keys = json.loads((self.data / "keys.json").read_text())
        self.token = send(f"{self.base}/_sandbox/token", "")["token"]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE_SECS)

    def sam_env(self):
        """The file for `sam local --env-vars`, and what is printed beside it."""
        arguments = [self.program, "sam-env", "--data-dir", self.data, "--host", HOST]
        said = subprocess.run(arguments, cwd=self.folder, capture_output=True, text=True, check=True).stdout
        return json.loads((self.data / "sam-env.json").read_text()), said

    def api(self, path, body=None):
        return send(f"{self.base}{path}", body, {"authorization": f"Bearer {self.token}"})

    def wallet(self):
        return self.api("/api/billing/wallet")

    def pay_in(self, pence):
        page = self.api("/api/billing/wallet/topup", json.dumps({"amount_pence": pence}))["url"]
        try:
            send(page, "act=pay")
        except OSError:
            pass  # It leads on to the dashboard, which is not here.
        until("the top-up is credited", lambda: self.wallet()["balance_pence"] == pence)


class Emulator:
    """A function under the Runtime Interface Emulator, as in SAM's container."""

    def __init__(self, bootstrap, environment):
        self.url = f"http://{HOST}:{free_port()}"
        runtime_api = f"{HOST}:{free_port()}"
        addresses = ["--runtime-interface-emulator-address", self.url.removeprefix("http://")]
        arguments = [EMULATOR, *addresses, "--runtime-api-address", runtime_api, "--log-level", "error", bootstrap]
        EMULATOR.chmod(0o755)
        self.process = subprocess.Popen(
            arguments, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until("the emulator is up", self.is_up)

    def is_up(self):
        with socket.create_connection((HOST, int(self.url.rsplit(":", 1)[1]))):
            return True

    def invoke(self, event):
        return send(f"{self.url}/2015-03-31/functions/function/invocations", json.dumps(event))

    def stop(self):
        # The function is a child of the emulator.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


ANY_METHOD = "X-AMAZON-APIGATEWAY-ANY-METHOD"


def check_routes(stacks):
    """SAM serves what the template's definition says, no more and no less, by the same functions."""
    api = ApiProvider(stacks).api
    served = {
        # What no other route takes is one route for any method, which SAM spells out.
        (ANY_METHOD if route.path == "$default" else method, route.path, route.function_name)
        for route in api.routes
        for method in route.methods
        if method != "OPTIONS"  # SAM's own, for CORS.
    }
    sam = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    declared = {
        (method.upper(), path, re.search(r"functions/\$\{(\w+)\.Arn\}", str(operation))[1])
        for path, methods in sam["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"].items()
        for method, operation in methods.items()
    }
    fact(f"sam local serves the {len(declared)} routes of the template", served == declared, served ^ declared)
    fact("at the paths themselves, without a stage before them", api.stage_name == "$default", api.stage_name)
    return {f"{method} {path}" for method, path, _ in declared}


def check_environments(stacks, env_vars, key):
    """SAM finds a value for every variable that a function declares; returns those of vapi-webhook."""
    os.environ.update(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION=REGION)
    provider = SamFunctionProvider(stacks)
    runner = LocalLambdaRunner(None, provider, str(REPOSITORY), str(REPOSITORY), env_vars_values=env_vars)
    environments = {
        function.name: runner._make_env_vars(function).resolve() for function in provider.get_all()
    }
    fact("the file has every function", set(environments) == set(env_vars), set(environments) ^ set(env_vars))
    may_be_empty = {"JWT_JWKS_URL", "VAPI_WEBHOOK_CREDENTIAL_ID"}
    wrong = [
        f"{name} {variable}={value}"
        for name, environment in environments.items()
        for variable, value in environment.items()
        if "{{resolve" in value or (value == "" and variable not in may_be_empty)
    ]
    fact("SAM gives no function an unresolved or an empty variable", not wrong, wrong)
    undeclared = [
        f"{name} {variable}"
        for name, variables in env_vars.items()
        for variable, value in variables.items()
        if environments[name].get(variable) != value
    ]
    fact("every variable of the file reaches its function", not undeclared, undeclared)
    return environments[WEBHOOK]


def check_without_local_endpoint():
    """Without LocalEndpoint SAM knows of no endpoint: what a deployment has."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(TEMPLATE), parameter_overrides={})
    found = [
        f"{function.name} {name}={value}"
        for function in SamFunctionProvider(stacks).get_all()
        for name, value in function.environment["Variables"].items()
        if name.startswith("AWS_ENDPOINT_URL") and isinstance(value, str) and value.startswith("http")
    ]
    fact("without LocalEndpoint no function has an address of this machine", not found, found)


def signed_event(secret, message):
    """The event that SAM makes of a webhook of Vapi's."""
    body = json.dumps({"message": message})
    stamp = str(int(time.time() * 1000))
    signature = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"x-vapi-timestamp": stamp, "x-vapi-signature": signature, "content-type": "application/json"}
    with Flask("sam").test_request_context(WEBHOOK_PATH, method="POST", data=body, headers=headers):
        return construct_v2_event_http(
            flask_request, 3001, [], stage_name="$default", route_key=f"POST {WEBHOOK_PATH}"
        )


def rfc3339(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_call(stack, emulator):
    """A call is authorized, and billed once, by the function under the emulator."""
    secret = stack.keys["vapi_webhook_secret"]
    number = next(iter(send(f"{stack.base}/_sandbox/vapi")["numbers"]))
    call = {
        "id": str(uuid.uuid4()),
        "type": "inboundPhoneCall",
        "status": "ringing",
        "phoneNumberId": number["id"],
        "customer": {"number": "+447700900123"},
    }

    def say(kind, **fields):
        answer = emulator.invoke(signed_event(secret, {"type": kind, "call": call, **fields}))
        fact(f"{kind}: the function answers 200", answer.get("statusCode") == 200, answer)
        return json.loads(answer.get("body") or "{}")

    forged = emulator.invoke(signed_event("another-secret", {"type": "assistant-request", "call": call}))
    fact("a forged message is refused", forged.get("statusCode") == 401, forged)
    stack.pay_in(2_500)
    answer = say("assistant-request")
    fact("the call may start, with an assistant", bool(answer.get("assistantId") or answer.get("assistant")), answer)
    fact("280 pence are held", stack.wallet()["held_pence"] == 280, stack.wallet())
    began = time.time()
    say("status-update", status="in-progress")
    time.sleep(2)
    ended = time.time()
    report = {"endedReason": "customer-ended-call", "startedAt": rfc3339(began), "endedAt": rfc3339(ended)}
    for _ in range(2):
        say("end-of-call-report", **report)
    seconds = -(-(round(ended * 1000) - round(began * 1000)) // 1000)
    cost = -(-seconds * PENCE_PER_MINUTE // 60)
    wallet = stack.wallet()
    charged = (wallet["balance_pence"], wallet["held_pence"])
    fact(f"its {seconds} s are charged once, {cost} pence", charged == (2_500 - cost, 0), wallet)
    return call["id"]


def check_boto3(stack, env_vars, call):
    """boto3 sees tables, queues and secrets, and its clients find what they compare."""
    endpoint = {"endpoint_url": f"{stack.base}/_aws", "region_name": REGION}
    key = {"aws_access_key_id": stack.keys["folder"], "aws_secret_access_key": "local"}
    prefix = f"voxanne-{env_vars[WEBHOOK]['VOXANNE_ENVIRONMENT']}-"
    dynamodb = boto3.client("dynamodb", **endpoint, **key)
    names = dynamodb.list_tables()["TableNames"]
    fact("boto3 lists the tables", f"{prefix}wallets" in names and f"{prefix}calls" in names, names)
    table = dynamodb.describe_table(TableName=f"{prefix}calls")["Table"]
    fact("boto3 describes one", table["TableStatus"] == "ACTIVE" and bool(table["KeySchema"]), table)
    found = [item for item in dynamodb.scan(TableName=f"{prefix}calls")["Items"] if call in json.dumps(item)]
    fact("boto3 finds the call", len(found) == 1, found)
    org = found[0]["org_id"]
    asked = {"KeyConditionExpression": "org_id = :org", "ExpressionAttributeValues": {":org": org}}
    entries = dynamodb.query(TableName=f"{prefix}ledger_entries", **asked)["Items"]
    fact("boto3 reads the ledger", len(entries) == 2, entries)

    sqs = boto3.client("sqs", **endpoint, **key)
    urls = sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"]
    fact("boto3 lists the queues", env_vars[WEBHOOK]["METER_QUEUE_URL"] in urls, urls)
    url = sqs.get_queue_url(QueueName=f"{prefix}notifications")["QueueUrl"]
    body = json.dumps({"said": "for a test"})
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    sent = sqs.send_message(QueueUrl=url, MessageBody=body)
    fact("what is sent has its digest", sent["MD5OfMessageBody"] == digest, sent)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    received = [message for message in received if message["MessageId"] == sent["MessageId"]]
    fact("what is received has its digest", [message["MD5OfBody"] for message in received] == [digest], received)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])

    secrets = boto3.client("secretsmanager", **endpoint, **key)
    listed = {secret["Name"] for secret in secrets.list_secrets()["SecretList"]}
    name = prefix.replace("-", "/") + "vapi-webhook"
    fact("boto3 lists the secrets", name in listed, listed)
    text = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    fact("boto3 reads one", text["VAPI_WEBHOOK_SECRETS"] == stack.keys["vapi_webhook_secret"], list(text))

    stranger = boto3.client("dynamodb", **endpoint, aws_access_key_id="x", aws_secret_access_key="x")
    try:
        stranger.list_tables()
        fact("without the folder's key nothing is shown", False)
    except stranger.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        fact("without the folder's key nothing is shown", status == 403, error)


def check_command_line(said, key):
    """The lines that `sam-env` prints for looking inside do, as they are printed."""
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "AWS_ACCESS_KEY_ID": key}
    environment |= {"AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
    lines = [line for line in said.splitlines() if line.startswith("aws ")]
    fact("sam-env prints how to look inside", len(lines) == 3, said)
    for line in lines:
        done = subprocess.run(line.split(), env=environment, capture_output=True, text=True)
        fact(line, done.returncode == 0 and re.search("voxanne|/_aws/", done.stdout), done.stdout + done.stderr)


def main(arguments):
    if len(arguments) != 1:
        sys.exit(__doc__)
    binaries = Path(arguments[0]).resolve()
    began = time.monotonic()
    check_without_local_endpoint()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(binaries, Path(folder))
        try:
            check_all(stack, binaries, Path(folder))
        finally:
            stack.stop()
    print(f"      {time.monotonic() - began:.0f} s")


def check_all(stack, binaries, folder):
    env_vars, said = stack.sam_env()
    # The line as it is printed: NAME=VALUE pairs are its parameters.
    start = next(line for line in said.splitlines() if line.startswith("sam local start-api"))
    parameters = dict(re.findall(r" (\w+)=(\S+)", start))
    stacks, _ = SamLocalStackProvider.get_stacks(str(TEMPLATE), parameter_overrides=parameters)
    check_routes(stacks)
    environment = check_environments(stacks, env_vars, stack.keys["folder"])
    bootstrap = folder / "bootstrap"
    bootstrap.symlink_to(binaries / "vapi-webhook")
    emulator = Emulator(bootstrap, environment)
    try:
        call = check_call(stack, emulator)
    finally:
        emulator.stop()
    check_boto3(stack, env_vars, call)
    check_command_line(said, stack.keys["folder"])


if __name__ == "__main__":
    main(sys.argv[1:])
