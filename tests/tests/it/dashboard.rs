//! The dashboard's calls: ringing a person, the list, one call, the figures, what goes on now.

use aws_sdk_dynamodb::types::AttributeValue;
use base::clock::Clock;
use bytes::Bytes;
use domain::{agent::Agent, call::Direction, ids::VapiAssistantId, time::rfc3339_millis};
use http::Request;
use serde_json::{Value, json};
use store::{
    agents::Agents,
    numbers::{Status, provider_type},
    table::Table,
};
use tests::{Harness, ORG, OTHER_ORG, bodies, parts, web_report};

/// The number that rings the clinic in these tests.
const CALLER: &str = "+447700900123";
/// Whom the clinic rings.
const PATIENT: &str = "+447700900456";
/// The clinic's outbound number, and the same as Vapi names it.
const OUTBOUND_NUMBER: &str = "+442071838751";
const OUTBOUND_ID: &str = "00000000-0000-4000-8000-00000000000f";
const LIST: &str = "/api/calls-dashboard";

/// The ids on a page, and how many calls there are.
async fn ids(harness: &Harness, query: &str) -> (Vec<String>, u64) {
    let (status, page) = harness.get(&format!("{LIST}?{query}"), &harness.owner()).await;
    assert_eq!(status, 200, "{query}: {page}");
    let calls = page["calls"].as_array().unwrap();
    let ids = calls.iter().map(|call| call["id"].as_str().unwrap().to_owned()).collect();
    (ids, page["pagination"]["total"].as_u64().unwrap())
}

/// A web call of one minute, reported as having ended for `reason`.
async fn web_call(harness: &Harness, id: &str, reason: &str) {
    let mut report = web_report(id, "2025-12-17T00:00:00Z", "2025-12-17T00:01:00Z");
    report["message"]["endedReason"] = json!(reason);
    assert_eq!(harness.vapi(&report).await.0, 200);
}

/// Gives the clinic a number to ring from.
async fn add_outbound_number(harness: &Harness, status: Status) {
    harness.stack.vapi.add_number(OUTBOUND_ID, OUTBOUND_NUMBER, None);
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let token = ["key_id", "nonce", "ciphertext"].map(|name| (name.to_owned(), text("unused")));
    let table = harness.stack.db().table_name(Table::OrgCredentials);
    let put = harness.stack.unguarded().put_item().table_name(table);
    put.item("org_id", text(&ORG.to_string()))
        .item("provider_type", text(&provider_type(Direction::Outbound)))
        .item("direction", text("outbound"))
        .item("version", AttributeValue::N("1".into()))
        .item("phone_number", text(OUTBOUND_NUMBER))
        .item("vapi_phone_id", text(OUTBOUND_ID))
        .item("is_managed", AttributeValue::Bool(true))
        .item("status", text(status.as_str()))
        .item("account_sid", text("AC00000000000000000000000000000002"))
        .item("token", AttributeValue::M(token.into_iter().collect()))
        .item("number_sid", text("PN00000000000000000000000000000001"))
        .item("purchase_id", text("purchase-1"))
        .item("cost", AttributeValue::N("1000".into()))
        .item("created_at", text("2025-12-18T00:00:00.000Z"))
        .send()
        .await
        .unwrap();
}

