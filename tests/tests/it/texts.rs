//! Texts to patients: paid for before they are sent, sent once, and given back when nothing was taken.

use base::clock::Clock as _;
use domain::{
    amount::Amount,
    ids::{AdjustmentId, AppointmentId},
    ledger::{Entry, EntrySide, Kind as EntryKind, Posting, Reason},
    message::{Message, State},
};
use jiff::SignedDuration;
use local::aws::Outcome;
use sandbox::{faults::Mode, twilio::Text};
use serde_json::{Value, json};
use store::messages::Messages;
use tests::{Harness, ORG, alarms, crashed_after};

use crate::{
    booking::clinic,
    messages::{ANN, MONDAY_TEN, a_minute_passes, confirmation, messages_of, messenger},
};

/// A clinic with a number, whose texts bear a name, with so much money.
pub(crate) async fn texting(pence: u32) -> Harness {
    let harness = clinic().await;
    harness.has_number("inbound").await;
    let wallet = harness.wallet().await;
    let spare = u32::try_from(wallet.available.pence()).unwrap();
    assert!(spare >= pence, "the wallet has {spare}p");
    let named =
        json!({"time_zone": "Europe/London", "name": "Hill Street Dental", "sender_name": "Hill Street"});
    let (status, saved) = harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &named).await;
    assert_eq!((status, &saved["sender_name"]), (200, &json!("Hill Street")), "{saved}");
    if spare > pence {
        spends(&harness, spare - pence).await;
    }
    harness
}

/// The wallet has so much less.
async fn spends(harness: &Harness, pence: u32) {
    let id = AdjustmentId::parse(format!("adj-{pence}")).unwrap();
    let reason = Reason::Adjustment { id, direction: EntrySide::Debit };
    let at = harness.clock.now();
    let posting = Posting { reason, amount: Amount::from_pence(pence), description: "Spent".into(), at };
    harness.wallets.book(&harness.wallet().await, &posting).await.unwrap();
}

/// Staff books for Ada, who is reached by telephone alone.
pub(crate) async fn made(harness: &Harness, contact: Value) -> Value {
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    let body =
        json!({"service_id": listed["services"][0]["id"], "scheduled_at": MONDAY_TEN, "contact": contact});
    let (status, made) = harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
    assert_eq!(status, 201, "{made}");
    made
}

pub(crate) fn ada() -> Value {
    json!({"name": "Ada Lovelace", "phone": ANN})
}

pub(crate) fn texts(harness: &Harness) -> Vec<Text> {
    harness.stack.twilio.texts()
}

/// What was charged and given back for texts, in pence.
pub(crate) async fn spent(harness: &Harness) -> Vec<i64> {
    let of_texts = |entry: &&Entry| entry.kind == EntryKind::Sms;
    let signed = |entry: &Entry| entry.balance_after.pence() - entry.balance_before.pence();
    harness.entries().await.iter().filter(of_texts).map(signed).collect()
}

pub(crate) async fn kept(harness: &Harness, appointment: &Value) -> Message {
    let id = AppointmentId::parse(appointment["id"].as_str().unwrap()).unwrap();
    let [message] = &Messages::new(harness.stack.db()).of(ORG, &id).await.unwrap()[..] else {
        panic!("one message")
    };
    message.clone()
}

/// The minutes until what is due now, and what looks for it, is done.
pub(crate) async fn comes_to_rest(harness: &Harness) {
    for _ in 0..16 {
        harness.pass(60).await;
        a_minute_passes(harness).await;
    }
}

