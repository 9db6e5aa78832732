//! What people do, and what follows from it.

use bytes::Bytes;
use domain::{
    overspend::{IGNORED_SECS, WEB_LIMIT_SECS},
    tariff::price_change,
};
use http::Response;
use jiff::SignedDuration;
use sandbox::{
    stripe::{Act, Card},
    vapi::{Placing, Turn},
};
use serde_json::{Value, json};
use vendors::vapi::tools::{
    BOOK_APPOINTMENT, CANCEL_APPOINTMENT, CHECK_AVAILABILITY, FIND_APPOINTMENTS, RESCHEDULE_APPOINTMENT,
};

use crate::{
    actions::{CALLERS, PATIENTS, What},
    calendars::consented,
    driver::{After, Driver, Due},
    faults::Kind,
    items,
    world::{LONG_MINS, SHORT_MINS, locked, service, session_of},
};

/// Why the simulation freezes a wallet. A wallet that is frozen for another reason was found wrong by our own books check.
pub const FROZEN_BY_HAND: &str = "the simulation";

impl Driver {
    /// Lets something happen whose time has come.
    pub(crate) fn happens(&mut self, due: Due) {
        match due {
            Due::Act(at) => self.act(at),
            Due::Pay { session, act } => {
                let outcome = self.world.stack.stripe.act(&session, act);
                self.say(&format!("the customer: {act:?} {session}: {outcome:?}"));
            }
            Due::FailRefund(refund) => {
                self.say(&format!("refund {refund} does not arrive"));
                drop(self.world.stack.stripe.fail_refund(&refund));
            }
            Due::ArriveRefund(refund) => {
                self.say(&format!("refund {refund} arrives"));
                drop(self.world.stack.stripe.arrive_refund(&refund));
            }
            Due::Reinstate { dispute, pence } => {
                self.say(&format!("{pence}p of dispute {dispute} come back"));
                drop(self.world.stack.stripe.reinstate(&dispute, pence));
            }
            Due::EndInquiry { inquiry, is_escalated } => self.end_inquiry(&inquiry, is_escalated),
            Due::PutThrough { call, secs } => {
                self.say(&format!("the caller of {call} is put through"));
                self.world.stack.vapi.put_through(&call, secs);
            }
            Due::ChangeRecord(call) => self.change_record(&call),
            Due::RecordsAreShown => self.world.stack.vapi.with_faults(|faults| faults.shows_old_secs = 0),
            Due::Alter => self.alter_an_entry(),
            Due::Decide { dispute, is_won } => {
                self.say(&format!("dispute {dispute} is decided, won: {is_won}"));
                drop(self.world.stack.stripe.decide_dispute(&dispute, is_won));
            }
            Due::Unfreeze(clinic) => self.unfreeze(clinic),
            Due::EndsAreHeard => self.hear_ends(),
            Due::Scheduled(schedule) => self.run_scheduled(schedule),
            Due::VapiRecovers => self.recover_vapi(),
            Due::Vapi(post) => self.post_vapi(post),
            Due::VapiCopy(text) => self.post_vapi_copy(&text),
            Due::Stripe(post) => self.post_stripe(post),
            Due::StripeCopy(post) => self.post_stripe_copy(post),
            Due::Google(post) => self.post_google(post),
            Due::Twilio(post) => self.post_twilio(post),
            Due::Consent(clinic) => self.consent(clinic),
            Due::Again { consumer, message } => self.consume_once(consumer, message),
        }
    }