/// Gives the clinic's agent of a role an assistant at Vapi.
async fn add_assistant(harness: &Harness, role: Direction) {
    let body = Bytes::from_static(br#"{"name": "Caller"}"#);
    let request = Request::post("http://api.vapi.sandbox/assistant")
        .header("authorization", "Bearer sandbox-vapi-key")
        .body(body);
    let (status, assistant) = parts(&harness.stack.vapi.answer(&request.unwrap()));
    assert_eq!(status, 201, "{assistant}");
    let agents = Agents::new(harness.stack.db());
    let agent = agents.ensure(ORG, role, harness.clock.now()).await.unwrap();
    let id = VapiAssistantId::parse(assistant["id"].as_str().unwrap()).unwrap();
    let linked = Agent { vapi_assistant_id: Some(id), ..agent };
    agents.save(&linked).await.unwrap();
}

/// A clinic that can ring people, who mean to talk for a minute.
async fn ready_to_ring(pence: u32) -> Harness {
    let harness = Harness::with_wallet(pence, 600).await;
    add_outbound_number(&harness, Status::Active).await;
    add_assistant(&harness, Direction::Outbound).await;
    harness.stack.vapi.set_outbound_talk_secs(60);
    harness
}

async fn dial(harness: &Harness, body: &Value, key: Option<&str>) -> (u16, Value) {
    let mut request =
        Request::post("/api/calls").header("authorization", format!("Bearer {}", harness.owner()));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    parts(&harness.send(request.body(Bytes::from(body.to_string())).unwrap()).await)
}

fn calls_at_vapi(harness: &Harness) -> usize {
    let request = Request::get("http://api.vapi.sandbox/call")
        .header("authorization", "Bearer sandbox-vapi-key")
        .body(Bytes::new());
    parts(&harness.stack.vapi.answer(&request.unwrap())).1.as_array().unwrap().len()
}

#[tokio::test]
async fn a_call_is_listed_and_shown_with_what_the_ledger_says_it_cost() {
    // B12: Vapi's report says 0.0394 dollars.
    let harness = Harness::with_wallet(2_500, 600).await;
    let first = harness.ring(91);
    harness.pass(120).await;
    let second = harness.ring_from_the_web(60);
    harness.pass(120).await;
    let third = harness.ring(300);
    harness.pass(10).await;
    let owner = harness.owner();
    let (status, page) = harness.get(LIST, &owner).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(
        page["pagination"],
        json!({"page": 1, "limit": 20, "total": 3, "total_is_cut": false, "pages": 1, "next_cursor": null})
    );
    let shown: Vec<_> = page["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| json!([call["id"], call["status"], call["cost_pence"], call["duration_seconds"]]))
        .collect();
    let expected = [
        json!([third, "in-progress", null, null]),
        json!([second, "completed", 56, 60]),
        json!([first, "completed", 85, 91]),
    ];
    assert_eq!(shown, expected);
    assert!(page["calls"][1]["phone_number"].is_null(), "nobody has a number on a web page");
    let mut expected = json!({
        "id": first, "phone_number": CALLER, "caller_name": null,
        "call_date": rfc3339_millis(harness.call(&first).await.created_at),
        "duration_seconds": 91, "status": "completed", "call_direction": "inbound", "has_recording": true,
        "has_transcript": true, "urgency": null, "sentiment_label": null, "sentiment_score": null, "outcome": null,
        "outcome_summary": "The caller asked about an appointment.", "cost_pence": 85,
        "ended_reason": "customer-ended-call", "tools_used": [],
    });
    assert_eq!(page["calls"][2], expected);
    expected["transcript"] = json!("AI: Hello, how can I help you?");
    expected["appointment_ids"] = json!([]);
    expected["tools"] = json!([]);
    expected["put_through_to"] = json!(null);
    let (status, mut call) = harness.get(&format!("{LIST}/{first}"), &owner).await;
    let bill = call.as_object_mut().unwrap().remove("bill").unwrap();
    let recording = call.as_object_mut().unwrap().remove("recording_url").unwrap();
    assert!(recording.as_str().unwrap().starts_with("http://127.0.0.1:3000/api/recordings/"), "{recording}");
    assert_eq!((status, call), (200, expected));
    assert_eq!(harness.bills_of(&first).await, [85]);
    let why = [
        ("duration_seconds", json!(91)),
        ("charged_pence", json!(85)),
        ("rate_per_minute_pence", json!(56)),
        ("price_list", json!(1)),
        ("is_estimated", json!(false)),
        ("doubted_seconds", json!(null)),
        ("held_pence", json!(280)),
        ("extensions", json!(0)),
    ];
    for (name, value) in why {
        assert_eq!(bill[name], value, "{name}: {bill}");
    }
    let [entry] = &bill["entries"].as_array().unwrap()[..] else { panic!("{bill}") };
    assert_eq!((&entry["id"], &entry["amount_pence"]), (&json!(format!("call#{first}")), &json!(85)));
    let (_, staff) = harness.get(&format!("{LIST}/{first}"), &harness.token(ORG, "staff")).await;
    assert_eq!((&staff["bill"], &staff["cost_pence"]), (&json!(null), &json!(null)), "{staff}");
}

#[tokio::test]
async fn calls_are_found_by_why_they_ended_and_what_they_cost() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let long = harness.ring(91);
    harness.pass(120).await;
    let short = harness.ring(20);
    harness.pass(120).await;
    let cases = [
        ("ended_reason=customer-ended-call", vec![&short, &long]),
        ("ended_reason=customer-ended", vec![]),
        ("ended_reason=silence-timed-out", vec![]),
        ("min_cost_pence=20", vec![&long]),
        ("max_cost_pence=20", vec![&short]),
        ("min_cost_pence=19&max_cost_pence=19", vec![&short]),
        ("min_cost_pence=20&max_cost_pence=84", vec![]),
        ("ended_reason=Customer-Ended-Call&min_cost_pence=85&max_cost_pence=85", vec![&long]),
    ];
    for (query, expected) in cases {
        let (found, total) = ids(&harness, query).await;
        assert_eq!(
            (found.iter().collect::<Vec<_>>(), total),
            (expected.clone(), u64::try_from(expected.len()).unwrap()),
            "{query}"
        );
    }
    // What is not billed yet has no cost, and is not free.
    let live = harness.ring(300);
    harness.pass(10).await;
    assert_eq!(ids(&harness, "max_cost_pence=0").await, (vec![], 0));
    assert_eq!(ids(&harness, "status=in-progress").await, (vec![live], 1));
    let long = format!("ended_reason={}", "x".repeat(101));
    for query in [
        "min_cost_pence=-1",
        "max_cost_pence=1.5",
        "min_cost_pence=many",
        "min_cost_pence=2&max_cost_pence=1",
        &long,
    ] {
        let (status, problem) = harness.get(&format!("{LIST}?{query}"), &harness.owner()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")), "{query}: {problem}");
    }
    // Who may not see money does not learn it by asking for it.
    let staff = harness.token(ORG, "staff");
    let (status, problem) = harness.get(&format!("{LIST}?min_cost_pence=1"), &staff).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{problem}");
    assert_eq!(harness.get(&format!("{LIST}?ended_reason=customer-ended-call"), &staff).await.0, 200);
}

#[tokio::test]
async fn the_figures_count_calls_by_when_they_came_and_money_by_when_it_moved() {
    // B12
    let harness = Harness::with_wallet(2_500, 600).await;
    let stats = async |window: &str| {
        let (status, figures) = harness.get(&format!("{LIST}/stats{window}"), &harness.owner()).await;
        assert_eq!(status, 200, "{figures}");
        figures
    };
    let nothing = json!({"totalCalls": 0, "inboundCalls": 0, "outboundCalls": 0, "completedCalls": 0,
        "callsToday": 0, "avgDuration": 0, "minutesBilled": 0, "spentPence": 0});
    assert_eq!(stats("").await, nothing, "a top-up is not spent");
    harness.ring(91);
    harness.pass(120).await;
    harness.ring_from_the_web(60);
    harness.pass(120).await;
    harness.ring(300);
    harness.pass(10).await;
    let today = json!({"totalCalls": 3, "inboundCalls": 3, "outboundCalls": 0, "completedCalls": 2,
        "callsToday": 3, "avgDuration": 75, "minutesBilled": 3, "spentPence": 141});
    for window in ["", "?timeWindow=24h", "?timeWindow=7d", "?timeWindow=30d", "?timeWindow=90d"] {
        assert_eq!(stats(window).await, today, "{window}");
    }
    harness.pass(86_400).await;
    let week = json!({"totalCalls": 3, "inboundCalls": 3, "outboundCalls": 0, "completedCalls": 3,
        "callsToday": 0, "avgDuration": 150, "minutesBilled": 8, "spentPence": 421});
    assert_eq!(stats("").await, week);
    let day = stats("?timeWindow=24h").await;
    assert_eq!((&day["totalCalls"], &day["spentPence"]), (&json!(0), &json!(280)), "billed since");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_live_call_shows_what_is_held_and_how_long_that_lasts() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(100);
    harness.pass(0).await;
    let path = format!("{LIST}/live");
    let (status, live) = harness.get(&path, &harness.owner()).await;
    let ringing = json!({"id": call, "phone_number": CALLER, "call_direction": "inbound",
        "status": "in-progress", "started_at": null, "held_pence": 280, "seconds_left": null});
    assert_eq!((status, live), (200, json!({"calls": [ringing]})));
    harness.pass(10).await;
    let (_, live) = harness.get(&path, &harness.owner()).await;
    let started_at = harness.call(&call).await.started_at().map(rfc3339_millis);
    let talking = json!({"id": call, "phone_number": CALLER, "call_direction": "inbound",
        "status": "in-progress", "started_at": started_at, "held_pence": 280, "seconds_left": 291});
    assert_eq!(live, json!({"calls": [talking]}));
    let second = harness.ring(100);
    harness.pass(5).await;
    let (_, live) = harness.get(&path, &harness.owner()).await;
    let order: Vec<_> = live["calls"].as_array().unwrap().iter().map(|call| call["id"].clone()).collect();
    assert_eq!(order, [json!(second), json!(call)], "newest first");
    harness.pass(200).await;
    assert_eq!(harness.get(&path, &harness.owner()).await, (200, json!({"calls": []})));
}

#[tokio::test]
async fn calls_are_filtered_by_status_direction_and_text() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let completed = harness.ring(60);
    harness.pass(120).await;
    web_call(&harness, "web-put-through", "assistant-forwarded-call").await;
    harness.pass(1).await;
    web_call(&harness, "web-broken", "pipeline-error-openai-llm-failed").await;
    harness.pass(1).await;
    harness.vapi(&bodies::request("call-unanswered")).await;
    harness.vapi(&bodies::ended("call-unanswered")).await;
    harness.pass(1).await;
    let live = harness.ring(500);
    harness.pass(10).await;
    let (unanswered, put_through, broken) = ("call-unanswered", "web-put-through", "web-broken");
    let (completed, live) = (completed.as_str(), live.as_str());
    let cases: [(&str, &[&str]); 14] = [
        ("", &[live, unanswered, broken, put_through, completed]),
        ("status=completed", &[completed]),
        ("status=transferred", &[put_through]),
        ("status=failed", &[broken]),
        ("status=missed", &[unanswered]),
        ("status=in-progress", &[live]),
        ("call_type=inbound", &[live, unanswered, broken, put_through, completed]),
        ("call_type=outbound", &[]),
        ("search=0900123", &[live, unanswered, completed]),
        ("search=%2B44770", &[live, unanswered, completed]),
        ("search=+44770", &[live, unanswered, completed]),
        ("search=FORWARDED", &[put_through]),
        ("search=Web-B", &[broken]),
        ("search=0900123&status=missed&call_type=inbound", &[unanswered]),
    ];
    for (query, expected) in cases {
        let (found, total) = ids(&harness, query).await;
        assert_eq!(found, expected, "{query}");
        assert_eq!(usize::try_from(total).unwrap(), expected.len(), "{query}");
    }
}

#[tokio::test]
async fn calls_are_paged_within_a_period() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for i in 0..5 {
        web_call(&harness, &format!("web-{i}"), "customer-ended-call").await;
        harness.pass(1).await;
    }
    let pages: [(&str, &[&str]); 4] = [
        ("limit=2", &["web-4", "web-3"]),
        ("limit=2&page=3", &["web-0"]),
        ("limit=2&page=4", &[]),
        ("limit=100&page=1", &["web-4", "web-3", "web-2", "web-1", "web-0"]),
    ];
    for (query, expected) in pages {
        let (found, total) = ids(&harness, query).await;
        assert_eq!(found, expected, "{query}");
        assert_eq!(total, 5, "{query}");
    }
    let (_, page) = harness.get(&format!("{LIST}?limit=2&page=3"), &harness.owner()).await;
    assert_eq!(
        page["pagination"],
        json!({"page": 3, "limit": 2, "total": 5, "total_is_cut": false, "pages": 3, "next_cursor": null})
    );
    harness.pass(40 * 86_400).await;
    let periods = [
        ("", 0),
        ("startDate=2025-12-18", 5),
        ("startDate=2025-12-18&endDate=2025-12-18", 5),
        ("startDate=2025-12-19", 0),
        ("endDate=2025-12-17", 0),
        ("endDate=2025-12-18", 5),
        ("startDate=2025-12-18T00:00:01Z&endDate=2025-12-18T00:00:03Z", 2),
    ];
    for (query, count) in periods {
        assert_eq!(ids(&harness, query).await.1, count, "{query}");
    }
}

