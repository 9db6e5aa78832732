//! What a clinic says about itself, and what follows its time zone.

use base::clock::Clock;
use local::aws::Outcome;
use serde_json::{Value, json};
use tests::{Harness, NUMBER, ORG, OTHER_ORG, PHONE_ID, bodies};

const CLINIC: &str = "/api/clinic";
const STATS: &str = "/api/calls-dashboard/stats?timeWindow=24h";

async fn saved(harness: &Harness, body: &Value, role: &str) -> (u16, Value) {
    harness.call_api(("PATCH", CLINIC), &harness.token(ORG, role), None, body).await
}

/// How many calls are listed of one day.
async fn of_day(harness: &Harness, day: &str) -> u64 {
    let path = format!("/api/calls-dashboard?startDate={day}&endDate={day}");
    let (status, page) = harness.get(&path, &harness.owner()).await;
    assert_eq!(status, 200, "{page}");
    page["pagination"]["total"].as_u64().unwrap()
}

async fn calls_today(harness: &Harness) -> u64 {
    let (status, figures) = harness.get(STATS, &harness.owner()).await;
    assert_eq!(status, 200, "{figures}");
    figures["callsToday"].as_u64().unwrap()
}

/// A stack at `time`, with a call that begins then.
async fn rung_at(time: &str) -> Harness {
    let harness = Harness::with_wallet(5_000, 600).await;
    harness.clock.turn_to(time.parse().unwrap());
    assert_eq!(harness.vapi_as_it_is(&bodies::request("call-1")).await.0, 200);
    harness
}

#[tokio::test]
async fn a_clinic_is_in_london_until_an_admin_says_where_it_is() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let viewer = harness.token(ORG, "viewer");
    let shown = |version: u64, zone: &str| {
        json!({"version": version, "time_zone": zone, "name": null, "address": null, "notice": null, "alert_emails": [], "sender_name": null,
            "reminders": ["day_before"], "main_line": null, "answering": "always", "red_flags": null, "emergency_sentence": null})
    };
    let said = async |token: &str| {
        let (status, mut said) = harness.get(CLINIC, token).await;
        let in_force = said.as_object_mut().unwrap().remove("in_force").unwrap();
        assert!(in_force["red_flags"].as_array().is_some_and(|flags| flags.len() > 8), "{in_force}");
        (status, said)
    };
    let unsaid = shown(0, "Europe/London");
    assert_eq!(said(&viewer).await, (200, unsaid));
    let (status, problem) = saved(&harness, &json!({"time_zone": "America/New_York"}), "viewer").await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")));
    for unknown in ["Europe/Londn", "+01:00", "", "BST", "../../etc/passwd"] {
        let (status, problem) = saved(&harness, &json!({ "time_zone": unknown }), "admin").await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{unknown}");
        assert!(problem["detail"].as_str().unwrap().starts_with("time_zone"), "{problem}");
    }
    assert_eq!(saved(&harness, &json!({"colour": "red"}), "admin").await.0, 400);
    // Who has an emergency is told the number of where the clinic is: it says so before anything else.
    for first in [json!({}), json!({"name": "Hill Street Dental"})] {
        let (status, problem) = saved(&harness, &first, "admin").await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{problem}");
    }
    for (body, version, zone) in [
        (json!({"version": 0, "time_zone": "america/new_york"}), 1, "America/New_York"),
        (json!({}), 1, "America/New_York"),
        (json!({"version": 1, "time_zone": "Australia/Sydney"}), 2, "Australia/Sydney"),
        // A repeat of one's own change.
        (json!({"version": 1, "time_zone": "Australia/Sydney"}), 2, "Australia/Sydney"),
    ] {
        let (status, mut saved) = saved(&harness, &body, "admin").await;
        saved.as_object_mut().unwrap().remove("in_force");
        assert_eq!((status, saved), (200, shown(version, zone)));
        assert_eq!(harness.get(CLINIC, &viewer).await.1["time_zone"], zone);
    }
    let over = json!({"version": 1, "time_zone": "Europe/Dublin"});
    let (status, problem) = saved(&harness, &over, "admin").await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("version_conflict")), "{problem}");
    let (status, named) = saved(&harness, &json!({"name": " Hill  Street Dental"}), "admin").await;
    assert_eq!(
        (status, &named["name"], &named["time_zone"]),
        (200, &json!("Hill Street Dental"), &json!("Australia/Sydney"))
    );
    for bad in ["", "A", "<b>Clinic</b>", &"x".repeat(61)] {
        assert_eq!(saved(&harness, &json!({ "name": bad }), "admin").await.0, 400, "{bad}");
    }
    let theirs = harness.get(CLINIC, &harness.token(OTHER_ORG, "owner")).await;
    assert_eq!(theirs.1["time_zone"], "Europe/London", "it is the org's own");
}