#[tokio::test]
async fn a_patient_without_an_address_is_told_by_text_and_the_clinic_pays_8p() {
    // M4
    let harness = texting(1_000).await;
    let one = made(&harness, ada()).await;
    comes_to_rest(&harness).await;
    let [text] = &texts(&harness)[..] else { panic!("one text: {:?}", texts(&harness)) };
    assert_eq!((&*text.to, &*text.from, text.segments), (ANN, "Hill Street", 1));
    assert!(
        text.body.starts_with(
            "Hill Street Dental: your appointment is on Mon 12 Jan 2026 at 10:00. Questions? Ring +"
        ),
        "{}",
        text.body
    );
    assert_eq!(spent(&harness).await, [-8]);
    let [last] = &harness.entries().await.into_iter().rev().take(1).collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(last.description, "Text message to a patient, 1 segment");
    assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), "delivered".into())]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_long_text_is_paid_for_by_its_segments() {
    // M4
    let harness = texting(1_000).await;
    let named = json!({"name": "Zahnärzte am Großen Ring – Praxis für Kinder"});
    let (status, saved) = harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &named).await;
    assert_eq!(status, 200, "{saved}");
    made(&harness, ada()).await;
    comes_to_rest(&harness).await;
    let [text] = &texts(&harness)[..] else { panic!("one text") };
    assert_eq!((text.segments, spent(&harness).await), (3, vec![-24]), "{}", text.body);
}

#[tokio::test]
async fn nobody_is_texted_who_cannot_be_or_wants_none() {
    let harness = texting(1_000).await;
    for contact in [
        json!({"name": "Ada Lovelace", "phone": ANN, "may_text": false}),
        json!({"name": "Bea Lovelace", "phone": "+442079460101"}),
        json!({"name": "Cat Lovelace", "phone": "+12125550101"}),
        json!({"name": "Dot Lovelace", "phone": "+12125550101", "may_text": true}),
        json!({"name": "Eve Lovelace"}),
    ] {
        let (_, listed) = harness.get("/api/services", &harness.owner()).await;
        let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": MONDAY_TEN, "contact": contact,
            "overbook": "a test"});
        let (status, made) =
            harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
        assert_eq!(status, 201, "{made}");
    }
    comes_to_rest(&harness).await;
    assert!(texts(&harness).is_empty() && spent(&harness).await.is_empty(), "{:?}", texts(&harness));
}

