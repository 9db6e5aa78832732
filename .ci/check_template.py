#!/usr/bin/env python3
"""Checks template.yaml: three linters, then the house rules that no linter knows.

    check_template.py [TEMPLATE]

Needs the packages that .ci/run installs (aws-sam-cli, cfn-lint) in the Python that runs it, but no AWS
account. Prints a line for each check passed and a sentence for each fault, and exits with 1 if there is a
fault.

The house rules read the translated template, in which SAM's globals, events and policy templates have
become plain CloudFormation: however a permission or a timeout was written, it is found in one form.
"""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

REPOSITORY = Path(__file__).resolve().parent.parent
REGION = "us-east-1"

# Their entries are put and read, never changed or removed; by the resource's name, the table's own.
APPEND_ONLY_TABLES = {"LedgerEntriesTable": "ledger_entries", "AuditLogTable": "audit_log"}
FORBIDDEN_ON_APPEND_ONLY = {
    "dynamodb:updateitem",
    "dynamodb:deleteitem",
    "dynamodb:batchwriteitem",
    "dynamodb:deletetable",
    "dynamodb:updatetimetolive",
}
PARTIQL_PREFIX = "dynamodb:partiql"

# What SAM itself attaches for logs, tracing and queues. Any other managed policy may hide a wildcard.
ALLOWED_MANAGED_POLICIES = {
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaSQSQueueExecutionRole",
    "AWSXrayWriteOnlyAccess",
}

# Vapi waits 7.5 s for the answer to an assistant-request, the network included.
VAPI_WEBHOOK = "vapi-webhook"
VAPI_WEBHOOK_TIMEOUT_BELOW_SECS = 7

# AWS's own advice: a message must stay hidden until retries of a throttled function are over.
VISIBILITY_PER_TIMEOUT = 6

# What CloudFormation takes where the template says nothing.
DEFAULT_FUNCTION_TIMEOUT_SECS = 3
DEFAULT_VISIBILITY_TIMEOUT_SECS = 30


@dataclass
class Template:
    """The template as written (`sam`), and as CloudFormation will see it (`translated`)."""

    sam: dict
    parameters: dict
    translated: dict

    def of_type(self, *types):
        """The translated resources of these types, as pairs of name and properties."""
        return [
            (name, resource.get("Properties", {}))
            for name, resource in self.translated["Resources"].items()
            if resource["Type"] in types
        ]

    def number(self, value):
        """The number that `value` stands for, or None if it is known only at deployment."""
        if isinstance(value, dict) and set(value) == {"Ref"}:
            value = self.parameters.get(value["Ref"])
        try:
            return int(value)
        except (TypeError, ValueError):
            return None


def sam_functions(sam):
    """The functions as written, as pairs of name and resource."""
    return [(n, r) for n, r in sam["Resources"].items() if r["Type"] == "AWS::Serverless::Function"]


def parameter_values(sam):
    """A value for every parameter: its default, else one that it allows, else a made-up one."""
    values = {}
    for name, parameter in sam.get("Parameters", {}).items():
        made_up = "1" if parameter["Type"] == "Number" else "test"
        allowed = parameter.get("AllowedValues", [made_up])
        values[name] = str(parameter.get("Default", allowed[0]))
    return values


def translate(sam, parameters):
    """Turns the SAM template into CloudFormation, as a deployment would.

    A deployment has built and uploaded the code by then: hence an S3 address instead of the build's metadata.
    """
    built = copy.deepcopy(sam)
    for _, function in sam_functions(built):
        function["Properties"]["CodeUri"] = "s3://built-code/bootstrap.zip"
        function.pop("Metadata", None)
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    return translator.translate(built, parameters, {})


def load(path):
    sam = yaml_parse(path.read_text(encoding="utf-8"))
    parameters = parameter_values(sam)
    return Template(sam, parameters, translate(sam, parameters))


