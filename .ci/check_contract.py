#!/usr/bin/env python3
"""Holds what the local stack answers against docs/openapi.json.

    check_contract.py BINARIES

Starts the local stack from the folder BINARIES and gives its clinic money, calls, a diary and people. Then schemathesis asks every
route of the document, as nobody, as who signs in, as the clinic's owner and as an operator, with what the document says a request
may be and with what it may not: the same requests each time, but for ids and days. No answer is a 5xx or has a status, a media type or a body that
the document does not know; what it forbids is refused; and each route is done at least once, so that what it answers then was seen.
Besides, every route that wants a token answers 401 without one, and what it says of a body where it takes none, or of an id that is
nobody's, is in the document.

Needs the packages that .ci/run installs in the Python that runs it. Prints a line for each fact; for each that does not hold, what
was answered and the curl line that repeats it. Nothing leaves this machine.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import date, timedelta
from pathlib import Path

import jsonschema_rs

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENT = REPOSITORY / "docs" / "openapi.json"
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
HOST = "127.0.0.1"

# How long a process may take to answer its first request, and a change to be seen.
PATIENCE_SECS = 30
# How long one run of schemathesis may take; all of them take half a minute on two cores.
LONGEST_RUN_SECS = 240
# How many times faster the stack's clock runs: calls are over and billed soon.
SPEED = 10
# How many requests to each route are made up by chance, besides those at the edges of what the document allows.
MADE_UP = 20
# How often a value is one that the clinic knows, where it can be.
OFTEN = 0.8

OWNER, OPERATOR = "owner", "operator"
# Not a role: with an account of the issuer's, as a page of the console signs it in.
SOMEBODY = "somebody"
ORG = "de300000-0000-4000-8000-000000000001"
NUMBER = "+442071838750"
CREDENTIALS = {"email": "owner@demo-clinic.example", "password": "demo clinic"}
SESSION = "/api/session/"
ACCOUNT = {"accountSid": "ACde300000000000000000000000000001", "authToken": "sandbox-demo-clinic-token"}
PATIENT = {"name": "Grace Hopper", "phone": "+447700900222", "email": "grace@example.com"}
OVERBOOK = "He cannot come at another time."

# What is not asked of an answer, and why.
UNASKED = {
    "positive_data_acceptance": "more is asked of a text than a schema says: a number of no country is refused",
    "use_after_free": "a number that was given up is answered as given up, again and again",
    "ensure_resource_availability": "a repeat is answered with what was made before, whatever became of it",
}

# What takes away what other routes are asked about comes last, and what gives it anew with it.
LAST = {
    ("DELETE", "/api/appointments/{id}"),
    ("DELETE", "/api/managed-telephony/numbers/{phoneNumber}"),
    ("DELETE", "/api/notifications/{id}"),
    ("DELETE", "/api/resources/{id}"),
    ("DELETE", "/api/services/{id}"),
    ("DELETE", "/api/team/members/{id}"),
    ("POST", "/api/calls/{id}/end"),
    ("POST", "/api/google-oauth/revoke"),
    ("POST", "/api/managed-telephony/provision"),
}

# What cannot be done here, and why. All else is done at least once.
NEVER_DONE = {
    "POST /api/vapi/webhook": "it is signed",
    "POST /api/webhooks/google-calendar": "its channel has a token",
    "POST /api/webhooks/stripe": "it is signed",
    "POST /api/webhooks/twilio/statuses": "it is signed",
    "POST /api/webhooks/twilio/texts": "it is signed",
    "POST /api/operations/doubts/{orgId}/{callId}/accept": "no vendor of the stack states too much",
    "POST /api/operations/orphans/give-back": "every number of the stack has a record",
    "DELETE /api/operations/orphans/give-back": "every number of the stack has a record",
}

# Where a value belongs that the clinic knows, by what it is: see `known`.
KNOWN = {
    "/api/appointments": {
        "query.startDate": "day", "query.endDate": "day", "query.resource_id": "resource",
        "body.service_id": "service", "body.scheduled_at": "instant",
    },
    "/api/appointments/available-slots": {
        "query.service_id": "service", "query.resource_id": "resource", "query.from": "day", "query.to": "day",
    },
    "/api/appointments/{id}": {
        "path.id": "appointment", "query.revision": "revision", "body.revision": "version", "body.scheduled_at": "instant",
    },
    "/api/billing/wallet/statement": {"query.from": "day", "query.to": "day", "query.format": "format"},
    "/api/calendars/{id}": {"path.id": "calendar", "body.version": "version", "body.resource_ids[*]": "resource"},
    "/api/calls-dashboard/{id}": {"path.id": "call"},
    "/api/calls-dashboard/{id}/recording": {"path.id": "call"},
    "/api/calls/{id}/end": {"path.id": "live"},
    "/api/contacts/{id}": {"path.id": "contact", "body.version": "version"},
    "/api/managed-telephony/numbers/{phoneNumber}": {"path.phoneNumber": "number"},
    "/api/managed-telephony/provision": {"body.country": "country", "body.direction": "direction"},
    "/api/messages": {"query.appointment_id": "appointment"},
    "/api/notifications/{id}": {"path.id": "notification"},
    "/api/notifications/{id}/read": {"path.id": "notification"},
    "/api/operations/doubts/{orgId}/{callId}/accept": {"path.orgId": "org", "path.callId": "call"},
    "/api/operations/wallets/{orgId}/acts": {"path.orgId": "org"},
    "/api/operations/wallets/{orgId}/adjustments": {"path.orgId": "org"},
    "/api/operations/wallets/{orgId}/call-limit": {"path.orgId": "org"},
    "/api/operations/wallets/{orgId}/unfreeze": {"path.orgId": "org"},
    "/api/recordings/{ticket}": {"path.ticket": "ticket"},
    "/api/resources/{id}": {"path.id": "leaving", "body.version": "version"},
    "/api/services": {"body.needs[*].[*]": "resource"},
    "/api/services/{id}": {"path.id": "service", "body.version": "version", "body.terms.needs[*].[*]": "resource"},
    "/api/team/members": {"body.role": "role"},
    "/api/team/members/{id}": {"path.id": "member", "body.role": "role"},
}

# What the printed curl lines need, against a stack that runs.
START = """B=http://127.0.0.1:3000; T=$(curl -s -d '{"role": "owner"}' $B/_sandbox/token | sed -n 's/.*"token": "\\(.*\\)".*/\\1/p')
          (or {"operator": true} for what operators do)"""

FAILED = []


def fact(sentence, holds, shown=""):
    """Prints whether it holds; what does not fails the whole in the end."""
    if not holds:
        FAILED.append(sentence)
    print(f"ok    {sentence}" if holds else f"FAIL  {sentence}: {shown}", flush=True)


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


def send(method, url, body=None, headers=None):
    """Status, headers and text of the answer."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECS) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read().decode()