#[tokio::test]
async fn without_the_money_nothing_is_sent_and_the_clinic_is_told_once() {
    // M4
    let harness = texting(7).await;
    let one = made(&harness, ada()).await;
    let other = json!({"name": "Bea Lovelace", "phone": "+447700900102"});
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": "2026-01-12T11:00:00Z", "contact": other});
    let (status, _) = harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
    assert_eq!(status, 201);
    comes_to_rest(&harness).await;
    assert!(texts(&harness).is_empty() && spent(&harness).await.is_empty());
    assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), "unpaid".into())]);
    let (_, bell) = harness.get("/api/notifications", &harness.owner()).await;
    let kinds: Vec<&str> =
        bell["notifications"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["payment_problem"], "{bell}");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn what_the_carrier_says_decides_what_becomes_of_the_money() {
    // M4, M5
    for (mode, sent, state, money, alarmed) in [
        (Mode::Refuse, 0, "refused", vec![-8, 8], true),
        (Mode::TimeoutBefore, 0, "not_sent", vec![-8, 8], true),
        (Mode::TimeoutAfter, 1, "delivered", vec![-8], false),
        (Mode::Error, 0, "not_sent", vec![-8, 8], true),
        (Mode::ErrorAfterKept, 1, "delivered", vec![-8], false),
        (Mode::TooMany, 1, "delivered", vec![-8], false),
    ] {
        let harness = texting(1_000).await;
        let one = made(&harness, ada()).await;
        harness.fault(("twilio", "send_text"), mode, 1);
        let (heard, guard) = alarms();
        comes_to_rest(&harness).await;
        drop(guard);
        assert_eq!((texts(&harness).len(), spent(&harness).await), (sent, money), "{mode:?}");
        assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), state.into())], "{mode:?}");
        assert_eq!(heard.names().contains(&"message_refused".to_owned()), alarmed, "{mode:?}");
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn who_has_opted_out_is_not_paid_for_and_alarms_nobody() {
    // M6
    let harness = texting(1_000).await;
    harness.stack.twilio.opt_out(ANN, "Hill Street");
    let one = made(&harness, ada()).await;
    let (heard, guard) = alarms();
    comes_to_rest(&harness).await;
    drop(guard);
    assert_eq!((texts(&harness).len(), spent(&harness).await), (0, vec![-8, 8]));
    assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), "refused".into())]);
    assert_eq!(heard.names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_text_whose_list_cannot_be_read_keeps_its_price_until_it_can() {
    let harness = texting(1_000).await;
    let one = made(&harness, ada()).await;
    harness.fault(("twilio", "send_text"), Mode::TimeoutBefore, 1);
    for _ in 0..6 {
        harness.fault(("twilio", "list_texts"), Mode::Error, 1);
    }
    harness.pass(200).await;
    a_minute_passes(&harness).await;
    harness.pass(660).await;
    a_minute_passes(&harness).await;
    assert_eq!((kept(&harness, &one).await.state, spent(&harness).await), (State::Sending, vec![-8]));
    comes_to_rest(&harness).await;
    assert_eq!((kept(&harness, &one).await.state, spent(&harness).await), (State::NotSent, vec![-8, 8]));
}

#[tokio::test]
async fn many_copies_of_one_message_send_one_text_and_pay_once() {
    // M3
    let harness = texting(1_000).await;
    let one = made(&harness, ada()).await;
    let due = confirmation(&one);
    let messenger = messenger(&harness);
    let outcomes = futures::future::join_all((0..8).map(|_| messenger.deliver(&due))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!((texts(&harness).len(), spent(&harness).await), (1, vec![-8]));
}

#[tokio::test]
async fn a_process_that_dies_while_it_texts_never_texts_twice_and_never_keeps_the_price_of_none() {
    // M3, M4
    let (mut sent, mut unsent) = (0, 0);
    for polls in 0..80 {
        let harness = texting(1_000).await;
        let one = made(&harness, ada()).await;
        let due = confirmation(&one);
        let is_over = crashed_after(polls, messenger(&harness).deliver(&due)).await.is_some();
        // The queue brings it again, and what looks for it comes by itself.
        let (_heard, guard) = alarms();
        messenger(&harness).deliver(&due).await.unwrap();
        comes_to_rest(&harness).await;
        drop(guard);
        let state = kept(&harness, &one).await.state;
        match (texts(&harness).len(), state, &spent(&harness).await[..]) {
            (1, State::Sent { .. } | State::Delivered { .. }, [-8]) => sent += 1,
            (0, State::NotSent, [-8, 8]) => unsent += 1,
            other => panic!("after {polls}: {other:?}"),
        }
        harness.assert_books(ORG).await;
        if is_over {
            assert!(sent > 3 && unsent > 0, "{sent} {unsent}");
            return;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test]
async fn a_text_whose_claim_was_written_and_not_answered_is_sent() {
    let harness = texting(1_000).await;
    let one = made(&harness, ada()).await;
    let mut lost = false;
    harness.stack.aws.set_plan(move |sent| {
        let is_claim = sent.body.to_string().contains("Text message to a patient");
        if is_claim && !lost {
            lost = true;
            return Outcome::LoseAnswer;
        }
        Outcome::Pass
    });
    messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
    assert_eq!((texts(&harness).len(), spent(&harness).await), (1, vec![-8]));
}

#[tokio::test]
async fn a_text_that_was_held_up_too_long_is_not_handed_over() {
    let harness = texting(1_000).await;
    let one = made(&harness, ada()).await;
    let clock = harness.clock.clone();
    harness.stack.aws.set_plan(move |sent| {
        if sent.body.to_string().contains("Text message to a patient") {
            clock.turn_to(clock.now() + SignedDuration::from_secs(90));
        }
        Outcome::Pass
    });
    messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
    harness.stack.aws.set_plan(|_| Outcome::Pass);
    assert_eq!((texts(&harness).len(), kept(&harness, &one).await.state), (0, State::Sending));
    comes_to_rest(&harness).await;
    assert_eq!((texts(&harness).len(), spent(&harness).await), (0, vec![-8, 8]));
}

#[tokio::test]
async fn a_senders_name_is_checked_and_taken_away_with_an_empty_text() {
    let harness = texting(1_000).await;
    for bad in ["12345", "Hill Street Dental", "Zähne"] {
        let (status, problem) = harness
            .call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &json!({"sender_name": bad}))
            .await;
        assert!(
            status == 400 && problem["detail"].as_str().unwrap().starts_with("sender_name:"),
            "{problem}"
        );
    }
    let none = json!({"sender_name": ""});
    let (_, saved) = harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &none).await;
    assert_eq!(saved["sender_name"], Value::Null);
    made(&harness, ada()).await;
    comes_to_rest(&harness).await;
    assert!(texts(&harness).is_empty());
}

#[tokio::test]
async fn who_came_too_late_to_be_texted_is_told_of_and_who_could_not_be_told_is_not() {
    for (sender_name, expected) in [("Hill Street", vec!["message_too_late".to_owned()]), ("", vec![])] {
        let harness = texting(1_000).await;
        let named = json!({"sender_name": sender_name});
        harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &named).await;
        let one = made(&harness, ada()).await;
        harness.clock.turn_to(MONDAY_TEN.parse().unwrap());
        let (heard, guard) = alarms();
        messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
        drop(guard);
        assert_eq!((heard.names(), texts(&harness).len()), (expected, 0));
    }
}

#[tokio::test]
async fn who_said_no_once_is_not_texted_when_staff_books_the_next_time() {
    let harness = texting(1_000).await;
    let first = made(&harness, json!({"name": "Ada Lovelace", "phone": ANN, "may_text": false})).await;
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    for contact in [json!({"contact_id": first["contact_id"]}), json!({"contact": ada()})] {
        let mut body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": MONDAY_TEN, "overbook": "a test"});
        body.as_object_mut().unwrap().extend(contact.as_object().unwrap().clone());
        let (status, made) =
            harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
        assert_eq!((status, &made["contact_id"]), (201, &first["contact_id"]), "{made}");
    }
    comes_to_rest(&harness).await;
    assert!(texts(&harness).is_empty(), "{:?}", texts(&harness));
}

#[tokio::test]
async fn trouble_with_texts_keeps_nobody_from_a_letter() {
    let harness = texting(1_000).await;
    let one = made(&harness, json!({"name": "Ada Lovelace", "phone": ANN, "email": "ada@example.com"})).await;
    harness.stack.aws.set_plan(|sent| {
        let is_of_numbers =
            sent.operation == "Query" && sent.body["TableName"].to_string().contains("org_credentials");
        if is_of_numbers { Outcome::Fail("ValidationException") } else { Outcome::Pass }
    });
    let outcome = messenger(&harness).deliver(&confirmation(&one)).await;
    harness.stack.aws.clear_plan();
    assert!(outcome.is_err(), "it comes again, for the text");
    assert_eq!((harness.stack.mail.letters().len(), texts(&harness).len()), (1, 0));
    messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
    assert_eq!((harness.stack.mail.letters().len(), texts(&harness).len()), (1, 1), "each once");
}

#[tokio::test]
async fn a_number_has_ten_texts_a_day_and_a_clinic_a_thousand() {
    let harness = texting(5_000).await;
    let one = made(&harness, ada()).await;
    let id = AppointmentId::parse(one["id"].as_str().unwrap()).unwrap();
    let rates = store::rates::Rates::new(harness.stack.db());
    let now = harness.clock.now();
    let most = domain::rate::Costly::Text.rate().most;
    for _ in 0..most {
        assert_eq!(rates.take(ORG, domain::rate::Costly::Text, now).await.unwrap(), None);
    }
    let (heard, guard) = alarms();
    messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
    messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
    drop(guard);
    assert_eq!(
        (texts(&harness).len(), spent(&harness).await, heard.names()),
        (0, vec![], vec!["message_refused".to_owned()])
    );
    let kept = Messages::new(harness.stack.db()).of(ORG, &id).await.unwrap();
    assert!(matches!(&kept[..], [Message { state: State::Refused { .. }, .. }]), "{kept:?}");
    // The next day: one patient who books and cancels all day long.
    harness.clock.turn_to("2026-01-06T00:00:01Z".parse().unwrap());
    for nth in 0..12 {
        let (_, listed) = harness.get("/api/services", &harness.owner()).await;
        let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": "2026-01-12T09:00:00Z", "contact": ada(),
            "notes": nth.to_string(), "overbook": "a test"});
        let (status, made) =
            harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
        assert_eq!(status, 201, "{made}");
        messenger(&harness).deliver(&confirmation(&made)).await.unwrap();
    }
    assert_eq!(texts(&harness).len(), 10);
}