def dicts_in(value):
    """Every mapping inside `value`, at any depth: what is nested in an `Fn::If` counts too."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from dicts_in(item)


def texts_in(value):
    """Every string inside `value`, at any depth: the parts of a `!Sub`, `!GetAtt`, `!Join` or `!If`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_in(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


def referred_to(reference):
    """The resource that a `!Ref` or a `!GetAtt` names, or None for anything else."""
    if not isinstance(reference, dict):
        return None
    if "Ref" in reference:
        return reference["Ref"]
    attribute = reference.get("Fn::GetAtt")
    if isinstance(attribute, str):
        return attribute.split(".")[0]
    return attribute[0] if attribute else None


def run_tool(name, *arguments):
    """Runs a tool of this Python's environment, away from anyone's AWS account, and answers its result."""
    with tempfile.TemporaryDirectory() as settings:
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": settings,
        }
        environment.pop("AWS_PROFILE", None)
        tool = Path(sys.executable).with_name(name)
        return subprocess.run([tool, *arguments], env=environment, capture_output=True, text=True)


def one_line(text):
    """A tool's output as one line, because each fault is one."""
    return " ".join(text.split())


def sam_validate(path, *options):
    """Faults that `sam validate` finds with these options."""
    result = run_tool("sam", "validate", "--template-file", str(path), "--region", REGION, *options)
    if result.returncode == 0:
        return []
    return [f"it refuses the template: {one_line(result.stdout + result.stderr)}"]


def cfn_lint(template):
    """Faults that cfn-lint finds in the translated template: it sees more there than in the SAM form."""
    with tempfile.TemporaryDirectory() as folder:
        translated = Path(folder) / "translated.json"
        translated.write_text(json.dumps(template.translated, indent=1), encoding="utf-8")
        result = run_tool("cfn-lint", "--format", "json", "--template", str(translated))
    if result.returncode == 0:
        return []
    try:
        matches = json.loads(result.stdout)
    except ValueError:
        return [f"it did not run: {one_line(result.stdout + result.stderr)}"]
    return [f"{m['Rule']['Id']} at {lint_place(m)}: {m['Message']}" for m in matches]


def lint_place(match):
    """Where a finding is, as a path of names: the lines of the translated file mean nothing to a reader."""
    return "/".join(str(step) for step in match["Location"].get("Path") or ["the template"])


def binary_of(function):
    return function.get("Metadata", {}).get("BuildProperties", {}).get("Binary")


def binaries(template):
    """`sam build` finds a missing binary only after minutes, and a function nobody deploys never."""
    folders = {folder.name for folder in (REPOSITORY / "functions").iterdir() if folder.is_dir()}
    built = {name: binary_of(function) for name, function in sam_functions(template.sam)}
    faults = [
        f"{name} has BuildProperties.Binary {binary!r}, but there is no folder functions/{binary}."
        for name, binary in built.items()
        if binary not in folders
    ]
    return faults + [
        f"functions/{folder} is not the Binary of any function in the template."
        for folder in sorted(folders - set(built.values()))
    ]


# CloudFormation takes 500; what is left is for what SAM adds and for the next function.
MOST_RESOURCES = 400
INTEGRATION_URI = re.compile(r"/functions/\$\{(\w+)\.Arn\}/invocations")


def resources(template):
    """A stack that has too many resources is refused only when it is deployed."""
    count = len(template.translated["Resources"])
    print(f"  {count} resources of at most {MOST_RESOURCES}")
    return [f"The stack has {count} resources, more than {MOST_RESOURCES}."] if count > MOST_RESOURCES else []


def routes(template):
    """A route leads to a function that exists and that the API may call; a function has one permission, not one a route."""
    functions = dict(sam_functions(template.sam))
    faults = [
        f"{name} has the HttpApi event {event_name}: routes belong into the API's DefinitionBody."
        for name, function in functions.items()
        for event_name, event in function["Properties"].get("Events", {}).items()
        if event["Type"] == "HttpApi"
    ]
    body = template.sam["Resources"]["Api"]["Properties"]["DefinitionBody"]
    called = set()
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            uri = operation["x-amazon-apigateway-integration"].get("uri")
            found = INTEGRATION_URI.search(str(uri))
            if not found or found[1] not in functions:
                faults.append(f"{method.upper()} {path} leads to no function.")
                continue
            called.add(found[1])
            declared = {parameter["name"] for parameter in operation.get("parameters", [])}
            if declared != set(re.findall(r"\{(\w+)\}", path)):
                faults.append(f"{method.upper()} {path} does not declare the parameters of its path.")
    allowed = [
        referred_to(permission["FunctionName"])
        for _, permission in template.of_type("AWS::Lambda::Permission")
        if permission["Principal"] == "apigateway.amazonaws.com"
    ]
    if sorted(allowed) != sorted(called):
        faults.append(f"The API calls {sorted(called)} and may call {sorted(allowed)}.")
    return faults


