//! A module for each route.

pub mod auto_recharge;
pub mod show;
pub mod statement;
pub mod top_up;
pub mod transactions;
