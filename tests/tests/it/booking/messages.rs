//! What a caller leaves for the clinic, and what an emergency comes to.

use local::aws::Outcome;
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG, bodies};

use super::{ANN, answers, appointments, asks, books, caller, clinic, delivered, line, reception, uses};

const TELL: &str = "takeMessage";
const EMERGENCY: &str = "reportEmergency";
const PATH: &str = "/api/notifications";

fn tells(text: &str) -> (&'static str, Value) {
    (TELL, json!({ "text": text }))
}

async fn bell(harness: &Harness, query: &str) -> Vec<Value> {
    let (status, page) = harness.get(&format!("{PATH}{query}"), &harness.token(ORG, "staff")).await;
    assert_eq!(status, 200, "{page}");
    page["notifications"].as_array().unwrap().clone()
}

async fn unread(harness: &Harness) -> Value {
    harness.get(&format!("{PATH}/unread"), &harness.owner()).await.1["count"].clone()
}

#[tokio::test]
async fn a_message_reaches_the_clinic_once_and_is_read_and_deleted() {
    let harness = clinic().await;
    let words = "Ann Jones asks for her prescription. Ring 07700 900101.";
    let call = harness.ring_and_ask(
        ANN,
        &[tells(words), tells(words), (TELL, json!({"text": "It hurts.", "urgent": true}))],
    );
    harness.pass(90).await;
    let said = answers(&harness, &call);
    assert!(said.iter().all(|answer| answer.starts_with("NOTED. The clinic has the message.")), "{said:?}");
    let all = bell(&harness, "").await;
    let [urgent, first] = &all[..] else { panic!("a repeat is no second message: {all:?}") };
    assert_eq!((&urgent["message"], &urgent["urgent"]), (&json!("It hurts."), &json!(true)));
    let shown =
        ["type", "message", "phone_number", "call_id"].map(|field| first[field].as_str().unwrap().to_owned());
    assert_eq!(shown, ["message_taken", words, ANN, &call]);
    assert_eq!((&first["read"], unread(&harness).await), (&json!(false), json!(2)));
    assert_eq!(harness.get(PATH, &harness.token(OTHER_ORG, "owner")).await.1["notifications"], json!([]));
    // Read by the desk; deleted; and the rest at once.
    let staff = harness.token(ORG, "staff");
    let path = format!("{PATH}/{}", first["id"].as_str().unwrap());
    for _ in 0..2 {
        let (status, read) =
            harness.call_api(("PATCH", &format!("{path}/read")), &staff, None, &Value::Null).await;
        assert_eq!((status, &read["read"]), (200, &json!(true)), "{read}");
    }
    assert_eq!(bell(&harness, "?status=unread").await, std::slice::from_ref(urgent));
    assert_eq!(bell(&harness, "?status=read").await.len(), 1);
    assert_eq!(bell(&harness, "?type=emergency").await.len(), 0);
    assert_eq!(harness.get(&format!("{PATH}?type=gossip"), &staff).await.0, 400);
    let (_, marked) = harness.post(&format!("{PATH}/mark-all-read"), &staff, "").await;
    assert_eq!((marked, unread(&harness).await), (json!({"marked": 1, "has_more": false}), json!(0)));
    assert_eq!(harness.call_api(("DELETE", &path), &staff, None, &Value::Null).await.0, 200);
    assert_eq!(harness.call_api(("DELETE", &path), &staff, None, &Value::Null).await.0, 404);
    assert_eq!(bell(&harness, "").await.len(), 1);
}