    /// What follows when something is done, or, without an answer, when its process has died.
    pub(crate) fn done(&mut self, name: &str, after: After, answer: Option<&Response<Bytes>>) {
        let status = answer.map(|answer| answer.status().as_u16());
        if let Some(status) = status {
            self.say(&format!("{status} to {name}"));
        }
        let body = || -> Value {
            let body = answer.map(Response::body).cloned().unwrap_or_default();
            serde_json::from_slice(&body).unwrap_or_default()
        };
        match after {
            After::Vapi(post, began) => {
                self.hear_change(post.body(), &body(), began);
                self.world.stack.vapi.posted(post, answer);
            }
            After::Stripe(post) => {
                if status.is_some_and(|status| (200..300).contains(&status)) {
                    let event: Value = serde_json::from_str(post.body()).unwrap_or_default();
                    self.monitor.cards.heard(&self.world, &event);
                }
                self.world.stack.stripe.posted(post, answer);
            }
            After::TopUp { act, wait_secs } => {
                if let Some(session) = session_of(&body()) {
                    let at = self.world.time() + SignedDuration::from_secs(wait_secs);
                    self.enter(at, Due::Pay { session, act });
                }
            }
            After::Forged => {
                if status.is_some_and(|status| (200..300).contains(&status)) {
                    self.violate("a forged webhook changes nothing", name.to_owned());
                }
            }
            After::Look { clinic } => {
                let text = body().to_string();
                let mut others = self.world.clinics.iter().enumerate().filter(|(at, _)| *at != clinic);
                let is_foul =
                    others.any(|(_, other)| text.contains(&other.id) || text.contains(&other.number));
                if is_foul {
                    self.violate(
                        "no key of another org is touched",
                        format!("{name} shows another's: {text}"),
                    );
                }
            }
            After::Twilio(sid) => {
                let at = self.world.time();
                if status == Some(200) && self.monitor.stops.heard(&sid, at) {
                    self.tally("patients who said stop");
                }
            }
            After::Consent { clinic } => {
                let back = answer.and_then(|page| consented(&self.world, clinic, page));
                if let Some(back) = back {
                    self.begin_request(format!("clinic {clinic} consents"), None, After::Nothing, back);
                }
            }
            After::Nothing => {}
        }
    }

    fn act(&mut self, at: usize) {
        let Some(action) = self.actions.get(at).cloned() else { return };
        let clinic = action.clinic;
        self.say(&format!("action {at} of clinic {clinic}: {:?}", action.what));
        self.ignore_ends();
        self.show_old_records();
        if self.chance.chance(150) {
            let succeeds = self.chance.chance(700);
            self.prove_cards(succeeds);
        }
        match action.what {
            What::Ring { talk_secs, caller, bought } => self.ring(clinic, talk_secs, caller, bought),
            What::Book { caller, when, option, holds, repeats } => {
                self.book(clinic, caller, (when, option), holds, repeats);
            }
            What::Change { caller, to, repeats } => self.change(clinic, caller, to, repeats),
            What::Offer { longer } => self.offer(clinic, longer),
            What::Web { talk_secs } => {
                let assistant = self.world.clinics.get(clinic).map(|clinic| clinic.assistant_id.clone());
                self.place(&Placing {
                    to: None,
                    from: "web".into(),
                    talk_seconds: talk_secs,
                    web_assistant_id: assistant,
                    max_duration_seconds: Some(WEB_LIMIT_SECS.into()),
                    says: vec![],
                });
            }
            What::Dial { talk_secs, caller, twice } => {
                self.world.stack.vapi.set_outbound_talk_secs(talk_secs);
                let body = json!({"phoneNumber": CALLERS.get(caller)});
                self.post_once_or_twice(clinic, ("/api/calls", at), &body, twice);
            }
            What::TopUp { pence, act, wait_secs } => self.top_up(clinic, pence, act, wait_secs),
            What::Refund { whole, then } => self.refund(clinic, whole, then),
            What::Dispute { whole, decided, in_parts } => self.dispute(clinic, whole, decided, in_parts),
            What::Inquire { secs, is_escalated } => self.inquire(clinic, secs, is_escalated),
            What::Warn => self.warn(clinic),
            What::Buy { direction, twice } => {
                let body = json!({"country": "US", "numberType": "local", "direction": direction});
                self.post_once_or_twice(clinic, ("/api/managed-telephony/provision", at), &body, twice);
            }
            What::Release => self.release(clinic),
            What::Recharge { enabled, pence, threshold, months, charges } => {
                let limit = |amounts: Option<i64>| amounts.map(|amounts| amounts * pence);
                let body = json!({"enabled": enabled, "amount_pence": pence, "threshold_pence": threshold,
                    "monthly_limit": limit(months), "max_charge_pence": limit(charges)});
                if enabled {
                    self.monitor.cards.asks(clinic, self.world.time());
                }
                self.route(clinic, "POST", "/api/billing/wallet/auto-recharge", &body, After::Nothing);
            }
            What::Card { card } => self.set_card(clinic, card),
            What::Freeze { secs } => self.freeze(clinic, secs),
            What::Trouble { secs } => self.trouble_vapi(secs),
            What::Look => self.look(clinic),
            What::AtDesk { desk, which } => self.at_desk(clinic, desk, which),
            What::ByHand { touch, which } => self.by_hand(clinic, touch, which),
            What::AtGoogle(turn) => self.at_google(clinic, turn),
            What::Tariff => change_price(self.world.time() + SignedDuration::from_millis(1)),
        }
    }

