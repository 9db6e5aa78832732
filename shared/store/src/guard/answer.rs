//! What an answer shows to one org: its own items, and of another's nothing.

use aws_sdk_dynamodb::{
    operation::{
        delete_item::{DeleteItemError, DeleteItemOutput},
        get_item::GetItemOutput,
        put_item::{PutItemError, PutItemOutput},
        query::QueryOutput,
        transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput},
        update_item::{UpdateItemError, UpdateItemOutput},
    },
    types::error::ConditionalCheckFailedException,
};
use aws_smithy_runtime_api::client::{
    interceptors::context::{Error, Output},
    orchestrator::OrchestratorError,
};
use domain::ids::OrgId;

use crate::item::Item;

/// What an answer had for an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its own items, or none.
    Own,
    /// A read found another org's item.
    ForeignInRead,
    /// A refused write found another org's item in its way.
    ForeignInRefusal,
    /// Of a kind that no request of an org's has: what is in it cannot be judged.
    Unjudged,
}

/// An answer of a kind that no request of an org's has: what is in it cannot be judged.
#[derive(Debug, thiserror::Error)]
#[error("the answer is of a kind that no request of an org's has, and is not shown")]
struct Unknown;

/// Takes out of the answer what is not `org`'s: then it is as if there were nothing. An answer that cannot be judged becomes an
/// error.
pub(super) fn without_foreign(org: OrgId, outcome: &mut Result<Output, OrchestratorError<Error>>) -> Found {
    let org = org.to_string();
    let Ok(output) = outcome else { return of_refusal(&org, outcome) };
    of_output(&org, output).unwrap_or_else(|| {
        *outcome = Err(OrchestratorError::other(Unknown));
        Found::Unjudged
    })
}

fn of_output(org: &str, output: &mut Output) -> Option<Found> {
    if let Some(read) = output.downcast_mut::<GetItemOutput>() {
        let found = if take_foreign(org, &mut read.item) { Found::ForeignInRead } else { Found::Own };
        return Some(found);
    }
    if let Some(page) = output.downcast_mut::<QueryOutput>() {
        let all = page.items.as_ref().map_or(0, Vec::len);
        let own = page.items.iter_mut().flatten();
        let own: Vec<Item> = own.map(std::mem::take).filter(|item| is_own(org, item)).collect();
        let found = if own.len() < all { Found::ForeignInRead } else { Found::Own };
        page.items = page.items.is_some().then_some(own);
        return Some(found);
    }
    // Their keys and conditions name the org, and what they say of what was there before is the org's.
    let is_write = output.downcast_ref::<PutItemOutput>().is_some()
        || output.downcast_ref::<UpdateItemOutput>().is_some()
        || output.downcast_ref::<DeleteItemOutput>().is_some()
        || output.downcast_ref::<TransactWriteItemsOutput>().is_some();
    is_write.then_some(Found::Own)
}

/// Takes what is another's out of a refused write's error, which is taken apart and put together again.
fn of_refusal(org: &str, outcome: &mut Result<Output, OrchestratorError<Error>>) -> Found {
    let mut found = Found::Own;
    let refusal = std::mem::replace(outcome, Err(OrchestratorError::other(Unknown)));
    *outcome = refusal.map_err(|error| {
        error.map_operation_error(|mut error| {
            if of_error(org, &mut error) {
                found = Found::ForeignInRefusal;
            }
            error
        })
    });
    found
}

/// Takes what is another's out of an error. Returns whether there was anything.
fn of_error(org: &str, error: &mut Error) -> bool {
    let of_check = |check: &mut ConditionalCheckFailedException| take_foreign(org, &mut check.item);
    if let Some(PutItemError::ConditionalCheckFailedException(check)) = error.downcast_mut() {
        return of_check(check);
    }
    if let Some(UpdateItemError::ConditionalCheckFailedException(check)) = error.downcast_mut() {
        return of_check(check);
    }
    if let Some(DeleteItemError::ConditionalCheckFailedException(check)) = error.downcast_mut() {
        return of_check(check);
    }
    match error.downcast_mut() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons.iter_mut().flatten();
            // All of them, and not only as far as the first.
            reasons.filter_map(|reason| take_foreign(org, &mut reason.item).then_some(())).count() > 0
        }
        _ => false,
    }
}