#[tokio::test]
async fn the_bell_is_read_page_by_page() {
    let harness = clinic().await;
    let reception = reception(&harness);
    for n in 0..5 {
        uses(&reception, &line(ORG, &format!("call-{n}")), tells(&format!("Message {n}."))).await;
        harness.pass(1).await;
    }
    let (_, only) = harness.get(&format!("{PATH}?limit=5"), &harness.owner()).await;
    assert_eq!(
        only["pagination"]["next_cursor"],
        Value::Null,
        "a page that is full by the last one leads nowhere"
    );
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = harness.get(&format!("{PATH}?limit=2{cursor}"), &harness.owner()).await;
        seen.extend(page["notifications"].as_array().unwrap().iter().map(|one| one["message"].clone()));
        let Some(next) = page["pagination"]["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let wanted: Vec<Value> = (0..5).rev().map(|n| json!(format!("Message {n}."))).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn what_is_no_message_is_asked_for_and_a_call_leaves_three() {
    let harness = clinic().await;
    let reception = reception(&harness);
    let line = caller("call-1", ANN);
    for arguments in
        [json!({}), json!({"text": "  "}), json!({"text": 7}), json!({"text": "\u{202e}\u{200b}"})]
    {
        let asked = uses(&reception, &line, (TELL, arguments.clone())).await;
        assert!(asked.starts_with("NOT NOTED. Ask what the clinic is to be told"), "{arguments}: {asked}");
    }
    let long = uses(&reception, &line, tells(&"é".repeat(1_001))).await;
    assert!(long.starts_with("NOT NOTED. It is too long."), "{long}");
    assert!(uses(&reception, &line, tells(&"é".repeat(1_000))).await.starts_with("NOTED"));
    for urgent in [false, true] {
        let two = (TELL, json!({"text": "Two.", "urgent": urgent}));
        assert!(uses(&reception, &line, two).await.starts_with("NOTED"), "{urgent}");
    }
    let urgent = bell(&harness, "").await.iter().filter(|one| one["urgent"] == true).count();
    assert_eq!(urgent, 1, "it cannot wait after all");
    let fourth = uses(&reception, &line, tells("Four.")).await;
    assert!(fourth.starts_with("NOT NOTED. The clinic has as many messages"), "{fourth}");
    assert!(uses(&reception, &line, tells("Two.")).await.starts_with("NOTED"), "it has that one");
    assert_eq!(bell(&harness, "").await.len(), 3);
}

#[tokio::test]
async fn noted_is_said_only_of_what_is_written_whatever_write_fails() {
    // A3
    for fate in [Outcome::Fail("InternalServerError"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        let harness = clinic().await;
        let reception = reception(&harness);
        let line = caller("call-1", ANN);
        harness.stack.aws.set_plan(
            move |sent| {
                if sent.operation == "TransactWriteItems" { fate } else { Outcome::Pass }
            },
        );
        let failed = delivered(&reception, &line, "first", tells("Ring back.")).await;
        harness.stack.aws.clear_plan();
        assert!(failed.starts_with("NOT NOTED. The diary does not answer"), "{fate:?}: {failed}");
        let again = delivered(&reception, &line, "first", tells("Ring back.")).await;
        assert!(again.starts_with("NOTED"), "{fate:?}: {again}");
        assert_eq!(bell(&harness, "").await.len(), 1, "{fate:?}: once");
    }
}

#[tokio::test]
async fn in_an_emergency_the_caller_hears_whom_to_ring_the_clinic_is_told_and_nothing_is_booked() {
    let harness = clinic().await;
    let reception = reception(&harness);
    let line = caller("call-1", ANN);
    let reports = (EMERGENCY, json!({"what": "My father has a pain in his chest."}));
    uses(&reception, &line, asks("tomorrow")).await;
    let unsaid = uses(&reception, &line, reports.clone()).await;
    assert!(
        unsaid.contains("the emergency number of your country"),
        "a clinic that has not said where it is may be anywhere: {unsaid}"
    );
    let zone = json!({"time_zone": "Europe/London"});
    assert_eq!(harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &zone).await.0, 200);
    let said = uses(&reception, &line, reports.clone()).await;
    assert!(
        said.starts_with("EMERGENCY. Say now, word for word: \"Please hang up and call 999 now.\""),
        "{said}"
    );
    let all = bell(&harness, "").await;
    let [one] = &all[..] else { panic!("once for the call: {all:?}") };
    assert_eq!((&one["type"], &one["urgent"]), (&json!("emergency"), &json!(true)));
    let (_, marked) = harness.post(&format!("{PATH}/mark-all-read"), &harness.owner(), "").await;
    assert_eq!((&marked["marked"], unread(&harness).await), (&json!(0), json!(1)), "it is read by itself");
    let refused = uses(&reception, &line, books("A", "Ada Lovelace")).await;
    assert!(refused.starts_with("NOT BOOKED. An emergency was reported on this call"), "{refused}");
    assert_eq!(appointments(&harness, ORG).await.len(), 0);
    // The sentence is said when nothing of ours answers.
    harness.stack.aws.set_plan(|_| Outcome::Fail("InternalServerError"));
    let said = uses(&reception, &caller("call-2", ANN), reports).await;
    harness.stack.aws.clear_plan();
    assert!(said.starts_with("EMERGENCY. Say now"), "{said}");
}

#[tokio::test]
async fn in_an_emergency_the_caller_hears_whom_to_ring_even_where_the_call_is_not_known() {
    // A11
    let (alarms, _guard) = tests::alarms();
    let harness = clinic().await;
    let reports = |call: &str| {
        json!({"message": {"type": "tool-calls", "call": {"id": call}, "toolCallList": [
            {"id": "t1", "function": {"name": EMERGENCY, "arguments": {"what": "She does not breathe."}}},
            {"id": "t2", "function": {"name": TELL, "arguments": {"text": "Ring back."}}}]}})
    };
    let hears = |(status, answer): (u16, Value)| {
        assert_eq!(status, 200, "{answer}");
        let said = [0, 1].map(|place| answer["results"][place]["result"].as_str().unwrap().to_owned());
        assert!(said[0].contains("call the emergency number of your country now"), "{said:?}");
        assert!(said[1].starts_with("NOT "), "{said:?}");
    };
    hears(harness.vapi(&reports("call-unknown")).await);
    assert_eq!(harness.vapi_as_it_is(&bodies::request("call-1")).await.0, 200);
    harness.stack.aws.set_plan(|sent| {
        if sent.service.contains("DynamoDB") { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    hears(harness.vapi(&reports("call-1")).await);
    harness.stack.aws.clear_plan();
    let told = alarms.names().iter().filter(|name| *name == "emergency_not_noted").count();
    assert_eq!(told, 2, "an operator hears of each: {:?}", alarms.names());
}
