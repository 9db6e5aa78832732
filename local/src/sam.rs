//! What a function is given under `sam local`: what a deployment would give it, of the running stack.

use base::config::Environment;
use serde_json::{Map, Value, json};

use crate::{
    gateway::KEY_PATH,
    stack::SANDBOXES,
    template::{Function, Template, Variable},
};

/// How a function in a container reaches the running stack.
#[derive(Clone)]
pub struct Reach {
    /// What this machine is called there: `host.docker.internal`.
    pub host: String,
    /// The stack's port.
    pub port: u16,
    /// The data folder's key. It stands in the vendors' addresses, for a container is another machine to the stack.
    pub key: String,
}

impl std::fmt::Debug for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reach").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Reach {
    /// Where the stack answers for AWS: the value of the template's parameter `LocalEndpoint`.
    pub fn aws(&self) -> String {
        format!("http://{}:{}/_aws", self.host, self.port)
    }

    /// A setting as a function in a container needs it: a sandbox is reached by the port.
    fn seen_from_there(&self, value: &str) -> String {
        let Some((_, path)) = SANDBOXES.iter().find(|(base_url, _)| *base_url == value) else {
            return value.to_owned();
        };
        format!("http://{}:{}{KEY_PATH}{}{path}", self.host, self.port, self.key)
    }
}

/// The file that `sam local --env-vars` reads: for each function of the template the variables that differ from its defaults.
/// `settings` are those of the running stack.
///
/// # Errors
/// A sentence: a function declares a variable that only a deployment could tell, and the stack has none of that name.
pub fn env_vars(template: &Template, settings: &Environment, reach: &Reach) -> Result<Value, String> {
    let of_functions = template.functions.iter().map(|(name, function)| {
        let variables = variables(function, settings, reach);
        variables.map(|variables| (name.clone(), variables)).map_err(|missing| {
            format!("{name} declares {missing} in template.yaml, and the local stack has no such setting.")
        })
    });
    of_functions.collect::<Result<Map<String, Value>, String>>().map(Value::Object)
}

fn variables(function: &Function, settings: &Environment, reach: &Reach) -> Result<Value, String> {
    let mut variables = Map::new();
    for (name, kind) in &function.variables {
        let value = if name.starts_with("AWS_ENDPOINT_URL_") {
            Some(reach.aws())
        } else {
            settings.reader().optional(name).map(|value| reach.seen_from_there(&value))
        };
        match (value, kind) {
            (Some(value), Variable::Given | Variable::Deployed | Variable::Local) => {
                variables.insert(name.clone(), json!(value));
            }
            (None, Variable::Given) => {}
            (None, Variable::Deployed | Variable::Local) => return Err(name.clone()),
        }
    }
    Ok(Value::Object(variables))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::entropy::Entropy;

    use super::*;
    use crate::{
        clock::TestClock,
        stack::{Keys, Plan, Storage, test_epoch},
    };

    fn settings() -> Environment {
        let plan = Plan {
            environment: "development".into(),
            storage: Storage::Memory,
            clock: Arc::new(TestClock::at(test_epoch())),
            entropy: Arc::new(Entropy::seeded(1)),
            address: "127.0.0.1:3000".into(),
            keys: Keys::known(),
            settings: vec![("OUTAGE_CREDIT_PENCE".into(), "0".into())],
            network: None,
            schedules: false,
            skews: vec![],
        };
        plan.functions_environment()
    }

    fn reach() -> Reach {
        Reach { host: "host.docker.internal".into(), port: 3000, key: "k".into() }
    }

    #[test]
    fn every_function_is_given_what_only_a_deployment_could_tell() {
        let template = Template::read("development").unwrap();
        let given = env_vars(&template, &settings(), &reach()).unwrap();
        for (name, function) in &template.functions {
            for (variable, kind) in &function.variables {
                let value = given[name][variable].as_str();
                assert!(*kind == Variable::Given || value.is_some(), "{name} {variable}");
                assert!(!value.is_some_and(|value| value.contains("{{")), "{name} {variable}: {value:?}");
            }
        }
        let webhook = &given["VapiWebhookFunction"];
        for (variable, expected) in [
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://host.docker.internal:3000/_aws"),
            ("VAPI_BASE_URL", "http://host.docker.internal:3000/_key/k/_sandbox/vapi/api"),
            ("STRIPE_BASE_URL", "http://host.docker.internal:3000/_key/k"),
            ("VAPI_API_KEY", &Keys::known().vapi_api_key),
            ("METER_QUEUE_URL", "http://127.0.0.1:3000/_aws/CallMeterQueue"),
            ("VOXANNE_ENVIRONMENT", "development"),
            ("OUTAGE_CREDIT_PENCE", "0"),
        ] {
            assert_eq!(webhook[variable], expected, "{variable}");
        }
        assert_eq!(webhook["LOG_LEVEL"], Value::Null, "the template's own default stands");
    }

    #[test]
    fn what_the_stack_cannot_tell_is_said() {
        let template = Template::read("development").unwrap();
        let error = env_vars(&template, &settings().without("STRIPE_API_KEY"), &reach()).unwrap_err();
        assert!(error.contains("STRIPE_API_KEY"), "{error}");
    }
}