#[tokio::test]
async fn a_text_that_loses_every_race_for_the_wallet_is_counted_once_and_sent() {
    let harness = texting(1_000).await;
    let one = made(&harness, ada()).await;
    harness.stack.aws.set_plan({
        let mut lost = 0;
        move |sent| {
            let is_charge =
                sent.operation == "TransactWriteItems" && sent.body.to_string().contains("due_messages");
            if is_charge && lost < 12 {
                lost += 1;
                // Another has written the wallet since it was read.
                let parts = sent.body["TransactItems"].as_array_mut().unwrap();
                let update = parts.iter_mut().find_map(|part| part.get_mut("Update")).unwrap();
                let condition = update["ConditionExpression"].as_str().unwrap();
                update["ConditionExpression"] = format!("({condition}) AND attribute_exists(nothing)").into();
            }
            Outcome::Pass
        }
    });
    messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
    harness.stack.aws.set_plan(|_| Outcome::Pass);
    assert_eq!((texts(&harness).len(), spent(&harness).await), (1, vec![-8]));
    let rates = store::rates::Rates::new(harness.stack.db());
    let left = domain::rate::Costly::Text.rate().most - 1;
    for _ in 0..left {
        assert_eq!(rates.take(ORG, domain::rate::Costly::Text, harness.clock.now()).await.unwrap(), None);
    }
    assert!(rates.take(ORG, domain::rate::Costly::Text, harness.clock.now()).await.unwrap().is_some());
}