class Stack:
    """The local stack on a folder of its own."""

    def __init__(self, binaries, folder):
        port = free_port()
        self.base = f"http://{HOST}:{port}"
        arguments = [binaries / "voxanne", "--port", str(port), "--data-dir", folder / "data", "--speed", str(SPEED), "--empty"]
        environment = {**os.environ, "LOG_LEVEL": "error"}
        self.process = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        until("the stack is up", lambda: self.sandbox("/token", {}))
        issued = {OWNER: {"role": OWNER}, OPERATOR: {"operator": True}}
        tokens = {role: self.sandbox("/token", body)["token"] for role, body in issued.items()}
        self.headers = {role: {"Authorization": f"Bearer {token}"} for role, token in tokens.items()}

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE_SECS)

    def sandbox(self, path, body):
        status, _, text = send("POST", f"{self.base}/_sandbox{path}", json.dumps(body))
        if status >= 300:
            sys.exit(f"FAIL  the sandbox does it: {path} {status} {text}")
        return json.loads(text)

    def sign_in(self):
        """What a page sends that has signed in: its token, and the cookie that goes on with the session."""
        url, headers = f"{self.base}{SESSION}password", {"content-type": "application/json"}
        status, answered, text = send("POST", url, json.dumps(CREDENTIALS), headers)
        if status >= 300:
            sys.exit(f"FAIL  the owner signs in: {status} {text}")
        cookie = answered["Set-Cookie"].split(";")[0]
        token = json.loads(text)["access_token"]
        self.headers[SOMEBODY] = {"Authorization": f"Bearer {token}", "Cookie": cookie, **headers}

    def link(self):
        """What the link in a letter from the issuer is known by."""
        url, body = f"{self.base}{SESSION}magic-link", json.dumps({"email": CREDENTIALS["email"]})
        send("POST", url, body, {"content-type": "application/json"})
        letters = lambda: json.loads(send("GET", f"{self.base}/_sandbox/supabase")[2])["letters"]
        return until("a letter has a link", letters)[-1]["token_hash"]

    def get(self, path):
        return self.api("GET", path)

    def api(self, method, path, body=None):
        status, _, text = send(method, f"{self.base}{path}", body and json.dumps(body), self.headers[OWNER])
        if status >= 300:
            sys.exit(f"FAIL  the clinic is filled: {method} {path} {status} {text}")
        return json.loads(text)

    def ring(self, caller, seconds, says=()):
        call = {"to": NUMBER, "from": caller, "talk_seconds": seconds, "says": list(says)}
        self.sandbox("/vapi/calls", call)


