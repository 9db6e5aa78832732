//! How one signs in at the local stack: by choosing a clinic and a role. What is here is deployed nowhere.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use domain::ids::OrgId;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use store::table::Table;

use super::{Gateway, refuse, say};
use crate::{demo_clinic, stack::Stack, token::Issuer};

/// What somebody may be at a clinic.
const ROLES: [&str; 4] = ["owner", "admin", "staff", "viewer"];
/// One who looks after all clinics and belongs to none.
const OPERATOR: &str = "operator";

/// Lists the clinics, the demo clinic first, and the roles that one may choose.
pub(super) async fn clinics(gateway: &Gateway) -> Response<Bytes> {
    match listed(&gateway.stack).await {
        Ok(clinics) => {
            say(StatusCode::OK, &json!({"clinics": clinics, "roles": ROLES, "operator": OPERATOR}))
        }
        Err(sentence) => say(StatusCode::BAD_GATEWAY, &json!({ "detail": sentence })),
    }
}

/// Every org that has a wallet, which it has from its first request on, with the name that its clinic gave itself.
async fn listed(stack: &Stack) -> Result<Vec<Value>, String> {
    let text = |item: &BTreeMap<String, AttributeValue>, name: &str| {
        item.get(name).and_then(|value| value.as_s().ok()).cloned()
    };
    let named: BTreeMap<String, String> = scanned(stack, Table::Clinics)
        .await?
        .iter()
        .filter_map(|clinic| Some((text(clinic, "org_id")?, text(clinic, "name")?)))
        .collect();
    let wallets = scanned(stack, Table::Wallets).await?;
    let orgs: Vec<String> = wallets.iter().filter_map(|wallet| text(wallet, "org_id")).collect();
    let demo = demo_clinic::ORG.to_string();
    let (first, others): (Vec<_>, Vec<_>) = orgs.into_iter().partition(|org| *org == demo);
    let shown = first.into_iter().chain(others);
    Ok(shown.map(|org| json!({"name": named.get(&org), "org_id": org})).collect())
}

/// Every record of a table.
async fn scanned(stack: &Stack, table: Table) -> Result<Vec<BTreeMap<String, AttributeValue>>, String> {
    let mut pages =
        stack.unguarded().scan().table_name(stack.db().table_name(table)).into_paginator().items().send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item.map_err(|error| format!("The table cannot be read: {error}."))?;
        items.push(item.into_iter().collect());
    }
    Ok(items)
}

/// Gives a token for a clinic and a role, or for an operator.
pub(super) fn issue(gateway: &Gateway, body: &[u8]) -> Response<Bytes> {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Wanted {
        org_id: Option<OrgId>,
        role: Option<String>,
        operator: bool,
    }
    let roles = ROLES.join("|");
    let wanted: Wanted = match serde_json::from_slice(if body.is_empty() { b"{}" } else { body }) {
        Ok(wanted) => wanted,
        Err(error) => {
            return refuse(&format!(
                "Send {{\"org_id\"?: a UUID, \"role\"?: {roles}}} or {{\"operator\": true}}: {error}."
            ));
        }
    };
    let issuer = Issuer::of(&gateway.stack);
    let now = gateway.stack.clock.now();
    let role = wanted.role.as_deref().unwrap_or("owner");
    if wanted.operator || role == OPERATOR {
        return match issuer.issue_operator(now) {
            Ok(token) => say(StatusCode::OK, &json!({"token": token, "operator": true, "role": OPERATOR})),
            Err(error) => refuse(&error.to_string()),
        };
    }
    if !ROLES.contains(&role) {
        return refuse(&format!("\"role\" is one of {roles}|{OPERATOR}."));
    }
    let org = wanted.org_id.unwrap_or(demo_clinic::ORG);
    match issuer.issue(org, role, now) {
        Ok(token) => say(StatusCode::OK, &json!({"token": token, "org_id": org, "role": role})),
        Err(error) => refuse(&error.to_string()),
    }
}