def throttles(template):
    """The API has a limit for every route, and none for a route that there is not: a deployment would be refused for it."""
    faults = []
    limits = {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
    paths = template.sam["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    known = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    # What no other route takes is a route that a stage calls by its path alone.
    known |= {path for path, methods in paths.items() for operation in methods.values() if operation.get("isDefaultRoute")}
    for name, stage in template.of_type("AWS::ApiGatewayV2::Stage"):
        settings = {"DefaultRouteSettings": stage.get("DefaultRouteSettings", {}), **stage.get("RouteSettings", {})}
        faults += [f"{name} has no {limits} in {at}." for at, given in settings.items() if not limits <= set(given)]
        faults += [f"{name} limits {route}, which is no route." for route in stage.get("RouteSettings", {}) if route not in known]
    return faults


def concurrency(template):
    """A queue cannot take every run that the account may have, and nothing is reserved unless a parameter says so."""
    faults = []
    for name, source in template.of_type("AWS::Lambda::EventSourceMapping"):
        if template.number(source.get("ScalingConfig", {}).get("MaximumConcurrency")) is None:
            faults.append(f"{name} has no ScalingConfig.MaximumConcurrency.")
    for name, function in template.of_type("AWS::Lambda::Function"):
        reserved = function.get("ReservedConcurrentExecutions")
        if reserved is None:
            continue
        condition, given, otherwise = reserved.get("Fn::If", [None] * 3) if isinstance(reserved, dict) else [None] * 3
        parameter = referred_to(given)
        is_set = {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, 0]}]}
        is_none_by_default = template.sam["Parameters"].get(parameter, {}).get("Default") == 0
        is_conditional = template.sam["Conditions"].get(condition) == is_set and otherwise == {"Ref": "AWS::NoValue"}
        if not (is_none_by_default and is_conditional):
            faults.append(f"{name} reserves concurrency without a parameter whose default, 0, reserves none.")
    return faults


def local_addresses(template):
    """An address of the local stack reaches no deployment: without LocalEndpoint the variable is not there at all."""
    absent = {"Ref": "AWS::NoValue"}
    wanted = {"Fn::If": ["IsLocal", {"Ref": "LocalEndpoint"}, absent]}
    needed = {"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SECRETS_MANAGER"}
    faults = []
    if template.sam["Parameters"]["LocalEndpoint"].get("Default") != "":
        faults.append("The parameter LocalEndpoint is not empty by default.")
    if template.sam["Conditions"]["IsLocal"] != {"Fn::Not": [{"Fn::Equals": [{"Ref": "LocalEndpoint"}, ""]}]}:
        faults.append("The condition IsLocal is something else than a LocalEndpoint that is set.")
    for name, function in template.of_type("AWS::Lambda::Function"):
        variables = function["Environment"]["Variables"]
        faults += [f"{name} has no {variable}." for variable in sorted(needed - set(variables))]
        faults += [
            f"{name} has {variable} without the condition IsLocal."
            for variable, value in variables.items()
            if "LocalEndpoint" in texts_in(value) and value != wanted
        ]
    return faults


RATE = re.compile(r"rate\(([1-9]\d*) (minutes?|hours?|days?)\)")
CRON = re.compile(r"cron\(([^()]*)\)")
ONCE = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")

MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
WEEKDAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"

# Of each cron field: its name, lowest and highest number, and what else one item of its list may be.
CRON_FIELDS = [
    ("minutes", 0, 59, None),
    ("hours", 0, 23, None),
    ("day of month", 1, 31, r"\?|L|LW|\d+W"),
    ("month", 1, 12, rf"({MONTHS})(-({MONTHS}))?"),
    ("day of week", 1, 7, rf"\?|L|({WEEKDAYS})(-({WEEKDAYS}))?|([1-7]|{WEEKDAYS})(L|#[1-5])"),
    ("year", 1970, 2199, None),
]
CRON_ITEM = re.compile(r"(\*|(\d+)(-(\d+))?)(/[1-9]\d*)?")


def schedules(template):
    """A schedule with a mistake such as `rate(1 hours)` is refused only in the middle of a deployment."""
    faults = []
    for name, resource in template.translated["Resources"].items():
        for part in dicts_in(resource.get("Properties", {})):
            if "ScheduleExpression" in part:
                problem = schedule_problem(part["ScheduleExpression"])
                if problem:
                    faults.append(f"{name} has the schedule {part['ScheduleExpression']!r}: {problem}.")
    return faults