#[tokio::test]
async fn a_number_is_found_as_it_is_dialled_at_home() {
    let harness = Harness::with_wallet(2_500, 600).await;
    assert_eq!(harness.vapi(&bodies::request("call-1")).await.0, 200);
    for (search, count) in [
        ("07700900123", 1),
        ("07700%20900%20123", 1),
        ("0770", 1),
        ("%2B447700900123", 1),
        ("900123", 1),
        ("07700900124", 0),
        ("01700900123", 0),
    ] {
        assert_eq!(ids(&harness, &format!("search={search}")).await.1, count, "{search}");
    }
}

#[tokio::test]
async fn a_transaction_names_the_number_that_it_is_about() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.vapi(&bodies::report("call-1", 60)).await;
    let bought = harness.has_number("outbound").await;
    let path = "/api/billing/wallet/transactions";
    let (status, page) = harness.get(path, &harness.owner()).await;
    assert_eq!(status, 200, "{page}");
    let shown: Vec<(&str, Option<&str>)> = page["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["type"].as_str().unwrap(), entry["phone_number"].as_str()))
        .collect();
    let expected = [("phone_number", Some(bought.as_str())), ("call", Some(CALLER)), ("top_up", None)];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn bad_query_values_are_named_problems() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let owner = harness.owner();
    let long = format!("?search={}", "x".repeat(101));
    let cases = [
        ("?page=0", 400, "invalid_value"),
        ("?page=-1", 400, "invalid_value"),
        ("?limit=0", 400, "invalid_value"),
        ("?limit=101", 400, "invalid_value"),
        ("?status=gone", 400, "invalid_value"),
        ("?call_type=sideways", 400, "invalid_value"),
        (long.as_str(), 400, "invalid_value"),
        ("?startDate=yesterday", 400, "invalid_value"),
        ("?startDate=2026-01-01&endDate=2025-12-01", 400, "invalid_value"),
        ("?startDate=2025-01-01", 422, "period_too_large"),
        ("?colour=red", 400, "invalid_value"),
        ("/stats?timeWindow=1y", 400, "invalid_value"),
        ("/unknown", 404, "not_found"),
        ("/a%20b", 404, "not_found"),
        ("/dial%23%2B447700900456", 404, "not_found"),
    ];
    for (path, status, code) in cases {
        let (got, problem) = harness.get(&format!("{LIST}{path}"), &owner).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{problem}");
    }
}

