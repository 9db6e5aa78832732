//! What the carrier says of texts and brings of them: believed by its signature, in any order, once.

use base::clock::Clock as _;
use domain::{
    ids::{AccountSid, OrgId},
    message::State,
    opt_out::{OptOut, START_WORDS, STOP_WORDS},
    phone_number::PhoneNumber,
};
use http::Request;
use sandbox::faults::Mode;
use serde_json::{Value, json};
use services::messages::{STATUSES, TEXTS};
use store::opt_outs::OptOuts;
use tests::{Harness, ORG, OTHER_ORG, alarms};

use crate::{
    messages::{ANN, a_minute_passes, messages_of},
    texts::{ada, comes_to_rest, kept, made, spent, texting, texts},
};

/// What Ann last said of the clinic's texts.
async fn said(harness: &Harness) -> Option<OptOut> {
    let ann = PhoneNumber::parse(ANN).unwrap();
    OptOuts::new(harness.stack.db()).of(ORG, &ann).await.unwrap()
}

async fn is_stopped(harness: &Harness) -> bool {
    said(harness).await.is_some_and(|said| said.is_stopped)
}

/// Ann writes to the clinic's number.
async fn ann_writes(harness: &Harness, body: &str) {
    let (_, numbers) = harness.get("/api/phone-settings/status", &harness.owner()).await;
    let number = numbers.to_string();
    let at = number.find("+1").unwrap();
    let number: String = number[at..].chars().take_while(|c| *c == '+' || c.is_ascii_digit()).collect();
    harness.stack.twilio.say(ANN, &number, body).unwrap();
    harness.pass(5).await;
}

async fn bell(harness: &Harness) -> Vec<(String, String)> {
    let (status, page) = harness.get("/api/notifications", &harness.owner()).await;
    assert_eq!(status, 200, "{page}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = page["notifications"].as_array().unwrap().iter();
    all.map(|one| (text(&one["type"]), text(&one["message"]))).collect()
}

#[tokio::test]
async fn who_says_stop_is_texted_no_more_whichever_sender_and_start_takes_it_back() {
    // M2
    let harness = texting(1_000).await;
    for (nth, word) in STOP_WORDS.into_iter().enumerate() {
        let word = if nth % 2 == 0 { word.to_lowercase() } else { format!(" {word} ") };
        ann_writes(&harness, &word).await;
        assert!(is_stopped(&harness).await, "{word:?}");
        ann_writes(&harness, START_WORDS[nth % 3]).await;
        assert!(!is_stopped(&harness).await, "{word:?}");
    }
    ann_writes(&harness, "Stop").await;
    assert!(bell(&harness).await.is_empty(), "nobody needs to read it");
    let one = made(&harness, ada()).await;
    comes_to_rest(&harness).await;
    assert_eq!(
        (texts(&harness).len(), spent(&harness).await),
        (0, vec![]),
        "the sender is a name, and no number"
    );
    assert!(messages_of(&harness, &one).await.is_empty());
    let bea = json!({"name": "Bea Lovelace", "phone": "+447700900102"});
    let at = json!({"scheduled_at": "2026-01-12T11:00:00Z"});
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    let mut other = json!({"service_id": listed["services"][0]["id"], "contact": bea});
    other["scheduled_at"] = at["scheduled_at"].clone();
    let (status, booked) =
        harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &other).await;
    assert_eq!(status, 201, "{booked}");
    comes_to_rest(&harness).await;
    assert_eq!(texts(&harness).len(), 1, "others are texted");
    ann_writes(&harness, "unstop").await;
    let moved = json!({"revision": 1, "scheduled_at": "2026-01-13T10:00:00Z"});
    let path = format!("/api/appointments/{}", one["id"].as_str().unwrap());
    assert_eq!(harness.call_api(("PATCH", &path), &harness.owner(), None, &moved).await.0, 200);
    comes_to_rest(&harness).await;
    assert_eq!(texts(&harness).len(), 2, "she wants them again");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn what_a_patient_writes_is_for_a_person_to_read_once() {
    let harness = texting(1_000).await;
    ann_writes(&harness, "Can I come at three? CANCEL if not").await;
    ann_writes(&harness, "yes").await;
    let read = bell(&harness).await;
    let [(kind, newest), (_, first)] = &read[..] else { panic!("{read:?}") };
    assert_eq!((kind.as_str(), newest.as_str()), ("message_taken", "A text: yes"));
    assert_eq!(first, "A text: Can I come at three? CANCEL if not");
    assert!(said(&harness).await.is_none());
}

#[tokio::test]
async fn a_refusal_for_a_stop_at_the_carrier_is_mirrored_and_a_later_start_counts_for_more() {
    // M2: 21610
    let harness = texting(1_000).await;
    harness.stack.twilio.opt_out(ANN, "Hill Street");
    let one = made(&harness, ada()).await;
    comes_to_rest(&harness).await;
    assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), "refused".into())]);
    assert_eq!((spent(&harness).await, is_stopped(&harness).await), (vec![-8, 8], true));
    // She starts again; a refusal of a text that was begun before comes late.
    let begun = harness.clock.now();
    harness.pass(5).await;
    ann_writes(&harness, "START").await;
    let ann = domain::personal::Personal::new(PhoneNumber::parse(ANN).unwrap());
    OptOuts::new(harness.stack.db()).note(&OptOut::said(ORG, ann, true, begun)).await.unwrap();
    assert!(!is_stopped(&harness).await);
}

