//! Money that is asked back: refunds that arrive, fail, or wait; disputes, inquiries and warnings; several over one payment.

use bytes::Bytes;
use http::Request;
use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    actions::Refunded,
    driver::{Driver, Due},
};

/// What was asked back of a payment so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct AskedBack {
    refunds: u32,
    disputes: u32,
}

impl Driver {
    /// A payment of a clinic's and what is not refunded of it, in pence: as often as not the one that something was asked back of before.
    fn payment_of(&mut self, clinic: usize, may_be_refunded: bool) -> Option<(String, i64)> {
        let customers = self.world.customers();
        let stripe = &self.world.stack.stripe;
        let is_its = |payment: &Value| {
            let customer = payment["customer"].as_str().unwrap_or_default();
            payment["status"] == "succeeded" && customers.get(customer) == Some(&clinic)
        };
        let left = |payment: &Value| {
            let charge = stripe.object(payment["latest_charge"].as_str()?)?;
            let left = charge["amount"].as_i64()? - charge["amount_refunded"].as_i64()?;
            (left > 0).then_some((payment["id"].as_str()?.to_owned(), left))
        };
        // Stripe refuses to refund what a bank has taken.
        let disputes = stripe.all("dispute");
        let is_taken = |id: &String| {
            disputes.iter().any(|it| it["payment_intent"] == id.as_str() && it["status"] == "needs_response")
        };
        let open: Vec<(String, i64)> = stripe
            .all("payment_intent")
            .iter()
            .filter(|payment| is_its(payment))
            .filter_map(left)
            .filter(|(id, _)| !may_be_refunded || !is_taken(id))
            .collect();
        let again: Vec<(String, i64)> =
            open.iter().filter(|(id, _)| self.asked_back.contains_key(id)).cloned().collect();
        let of = if !again.is_empty() && self.chance.chance(500) { again } else { open };
        of.get(self.chance.index(of.len())).cloned()
    }

    fn note_asked_back(&mut self, payment: &str, change: impl FnOnce(&mut AskedBack)) {
        let asked = self.asked_back.entry(payment.to_owned()).or_default();
        let before = *asked;
        change(asked);
        let asked = *asked;
        if before.refunds < 2 && asked.refunds == 2 {
            self.tally("payments refunded twice");
        }
        let is_both = |asked: AskedBack| asked.refunds > 0 && asked.disputes > 0;
        if !is_both(before) && is_both(asked) {
            self.tally("payments refunded and disputed");
        }
    }

    /// A payment is refunded at Stripe's dashboard.
    pub(crate) fn refund(&mut self, clinic: usize, whole: bool, then: Option<(i64, Refunded)>) {
        let Some((payment, pence)) = self.payment_of(clinic, true) else { return };
        let part = if whole { pence } else { self.chance.between(1, pence) };
        let is_pending = matches!(then, Some((_, Refunded::Arrives | Refunded::PendingFails)));
        let request = Request::post("http://api.stripe.sandbox/v1/refunds")
            .header("authorization", "Bearer sk_test_sandbox")
            .body(Bytes::from(format!("payment_intent={payment}&amount={part}")))
            .expect("a request");
        let stripe = &self.world.stack.stripe;
        stripe.with_faults(|faults| faults.refunds_are_pending = is_pending);
        let answer = stripe.answer(&request);
        stripe.with_faults(|faults| faults.refunds_are_pending = false);
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        self.say(&format!("refunded {part}p of {payment}: {} {}", body["status"], body["id"]));
        let Some(refund) = body["id"].as_str() else { return };
        self.note_asked_back(&payment, |asked| asked.refunds += 1);
        if let Some((secs, then)) = then {
            let due = match then {
                Refunded::Arrives => Due::ArriveRefund(refund.to_owned()),
                Refunded::Fails | Refunded::PendingFails => Due::FailRefund(refund.to_owned()),
            };
            if then == Refunded::PendingFails {
                self.tally("refunds pending, then failed");
            }
            self.enter(self.world.time() + SignedDuration::from_secs(secs), due);
        }
    }

    /// A payment is disputed. Where it is decided, a part may come back before.
    pub(crate) fn dispute(
        &mut self,
        clinic: usize,
        whole: bool,
        decided: Option<(i64, bool)>,
        in_parts: bool,
    ) {
        let Some((payment, _)) = self.payment_of(clinic, false) else { return };
        let received = self.world.stack.stripe.object(&payment).unwrap_or_default();
        let received = received["amount_received"].as_i64().unwrap_or(1);
        let part = if whole { None } else { Some(self.chance.between(1, received)) };
        let disputed = self.world.stack.stripe.dispute(&payment, part);
        self.say(&format!("disputed {payment}: {disputed:?}"));
        let Ok(dispute) = disputed else { return };
        self.note_asked_back(&payment, |asked| asked.disputes += 1);
        self.decide(dispute, part.unwrap_or(received), decided, in_parts);
    }

    fn decide(&mut self, dispute: String, pence: i64, decided: Option<(i64, bool)>, in_parts: bool) {
        let Some((secs, is_won)) = decided else { return };
        let now = self.world.time();
        if in_parts && pence > 1 {
            let pence = self.chance.between(1, pence - 1);
            self.tally("disputes given back in part");
            let at = now + SignedDuration::from_secs(secs / 2);
            self.enter(at, Due::Reinstate { dispute: dispute.clone(), pence });
        }
        self.enter(now + SignedDuration::from_secs(secs), Due::Decide { dispute, is_won });
    }

    /// A bank asks about a payment; then it takes the money, or nothing comes of it.
    pub(crate) fn inquire(&mut self, clinic: usize, secs: i64, is_escalated: bool) {
        let Some((payment, _)) = self.payment_of(clinic, false) else { return };
        let inquiry = self.world.stack.stripe.inquire(&payment);
        self.say(&format!("a bank asks about {payment}: {inquiry:?}"));
        let Ok(inquiry) = inquiry else { return };
        self.tally("inquiries");
        if is_escalated {
            self.tally("inquiries that became disputes");
            self.note_asked_back(&payment, |asked| asked.disputes += 1);
        }
        let at = self.world.time() + SignedDuration::from_secs(secs);
        self.enter(at, Due::EndInquiry { inquiry, is_escalated });
    }

    /// An inquiry comes to an end, or becomes a dispute, which is decided a day later.
    pub(crate) fn end_inquiry(&mut self, inquiry: &str, is_escalated: bool) {
        let stripe = &self.world.stack.stripe;
        let ended =
            if is_escalated { stripe.escalate_inquiry(inquiry) } else { stripe.close_inquiry(inquiry) };
        self.say(&format!("inquiry {inquiry} ends, as a dispute: {is_escalated}: {ended:?}"));
        if is_escalated {
            let is_won = self.chance.chance(500);
            self.decide(inquiry.to_owned(), 0, Some((86_400, is_won)), false);
        }
    }

    /// A card network warns of a payment.
    pub(crate) fn warn(&mut self, clinic: usize) {
        let Some((payment, _)) = self.payment_of(clinic, false) else { return };
        let warning = self.world.stack.stripe.warn(&payment);
        self.say(&format!("a network warns of {payment}: {warning:?}"));
        self.tally("fraud warnings");
    }
}
