//! The routes, a file for each kind of thing.

pub mod calendars;
pub mod oauth;
pub mod word;

use services::calendar::SyncError;
use web::problem::{Code, Problem};

/// What a failure is to a client.
fn problem(error: &SyncError) -> Problem {
    match error {
        SyncError::NotConnected | SyncError::ConsentEnded | SyncError::Google(_) => {
            Problem::new(Code::CalendarUnavailable).because(error)
        }
        SyncError::Contended | SyncError::Unreadable | SyncError::Keyring(_) | SyncError::Store(_) => {
            Problem::internal(error)
        }
    }
}
