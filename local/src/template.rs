//! Reads `template.yaml`: the one list of routes, queues, schedules and tables, here as in the cloud.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::iam::{Permissions, TableNames};
use crate::schedule::{Schedule, rate_secs};

/// The template as it was when this was built.
const TEMPLATE: &str = include_str!("../../template.yaml");

/// The path of what no other route takes.
const DEFAULT: &str = "$default";

/// What the template declares, for one environment.
#[derive(Clone, Debug)]
pub struct Template {
    /// Which function answers what.
    pub routes: Vec<Route>,
    /// What a page of another origin may send and read.
    pub cors: Cors,
    /// The function that answers whatever no route takes: the API's `$default`.
    pub default_function: Option<String>,
    /// The tables, as `CreateTable` takes them.
    pub tables: Vec<Value>,
    /// The queues.
    pub queues: Vec<Queue>,
    /// What runs by itself, and how often.
    pub schedules: Vec<Schedule>,
    /// What each function may do at AWS, by the name of its binary.
    pub permissions: BTreeMap<String, Permissions>,
    /// The functions, by their logical names.
    pub functions: BTreeMap<String, Function>,
}

/// What a page of another origin may send and read, each as the header has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// The methods.
    pub methods: String,
    /// The headers of a request.
    pub headers: String,
    /// Those of an answer.
    pub exposed: String,
}

/// One function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its binary: `vapi-webhook`.
    pub binary: String,
    /// The environment variables that it is declared with, those of all functions too.
    pub variables: BTreeMap<String, Variable>,
    /// How many seconds an invocation may take.
    pub timeout_secs: i64,
}

/// What an environment variable is declared to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// A text, or a parameter that has a default.
    Given,
    /// What only a deployment can tell: a secret, a queue's address, a parameter without a default.
    Deployed,
    /// There only where the local stack is.
    Local,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The function's binary: `vapi-webhook`.
    pub function: String,
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// The path, with parameters in braces.
    pub path: String,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its logical name in the template.
    pub logical_name: String,
    /// The name it has when deployed, which `GetQueueUrl` takes.
    pub name: String,
    /// How long a message that was received stays hidden.
    pub visibility_secs: i64,
    /// The logical name of its dead-letter queue, and after how many deliveries a message goes there.
    pub redrive: Option<(String, u64)>,
    /// The function that reads it.
    pub consumer: Option<String>,
}

/// Why the template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is not YAML.
    #[error("template.yaml cannot be read")]
    Yaml(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something in it is not where it belongs.
    #[error("template.yaml: {0} is missing or of another form")]
    Form(String),
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Parameters")]
    parameters: BTreeMap<String, Value>,
    #[serde(rename = "Globals")]
    globals: Value,
    #[serde(rename = "Resources")]
    resources: BTreeMap<String, Value>,
}

impl Template {
    /// Reads it, with `environment` put in the place of `${Environment}`.
    ///
    /// # Errors
    /// When it is not YAML, or lacks something.
    pub fn read(environment: &str) -> Result<Self, TemplateError> {
        let text = TEMPLATE.replace("${Environment}", environment);
        let document: Document =
            serde_saphyr::from_str(&text).map_err(|error| TemplateError::Yaml(Box::new(error)))?;
        let mut template = Self {
            routes: Vec::new(),
            default_function: None,
            cors: Cors::default(),
            tables: Vec::new(),
            queues: Vec::new(),
            schedules: Vec::new(),
            permissions: BTreeMap::new(),
            functions: BTreeMap::new(),
        };
        let tables = table_names(&document);
        let mut consumers = Vec::new();
        for (name, resource) in &document.resources {
            let properties = &resource["Properties"];
            match resource["Type"].as_str() {
                Some("AWS::Serverless::Function") => {
                    let binary = binary_of(&document, name)?;
                    let permissions = Permissions::read(&properties["Policies"], &tables);
                    template.permissions.insert(binary.clone(), permissions);
                    let variables = variables(&document, properties);
                    let timeout = properties["Timeout"].as_i64();
                    let timeout_secs =
                        timeout.ok_or_else(|| TemplateError::Form(format!("{name}.Timeout")))?;
                    let function = Function { binary: binary.clone(), variables, timeout_secs };
                    template.functions.insert(name.clone(), function);
                    for (event_name, event) in properties["Events"].as_object().into_iter().flatten() {
                        let at = format!("{name}.{event_name}");
                        match event["Type"].as_str() {
                            Some("SQS") => {
                                consumers
                                    .push((text_at(event, &["Properties", "Queue"], &at)?, binary.clone()));
                            }
                            Some("ScheduleV2") => template.schedules.push(schedule(event, &binary, &at)?),
                            _ => return Err(TemplateError::Form(at)),
                        }
                    }
                }
                Some("AWS::Serverless::HttpApi") => {
                    let (default, routes) = routes(&document, properties, name)?
                        .into_iter()
                        .partition::<Vec<_>, _>(|route| route.path == DEFAULT);
                    template.routes = routes;
                    template.cors = cors(properties, name)?;
                    template.default_function = default.into_iter().next().map(|route| route.function);
                }
                Some("AWS::DynamoDB::Table") => template.tables.push(create_table(properties)),
                Some("AWS::SQS::Queue") => template.queues.push(Queue {
                    logical_name: name.clone(),
                    name: text_at(properties, &["QueueName"], name)?,
                    visibility_secs: properties["VisibilityTimeout"].as_i64().unwrap_or(30),
                    redrive: redrive(properties),
                    consumer: None,
                }),
                _ => {}
            }
        }
        for queue in &mut template.queues {
            let arn = format!("{}.Arn", queue.logical_name);
            queue.consumer =
                consumers.iter().find(|(target, _)| *target == arn).map(|(_, binary)| binary.clone());
        }
        Ok(template)
    }
}