def weekday(after):
    """The first weekday so many days from now."""
    day = date.today() + timedelta(days=after)
    return day + timedelta(days=(7 - day.weekday()) % 7 if day.weekday() > 4 else 0)


def fill(stack):
    """Gives the clinic something of everything."""
    page = stack.api("POST", "/api/billing/wallet/topup", {"amount_pence": 100_000})["url"]
    try:
        send("POST", page, "act=pay")
    except OSError:
        pass  # It leads on to the dashboard.
    until("the top-up is credited", lambda: stack.get("/api/billing/wallet")["balance_pence"] >= 100_000)
    stack.api("POST", "/api/managed-telephony/provision", {"country": "US", "direction": "outbound"})
    wish = {"service": "check-up", "when": "next Tuesday afternoon"}
    choice = {"option": "B", "patient_name": "Ada Lovelace", "email": "ada@example.com"}
    asks = {"says": "A check-up next Tuesday afternoon?", "tool": "checkAvailability", "arguments": wish}
    books = {"says": "The second one. I am Ada Lovelace.", "tool": "bookClinicAppointment", "arguments": choice}
    emergency = {"says": "I cannot breathe.", "tool": "reportEmergency", "arguments": {"what": "Swollen face"}}
    stack.ring("+447700900123", 40, [asks, books])
    stack.ring("+447700900456", 40, [emergency])
    until("both calls are billed", lambda: len(completed(stack)) == 2)
    # Two that go on for as long as this takes.
    for caller in ("+447700900457", "+447700900458"):
        stack.ring(caller, 40_000)
    until("two calls go on", lambda: len(live(stack)) == 2)
    booking = {"service_id": stack.get("/api/services")["services"][0]["id"], "contact": PATIENT, "overbook": OVERBOOK}
    for hour in (10, 12, 15):
        stack.api("POST", "/api/appointments", {**booking, "scheduled_at": f"{weekday(9)}T{hour}:00:00Z"})
    stack.api("POST", "/api/resources", {"name": "Dr Abel", "time_zone": "Europe/London"})
    stack.api("POST", "/api/team/members", {"email": "ida@example.com", "role": "staff"})


