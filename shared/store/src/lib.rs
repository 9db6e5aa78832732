//! DynamoDB and SQS: a file per family of tables, a method per business write, each one conditional write or one
//! transaction. Nothing here decides: the rules are [`domain`]'s.

pub mod agents;
pub mod audit;
pub mod booking;
pub mod calendars;
pub mod calls;
pub mod clinics;
pub mod contacts;
pub mod customers;
pub mod doubts;
mod dynamo;
mod error;
pub mod guard;
mod item;
pub mod ledger;
pub mod made_once;
pub mod mappings;
pub mod messages;
pub mod notifications;
pub mod numbers;
pub mod opt_outs;
pub mod outbox;
pub mod purchases;
pub mod queue;
pub mod rates;
pub mod runs;
pub mod scope;
pub mod slots;
pub mod stack;
pub mod table;
pub mod teams;
pub mod wallets;
pub mod webhook_events;

pub use dynamo::{Attempt, Dynamo, PATIENCE, Rounds};
pub use error::{ChangeError, StoreError};
