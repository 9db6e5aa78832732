//! The last line in front of the database, in the transport of every client, in production too. It keeps in a request that
//! could change the ledger or put one wallet over another (no IAM policy can demand a condition), and one that reaches past
//! the scope it bears (see [`crate::scope`]).

mod answer;
mod isolation;
mod ledger;

use aws_sdk_dynamodb::{
    config::{ConfigBag, Intercept, RuntimeComponents},
    error::BoxError,
};
use aws_smithy_runtime_api::client::{
    interceptors::context::{
        BeforeTransmitInterceptorContextRef, Error, FinalizerInterceptorContextMut, Output,
    },
    orchestrator::OrchestratorError,
};
use base::alarm;
use domain::ids::OrgId;
use serde_json::Value;

use self::answer::Found;
use crate::scope::Scope;

/// Refuses every request that breaks a rule of the ledger or of isolation.
#[derive(Debug)]
pub struct Guard;

/// Why a request never left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It could change an entry of the ledger, or put a wallet over another.
    #[error("{operation} would change the ledger, which is only ever added to, or put a wallet over another")]
    Ledger {
        /// What was asked of the database.
        operation: String,
    },
    /// It bears no scope.
    #[error("{operation} bears no scope: it must say for which org, or for what task, it is")]
    Unscoped {
        /// What was asked of the database.
        operation: String,
    },
    /// It reaches past its scope.
    #[error("{operation} reaches past its scope: {reason}")]
    OutOfScope {
        /// What was asked of the database.
        operation: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "Guard"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())?;
        judge(config.load::<Scope>().copied(), operation, &body).map_err(|violation| {
            alarm!("request_kept_in", why = %violation, "a request to the database broke a rule and was kept in");
            violation.into()
        })
    }

    /// After the answer is read, whatever transport it came by: over the network its bytes are not there before.
    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Scope::Org(org)) = config.load::<Scope>() else { return Ok(()) };
        let Some(outcome) = context.output_or_error_mut() else { return Ok(()) };
        show_own(*org, outcome);
        Ok(())
    }
}

/// Takes out of an answer what is not the org's, and tells of what should never have come.
fn show_own(org: OrgId, outcome: &mut Result<Output, OrchestratorError<Error>>) {
    match answer::without_foreign(org, outcome) {
        // A put that finds another's item is refused as it should be.
        Found::Own | Found::ForeignInRefusal => {}
        // A read that finds one should never have been made.
        Found::ForeignInRead => {
            alarm!("foreign_item", org_id = %org, "a read for one org found another's item; it was shown as absent");
        }
        Found::Unjudged => {
            alarm!("answer_kept_back", org_id = %org,
                "an answer of the database to an org's request is of a kind that cannot be judged; it was made an error");
        }
    }
}

/// Whether a request may leave.
fn judge(scope: Option<Scope>, operation: &str, body: &Value) -> Result<(), Violation> {
    if !ledger::is_allowed(operation, body) {
        return Err(Violation::Ledger { operation: operation.to_owned() });
    }
    let Some(scope) = scope else { return Err(Violation::Unscoped { operation: operation.to_owned() }) };
    isolation::check(scope, operation, body)
        .map_err(|reason| Violation::OutOfScope { operation: operation.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_dynamodb::operation::{get_item::GetItemOutput, list_tables::ListTablesOutput};
    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    use super::*;

    /// Keeps the names of alarms.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Visit for Heard {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "alarm" {
                self.0.lock().unwrap().push(value.to_owned());
            }
        }

        fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
    }

    impl Subscriber for Heard {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn an_answer_that_cannot_be_judged_is_an_error_and_one_alarm() {
        let heard = Heard::default();
        let org = OrgId::new(uuid::Uuid::from_u128(1));
        tracing::subscriber::with_default(heard.clone(), || {
            let mut own = Ok(Output::erase(GetItemOutput::builder().build()));
            show_own(org, &mut own);
            assert!(own.is_ok());
            let mut unjudged = Ok(Output::erase(ListTablesOutput::builder().build()));
            show_own(org, &mut unjudged);
            assert!(unjudged.is_err());
        });
        assert_eq!(*heard.0.lock().unwrap(), ["answer_kept_back"]);
    }
}