def schedule_problem(expression):
    """What is wrong with a schedule expression, or None."""
    if not isinstance(expression, str):
        return "it is not plain text, so nobody can check it before a deployment"
    if rate := RATE.fullmatch(expression):
        return rate_problem(int(rate[1]), rate[2])
    if cron := CRON.fullmatch(expression):
        return cron_problem(cron[1].split(" "))
    if ONCE.fullmatch(expression):
        return None
    return "it is none of rate(NUMBER UNIT), cron(SIX FIELDS) and at(TIME)"


def rate_problem(number, unit):
    """AWS wants the singular after 1 and the plural after everything else."""
    if (number == 1) == unit.endswith("s"):
        return f"AWS wants the {'singular' if number == 1 else 'plural'} of the unit after {number}"
    return None


def cron_problem(fields):
    if len(fields) != len(CRON_FIELDS):
        return f"cron takes six fields with one space between them, not {len(fields)}"
    for field, (name, low, high, others) in zip(fields, CRON_FIELDS):
        if not all(is_cron_item(item, low, high, others) for item in field.split(",")):
            return f"its field for {name} cannot be {field!r} (numbers go from {low} to {high})"
    if (fields[2] == "?") == (fields[4] == "?"):
        return "exactly one of day of month and day of week must be ?"
    return None


def is_cron_item(item, low, high, others):
    if others and re.fullmatch(others, item):
        return True
    match = CRON_ITEM.fullmatch(item)
    return bool(match) and all(low <= int(number) <= high for number in (match[2], match[4]) if number)


def statements(template):
    """Every allowing policy statement, with the name of the resource that holds it."""
    for name, resource in template.translated["Resources"].items():
        for part in dicts_in(resource):
            if part.get("Effect") == "Allow":
                yield name, part


def logs_are_append_only(template):
    """Whoever may change or delete an entry may hide where money went, or who moved it."""
    missing = set(APPEND_ONLY_TABLES) - set(template.translated["Resources"])
    faults = [f"There is no resource {table}, so its permissions cannot be checked." for table in sorted(missing)]
    return faults + [
        f"{name} may {action} on {table}, whose entries are only ever added."
        for name, statement in statements(template)
        for table, table_name in APPEND_ONLY_TABLES.items()
        if any(table in text or table_name in text for text in texts_in(statement.get("Resource")))
        for action in texts_in(statement.get("Action"))
        if is_forbidden_on_append_only(action)
    ]


def is_forbidden_on_append_only(action):
    """IAM does not tell upper from lower case in the name of an action."""
    action = action.lower()
    return action in FORBIDDEN_ON_APPEND_ONLY or action.startswith(PARTIQL_PREFIX)


def no_wildcards(template):
    """A wildcard takes in tables and actions that nobody thought of, the ledger's among them."""
    faults = []
    for name, statement in statements(template):
        for exclusion in sorted({"NotAction", "NotResource"} & set(statement)):
            faults.append(f"{name} has a statement with {exclusion}, which allows all that it does not name.")
        for action in texts_in(statement.get("Action")):
            if "*" in action or "?" in action:
                faults.append(f"{name} allows the action {action}: name each action.")
        for resource in texts_in(statement.get("Resource")):
            if "*" in resource:
                faults.append(f"{name} allows something on the resource {resource}: name each resource.")
    return faults


def managed_policies(template):
    """A managed policy's statements are not in the template: most of AWS's own ones are full of wildcards."""
    return [
        f"{name} has the managed policy {policy}: write down the statements that it needs."
        for name, role in template.of_type("AWS::IAM::Role")
        for policy in role.get("ManagedPolicyArns", [])
        if not is_allowed_managed_policy(policy, template)
    ]


def is_allowed_managed_policy(policy, template):
    if referred_to(policy) in template.translated["Resources"]:
        return True
    return any(text.split("/")[-1] in ALLOWED_MANAGED_POLICIES for text in texts_in(policy))