/// The binary of a function, by its logical name.
fn binary_of(document: &Document, function: &str) -> Result<String, TemplateError> {
    let resource = document.resources.get(function).unwrap_or(&Value::Null);
    text_at(resource, &["Metadata", "BuildProperties", "Binary"], function)
}

/// The environment variables of a function, with those that all functions have.
fn variables(document: &Document, properties: &Value) -> BTreeMap<String, Variable> {
    let declared = [&document.globals["Function"], properties]
        .into_iter()
        .filter_map(|function| function["Environment"]["Variables"].as_object())
        .flatten();
    declared.map(|(name, value)| (name.clone(), variable(document, value))).collect()
}

/// What a variable is: `!Ref Name` and `!Sub "…"` are read as their text.
fn variable(document: &Document, value: &Value) -> Variable {
    let Some(text) = value.as_str() else {
        // The only list is that of `!If [IsLocal, …]`.
        return if value.is_array() { Variable::Local } else { Variable::Given };
    };
    let is_resource = document.resources.contains_key(text);
    let is_asked_for = document.parameters.get(text).is_some_and(|parameter| parameter["Default"].is_null());
    if is_resource || is_asked_for || text.starts_with("{{resolve:") {
        Variable::Deployed
    } else {
        Variable::Given
    }
}

/// The routes of the API's definition: each has the integration of its function, whose address names it.
fn routes(document: &Document, api: &Value, name: &str) -> Result<Vec<Route>, TemplateError> {
    let form = |at: &str| TemplateError::Form(format!("{name}.DefinitionBody.{at}"));
    let paths = api["DefinitionBody"]["paths"].as_object().ok_or_else(|| form("paths"))?;
    let mut routes = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().ok_or_else(|| form(path))? {
            let uri = operation["x-amazon-apigateway-integration"]["uri"].as_str();
            let function = uri
                .and_then(|uri| uri.split_once("/functions/${")?.1.strip_suffix(".Arn}/invocations"))
                .ok_or_else(|| form(path))?;
            routes.push(Route {
                function: binary_of(document, function)?,
                method: method.to_uppercase(),
                path: path.clone(),
            });
        }
    }
    Ok(routes)
}

/// What the API lets pages of another origin do.
fn cors(api: &Value, name: &str) -> Result<Cors, TemplateError> {
    let list = |field: &str| {
        let listed = api["CorsConfiguration"][field].as_array();
        let names = listed.map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
        names.ok_or_else(|| TemplateError::Form(format!("{name}.CorsConfiguration.{field}")))
    };
    Ok(Cors {
        methods: list("AllowMethods")?,
        headers: list("AllowHeaders")?,
        exposed: list("ExposeHeaders")?,
    })
}

/// What the tables are called, by their logical names.
fn table_names(document: &Document) -> TableNames {
    let tables = document.resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::DynamoDB::Table");
    let named = |(logical, table): (&String, &Value)| {
        Some((logical.clone(), table["Properties"]["TableName"].as_str()?.to_owned()))
    };
    tables.filter_map(named).collect()
}

