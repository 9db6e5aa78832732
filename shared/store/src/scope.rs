//! For whom a request to the database is made. Every request carries a [`Scope`], and the transport refuses one that reaches
//! past it ([`crate::guard`]): an org's data is kept from every other org below the code that could forget to.

use aws_sdk_dynamodb::{
    config::{ConfigBag, Intercept},
    error::BoxError,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use domain::ids::OrgId;

use crate::table::Table;

/// For whom a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One org: its own keys, and in other tables only items that bear its id.
    Org(OrgId),
    /// A vendor's message whose org is not known yet: one item of a mapping at a time.
    Resolving,
    /// A task that works for all orgs, from the list of those that exist.
    System(System),
}

/// The tasks that work for all orgs. Each reaches its own tables and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// The books check reads every wallet.
    Books,
    /// Reconciliation finds the calls that are due.
    DueCalls,
    /// The slots that the calls of all orgs share.
    CallSlots,
    /// Operators see the doubts of all orgs.
    Doubts,
    /// Reconciliation and the rotation of keys read every number, purchase and subaccount.
    Numbers,
    /// The schedules of calendars find those that are to be asked.
    Calendars,
    /// What all orgs share at Vapi is made once.
    VapiObjects,
    /// What is made at vendors bears this deployment's mark.
    Stack,
    /// What vendors sent is recorded, before it is known whose it is.
    WebhookEvents,
    /// Reconciliation keeps its reports, watermarks and findings.
    Runs,
    /// What patients are to be told is taken when it is due.
    DueMessages,
    /// Reconciliation finds the teams of whose people the issuer is still to be told.
    Teams,
}

impl System {
    /// Every task, by its name.
    pub const ALL: [Self; 12] = [
        Self::Books,
        Self::DueCalls,
        Self::CallSlots,
        Self::Doubts,
        Self::Numbers,
        Self::Calendars,
        Self::VapiObjects,
        Self::Stack,
        Self::WebhookEvents,
        Self::Runs,
        Self::DueMessages,
        Self::Teams,
    ];

    /// The tables that the task reaches.
    pub const fn tables(self) -> &'static [Table] {
        match self {
            Self::Books => &[Table::Wallets],
            Self::DueCalls => &[Table::Calls],
            Self::CallSlots => &[Table::CallSlots],
            Self::Doubts => &[Table::Doubts],
            Self::Numbers => &[
                Table::OrgCredentials,
                Table::ManagedPhoneNumbers,
                Table::NumberPurchases,
                Table::TwilioSubaccounts,
            ],
            Self::Calendars => &[Table::Calendars],
            Self::VapiObjects => &[Table::VapiObjects],
            Self::Stack => &[Table::Stack],
            Self::WebhookEvents => &[Table::VapiWebhookEvents, Table::StripeWebhookEvents],
            Self::Runs => &[Table::Reconciliation],
            Self::DueMessages => &[Table::DueMessages],
            Self::Teams => &[Table::Teams],
        }
    }

    /// Whether the task may change what its tables hold. The others read only: what they find is changed org by org.
    pub const fn writes(self) -> bool {
        match self {
            Self::Books | Self::DueCalls | Self::Doubts | Self::Numbers | Self::Calendars | Self::Teams => {
                false
            }
            Self::CallSlots
            | Self::VapiObjects
            | Self::Stack
            | Self::WebhookEvents
            | Self::Runs
            | Self::DueMessages => true,
        }
    }
}

impl Storable for Scope {
    type Storer = StoreReplace<Self>;
}

/// Marks one request with its scope: `client.get_item()….customize().interceptor(Marked(scope)).send()`.
#[derive(Clone, Copy, Debug)]
pub struct Marked(pub Scope);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Marked {
    fn name(&self) -> &'static str {
        "Marked"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(self.0);
        Ok(())
    }
}