def queues(template):
    """A message must not come back while it is worked on, nor forever when the work cannot succeed."""
    all_queues = dict(template.of_type("AWS::SQS::Queue"))
    functions = dict(template.of_type("AWS::Lambda::Function"))
    faults = []
    for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping"):
        source = referred_to(mapping.get("EventSourceArn"))
        function = referred_to(mapping.get("FunctionName"))
        if source in template.translated["Resources"] and source not in all_queues:
            continue  # The stream of a table, which has no such settings.
        if source not in all_queues or function not in functions:
            faults.append(f"{name} does not name its queue and function by !Ref or !GetAtt of this template.")
            continue
        faults += consumed_queue_faults(template, source, all_queues[source], function, functions[function])
    return faults


def consumed_queue_faults(template, queue_name, queue, function_name, function):
    faults = []
    if "RedrivePolicy" not in queue:
        faults.append(f"{queue_name} is consumed by {function_name} but has no RedrivePolicy.")
    timeout = template.number(function.get("Timeout", DEFAULT_FUNCTION_TIMEOUT_SECS))
    visibility = template.number(queue.get("VisibilityTimeout", DEFAULT_VISIBILITY_TIMEOUT_SECS))
    if timeout is None or visibility is None:
        faults.append(f"{queue_name}'s VisibilityTimeout or {function_name}'s Timeout is not a number.")
    elif visibility < VISIBILITY_PER_TIMEOUT * timeout:
        faults.append(
            f"{queue_name}'s VisibilityTimeout of {visibility} s is less than {VISIBILITY_PER_TIMEOUT} times "
            f"{function_name}'s Timeout of {timeout} s."
        )
    return faults


def dead_letters(template):
    """A message that nobody could deal with must lie somewhere, and somebody must be told."""
    all_queues = dict(template.of_type("AWS::SQS::Queue"))
    targets = set()
    for part in dicts_in(template.translated["Resources"]):
        if isinstance(part.get("RedrivePolicy"), dict):
            targets.add(referred_to(part["RedrivePolicy"].get("deadLetterTargetArn")))
        if isinstance(part.get("DeadLetterConfig"), dict):
            targets.add(referred_to(part["DeadLetterConfig"].get("Arn")))
    alarmed = {
        referred_to(dimension.get("Value"))
        for _, alarm in template.of_type("AWS::CloudWatch::Alarm")
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        for dimension in alarm.get("Dimensions", [])
    }
    faults = [
        f"{name} has no RedrivePolicy and keeps nobody's dead letters."
        for name, queue in all_queues.items()
        if "RedrivePolicy" not in queue and name not in targets
    ]
    return faults + [
        f"{name} keeps dead letters and has no alarm." for name in all_queues if name in targets - alarmed
    ]


def vapi_webhook_timeout(template):
    """A function that outlives Vapi's patience may hold money for a call that Vapi has given up."""
    names = [name for name, function in sam_functions(template.sam) if binary_of(function) == VAPI_WEBHOOK]
    if not names:
        return [f"No function has the Binary {VAPI_WEBHOOK}, so its Timeout cannot be checked."]
    faults = []
    for name in names:
        properties = template.translated["Resources"][name]["Properties"]
        timeout = template.number(properties.get("Timeout", DEFAULT_FUNCTION_TIMEOUT_SECS))
        if timeout is None or timeout >= VAPI_WEBHOOK_TIMEOUT_BELOW_SECS:
            faults.append(f"{name}'s Timeout is {timeout} s, not below {VAPI_WEBHOOK_TIMEOUT_BELOW_SECS} s.")
    return faults