#[tokio::test]
async fn another_org_sees_none_of_it() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let over = harness.ring(60);
    harness.pass(120).await;
    let live = harness.ring(300);
    harness.pass(10).await;
    let other = harness.token(OTHER_ORG, "owner");
    for call in [&over, &live] {
        let (status, problem) = harness.get(&format!("{LIST}/{call}"), &other).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{problem}");
    }
    let (_, page) = harness.get(LIST, &other).await;
    assert_eq!((&page["calls"], &page["pagination"]["total"]), (&json!([]), &json!(0)));
    let (_, figures) = harness.get(&format!("{LIST}/stats"), &other).await;
    assert_eq!((&figures["totalCalls"], &figures["spentPence"]), (&json!(0), &json!(0)));
    assert_eq!(harness.get(&format!("{LIST}/live"), &other).await.1, json!({"calls": []}));
}

#[tokio::test]
async fn calls_that_cannot_be_read_are_an_error_and_not_none() {
    // B13
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(60);
    harness.pass(120).await;
    harness.stack.aws.set_plan(|_| local::aws::Outcome::Fail("InternalServerError"));
    for path in ["", "/stats", "/live", &format!("/{call}")] {
        let (status, problem) = harness.get(&format!("{LIST}{path}"), &harness.owner()).await;
        assert_eq!((status, problem["code"].as_str()), (500, Some("internal")), "{path}");
        assert!(problem.get("calls").is_none() && problem.get("totalCalls").is_none());
    }
}

