//! A module for each route, and what they have in common.

pub mod activity;
pub mod create;
pub mod detail;
pub mod end;
pub mod filter;
pub mod list;
pub mod live;
pub mod now;
pub mod period;
pub mod piece;
pub mod pulse;
pub mod recording;
pub mod row;
pub mod spend;
pub mod stats;
