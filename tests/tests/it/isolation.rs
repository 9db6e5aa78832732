//! One org's data is kept from every other below the code: in the transport, by the scope that each request bears.

use aws_sdk_dynamodb::{config::Builder, types::AttributeValue};
use store::{
    scope::{Marked, Scope, System},
    table::Table,
};
use tests::{Harness, ORG, OTHER_ORG};
use web::problem::chain;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// Reads the other org's wallet within a scope, as code that mistook the org would. Returns why it could not.
async fn read_the_others(harness: &Harness, scope: Option<Scope>) -> String {
    let table = harness.stack.db().table_name(Table::Wallets);
    let client = &harness.stack.platform.dynamodb;
    let read = client.get_item().table_name(table).key("org_id", text(&OTHER_ORG.to_string())).customize();
    let read = match scope {
        Some(scope) => read.interceptor(Marked(scope)).send().await,
        None => read.send().await,
    };
    chain(&read.expect_err("it is kept in"))
}

#[tokio::test]
async fn a_request_that_forgets_its_org_or_takes_another_does_not_leave_the_client() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.stack.aws.take_spent();
    for (scope, why) in [
        (None, "bears no scope"),
        (Some(Scope::Org(ORG)), "another org's key"),
        (Some(Scope::Resolving), "one read of a mapping"),
        (Some(Scope::System(System::Runs)), "does not reach that table"),
        (Some(Scope::System(System::CallSlots)), "does not reach that table"),
    ] {
        let said = read_the_others(&harness, scope).await;
        assert!(said.contains(why), "{scope:?}: {said}");
    }
    assert_eq!(harness.stack.aws.take_spent(), []);
}

#[tokio::test]
async fn a_request_with_a_configuration_of_its_own_passes_the_same_guard() {
    // As the slots of calls are read and written, which have less time for an attempt.
    let harness = Harness::with_wallet(2_500, 600).await;
    let client = &harness.stack.platform.dynamodb;
    let read = client.get_item().table_name(harness.stack.db().table_name(Table::Wallets));
    let read = read.key("org_id", text(&ORG.to_string())).customize().config_override(Builder::new());
    let kept_in = read.interceptor(Marked(Scope::System(System::CallSlots))).send().await;
    let said = chain(&kept_in.expect_err("it is kept in"));
    assert!(said.contains("does not reach that table"), "{said}");
}

#[tokio::test]
async fn a_mapping_of_another_org_is_absent_to_one() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let client = harness.stack.unguarded();
    let table = harness.stack.db().table_name(Table::StripeCustomers);
    let put = client.put_item().table_name(&table).item("customer_id", text("cus_1"));
    put.item("org_id", text(&OTHER_ORG.to_string())).send().await.unwrap();
    for (org, is_there) in [(ORG, false), (OTHER_ORG, true)] {
        let read = harness.stack.platform.dynamodb.get_item().table_name(&table);
        let read = read.key("customer_id", text("cus_1")).customize();
        let found = read.interceptor(Marked(Scope::Org(org))).send().await.unwrap();
        assert_eq!(found.item.is_some(), is_there, "{org}");
    }
}