def completed(stack):
    return [call for call in stack.get("/api/calls-dashboard?limit=100")["calls"] if call["status"] == "completed"]


def live(stack):
    return stack.get("/api/calls-dashboard/live")["calls"]


def known(stack):
    """Values by which a request finds what the clinic has."""
    ids = lambda path, of: [one["id"] for one in stack.get(path)[of]]
    calls = [call["id"] for call in completed(stack)]
    services = stack.get("/api/services")["services"]
    needed = sorted({one for service in services for need in service["needs"] for one in need})
    return {
        "appointment": ids("/api/appointments", "appointments"),
        "calendar": ids("/api/calendars", "calendars"),
        "call": calls,
        "contact": ids("/api/contacts", "contacts"),
        "country": ["US"],
        "day": [str(weekday(9))],
        "direction": ["inbound", "outbound"],
        "format": ["json", "csv"],
        "link": [stack.link()],
        "instant": [f"{weekday(9)}T{hour:02}:00:00Z" for hour in range(9, 17)],
        "live": [call["id"] for call in live(stack)],
        "leaving": [one for one in ids("/api/resources", "resources") if one not in needed],
        "member": ids("/api/team/members", "members"),
        "notification": ids("/api/notifications", "notifications"),
        "number": [one["phoneNumber"] for one in stack.get("/api/integrations/vapi/numbers")],
        "org": [ORG],
        "resource": needed,
        "revision": ["1"],
        "role": ["owner", "admin", "staff", "viewer"],
        "service": ids("/api/services", "services"),
        "ticket": [stack.get(f"/api/calls-dashboard/{calls[0]}/recording")["url"].rsplit("/", 1)[1]],
        "version": [1],
    }


def bodies(stack, values):
    """Bodies that the clinic can do something with: those in the document name what it does not have."""
    terms = {"name": "Filling", "duration_mins": 30, "needs": [values["resource"][:1]], "price_shown": "60 pounds"}
    agent = stack.get("/api/founder-console/agent/config?role=inbound")["agents"][0]
    of_agent = "name systemPrompt firstMessage voiceProvider voiceId language maxDurationSeconds version".split()
    agent = {name: agent[name] for name in of_agent} | {"firstMessage": "Hill Street Dental, how can I help you?"}
    number = stack.get("/api/integrations/vapi/numbers")[0]
    calendar = stack.get("/api/calendars")["calendars"][0]
    return {
        ("POST", "/api/appointments"): {
            "service_id": values["service"][0], "scheduled_at": values["instant"][3], "contact": PATIENT, "overbook": OVERBOOK,
        },
        ("PATCH", "/api/appointments/{id}"): {"revision": 1, "notes": "Deaf in one ear."},
        ("PATCH", "/api/calendars/{id}"): {"version": calendar["version"], "resource_ids": values["resource"][:1]},
        ("POST", "/api/founder-console/agent/behavior"): {"inbound": agent},
        ("POST", "/api/integrations/twilio"): {**ACCOUNT, "phoneNumber": NUMBER, "type": "inbound"},
        ("POST", "/api/integrations/vapi/assign-number"): {"vapiPhoneId": number["vapiPhoneId"], "role": number["type"]},
        ("POST", "/api/services"): terms,
        ("PATCH", "/api/services/{id}"): {"version": 1, "terms": {**terms, "name": "Check-up"}},
        ("POST", "/api/session/password"): CREDENTIALS,
        ("POST", "/api/session/verify"): {"token_hash": values["link"][0], "type": "magiclink"},
    }


def with_examples(document, stack, values):
    """The document with examples that this clinic knows: schemathesis begins with them."""
    for (method, path), body in bodies(stack, values).items():
        media = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
        media["example"] = body
    for path, places in KNOWN.items():
        for operation in document["paths"][path].values():
            for parameter in operation["parameters"]:
                if name := places.get(f"{parameter['in']}.{parameter['name']}"):
                    parameter["example"] = values[name][0]
    return document


