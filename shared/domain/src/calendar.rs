//! A clinic's calendars at a vendor: what we put there, what stands there besides, and what a change of ours that comes back means.
//!
//! Our store owns appointments. A calendar is a mirror of them and a source of other busy time; nothing in an answer of its
//! vendor's that cannot be read frees, moves or cancels anything.

mod busy;
mod event;
mod guard;
mod hand;
mod record;

pub use busy::{Busy, Told, When, clipped};
pub use event::{Draft, Mark, Title, calendar_id, event_id, external_id, summary};
pub use guard::{Cancelled, are_too_many};
pub use hand::{Meaning, meaning};
pub use record::{
    Access, Calendar, Channel, Connection, ConnectionState, External, Mirror, MirrorState, Pushed, Stance,
};