def point_in_time_recovery(template):
    """The records of money must survive a mistake in our own code."""
    return [
        f"{name} has no point-in-time recovery (PointInTimeRecoveryEnabled: true)."
        for name, table in template.of_type("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
        if table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") is not True
    ]


def log_retention(template):
    """Without a group of its own a function's logs are kept, and paid for, for ever."""
    groups = dict(template.of_type("AWS::Logs::LogGroup"))
    faults = []
    for name, function in template.of_type("AWS::Lambda::Function"):
        group = referred_to(function.get("LoggingConfig", {}).get("LogGroup"))
        if group not in groups:
            faults.append(f"{name} has no LoggingConfig with a !Ref to a log group of this template.")
        elif "RetentionInDays" not in groups[group]:
            faults.append(f"{name}'s log group {group} has no RetentionInDays.")
    return faults


def function_alarms(template):
    """A function that fails, cannot start, or is refused for want of concurrency must tell somebody."""
    alarmed = {
        (alarm["MetricName"], referred_to(dimension.get("Value")))
        for _, alarm in template.of_type("AWS::CloudWatch::Alarm")
        if alarm.get("Namespace") == "AWS/Lambda"
        for dimension in alarm.get("Dimensions", [])
    }
    return [
        f"{name} has no alarm on {metric}."
        for name, _ in template.of_type("AWS::Lambda::Function")
        for metric in ("Errors", "Throttles")
        if (metric, name) not in alarmed
    ]


def named_alarms(template):
    """The alarms that the code raises are told apart by name, or one that stays raised hides all others."""
    dimensions = [{"Key": "Alarm", "Value": "$.alarm"}]
    faults = [
        f"{name} counts alarms without their names."
        for name, counter in template.of_type("AWS::Logs::MetricFilter")
        for counted in counter["MetricTransformations"]
        if counted["MetricName"] == "Alarms" and counted.get("Dimensions") != dimensions
    ]
    expressions = [
        text
        for _, alarm in template.of_type("AWS::CloudWatch::Alarm")
        for metric in alarm.get("Metrics", [])
        for text in texts_in(metric.get("Expression", ""))
    ]
    if not any("SUM(Alarms)" in text and "GROUP BY Alarm ORDER BY" in text for text in expressions):
        faults.append("no alarm looks at each name apart.")
    return faults


def production_is_heard(template):
    """Production without a topic must not deploy: nobody would hear its alarms."""
    is_production = {"Fn::Equals": [{"Ref": "Environment"}, "production"]}
    has_topic = {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]}
    for rule in template.translated.get("Rules", {}).values():
        asserted = [assertion["Assert"] for assertion in rule["Assertions"]]
        if rule.get("RuleCondition") == is_production and has_topic in asserted:
            return []
    return ["no rule refuses production without AlarmTopicArn."]


TRANSLATED_CHECKS = [
    ("cfn-lint on the translated template", cfn_lint),
    ("every Binary is a folder of functions/, and every folder a Binary", binaries),
    (f"no more than {MOST_RESOURCES} resources", resources),
    ("every route leads to a function that the API may call, by one permission each", routes),
    ("every route has a throttle, and every throttle a route", throttles),
    ("every queue has a maximum concurrency, and nothing is reserved by default", concurrency),
    ("without LocalEndpoint no function has a local address", local_addresses),
    ("every schedule expression is grammatical", schedules),
    ("nobody may change or delete an entry of the ledger or the audit log", logs_are_append_only),
    ("no wildcard in any permission", no_wildcards),
    ("no managed policy but SAM's own", managed_policies),
    ("every consumed queue has a dead-letter queue and a long enough VisibilityTimeout", queues),
    ("every queue has a dead-letter queue, and each of those an alarm", dead_letters),
    ("every function has alarms on its errors and throttles", function_alarms),
    ("every alarm of the code is told apart by its name", named_alarms),
    ("production does not deploy without a topic for its alarms", production_is_heard),
    (f"{VAPI_WEBHOOK}'s Timeout is below {VAPI_WEBHOOK_TIMEOUT_BELOW_SECS} s", vapi_webhook_timeout),
    ("every table has point-in-time recovery", point_in_time_recovery),
    ("every function has a log group with a retention", log_retention),
]


def report(title, faults):
    """Prints the outcome of one check and answers whether it passed."""
    if not faults:
        print(f"ok    {title}")
    for fault in faults:
        print(f"FAIL  {title}: {fault}")
    return not faults


def check(path):
    """Runs every check on the template at `path` and answers whether all passed."""
    passed = [
        report("sam validate --lint", sam_validate(path, "--lint")),
        report("sam validate", sam_validate(path)),
    ]
    try:
        template = load(path)
    except Exception as error:  # Whatever a broken template makes the translator raise is the finding.
        problem = one_line(f"{type(error).__name__}: {error}")
        return report("translation to CloudFormation", [f"nothing else can be checked, it fails with {problem}"])
    passed.append(report("translation to CloudFormation", []))
    passed += [report(title, faults_of(template)) for title, faults_of in TRANSLATED_CHECKS]
    return all(passed)


def main(arguments):
    if len(arguments) > 1:
        sys.exit(__doc__)
    path = Path(arguments[0]) if arguments else REPOSITORY / "template.yaml"
    sys.exit(0 if check(path) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