def toml(value):
    """A value as TOML writes it in a line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)


def config(values, headers):
    """How schemathesis is to ask."""
    lines = ["warnings = false", "continue-on-failure = true", "phases.stateful.enabled = false"]
    # What is asked does not depend on what was answered before.
    lines += [f"phases.{phase}.extra-data-sources.responses = false" for phase in ("examples", "coverage", "fuzzing")]
    lines += ["phases.fuzzing.error-feedback.enabled = false"]
    lines += [f"checks.{name}.enabled = false" for name in UNASKED]
    lines += [f"dictionaries.{name} = {toml({'values': known})}" for name, known in values.items()]
    if headers:
        lines.append(f"headers = {toml(headers)}")
    for path, places in KNOWN.items():
        bound = {place: {"dictionary": name, "probability": OFTEN} for place, name in places.items()}
        lines += ["[[operations]]", f"include-path = {toml(path)}", f"parameters = {toml(bound)}"]
    return "\n".join(lines) + "\n"


def ask_all(stack, folder, values, who, role, routes):
    """Has schemathesis ask these routes in a role, or in none."""
    folder = folder / who.replace(" ", "-")
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(config(values, stack.headers.get(role, {})))
    (folder / "openapi.json").write_text(json.dumps(with_examples(read(), stack, values)))
    report = folder / "report.json"
    arguments = [SCHEMATHESIS, "--config-file", "schemathesis.toml", "run", "openapi.json", "--url", stack.base]
    arguments += ["--generation-deterministic", "--max-examples", str(MADE_UP), "--no-color"]
    arguments += ["--output-sanitize", "false", "--report", "json", "--report-json-path", report]
    arguments += [part for method, path in routes for part in ("--include-name", f"{method} {path}")]
    try:
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=LONGEST_RUN_SECS)
    except subprocess.TimeoutExpired:
        sys.exit(f"FAIL  {who}: schemathesis is not done within {LONGEST_RUN_SECS} s")
    if not report.exists():
        sys.exit(f"FAIL  schemathesis runs: {done.stdout}{done.stderr}")
    report = json.loads(report.read_text())
    asked = f"{report['test_cases']['generated']} requests to {report['operations']['tested']} routes"
    is_whole = report["complete"] and report["operations"]["tested"] == len(routes)
    fact(f"{who}: {asked} are answered as the document says", done.returncode == 0 and is_whole, repeatable(done.stdout, stack))
    names = {f"{method} {path}" for method, path in routes} - NEVER_DONE.keys()
    done = {name for name, phases in report["valid_rates"].items() if any(phase["accepted"] for phase in phases.values())}
    fact(f"{who}: what can be done was done", names <= done, sorted(names - done))


def repeatable(said, stack):
    """What does not hold, of all that schemathesis says; its curl lines with a token and an address that are to be had again."""
    said = re.sub(r"(?s).*?=+ (FAILURES|ERRORS) =+\n(.*?)\n=+ SUMMARY =+.*", r"\2", said)
    said = re.sub(r"'(Authorization: Bearer |Cookie: session=)[^']*'", r'"\1$T"', said)
    said = re.sub(f"'{stack.base}([^']*)'|{stack.base}", r'"$B\1"', said)
    lines = [line if line.lstrip().startswith("curl") else line[:200] for line in said.splitlines() if line.strip()]
    return "\n".join(["", *lines, f"    with: {START}"])


def check_token(stack, document):
    """Without a token, and with one that is none, there is no other answer than 401."""
    wrong = []
    for method, path, operation in routes_of(document):
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}):
            if not operation["security"]:
                continue
            url = stack.base + re.sub(r"\{\w+\}", "x", path)
            status, answered, text = send(method, url, None, headers)
            flaw = flaw_of(document, operation, status, answered, text)
            if status != 401 or "WWW-Authenticate" not in answered or flaw:
                wrong.append(f"    curl -i -X {method} {url} with {headers}: {status} {flaw or text}")
    fact("who does not sign in is answered 401, with how one does", not wrong, "\n".join(["", *wrong[:5]]))


def check_needless_body(stack, document):
    """A body that no route of this kind takes is refused in a form that the document has."""
    asked = [
        (method, path, operation, body)
        for method, path, operation in routes_of(document)
        if operation["security"] and "requestBody" not in operation
        for body in ("[]", '{"unheard_of": 1}')
    ]
    check_answers(stack, document, "a body where none is taken is refused as the document says", asked)


def check_unknown_id(stack, document):
    """What is nowhere is answered in a form that the document has, whatever is to be done with it."""
    asked = [
        (method, path, operation, json.dumps(example_of(document, operation)))
        for method, path, operation in routes_of(document)
        if operation["security"] and "{" in path
    ]
    check_answers(stack, document, "an id that is nobody's is answered as the document says", asked)


def example_of(document, operation):
    """The document's own example of the body."""
    if "requestBody" not in operation:
        return {}
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    return document["components"]["schemas"][name].get("examples", [{}])[0]


