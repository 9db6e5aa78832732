//! Appointments: what a clinic offers ([`catalog`]), whose time is taken ([`diary`]), what can be booked ([`availability`]), what a
//! caller's words for a time mean ([`when`]), what was offered on a call ([`conversation`]), what patients are asked before they come
//! ([`intake`]), and the appointment itself ([`appointment`]). Whether appointments and taken times agree, [`agreement`] says. Times are
//! said to callers by [`spoken`].

pub mod agreement;
pub mod appointment;
pub mod availability;
pub mod catalog;
pub mod conversation;
pub mod diary;
pub mod intake;
pub mod spoken;
pub mod when;
