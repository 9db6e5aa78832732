//! Reads `template.yaml`: the one list of routes, queues and tables, here as in the cloud.

use serde::Deserialize;
use serde_json::Value;

/// The template as it was when this was built.
const TEMPLATE: &str = include_str!("../../template.yaml");

/// What the template declares, for one environment.
#[derive(Clone, Debug)]
pub struct Template {
    /// Which function answers what.
    pub routes: Vec<Route>,
    /// The tables, as `CreateTable` takes them.
    pub tables: Vec<Value>,
    /// The queues.
    pub queues: Vec<Queue>,
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
    #[serde(rename = "Resources")]
    resources: std::collections::BTreeMap<String, Value>,
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
        let mut template = Self { routes: Vec::new(), tables: Vec::new(), queues: Vec::new() };
        let mut consumers = Vec::new();
        for (name, resource) in &document.resources {
            let properties = &resource["Properties"];
            match resource["Type"].as_str() {
                Some("AWS::Serverless::Function") => {
                    let binary = text_at(resource, &["Metadata", "BuildProperties", "Binary"], name)?;
                    for (event_name, event) in properties["Events"].as_object().into_iter().flatten() {
                        let at = || format!("{name}.{event_name}");
                        match event["Type"].as_str() {
                            Some("HttpApi") => template.routes.push(Route {
                                function: binary.clone(),
                                method: text_at(event, &["Properties", "Method"], &at())?,
                                path: text_at(event, &["Properties", "Path"], &at())?,
                            }),
                            Some("SQS") => {
                                consumers
                                    .push((text_at(event, &["Properties", "Queue"], &at())?, binary.clone()));
                            }
                            _ => return Err(TemplateError::Form(at())),
                        }
                    }
                }
                Some("AWS::DynamoDB::Table") => template.tables.push(create_table(properties)),
                Some("AWS::SQS::Queue") => template.queues.push(Queue {
                    logical_name: name.clone(),
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
    }
}