/// A schedule, which must be by rate: nothing here reads the days of a calendar.
fn schedule(event: &Value, function: &str, at: &str) -> Result<Schedule, TemplateError> {
    let form = |name: &str| TemplateError::Form(format!("{at}.Properties.{name}"));
    let expression = text_at(event, &["Properties", "ScheduleExpression"], at)?;
    let input = text_at(event, &["Properties", "Input"], at)?;
    Ok(Schedule {
        function: function.to_owned(),
        every_secs: rate_secs(&expression).ok_or_else(|| form("ScheduleExpression"))?,
        input: serde_json::from_str(&input).map_err(|_| form("Input"))?,
    })
}

/// The part of a table's declaration that `CreateTable` takes.
fn create_table(properties: &Value) -> Value {
    const TAKEN: [&str; 6] = [
        "TableName",
        "BillingMode",
        "AttributeDefinitions",
        "KeySchema",
        "LocalSecondaryIndexes",
        "GlobalSecondaryIndexes",
    ];
    let fields = properties.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| TAKEN.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn redrive(properties: &Value) -> Option<(String, u64)> {
    let policy = &properties["RedrivePolicy"];
    let target = policy["deadLetterTargetArn"].as_str()?.trim_end_matches(".Arn").to_owned();
    Some((target, policy["maxReceiveCount"].as_u64()?))
}

fn text_at(value: &Value, path: &[&str], name: &str) -> Result<String, TemplateError> {
    let found = path.iter().fold(value, |value, key| &value[*key]);
    found.as_str().map(str::to_owned).ok_or_else(|| TemplateError::Form(format!("{name}.{}", path.join("."))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_what_runs_here() {
        let template = Template::read("test").unwrap();
        let webhook = Route {
            function: "vapi-webhook".into(),
            method: "POST".into(),
            path: "/api/vapi/webhook".into(),
        };
        assert!(template.routes.contains(&webhook), "{:?}", template.routes);
        let names: Vec<_> = template.tables.iter().filter_map(|table| table["TableName"].as_str()).collect();
        assert!(names.contains(&"voxanne-test-wallets"), "{names:?}");
        let meter = template.queues.iter().find(|queue| queue.logical_name == "CallMeterQueue").unwrap();
        assert_eq!(meter.consumer.as_deref(), Some("call-meter"));
        assert_eq!(meter.redrive, Some(("CallMeterDeadLetters".into(), 720)));
        assert_eq!(meter.visibility_secs, 60);
        assert_eq!(meter.name, "voxanne-test-call-meter");
        let runs: Vec<_> = template
            .schedules
            .iter()
            .map(|schedule| (&*schedule.function, schedule.input["task"].as_str(), schedule.every_secs))
            .collect();
        for expected in [
            ("reconcile", Some("calls"), 60),
            ("reconcile", Some("listing"), 900),
            ("reconcile", Some("payments"), 3_600),
            ("reconcile", Some("numbers"), 86_400),
            ("reconcile", Some("books"), 86_400),
            ("stripe-endpoint", Some("check"), 86_400),
        ] {
            assert!(runs.contains(&expected), "{expected:?} is not among {runs:?}");
        }
    }

    #[test]
    fn a_variable_is_given_or_deployed_or_local() {
        let template = Template::read("test").unwrap();
        let webhook = &template.functions["VapiWebhookFunction"];
        assert_eq!(webhook.binary, "vapi-webhook");
        for (name, expected) in [
            ("LOG_LEVEL", Variable::Given),
            ("OUTAGE_CREDIT_PENCE", Variable::Given),
            ("VAPI_BASE_URL", Variable::Deployed),
            ("VAPI_API_KEY", Variable::Deployed),
            ("METER_QUEUE_URL", Variable::Deployed),
            ("AWS_ENDPOINT_URL_SQS", Variable::Local),
            ("STRIPE_BASE_URL", Variable::Local),
        ] {
            assert_eq!(webhook.variables.get(name), Some(&expected), "{name}");
        }
    }

    #[test]
    fn a_schedule_that_is_not_by_rate_is_refused() {
        let event = |expression: &str, input: &str| {
            let properties = serde_json::json!({"ScheduleExpression": expression, "Input": input});
            schedule(&serde_json::json!({"Properties": properties}), "reconcile", "ReconcileFunction.Calls")
        };
        assert_eq!(event("rate(1 hour)", r#"{"task":"calls"}"#).unwrap().every_secs, 3_600);
        for (expression, input, wrong) in [
            ("cron(0 3 * * ? *)", "{}", "ScheduleExpression"),
            ("rate(1 hours)", "{}", "ScheduleExpression"),
            ("rate(1 hour)", "{task", "Input"),
        ] {
            let error = event(expression, input).unwrap_err().to_string();
            assert!(error.contains(&format!("ReconcileFunction.Calls.Properties.{wrong}")), "{error}");
        }
    }
}