/// Takes an item away that is not the org's. Returns whether it did.
fn take_foreign(org: &str, item: &mut Option<Item>) -> bool {
    item.take_if(|item| !is_own(org, item)).is_some()
}

/// Whether an item bears the org's id. One that bears none is no org's.
fn is_own(org: &str, item: &Item) -> bool {
    item.get("org_id").and_then(|owner| owner.as_s().ok()).is_some_and(|owner| owner == org)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, error::TransactionCanceledException};

    use super::*;

    fn org(n: u128) -> OrgId {
        OrgId::new(uuid::Uuid::from_u128(n))
    }

    fn item(owner: Option<OrgId>) -> Item {
        let name = ("name".to_owned(), AttributeValue::S("x".into()));
        let owner = owner.map(|org| ("org_id".to_owned(), AttributeValue::S(org.to_string())));
        owner.into_iter().chain([name]).collect()
    }

    #[test]
    fn an_item_that_is_anothers_or_no_ones_is_taken_out_of_the_answer() {
        for (owner, is_shown) in [(Some(org(1)), true), (Some(org(2)), false), (None, false)] {
            let read = GetItemOutput::builder().set_item(Some(item(owner))).build();
            let mut outcome = Ok(Output::erase(read));
            let found = without_foreign(org(1), &mut outcome);
            assert_eq!(found == Found::Own, is_shown);
            let read = outcome.unwrap().downcast::<GetItemOutput>().unwrap();
            assert_eq!(read.item.is_some(), is_shown, "{owner:?}");
        }
        let page = QueryOutput::builder().items(item(Some(org(1)))).items(item(Some(org(2)))).build();
        let mut outcome = Ok(Output::erase(page));
        assert_eq!(without_foreign(org(1), &mut outcome), Found::ForeignInRead);
        let page = outcome.unwrap().downcast::<QueryOutput>().unwrap();
        assert_eq!(page.items, Some(vec![item(Some(org(1)))]));
    }

    #[test]
    fn a_refusal_shows_nothing_of_what_is_in_the_way_but_the_orgs_own() {
        for (owner, is_shown) in [(org(1), true), (org(2), false)] {
            let there = item(Some(owner));
            let check = ConditionalCheckFailedException::builder().set_item(Some(there.clone())).build();
            let error = Error::erase(PutItemError::ConditionalCheckFailedException(check));
            let mut outcome = Err(OrchestratorError::operation(error));
            without_foreign(org(1), &mut outcome);
            let error = outcome.unwrap_err();
            let error = error.as_operation_error().unwrap().downcast_ref::<PutItemError>().unwrap();
            let PutItemError::ConditionalCheckFailedException(check) = error else { panic!("{error:?}") };
            assert_eq!(check.item().is_some(), is_shown);

            let reason = CancellationReason::builder().set_item(Some(there)).build();
            let cancelled = TransactionCanceledException::builder().cancellation_reasons(reason).build();
            let error = Error::erase(TransactWriteItemsError::TransactionCanceledException(cancelled));
            let mut outcome = Err(OrchestratorError::operation(error));
            without_foreign(org(1), &mut outcome);
            let error = outcome.unwrap_err();
            let error =
                error.as_operation_error().unwrap().downcast_ref::<TransactWriteItemsError>().unwrap();
            let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
                panic!("{error:?}")
            };
            assert_eq!(cancelled.cancellation_reasons()[0].item().is_some(), is_shown);
        }
    }

    #[test]
    fn an_answer_that_cannot_be_judged_is_not_shown() {
        let listed = aws_sdk_dynamodb::operation::list_tables::ListTablesOutput::builder().build();
        let mut outcome = Ok(Output::erase(listed));
        assert_eq!(without_foreign(org(1), &mut outcome), Found::Unjudged);
        assert!(outcome.is_err());
    }
}