#[tokio::test]
async fn an_address_has_ten_letters_a_day_and_an_operator_is_told_of_the_rest() {
    let harness = texting(1_000).await;
    let (heard, guard) = alarms();
    for nth in 0..12 {
        let (_, listed) = harness.get("/api/services", &harness.owner()).await;
        let contact = json!({"name": "Ada Lovelace", "email": if nth == 0 { "Ada@example.com" } else { "ada@EXAMPLE.com" }});
        let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": MONDAY_TEN, "contact": contact,
            "notes": nth.to_string(), "overbook": "a test"});
        let (status, made) =
            harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
        assert_eq!(status, 201, "{made}");
        messenger(&harness).deliver(&confirmation(&made)).await.unwrap();
        messenger(&harness).deliver(&confirmation(&made)).await.unwrap();
    }
    drop(guard);
    assert_eq!(harness.stack.mail.letters().len(), 10);
    assert_eq!(heard.names(), ["message_refused", "message_refused"]);
}

#[tokio::test]
async fn a_text_that_waits_is_sent_as_its_record_says_or_paid_for_anew() {
    for (change, money) in [(None, vec![-8]), (Some("Other Name"), vec![-8, 8, -8])] {
        let harness = texting(1_000).await;
        let one = made(&harness, ada()).await;
        harness.fault(("twilio", "send_text"), Mode::TooMany, 1);
        messenger(&harness).deliver(&confirmation(&one)).await.unwrap_err();
        if let Some(name) = change {
            harness
                .call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &json!({"sender_name": name}))
                .await;
        }
        harness.stack.aws.set_plan({
            let mut lost = false;
            move |sent| {
                // The claim is written, and nobody hears of it.
                let is_claim =
                    sent.operation == "TransactWriteItems" && sent.body.to_string().contains("due_messages");
                if is_claim && !lost {
                    lost = true;
                    return Outcome::LoseAnswer;
                }
                Outcome::Pass
            }
        });
        messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
        harness.stack.aws.clear_plan();
        let [text] = &texts(&harness)[..] else { panic!("one text") };
        assert_eq!((&*text.from, spent(&harness).await), (change.unwrap_or("Hill Street"), money));
    }
}
