//! What each function may do at AWS, as the template's policies say. It is enforced here as it is there: a permission that is
//! missing fails in a test, and not after a deployment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What one function may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(BTreeSet<(String, String)>);

/// The names of the template's tables, by their logical names.
pub type TableNames = BTreeMap<String, String>;

impl Permissions {
    /// Reads a function's policies.
    pub fn read(policies: &Value, tables: &TableNames) -> Self {
        let mut allowed = BTreeSet::new();
        let statements =
            policies.as_array().into_iter().flatten().flat_map(|policy| texts_or_list(&policy["Statement"]));
        for statement in statements.filter(|statement| statement["Effect"] == "Allow") {
            for action in texts_or_list(&statement["Action"]).filter_map(Value::as_str) {
                for resource in texts_or_list(&statement["Resource"]).filter_map(Value::as_str) {
                    allowed.insert((action.to_owned(), plain(resource, tables)));
                }
            }
        }
        Self(allowed)
    }

    /// What of a request is not allowed, if anything is not: an action and what it is done to.
    pub fn missing(&self, service: &str, operation: &str, body: &Value) -> Option<(String, String)> {
        needed(service, operation, body).into_iter().find(|needed| !self.0.contains(needed))
    }
}

fn texts_or_list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice).iter()
}

/// A resource as requests name it: a table, an index of one, a queue by its logical name, a secret.
fn plain(resource: &str, tables: &TableNames) -> String {
    if let Some((_, secret)) = resource.split_once(":secret:") {
        // Secrets Manager adds six characters to a secret's name.
        return secret.trim_end_matches("-??????").to_owned();
    }
    let name = resource.trim_start_matches("${").replacen(".Arn}", "", 1);
    let name = name.trim_end_matches(".Arn");
    let (logical, index) = name.split_once('/').map_or((name, None), |(name, index)| (name, Some(index)));
    let named = tables.get(logical).map_or(logical, String::as_str);
    index.map_or_else(|| named.to_owned(), |index| format!("{named}/{index}"))
}

/// What a request needs.
fn needed(service: &str, operation: &str, body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match (service, operation) {
        ("AmazonSQS", _) => {
            let queue = text(&body["QueueUrl"]).rsplit('/').next().unwrap_or_default().to_owned();
            vec![(format!("sqs:{operation}"), queue)]
        }
        ("secretsmanager", _) => {
            let id = if body["SecretId"].is_string() { &body["SecretId"] } else { &body["Name"] };
            vec![(format!("secretsmanager:{operation}"), text(id))]
        }
        (_, "TransactWriteItems") => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            let parts = parts.filter_map(Value::as_object).flatten();
            parts.map(|(verb, part)| (of_part(verb), text(&part["TableName"]))).collect()
        }
        (_, "Query") if body["IndexName"].is_string() => {
            let index = format!("{}/index/{}", text(&body["TableName"]), text(&body["IndexName"]));
            vec![("dynamodb:Query".to_owned(), index)]
        }
        _ => vec![(format!("dynamodb:{operation}"), text(&body["TableName"]))],
    }
}

/// The action of a part of a transaction.
fn of_part(verb: &str) -> String {
    let action = match verb {
        "ConditionCheck" => "ConditionCheckItem".to_owned(),
        verb => format!("{verb}Item"),
    };
    format!("dynamodb:{action}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_policy_names_is_allowed_and_nothing_else() {
        let tables = TableNames::from([("WalletsTable".to_owned(), "voxanne-test-wallets".to_owned())]);
        let policies = json!([{"Statement": [
            {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"], "Resource": "WalletsTable.Arn"},
            {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": ["${WalletsTable.Arn}/index/by_seq"]},
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "CallMeterQueue.Arn"},
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
             "Resource": "arn:${AWS::Partition}:secretsmanager:x:y:secret:voxanne/test/stripe-webhook-??????"},
        ]}]);
        let permissions = Permissions::read(&policies, &tables);
        let dynamodb = "DynamoDB_20120810";
        let wallets = json!({"TableName": "voxanne-test-wallets"});
        let by_seq = json!({"TableName": "voxanne-test-wallets", "IndexName": "by_seq"});
        let secret = json!({"SecretId": "voxanne/test/stripe-webhook"});
        let part = |verb: &str| json!({"TransactItems": [{ verb: wallets }]});
        for (service, operation, body) in [
            (dynamodb, "GetItem", &wallets),
            (dynamodb, "Query", &by_seq),
            (dynamodb, "TransactWriteItems", &part("Update")),
            ("AmazonSQS", "SendMessage", &json!({"QueueUrl": "http://queues.local/CallMeterQueue"})),
            ("secretsmanager", "GetSecretValue", &secret),
        ] {
            assert_eq!(permissions.missing(service, operation, body), None, "{operation} {body}");
        }
        for (service, operation, body) in [
            (dynamodb, "PutItem", &wallets),
            (dynamodb, "Query", &wallets),
            (dynamodb, "GetItem", &json!({"TableName": "voxanne-test-calls"})),
            (dynamodb, "TransactWriteItems", &part("Put")),
            ("AmazonSQS", "SendMessage", &json!({"QueueUrl": "http://queues.local/Other"})),
            ("secretsmanager", "PutSecretValue", &secret),
        ] {
            assert!(permissions.missing(service, operation, body).is_some(), "{operation} {body}");
        }
    }
}