#[tokio::test]
async fn what_the_telephone_has_is_known_and_what_failed_is_given_back_once() {
    for (code, state, paid) in [
        (None, "delivered", vec![-8]),
        (Some(30_005), "undelivered", vec![-8]),
        (Some(30_008), "refused", vec![-8, 8]),
        (Some(21_610), "refused", vec![-8, 8]),
    ] {
        let harness = texting(1_000).await;
        harness.stack.twilio.with_faults(|faults| {
            faults.undelivered.extend(code.map(|code| (ANN.to_owned(), code)));
        });
        let one = made(&harness, ada()).await;
        comes_to_rest(&harness).await;
        assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), state.into())], "{code:?}");
        assert_eq!(spent(&harness).await, paid, "{code:?}");
        assert_eq!(is_stopped(&harness).await, code == Some(21_610));
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_known_by_the_carriers_word_and_the_word_that_is_lost_by_looking() {
    // M3
    for loses_words in [false, true] {
        let harness = texting(1_000).await;
        harness.stack.twilio.with_faults(|faults| faults.loses_words = loses_words);
        harness.fault(("twilio", "send_text"), Mode::TimeoutAfter, 1);
        let one = made(&harness, ada()).await;
        harness.pass(181).await;
        a_minute_passes(&harness).await;
        harness.pass(10).await;
        let state = kept(&harness, &one).await.state;
        assert_eq!(matches!(state, State::Delivered { .. }), !loses_words, "{state:?}");
        comes_to_rest(&harness).await;
        let known = if loses_words { "sent" } else { "delivered" };
        assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), known.into())]);
        assert_eq!((texts(&harness).len(), spent(&harness).await), (1, vec![-8]));
    }
}

#[tokio::test]
async fn a_word_of_a_text_that_was_given_back_alarms_and_moves_no_money() {
    let harness = texting(1_000).await;
    harness.fault(("twilio", "send_text"), Mode::Refuse, 1);
    let one = made(&harness, ada()).await;
    comes_to_rest(&harness).await;
    let message = kept(&harness, &one).await;
    let query = format!("org={ORG}&item={}&message={}", message.item.replace('#', "%23"), message.message_id);
    let (heard, guard) = alarms();
    let form = [("MessageSid", "SM1"), ("MessageStatus", "delivered")];
    assert_eq!(posted(&harness, ORG, (STATUSES, &query), &form).await, 200);
    drop(guard);
    assert_eq!(heard.names(), ["text_contradicted"]);
    assert_eq!(spent(&harness).await, [-8, 8]);
    assert_eq!(kept(&harness, &one).await, message);
    // A status that nobody has documented, a record that there is not, and another sending change nothing.
    for (query, status) in [
        (query.clone(), "partially_delivered"),
        (
            query.replace(ORG.to_string().as_str(), &ORG.to_string()).replace("confirmation", "change"),
            "failed",
        ),
        (query.replace(message.message_id.as_str(), "another"), "failed"),
    ] {
        let form = [("MessageSid", "SM1"), ("MessageStatus", status)];
        assert_eq!(posted(&harness, ORG, (STATUSES, &query), &form).await, 200, "{query}");
        assert_eq!(kept(&harness, &one).await, message);
    }
}