#[tokio::test]
async fn a_call_is_of_the_clinics_day_across_the_change_of_the_clocks() {
    // Half past midnight in London on the first night of summer time.
    let harness = rung_at("2026-03-29T23:30:00.000Z").await;
    assert_eq!((of_day(&harness, "2026-03-29").await, of_day(&harness, "2026-03-30").await), (0, 1));
    assert_eq!(calls_today(&harness).await, 1);
    // Midnight in UTC is no midnight of the clinic's; its own is.
    harness.clock.turn_to("2026-03-30T00:02:00.000Z".parse().unwrap());
    assert_eq!(calls_today(&harness).await, 1);
    harness.clock.turn_to("2026-03-30T23:00:00.000Z".parse().unwrap());
    assert_eq!(calls_today(&harness).await, 0);
    // The night before, the same hour was still of the day before.
    let harness = rung_at("2026-03-28T23:30:00.000Z").await;
    assert_eq!((of_day(&harness, "2026-03-28").await, of_day(&harness, "2026-03-29").await), (1, 0));
}

#[tokio::test]
async fn a_clinic_in_new_york_has_the_days_of_new_york() {
    let harness = rung_at("2026-06-16T03:30:00.000Z").await;
    assert_eq!(of_day(&harness, "2026-06-16").await, 1, "London");
    assert_eq!(saved(&harness, &json!({"time_zone": "America/New_York"}), "owner").await.0, 200);
    assert_eq!((of_day(&harness, "2026-06-15").await, of_day(&harness, "2026-06-16").await), (1, 0));
    assert_eq!(calls_today(&harness).await, 1);
    harness.clock.turn_to("2026-06-16T04:00:00.000Z".parse().unwrap());
    assert_eq!(calls_today(&harness).await, 0);
    // The statement's days are the same.
    harness.top_up(ORG, "pi_late", 2_500).await;
    for (day, count) in [("2026-06-15", 0), ("2026-06-16", 1)] {
        let path = format!("/api/billing/wallet/statement?from={day}&to={day}");
        let (status, statement) = harness.get(&path, &harness.owner()).await;
        assert_eq!(status, 200, "{statement}");
        assert_eq!(statement["entries"].as_array().unwrap().len(), count, "{day} {}", harness.clock.now());
    }
}