    /// The clinic looks at one of its pages.
    fn look(&mut self, clinic: usize) {
        let paths = [
            "/api/billing/wallet",
            "/api/billing/wallet/transactions",
            "/api/calls-dashboard",
            "/api/calls-dashboard/live",
            "/api/integrations/vapi/numbers",
            "/api/managed-telephony/phone-status",
        ];
        let path = self.chance.pick(&paths).unwrap_or("/api/billing/wallet");
        self.route(clinic, "GET", path, &Value::Null, After::Look { clinic });
    }

    /// Begins a request of a clinic's.
    pub(crate) fn route(&mut self, clinic: usize, method: &str, path: &str, body: &Value, after: After) {
        let request = self.world.request(clinic, method, path, body);
        self.begin_request(format!("{method} {path} of clinic {clinic}"), Some(clinic), after, request);
    }

    /// Begins a request that a browser may send twice, with or without a key that says it is the same one.
    fn post_once_or_twice(&mut self, clinic: usize, (path, at): (&str, usize), body: &Value, twice: bool) {
        let has_key = self.chance.chance(600);
        let times = if twice { 2 } else { 1 };
        for _ in 0..times {
            let mut request = self.world.request(clinic, "POST", path, body);
            if let (true, Ok(key)) = (has_key, http::HeaderValue::from_str(&format!("key-of-action-{at}"))) {
                request.headers_mut().insert("idempotency-key", key);
            }
            self.begin_request(
                format!("POST {path} of clinic {clinic}"),
                Some(clinic),
                After::Nothing,
                request,
            );
        }
    }

    fn place(&mut self, placing: &Placing) {
        let placed = self.world.stack.vapi.place(placing);
        self.say(&format!("rings: {placed:?}"));
        if let Ok(call) = placed {
            self.put_through(call, placing.talk_seconds);
        }
    }

    fn ring(&mut self, clinic: usize, talk_seconds: u32, caller: usize, bought: bool) {
        let fixed = self.world.clinics.get(clinic).map(|clinic| clinic.number.clone());
        let to = if bought { self.numbers_of(clinic).first().cloned().or(fixed) } else { fixed };
        self.place(&Placing {
            to,
            from: (*CALLERS.get(caller).unwrap_or(&CALLERS[0])).to_owned(),
            talk_seconds,
            web_assistant_id: None,
            max_duration_seconds: None,
            says: vec![],
        });
    }

    /// A patient rings and books by voice.
    fn book(
        &mut self,
        clinic: usize,
        caller: usize,
        (when, option): (&str, &str),
        holds: bool,
        repeats: u32,
    ) {
        let name = PATIENTS.get(caller).copied().unwrap_or_default();
        let mut says = vec![turn(CHECK_AVAILABILITY, json!({"service": "check-up", "when": when}), 0)];
        if holds {
            says.push(turn(BOOK_APPOINTMENT, json!({ "option": option }), 0));
        }
        // Every second patient has an address.
        let mut wish = json!({"option": option, "patient_name": name});
        if caller.is_multiple_of(2) {
            wish["email"] = json!(format!("patient-{caller}@example.com"));
        }
        says.push(turn(BOOK_APPOINTMENT, wish, repeats));
        self.talk(clinic, caller, says);
    }

