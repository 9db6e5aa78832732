//! DynamoDB and SQS: a file per family of tables, a method per business write, each one conditional write or one
//! transaction.

pub mod agents;
pub mod calls;
pub mod customers;
pub mod ledger;
pub mod ledger_guard;
pub mod made_once;
pub mod mappings;
pub mod numbers;
pub mod purchases;
pub mod queue;
pub mod runs;
pub mod table;
pub mod wallets;
pub mod webhook_events;

pub use table::{ChangeError, Dynamo, StoreError};