#[tokio::test]
async fn a_call_begins_with_what_is_so_of_the_clinic_and_waits_for_none_of_it() {
    let harness = crate::booking::clinic().await;
    let body = json!({"time_zone": "Europe/London", "name": "Hill Street Dental", "address": "12 Hill Street",
        "notice": {"text": "We are closed on Friday.", "until": "2026-01-09"}});
    let (status, saved_clinic) = saved(&harness, &body, "admin").await;
    assert_eq!((status, &saved_clinic["notice"]), (200, &body["notice"]), "{saved_clinic}");
    let told = |answer: &Value| answer["assistantOverrides"]["variableValues"]["clinic_facts"].clone();
    let (_, answer) = harness.vapi(&bodies::request("call-1")).await;
    let facts = told(&answer);
    for known in [
        "Monday 5 January 2026, 09:00 (Europe/London)",
        "Hill Street Dental",
        "12 Hill Street",
        "closed on Friday",
        "Dr Rahman: Monday, Tuesday, Wednesday, Thursday, Friday 09:00 to 12:00",
        "Check-up: 30 minutes",
    ] {
        assert!(facts.as_str().unwrap().contains(known), "{known} in {facts}");
    }
    // Nobody who rings waits for it, and none is refused.
    harness.stack.aws.set_plan(|sent| {
        let table = sent.body["TableName"].as_str().unwrap_or_default();
        let fails = table.ends_with("-clinics") || table.ends_with("-booking_catalog");
        if fails { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    let before = harness.clock.now();
    let (status, answer) = harness.vapi(&bodies::request("call-2")).await;
    assert_eq!((status, told(&answer)), (200, json!("")), "{answer}");
    assert!(answer["assistantId"].is_string(), "{answer}");
    assert!(harness.clock.now().duration_since(before).as_secs() < 1, "it rang no second longer");
    for bad in [
        json!({"address": "x".repeat(201)}),
        json!({"notice": {"text": "Closed."}}),
        json!({"notice": {"text": "Closed.", "until": "Friday"}}),
        json!({"notice": {"text": "x".repeat(301), "until": "2026-01-09"}}),
    ] {
        harness.stack.aws.clear_plan();
        assert_eq!(saved(&harness, &bad, "admin").await.0, 400, "{bad}");
    }
    let gone = json!({"address": "", "notice": {"text": ""}});
    let (status, without) = saved(&harness, &gone, "admin").await;
    assert_eq!((status, &without["address"], &without["notice"]), (200, &Value::Null, &Value::Null));
}

const LINE: &str = "+442079460000";
const ANN: &str = "+447700900101";

/// A call's question as Vapi puts it, from this telephone.
fn question(call: &str, from: Option<&str>) -> Value {
    let mut body = bodies::request(call);
    body["message"]["call"]["customer"] = from.map_or(Value::Null, |from| json!({"number": from}));
    body["message"]["customer"] = body["message"]["call"]["customer"].clone();
    body
}

/// The clinic's number lies in its own account at the carrier, or was bought from us.
fn has_number(harness: &Harness, is_managed: bool) {
    let item = json!({"org_id": {"S": ORG}, "provider_type": {"S": "twilio#inbound"}, "direction": {"S": "inbound"},
        "version": {"N": "1"}, "phone_number": {"S": NUMBER}, "vapi_phone_id": {"S": PHONE_ID},
        "is_managed": {"BOOL": is_managed}, "status": {"S": "active"}, "account_sid": {"S": "AC1"},
        "token": {"M": {"key_id": {"S": "key"}, "nonce": {"S": "nonce"}, "ciphertext": {"S": "text"}}},
        "number_sid": {"S": "PN1"}, "purchase_id": {"S": "bought-1"}, "cost": {"N": "0"},
        "created_at": {"S": "2026-01-05T09:00:00.000Z"}});
    let table = harness.table("org_credentials");
    harness.stack.aws.peek("PutItem", json!({"TableName": table, "Item": item}));
}

#[tokio::test]
async fn a_call_is_put_through_only_where_the_clinic_pays_for_the_way_and_to_an_ordinary_line() {
    let harness = crate::booking::clinic().await;
    // A satellite, a premium line, an island, another country.
    for dear in ["+881612345678", "+449098790000", "+447624123456", "+35312345678"] {
        let body = json!({"time_zone": "Europe/London", "main_line": dear});
        let (status, problem) = saved(&harness, &body, "admin").await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{dear}");
        assert!(problem["detail"].as_str().unwrap().starts_with("main_line is a landline"), "{problem}");
    }
    let paused = json!({"time_zone": "Europe/London", "answering": "paused", "main_line": LINE});
    has_number(&harness, true);
    let (status, problem) = saved(&harness, &paused, "admin").await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("own Twilio account"), "{problem}");
    // It was paused before it bought the number from us: she answers all the same.
    has_number(&harness, false);
    assert_eq!(saved(&harness, &paused, "admin").await.0, 200);
    has_number(&harness, true);
    let (_, answer) = harness.vapi(&question("call-1", Some(ANN))).await;
    assert!(answer["assistantId"].is_string(), "{answer}");
    assert_eq!(saved(&harness, &paused, "admin").await.0, 200, "a page that is saved as it was");
    has_number(&harness, false);
    assert_eq!(harness.vapi(&question("call-2", Some(ANN))).await, (200, through()));
}

#[tokio::test]
async fn a_call_that_was_put_through_stays_so_whatever_is_heard_of_it_and_whatever_cannot_be_read() {
    let harness = crate::booking::clinic().await;
    has_number(&harness, false);
    let paused = json!({"time_zone": "Europe/London", "answering": "paused", "main_line": LINE});
    assert_eq!(saved(&harness, &paused, "admin").await.0, 200);
    let before = harness.money().await;
    assert_eq!(harness.vapi(&question("call-1", Some(ANN))).await, (200, through()));
    // The clinic's people talk. Nothing is held for that, late or early.
    assert_eq!(harness.vapi(&bodies::in_progress("call-1")).await.0, 200);
    assert_eq!(harness.money().await, before);
    let (_, shown) = harness.get("/api/calls-dashboard/call-1", &harness.owner()).await;
    assert_eq!(shown["status"], "transferred", "{shown}");
    assert_eq!((&shown["put_through_to"], &shown["bill"]), (&json!(LINE), &json!(null)), "{shown}");
    harness.stack.aws.set_plan(|sent| {
        let table = sent.body["TableName"].as_str().unwrap_or_default();
        let fails = table.ends_with("-clinics") || table.ends_with("-org_credentials");
        if fails { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    assert_eq!(harness.vapi(&question("call-1", Some(ANN))).await, (200, through()), "a repeat");
    // Whose number it is cannot be read: she answers.
    harness.stack.aws.set_plan(|sent| {
        let table = sent.body["TableName"].as_str().unwrap_or_default();
        if table.ends_with("-org_credentials") { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    let (_, answer) = harness.vapi(&question("call-2", Some("+447700900102"))).await;
    assert!(answer["assistantId"].is_string(), "{answer}");
}

fn through() -> Value {
    json!({"destination": {"type": "number", "number": LINE}})
}

#[tokio::test]
async fn a_call_really_begins_with_the_clinic_the_assistant_and_the_recording() {
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_1", 10_000).await;
    let number = harness.has_number("inbound").await;
    harness.pass(30).await;
    let heard = async || {
        let call = harness.place(&sandbox::vapi::Placing {
            to: Some(number.clone()),
            from: ANN.into(),
            talk_seconds: 20,
            web_assistant_id: None,
            max_duration_seconds: None,
            says: vec![],
        });
        harness.pass(60).await;
        harness.stack.vapi.call(&call).unwrap().heard[0].clone()
    };
    let own = "Hello, thank you for calling. How can I help you?";
    let opening = |name: &str| format!("Hello, this is the AI assistant of {name}. This call is recorded.");
    assert_eq!(heard().await, format!("{} {own}", opening("the clinic")));
    let named = json!({"time_zone": "Europe/London", "name": "Hill Street Dental"});
    assert_eq!(saved(&harness, &named, "owner").await.0, 200);
    assert_eq!(heard().await, format!("{} {own}", opening("Hill Street Dental")));
    // The dashboard shows it, and shows and saves the clinic's own words.
    let (_, shown) = harness.get("/api/founder-console/agent/config?role=inbound", &harness.owner()).await;
    let agent = &shown["agents"][0];
    assert_eq!(
        (&agent["opening"], &agent["openingVersion"], &agent["firstMessage"]),
        (&json!(opening("Hill Street Dental")), &json!(1), &json!(own))
    );
    // Where nothing of the clinic can be read, it is still said who speaks.
    harness.stack.aws.set_plan(|sent| {
        let table = sent.body["TableName"].as_str().unwrap_or_default();
        if table.ends_with("-clinics") { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    assert_eq!(heard().await, format!("{} {own}", opening("the clinic")));
}

#[tokio::test]
async fn while_she_does_not_answer_a_call_is_put_through_once_and_costs_nothing() {
    let harness = crate::booking::clinic().await;
    has_number(&harness, false);
    let (status, problem) =
        saved(&harness, &json!({"time_zone": "Europe/London", "answering": "paused"}), "admin").await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")));
    assert!(problem["detail"].as_str().unwrap().starts_with("main_line"), "{problem}");
    for bad in [json!({"main_line": "020"}), json!({"answering": "sometimes"})] {
        let mut body = bad.clone();
        body["time_zone"] = json!("Europe/London");
        assert_eq!(saved(&harness, &body, "admin").await.0, 400, "{bad}");
    }
    let paused = json!({"time_zone": "Europe/London", "answering": "paused", "main_line": LINE});
    assert_eq!(saved(&harness, &paused, "admin").await.0, 200);
    let before = harness.money().await;
    assert_eq!(harness.vapi(&question("call-1", Some(ANN))).await, (200, through()));
    // A repeat of the question is answered the same.
    assert_eq!(harness.vapi(&question("call-1", Some(ANN))).await, (200, through()));
    assert_eq!(harness.money().await, before, "nothing is held");
    let (_, shown) = harness.get("/api/calls-dashboard/call-1", &harness.owner()).await;
    assert_eq!((&shown["status"], &shown["cost_pence"]), (&json!("transferred"), &json!(0)), "{shown}");
    // The line is diverted to us: the same caller comes back at once, and she answers. So she does who is not known.
    harness.pass(20).await;
    for (call, from) in [("call-2", Some(ANN)), ("call-3", None)] {
        let (_, answer) = harness.vapi(&question(call, from)).await;
        assert!(answer["assistantId"].is_string(), "{call}: {answer}");
    }
    assert_eq!(
        harness.vapi(&question("call-4", Some("+447700900102"))).await,
        (200, through()),
        "another caller"
    );
    harness.pass(121).await;
    assert_eq!(harness.vapi(&question("call-5", Some(ANN))).await, (200, through()), "later");
    // Where the calls of the last minutes cannot be read, none may come back for ever.
    harness.stack.aws.set_plan(|sent| {
        let is_list = sent.body["IndexName"] == "by_created";
        if is_list { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    let (_, answer) = harness.vapi(&question("call-6", Some("+447700900103"))).await;
    harness.stack.aws.clear_plan();
    assert!(answer["assistantId"].is_string(), "{answer}");
}

#[tokio::test]
async fn outside_the_staffed_hours_she_answers_and_within_them_the_clinics_line_rings() {
    // Dr Rahman works on weekdays from nine to noon; it is Monday at nine.
    let harness = crate::booking::clinic().await;
    has_number(&harness, false);
    let body = json!({"time_zone": "Europe/London", "answering": "outside_hours", "main_line": LINE});
    let (status, shown) = saved(&harness, &body, "admin").await;
    assert_eq!(
        (status, &shown["answering"], &shown["main_line"]),
        (200, &json!("outside_hours"), &json!(LINE))
    );
    assert_eq!(harness.vapi(&question("call-1", Some(ANN))).await, (200, through()));
    harness.clock.turn_to("2026-01-05T12:00:00Z".parse().unwrap());
    let (_, answer) = harness.vapi(&question("call-2", Some(ANN))).await;
    assert!(answer["assistantId"].is_string(), "{answer}");
    // A clinic that cannot be read: nobody is lost, she answers.
    harness.clock.turn_to("2026-01-06T09:30:00Z".parse().unwrap());
    harness.stack.aws.set_plan(|sent| {
        let table = sent.body["TableName"].as_str().unwrap_or_default();
        if table.ends_with("-clinics") { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    let (_, answer) = harness.vapi(&question("call-3", Some(ANN))).await;
    assert!(answer["assistantId"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_call_that_is_put_through_ends_at_vapi_and_leaves_nothing_behind() {
    let (alarms, _guard) = tests::alarms();
    let harness = crate::booking::clinic().await;
    has_number(&harness, false);
    let body = json!({"time_zone": "Europe/London", "answering": "paused", "main_line": LINE});
    assert_eq!(saved(&harness, &body, "admin").await.0, 200);
    let before = harness.money().await;
    let call = harness.ring(60);
    harness.pass(300).await;
    let there = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(there.heard, [format!("(put through to {LINE})")]);
    assert_eq!(harness.money().await, before);
    let (_, shown) = harness.get(&format!("/api/calls-dashboard/{call}"), &harness.owner()).await;
    assert_eq!(shown["status"], "transferred", "{shown}");
    assert!(alarms.names().is_empty(), "{:?}", alarms.names());
}

#[tokio::test]
async fn a_clinics_own_red_flags_and_its_approved_sentence_hold_on_the_call() {
    let harness = crate::booking::clinic().await;
    let own = json!({"time_zone": "Europe/London", "red_flags": ["a knocked-out tooth", " bleeding  after an extraction"],
        "emergency_sentence": "Please put the phone down and dial 999 at once."});
    let (status, shown) = saved(&harness, &own, "owner").await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(
        shown["in_force"]["red_flags"],
        json!(["a knocked-out tooth", "bleeding after an extraction"])
    );
    let (_, answer) = harness.vapi(&bodies::request("call-1")).await;
    let facts = answer["assistantOverrides"]["variableValues"]["clinic_facts"].as_str().unwrap().to_owned();
    assert!(
        facts.contains("a caller speaks of a knocked-out tooth; bleeding after an extraction"),
        "{facts}"
    );
    let reports = json!({"message": {"type": "tool-calls", "call": {"id": "call-1"}, "toolCallList": [
        {"id": "t1", "function": {"name": "reportEmergency", "arguments": {"what": "A tooth is out."}}}]}});
    let (_, said) = harness.vapi(&reports).await;
    let said = said["results"][0]["result"].as_str().unwrap();
    assert!(said.contains("\"Please put the phone down and dial 999 at once.\""), "{said}");
    for bad in [
        json!({"emergency_sentence": "Please ring us again tomorrow."}),
        json!({"red_flags": []}),
        json!({"red_flags": ["x".repeat(81)]}),
        // In New York another number holds: the sentence is to be approved anew.
        json!({"time_zone": "America/New_York", "emergency_sentence": "Please put the phone down and dial 999 at once."}),
    ] {
        let (status, problem) = saved(&harness, &bad, "owner").await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{bad}");
    }
    let (_, moved) = saved(&harness, &json!({"time_zone": "America/New_York"}), "owner").await;
    assert_eq!(moved["in_force"]["emergency_sentence"], "Please hang up and call 911 now.");
    let (_, gone) = saved(&harness, &json!({"red_flags": null, "emergency_sentence": ""}), "owner").await;
    assert_eq!((&gone["red_flags"], &gone["emergency_sentence"]), (&Value::Null, &Value::Null));
    assert!(gone["in_force"]["red_flags"].as_array().unwrap().len() > 8);
}