def check_answers(stack, document, sentence, asked):
    """Each of these requests, by who may make it, is answered as the document says."""
    wrong = []
    for method, path, operation, body in asked:
        role = OPERATOR if OPERATOR in operation["x-roles"] else OWNER
        path = re.sub(r"\{\w+\}", "x", path)
        status, answered, text = send(method, stack.base + path, body, stack.headers[role])
        if flaw := flaw_of(document, operation, status, answered, text):
            wrong.append(f"    curl -X {method} -H \"authorization: Bearer $T\" -d '{body}' \"$B{path}\"\n        {flaw}")
    fact(sentence, not wrong, "\n".join(["", *wrong[:5], f"    {len(wrong)} in all; with: {START}"]))


def flaw_of(document, operation, status, headers, text):
    """What of an answer the document does not know, if anything."""
    kind = headers.get_content_type()
    media = operation["responses"].get(str(status), {}).get("content", {}).get(kind)
    if media is None:
        return f"{status} {kind} is not in the document"
    schema = {"components": document["components"], **media["schema"]}
    errors = jsonschema_rs.validator_for(schema).iter_errors(json.loads(text)) if kind.endswith("json") else ()
    return next((f"{error.message} in {text}" for error in errors), None)


def read():
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


def routes_of(document):
    """Every route: its method, its path, its operation."""
    return [
        (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def check_all(stack, folder):
    document = read()
    fill(stack)
    stack.sign_in()
    values = known(stack)
    for_role = lambda role: {(method, path) for method, path, operation in routes_of(document) if role in operation["x-roles"]}
    anybody = {(method, path) for method, path, operation in routes_of(document) if not operation["security"]}
    sessions = {(method, path) for method, path in anybody if path.startswith(SESSION)}
    runs = [
        ("anybody", None, anybody - sessions),
        ("who signs in", SOMEBODY, sessions),
        ("an owner", OWNER, for_role(OWNER) - LAST),
        ("an operator", OPERATOR, for_role(OPERATOR)),
        ("an owner in the end", OWNER, LAST),
    ]
    every = {(method, path) for method, path, _ in routes_of(document)}
    asked = set().union(*(routes for _, _, routes in runs))
    fact(f"all {len(every)} routes of the document are asked", asked == every, sorted(every ^ asked))
    check_token(stack, document)
    check_needless_body(stack, document)
    check_unknown_id(stack, document)
    for who, role, routes in runs:
        ask_all(stack, folder, values, who, role, sorted(routes))


def main(arguments):
    if len(arguments) != 1:
        sys.exit(__doc__)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(arguments[0]).resolve(), Path(folder))
        try:
            check_all(stack, Path(folder))
        finally:
            stack.stop()
    print(f"      {time.monotonic() - began:.0f} s")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