/// Posts a form, signed with the token of an org's account. Returns the status of the answer.
async fn posted(harness: &Harness, org: OrgId, (path, query): (&str, &str), form: &[(&str, &str)]) -> u16 {
    harness.send(signed(harness, org, (path, query), form).await).await.status().as_u16()
}

async fn signed(
    harness: &Harness,
    org: OrgId,
    (path, query): (&str, &str),
    form: &[(&str, &str)],
) -> Request<bytes::Bytes> {
    let numbers = store::numbers::Numbers::new(harness.stack.db()).of_org(org).await.unwrap();
    let account: &AccountSid = &numbers[0].account_sid;
    let form: Vec<(&str, &str)> = form.iter().copied().chain([("AccountSid", account.as_str())]).collect();
    let public = harness.stack.platform.environment.reader().required("PUBLIC_URL");
    let url = format!("{}{path}?{query}", public.trim_end_matches('/'));
    harness.stack.twilio.signed(account.as_str(), &url, &form).unwrap()
}

#[tokio::test]
async fn a_word_is_believed_by_the_signature_of_the_orgs_own_account_alone() {
    let harness = texting(1_000).await;
    let (mine, theirs) = (format!("org={ORG}"), format!("org={OTHER_ORG}"));
    let stop = [("MessageSid", "SM1"), ("From", ANN), ("To", "+447700900200"), ("Body", "STOP")];
    let right = signed(&harness, ORG, (TEXTS, &mine), &stop).await;
    // For another org, to another path, with another body, without a signature, without an account.
    let mut forged = Vec::new();
    forged.push(signed(&harness, ORG, (TEXTS, &theirs), &stop).await);
    let mut elsewhere = signed(&harness, ORG, (STATUSES, &mine), &stop).await;
    *elsewhere.uri_mut() = right.uri().clone();
    forged.push(elsewhere);
    let mut altered = signed(&harness, ORG, (TEXTS, &mine), &stop).await;
    let body = String::from_utf8(altered.body().to_vec()).unwrap().replace("900101", "900102");
    *altered.body_mut() = body.into();
    forged.push(altered);
    let mut unsigned = signed(&harness, ORG, (TEXTS, &mine), &stop).await;
    unsigned.headers_mut().remove("x-twilio-signature");
    forged.push(unsigned);
    let mut nameless = signed(&harness, ORG, (TEXTS, &mine), &stop).await;
    *nameless.uri_mut() = TEXTS.parse().unwrap();
    forged.push(nameless);
    for (nth, request) in forged.into_iter().enumerate() {
        assert_eq!(harness.send(request).await.status(), 401, "{nth}");
    }
    assert!(said(&harness).await.is_none());
    // The real one counts once, however often it comes, and a replay after START is none.
    assert_eq!(harness.send(right.clone()).await.status(), 200);
    assert!(is_stopped(&harness).await);
    ann_writes(&harness, "start").await;
    assert_eq!(harness.send(right).await.status(), 200);
    assert!(!is_stopped(&harness).await);
    for (form, status) in [
        (vec![("From", ANN), ("To", "+447700900200"), ("Body", "STOP")], 400),
        (vec![("MessageSid", "SM2"), ("From", "60123"), ("To", "+447700900200"), ("Body", "STOP")], 200),
    ] {
        assert_eq!(posted(&harness, ORG, (TEXTS, &mine), &form).await, status);
    }
    let long = "x".repeat(70_000);
    let form = [("MessageSid", "SM3"), ("From", ANN), ("To", "+447700900200"), ("Body", long.as_str())];
    assert_eq!(posted(&harness, ORG, (TEXTS, &mine), &form).await, 413);
}
