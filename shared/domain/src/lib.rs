//! The rules, without I/O: values come in, and what should change comes out.

pub mod agent;
pub mod amount;
pub mod audit;
pub mod booking;
pub mod call;
pub mod clinic;
pub mod content;
pub mod doubt;
pub mod hold;
pub mod ids;
pub mod ledger;
pub mod meter;
pub mod number;
pub mod overspend;
pub mod ownership;
pub mod payment;
pub mod personal;
pub mod phone_number;
pub mod purchase;
pub mod rate;
pub mod recharge;
pub mod sealed;
pub mod slots;
pub mod tariff;
pub mod time;
pub mod wallet;