#[tokio::test]
async fn a_call_is_placed_once_followed_and_billed() {
    let harness = ready_to_ring(2_500).await;
    let body = json!({"phoneNumber": PATIENT});
    let (status, placed) = dial(&harness, &body, None).await;
    assert_eq!((status, placed["status"].as_str()), (201, Some("in-progress")), "{placed}");
    let (call, vapi) = (placed["callId"].as_str().unwrap(), placed["vapiCallId"].as_str().unwrap());
    assert_ne!(call, vapi, "ours and theirs");
    assert_eq!(dial(&harness, &body, None).await, (201, placed.clone()), "the browser asks again");
    assert_eq!(calls_at_vapi(&harness), 1);
    harness.pass(12).await;
    let (_, live) = harness.get(&format!("{LIST}/live"), &harness.owner()).await;
    let shown = &live["calls"][0];
    assert_eq!((&shown["id"], &shown["phone_number"]), (&json!(call), &json!(PATIENT)));
    assert_eq!((&shown["call_direction"], &shown["seconds_left"]), (&json!("outbound"), &json!(290)));
    harness.pass(100).await;
    let (_, shown) = harness.get(&format!("{LIST}/{call}"), &harness.owner()).await;
    assert_eq!((&shown["status"], &shown["cost_pence"]), (&json!("completed"), &json!(56)), "{shown}");
    assert_eq!((&shown["call_direction"], &shown["duration_seconds"]), (&json!("outbound"), &json!(60)));
    let (_, figures) = harness.get(&format!("{LIST}/stats"), &harness.owner()).await;
    assert_eq!((&figures["outboundCalls"], &figures["inboundCalls"]), (&json!(1), &json!(0)));
    assert_eq!(ids(&harness, "call_type=outbound").await, (vec![call.to_owned()], 1));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_idempotency_key_answers_the_same_call_and_no_other() {
    let harness = ready_to_ring(2_500).await;
    let body = json!({"phoneNumber": PATIENT, "agentRole": "outbound"});
    let (status, placed) = dial(&harness, &body, Some("key-1")).await;
    assert_eq!(status, 201, "{placed}");
    harness.pass(200).await;
    let (status, again) = dial(&harness, &body, Some("key-1")).await;
    assert_eq!((status, &again["callId"]), (201, &placed["callId"]), "long after it is over");
    let other = json!({"phoneNumber": CALLER});
    let (status, problem) = dial(&harness, &other, Some("key-1")).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_key_reused")), "{problem}");
    assert_eq!(calls_at_vapi(&harness), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_call_is_told_before_anybody_is_rung() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let good = json!({"phoneNumber": PATIENT});
    let refused = async |body: &Value, status: u16, code: &str| {
        let (got, problem) = dial(&harness, body, None).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{problem}");
    };
    refused(&good, 409, "no_outbound_number").await;
    add_outbound_number(&harness, Status::Releasing).await;
    refused(&good, 409, "no_outbound_number").await;
    add_outbound_number(&harness, Status::Active).await;
    refused(&good, 409, "agent_not_ready").await;
    add_assistant(&harness, Direction::Outbound).await;
    refused(&json!({"phoneNumber": PATIENT, "agentRole": "inbound"}), 409, "agent_not_ready").await;
    let bad = [
        (json!({}), 400, "invalid_value"),
        (json!({"phoneNumber": 447_700_900_456_u64}), 400, "invalid_value"),
        (json!({"phoneNumber": "07700 900456"}), 400, "invalid_value"),
        (json!({"phoneNumber": "999"}), 400, "invalid_value"),
        (json!({"phoneNumber": "+4930123456"}), 400, "country_not_allowed"),
        (json!({"phoneNumber": PATIENT, "agentRole": "both"}), 400, "invalid_value"),
        (json!({"phoneNumber": PATIENT, "agentRole": 1}), 400, "invalid_value"),
        (json!({"phoneNumber": OUTBOUND_NUMBER}), 400, "invalid_value"),
        (json!({"phoneNumber": PATIENT, "note": "not a field of a call"}), 400, "invalid_value"),
        (json!([PATIENT]), 400, "invalid_body"),
    ];
    for (body, status, code) in bad {
        refused(&body, status, code).await;
    }
    let (status, _) = dial(&harness, &good, Some("not a key")).await;
    assert_eq!(status, 400);
    let viewer = harness.token(ORG, "viewer");
    let (status, problem) = harness.post("/api/calls", &viewer, good.to_string()).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")));
    let other = harness.token(OTHER_ORG, "owner");
    let (status, problem) = harness.post("/api/calls", &other, good.to_string()).await;
    let code = problem["code"].as_str();
    assert_eq!((status, code), (409, Some("no_outbound_number")), "never another's number");
    assert_eq!((calls_at_vapi(&harness), harness.money().await), (0, (2_500, 0)));
}

#[tokio::test]
async fn a_call_that_cannot_be_paid_says_what_is_missing() {
    let harness = ready_to_ring(55).await;
    let (status, problem) = dial(&harness, &json!({"phoneNumber": PATIENT}), None).await;
    assert_eq!((status, problem["code"].as_str()), (402, Some("insufficient_funds")), "{problem}");
    let money = [&problem["required"], &problem["current"], &problem["shortfallPence"]];
    assert_eq!(money, [&json!(56), &json!(55), &json!(1)]);
    assert_eq!((calls_at_vapi(&harness), harness.money().await), (0, (55, 0)));
    assert_eq!(ids(&harness, "call_type=outbound").await.1, 0, "nothing was begun");
}

/// Copies the one call that there is so often, each a second older than the one before.
pub async fn copies(harness: &Harness, count: i64) {
    let client = harness.stack.unguarded();
    let table = harness.stack.db().table_name(Table::Calls);
    let mut there = client.scan().table_name(&table).send().await.unwrap().items.unwrap();
    there.retain(|item| !item.contains_key("content"));
    let [call] = &there[..] else { panic!("one call: {there:?}") };
    let text = |name: &str| call[name].as_s().unwrap().clone();
    let (id, created_at) = (text("call_id"), text("created_at"));
    let first: jiff::Timestamp = created_at.parse().unwrap();
    let copied = |nth: i64| {
        let older = rfc3339_millis(first - jiff::SignedDuration::from_secs(nth));
        let renamed = |value: &AttributeValue| {
            let text = value
                .as_s()
                .map(|text| text.replace(&id, &format!("{id}-{nth}")).replace(&created_at, &older));
            text.map_or_else(|_| value.clone(), AttributeValue::S)
        };
        let item = call.iter().map(|(name, value)| (name.clone(), renamed(value))).collect();
        client.put_item().table_name(&table).set_item(Some(item)).send()
    };
    for begin in (1..=count).step_by(100) {
        futures::future::try_join_all((begin..(begin + 100).min(count + 1)).map(copied)).await.unwrap();
    }
}

#[tokio::test]
async fn the_first_page_costs_the_same_however_many_calls_there_are() {
    // L8
    let mut costs = Vec::new();
    for count in [60, 12_000] {
        let harness = Harness::with_wallet(2_500, 600).await;
        web_call(&harness, "web-0", "customer-ended-call").await;
        copies(&harness, count).await;
        harness.stack.aws.take_spent();
        let path = format!("{LIST}?cursor=first&limit=20");
        let (status, page) = harness.get(&path, &harness.owner()).await;
        assert_eq!((status, page["calls"].as_array().map(Vec::len)), (200, Some(20)), "{page}");
        let spent = harness.stack.aws.take_spent();
        costs.push((spent.len(), spent.iter().map(|request| request.units).sum::<f64>()));
        let (_, total) = harness.get(&format!("{LIST}/total"), &harness.owner()).await;
        let counted = if count > 10_000 { (10_000, true) } else { (61, false) };
        assert_eq!((&total["total"], &total["is_cut"]), (&json!(counted.0), &json!(counted.1)), "{total}");
    }
    let [few, many] = costs[..] else { panic!("two costs") };
    assert_eq!(few, many, "requests and units of a first page");
}