    /// A patient rings again, and moves or cancels the first that is found.
    fn change(&mut self, clinic: usize, caller: usize, to: Option<&str>, repeats: u32) {
        let name = PATIENTS.get(caller).copied().unwrap_or_default();
        let mut says = vec![turn(FIND_APPOINTMENTS, json!({ "patient_name": name }), 0)];
        match to {
            None => says.push(turn(CANCEL_APPOINTMENT, json!({"which": "A"}), repeats)),
            Some(when) => {
                says.push(turn(CHECK_AVAILABILITY, json!({"which": "A", "when": when}), 0));
                says.push(turn(RESCHEDULE_APPOINTMENT, json!({"which": "A", "option": "B"}), repeats));
            }
        }
        self.talk(clinic, caller, says);
    }

    /// A patient rings the clinic's first number and says these things.
    fn talk(&mut self, clinic: usize, caller: usize, says: Vec<Turn>) {
        let to = self.world.clinics.get(clinic).map(|clinic| clinic.number.clone());
        self.place(&Placing {
            to,
            from: (*CALLERS.get(caller).unwrap_or(&CALLERS[0])).to_owned(),
            talk_seconds: 45,
            web_assistant_id: None,
            max_duration_seconds: None,
            says,
        });
    }

    /// Staff change how long the clinic's service takes, from what they see of it.
    fn offer(&mut self, clinic: usize, longer: bool) {
        let id = self.world.clinics.get(clinic).map(|clinic| clinic.id.clone()).unwrap_or_default();
        let rows = items::all(&self.world.stack.aws, "booking_catalog");
        let Some(there) =
            rows.iter().find(|row| row["org_id"] == id.as_str() && row["service_id"].is_string())
        else {
            return;
        };
        let mins = if longer { LONG_MINS } else { SHORT_MINS };
        let body = json!({"version": there["version"], "terms": service(mins, &there["needs"])});
        let path = format!("/api/services/{}", there["service_id"].as_str().unwrap_or_default());
        self.route(clinic, "PATCH", &path, &body, After::Nothing);
    }

    /// The numbers that a clinic has bought.
    fn numbers_of(&self, clinic: usize) -> Vec<String> {
        let id = self.world.clinics.get(clinic).map(|clinic| clinic.id.clone()).unwrap_or_default();
        let rows = items::all(&self.world.stack.aws, "org_credentials");
        let own = rows.iter().filter(|row| row["org_id"] == id.as_str());
        own.filter_map(|row| row["phone_number"].as_str().map(str::to_owned)).collect()
    }

    fn top_up(&mut self, clinic: usize, pence: i64, act: Act, wait_secs: i64) {
        let body = json!({ "amount_pence": pence });
        self.route(clinic, "POST", "/api/billing/wallet/topup", &body, After::TopUp { act, wait_secs });
    }

    fn release(&mut self, clinic: usize) {
        let numbers = self.numbers_of(clinic);
        let at = self.chance.index(numbers.len());
        if let Some(number) = numbers.get(at) {
            let path = format!("/api/managed-telephony/numbers/{number}");
            self.route(clinic, "DELETE", &path, &Value::Null, After::Nothing);
        }
    }

    /// The clinic's card behaves like this from now on.
    pub(crate) fn set_card(&mut self, clinic: usize, card: Card) {
        let Some(org) = self.world.clinics.get(clinic).map(|clinic| clinic.id.clone()) else { return };
        let wallet = items::get(&self.world.stack.aws, "wallets", &[("org_id", &org)]);
        if let Some(method) = wallet["payment_method"].as_str() {
            self.world.stack.stripe.set_card(method, card);
        }
    }

    /// Customers whose bank wants to see them come, or do not.
    pub(crate) fn prove_cards(&mut self, succeeds: bool) {
        for payment in self.world.stack.stripe.all("payment_intent") {
            if let (Some(id), "requires_action") =
                (payment["id"].as_str(), payment["status"].as_str().unwrap_or_default())
            {
                let outcome = self.world.stack.stripe.authenticate(id, succeeds);
                self.say(&format!("the customer of {id} proves the card, or not ({succeeds}): {outcome:?}"));
            }
        }
    }

    /// Stops a clinic's spending for some time, as an operator would: by the wallet's own mark.
    fn freeze(&mut self, clinic: usize, secs: i64) {
        self.mark_frozen(clinic, true);
        let at = self.world.time() + SignedDuration::from_secs(secs);
        self.enter(at, Due::Unfreeze(clinic));
    }

    /// Lets a clinic spend again.
    pub(crate) fn unfreeze(&mut self, clinic: usize) {
        self.mark_frozen(clinic, false);
    }

    fn mark_frozen(&mut self, clinic: usize, is_frozen: bool) {
        let Some(org) = self.world.clinics.get(clinic).map(|clinic| clinic.id.clone()) else { return };
        let wallet = items::get(&self.world.stack.aws, "wallets", &[("org_id", &org)]);
        let mark = &wallet["frozen"];
        // One that is frozen for another reason stays so, and is found.
        if !mark.is_null() && mark != FROZEN_BY_HAND || mark.is_null() != is_frozen {
            return;
        }
        let mut update = json!({"TableName": items::table("wallets"), "Key": {"org_id": {"S": org}}});
        if is_frozen {
            update["UpdateExpression"] = json!("SET frozen = :why");
            update["ExpressionAttributeValues"] = json!({":why": {"S": FROZEN_BY_HAND}});
        } else {
            update["UpdateExpression"] = json!("REMOVE frozen");
        }
        self.world.stack.aws.peek("UpdateItem", update);
        locked(&self.world.now).dirty.insert(clinic);
        self.say(&format!("clinic {clinic} frozen: {is_frozen}"));
    }

    /// From now on, for some time, now and then, the end of a call is accepted and nothing happens.
    fn ignore_ends(&mut self) {
        let mut now = locked(&self.world.now);
        if !now.dice.strikes(Kind::EndIgnored) {
            return;
        }
        let secs = now.dice.between(Kind::EndIgnored, 60, IGNORED_SECS.into());
        let at_carrier = now.dice.between(Kind::EndIgnored, 0, 2) == 0;
        drop(now);
        self.say(&format!("for {secs} s, ends are not heard"));
        self.world.stack.vapi.with_faults(|faults| faults.ignores_end_call = true);
        self.world.stack.twilio.with_faults(|faults| faults.ignores_end_call = at_carrier);
        let began = self.world.time();
        let until = began + SignedDuration::from_secs(secs);
        self.monitor.ignored.push((began, until));
        self.enter(until, Due::EndsAreHeard);
    }

    /// Ends are heard again.
    pub(crate) fn hear_ends(&mut self) {
        self.world.stack.vapi.with_faults(|faults| faults.ignores_end_call = false);
        self.world.stack.twilio.with_faults(|faults| faults.ignores_end_call = false);
    }

    /// For some time Vapi answers nothing, where this world has faults of the kind.
    fn trouble_vapi(&mut self, secs: i64) {
        self.say(&format!("for {secs} s, Vapi is in trouble"));
        locked(&self.world.now).is_vapi_in_trouble = true;
        self.enter(self.world.time() + SignedDuration::from_secs(secs), Due::VapiRecovers);
    }

    /// Vapi answers again.
    pub(crate) fn recover_vapi(&mut self) {
        locked(&self.world.now).is_vapi_in_trouble = false;
    }
}

/// Puts the second tariff in force; once in force it stays so.
fn change_price(at: jiff::Timestamp) {
    if price_change::at().is_none() {
        price_change::set(Some(at));
    }
}

fn turn(tool: &str, arguments: Value, repeats: u32) -> Turn {
    Turn { says: None, tool: tool.to_owned(), arguments, repeats }
}
