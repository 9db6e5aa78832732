//! Agents: stored first, then given to the vendor exactly as stored, whatever happens on the way.

use bytes::Bytes;
use domain::{agent::Agent, call::Direction, ids::VapiAssistantId};
use futures::future::join_all;
use http::Request;
use sandbox::faults::Mode;
use serde_json::{Value, json};
use store::{
    agents::Agents,
    made_once::{MadeOnce, Slot, VapiObject},
    queue::Push,
};
use tests::{Harness, ORG, alarms, crashed_after, parts};
use vendors::vapi::{assistants::SERVER_MESSAGES, tools::TOOLS};

const BEHAVIOR: &str = "/api/founder-console/agent/behavior";

fn agent(name: &str) -> Value {
    json!({"name": name, "systemPrompt": format!("You are {name}."), "firstMessage": "Hello", "voiceId": "Elliot",
        "voiceProvider": "vapi", "language": "en-GB", "maxDurationSeconds": 900})
}

/// What an agent says first whose own words are "Hello".
const FIRST: &str = "Hello, this is the AI assistant of {{clinic_name | default: \"the clinic\"}}. This call is recorded. Hello";

async fn save(harness: &Harness, body: &Value) -> (u16, Value) {
    let body = harness.as_loaded(body).await;
    harness.call_api(("POST", BEHAVIOR), &harness.owner(), None, &body).await
}

/// The clinic's inbound agent as the dashboard shows it.
async fn shown(harness: &Harness) -> Value {
    let path = "/api/founder-console/agent/config?role=inbound";
    let (status, answer) = harness.get(path, &harness.owner()).await;
    assert_eq!(status, 200);
    answer["agents"][0].clone()
}

/// The vendor's copy of it.
async fn given(harness: &Harness) -> Value {
    let id = shown(harness).await["vapiAssistantId"].as_str().expect("it has an assistant").to_owned();
    harness.stack.vapi.assistant(&id).expect("the vendor has it")
}

async fn clinic() -> Harness {
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 5_000).await;
    harness
}

#[tokio::test]
async fn a_save_is_stored_first_and_then_the_vendor_has_exactly_that() {
    // N10
    let harness = clinic().await;
    let (status, saved) = save(&harness, &json!({"inbound": agent("One"), "outbound": agent("Two")})).await;
    assert_eq!(status, 200, "{saved}");
    assert_eq!(
        (&saved["agents"][0]["sync"], &saved["agents"][1]["name"]),
        (&json!("pending"), &json!("Two"))
    );
    assert!(harness.stack.vapi.assistants().is_empty(), "stored, not given yet");
    harness.pass(10).await;
    assert_eq!(shown(&harness).await["sync"], "synced");
    let given = given(&harness).await;
    assert_eq!(given["name"], "One");
    let prompt = given["model"]["messages"][0]["content"].as_str().unwrap();
    let facts = "What is so of the clinic as this call begins:\n{{clinic_facts}}";
    let begins = format!("You are One.\n\n{facts}\n\nHow you book appointments.");
    assert!(prompt.starts_with(&begins), "{prompt}");
    assert_eq!((&given["firstMessage"], &given["maxDurationSeconds"]), (&json!(FIRST), &json!(900)));
    assert_eq!((&given["voice"]["provider"], &given["voice"]["voiceId"]), (&json!("vapi"), &json!("Elliot")));
    assert_eq!(given["transcriber"]["language"], "en-GB");
    assert_eq!(given["serverMessages"], json!(SERVER_MESSAGES));
    assert_eq!(given["server"]["url"], "https://voxanne.sandbox/api/vapi/webhook");
    assert!(given["server"]["credentialId"].is_string() && given["server"]["backoffPlan"].is_object());
    assert!(
        given["analysisPlan"]["structuredDataPlan"]["schema"]["properties"]["urgency"].is_object(),
        "{given}"
    );
    let tools = harness.stack.vapi.tools();
    assert_eq!(
        (tools.len(), given["model"]["toolIds"].as_array().map(Vec::len)),
        (TOOLS.len(), Some(TOOLS.len())),
        "one of each, for all"
    );
    assert_eq!(harness.stack.vapi.credentials().len(), 1);
    assert_eq!(harness.stack.vapi.assistants().len(), 2);
    let (_, saved) = save(&harness, &json!({"inbound": agent("Three")})).await;
    assert_eq!(saved["agents"][0]["version"], 3);
    harness.pass(10).await;
    let id = shown(&harness).await["vapiAssistantId"].as_str().unwrap().to_owned();
    assert_eq!(
        harness.stack.vapi.assistant(&id).unwrap()["name"],
        "Three",
        "the new values, not the previous"
    );
    assert_eq!(harness.stack.vapi.assistants().len(), 2);
}

#[tokio::test]
async fn another_stacks_assistant_of_the_same_org_is_never_taken_over() {
    // R19
    let harness = clinic().await;
    save(&harness, &json!({"inbound": agent("One")})).await;
    harness.pass(10).await;
    let ours = given(&harness).await;
    let mut others = ours["metadata"].clone();
    others["voxanne_stack"] = json!("another");
    let id = ours["id"].as_str().unwrap();
    harness.vapi_patch(&format!("/assistant/{id}"), &json!({ "metadata": others }));
    let before = harness.stack.vapi.assistant(id).unwrap();
    // As in tables that know of no assistant: it is looked for by its marks.
    let agents = Agents::new(harness.stack.db());
    let there = agents.get(ORG, Direction::Inbound).await.unwrap().unwrap();
    agents.save(&Agent { vapi_assistant_id: None, ..there }).await.unwrap();
    save(&harness, &json!({"inbound": agent("Two")})).await;
    harness.pass(10).await;
    assert_eq!(harness.stack.vapi.assistant(id).unwrap(), before);
    assert_ne!(given(&harness).await["id"], before["id"]);
    assert_eq!(given(&harness).await["name"], "Two");
}

#[tokio::test]
async fn what_cannot_be_an_agent_is_said_and_not_stored() {
    let harness = clinic().await;
    let with = |field: &str, value: Value| {
        let mut agent = agent("One");
        agent[field] = value;
        json!({ "inbound": agent })
    };
    for (body, word) in [
        (json!({}), "inbound"),
        (json!({"inbound": "x"}), "inbound"),
        (with("name", json!("")), "name"),
        (with("name", json!("x".repeat(101))), "name"),
        (with("systemPrompt", json!(7)), "systemPrompt"),
        (with("voiceProvider", json!("nobody")), "voiceProvider"),
        (with("language", json!("tlh")), "language"),
        (with("maxDurationSeconds", json!(59)), "maxDurationSeconds"),
        (with("maxDurationSeconds", json!("60")), "maxDurationSeconds"),
        (with("version", json!("1")), "version"),
        (with("vapiPhoneNumberId", json!(7)), "vapiPhoneNumberId"),
    ] {
        let (status, problem) = save(&harness, &body).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{word}: {problem}");
    }
    assert_eq!(shown(&harness).await["version"], 0, "nothing was stored");
    let e164 = with("vapiPhoneNumberId", json!("+442079460000"));
    assert_eq!(save(&harness, &e164).await.0, 400, "a phone number is no id of one");
}

#[tokio::test]
async fn trouble_at_the_vendor_keeps_the_assistant_and_is_tried_until_it_has_the_agent() {
    // N10
    let kinds = [
        "get_assistant",
        "update_assistant",
        "list_tools",
        "create_credential",
        "list_assistants",
        "create_assistant",
    ];
    for operation in kinds {
        for mode in [Mode::Error, Mode::TimeoutBefore, Mode::TimeoutAfter, Mode::Slow] {
            let what = format!("{operation} {mode:?}");
            let harness = clinic().await;
            let is_first = !operation.ends_with("t_assistant") && operation != "update_assistant";
            if !is_first {
                save(&harness, &json!({"inbound": agent("Old")})).await;
                harness.pass(10).await;
            }
            let before = shown(&harness).await["vapiAssistantId"].clone();
            harness.fault(("vapi", operation), mode, 3);
            assert_eq!(save(&harness, &json!({"inbound": agent("New")})).await.0, 200, "{what}");
            harness.pass(10).await;
            if mode != Mode::Slow && shown(&harness).await["sync"] != "synced" {
                assert_eq!(shown(&harness).await["sync"], "pending", "{what}");
                assert_eq!(shown(&harness).await["vapiAssistantId"], before, "{what}: the id is kept");
            }
            harness.pass(2_000).await;
            assert_eq!(shown(&harness).await["sync"], "synced", "{what}");
            assert_eq!(given(&harness).await["name"], "New", "{what}");
            assert_eq!(harness.stack.vapi.assistants().len(), 1, "{what}: none is left over");
            if !is_first {
                assert_eq!(shown(&harness).await["vapiAssistantId"], before, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_ends_with_the_next_save() {
    let harness = clinic().await;
    // A no to anything but the agent itself is not the clinic's to mend.
    harness.fault(("vapi", "list_tools"), Mode::Refuse, 1);
    save(&harness, &json!({"inbound": agent("None")})).await;
    harness.pass(10).await;
    assert_eq!(shown(&harness).await["sync"], "pending");
    harness.pass(400).await;
    assert_eq!(shown(&harness).await["sync"], "synced");
    let mut unheard = agent("One");
    unheard["voiceId"] = json!("no-such-voice");
    save(&harness, &json!({ "inbound": unheard })).await;
    harness.pass(1_000).await;
    let refused = shown(&harness).await;
    assert_eq!((&refused["sync"], refused["syncReason"].is_string()), (&json!("failed"), true), "{refused}");
    assert!(refused["syncReason"].as_str().unwrap().contains("voice and the language"), "{refused}");
    save(&harness, &json!({"inbound": agent("Two")})).await;
    harness.pass(10).await;
    assert_eq!(shown(&harness).await["sync"], "synced");
}

#[tokio::test]
async fn an_assistant_is_made_again_only_when_the_vendor_says_it_is_gone() {
    // N10
    let harness = clinic().await;
    let number = harness.has_number("inbound").await;
    let before = shown(&harness).await["vapiAssistantId"].as_str().unwrap().to_owned();
    harness.stack.vapi.remove_assistant(&before);
    save(&harness, &json!({"inbound": agent("One")})).await;
    harness.pass(10).await;
    let after = shown(&harness).await["vapiAssistantId"].as_str().unwrap().to_owned();
    assert_ne!(before, after);
    // Linked again everywhere: the number leads to it, and a web call of it is the clinic's.
    let numbers =
        harness.provisioning().numbers.of_direction(ORG, Direction::Inbound).await.unwrap().unwrap();
    let mapping = harness.mappings.phone_number(&numbers.vapi_phone_id).await.unwrap().unwrap();
    let after = VapiAssistantId::parse(after).unwrap();
    assert_eq!(
        (mapping.phone_number.as_str(), mapping.vapi_assistant_id.as_ref()),
        (number.as_str(), Some(&after))
    );
    assert_eq!(harness.mappings.assistant(&after).await.unwrap().map(|mapping| mapping.org_id), Some(ORG));
}

#[tokio::test]
async fn two_tabs_from_one_base_have_one_winner() {
    let harness = clinic().await;
    let from = |name: &str, version: u64| {
        let mut agent = agent(name);
        agent["version"] = json!(version);
        json!({ "inbound": agent })
    };
    for base in [0, 2] {
        let (one, two) = (from("One", base), from("Two", base));
        let (one, two) = futures::future::join(save(&harness, &one), save(&harness, &two)).await;
        let mut statuses = [one.0, two.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "from version {base}: {one:?} {two:?}");
        let refused = if one.0 == 409 { one } else { two };
        assert_eq!(refused.1["code"], "version_conflict");
        harness.pass(10).await;
    }
    assert_eq!(save(&harness, &from("Old", 1)).await.0, 409);
    // What was made to nothing is not written over what is there.
    let blind = json!({"inbound": agent("Whatever is there")});
    let (status, problem) = harness.call_api(("POST", BEHAVIOR), &harness.owner(), None, &blind).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("version is missing"), "{problem}");
    assert_ne!(shown(&harness).await["name"], "Whatever is there");
    // Both roles at once, or neither.
    let mut both = from("New", 1);
    both["outbound"] = agent("New");
    assert_eq!(save(&harness, &both).await.0, 409);
    let (_, agents) = harness.get("/api/agents", &harness.owner()).await;
    assert_ne!(agents["agents"][1]["name"], "New", "{agents}");
}

#[tokio::test]
async fn the_models_other_settings_survive_a_push() {
    // N11
    let harness = clinic().await;
    save(&harness, &json!({"inbound": agent("One")})).await;
    harness.pass(10).await;
    let mut model = given(&harness).await["model"].clone();
    model["temperature"] = json!(0.3);
    model["maxTokens"] = json!(321);
    model["toolIds"].as_array_mut().unwrap().push(json!("a-tool-of-theirs"));
    let id = shown(&harness).await["vapiAssistantId"].as_str().unwrap().to_owned();
    harness.vapi_patch(&format!("/assistant/{id}"), &json!({ "model": model }));
    save(&harness, &json!({"inbound": agent("Two")})).await;
    harness.pass(10).await;
    let after = given(&harness).await["model"].clone();
    assert!(after["messages"][0]["content"].as_str().unwrap().starts_with("You are Two.\n"));
    model["messages"][0]["content"] = after["messages"][0]["content"].clone();
    assert_eq!(after, model);
}

#[tokio::test]
async fn pushes_at_once_and_broken_off_leave_one_assistant() {
    // N12
    let harness = clinic().await;
    let saves = join_all((0..10).map(|i| {
        let mut first = agent(&format!("Agent {i}"));
        first["version"] = json!(0);
        let (harness, body) = (&harness, json!({ "inbound": first }));
        async move { save(harness, &body).await.0 }
    }))
    .await;
    assert!(saves.contains(&200) && saves.iter().all(|status| [200, 409].contains(status)), "{saves:?}");
    harness.pass(4_000).await;
    assert_eq!(harness.stack.vapi.assistants().len(), 1);
    let shown = shown(&harness).await;
    assert_eq!((&shown["sync"], &shown["name"]), (&json!("synced"), &given(&harness).await["name"]));

    for polls in 0.. {
        let harness = clinic().await;
        Agents::new(harness.stack.db())
            .ensure(ORG, Direction::Inbound, harness.stack.clock.now())
            .await
            .unwrap();
        let push = json!(Push { org_id: ORG, role: Direction::Inbound }).to_string();
        let queues = harness.stack.aws.queues();
        queues.send("AgentSyncQueue", &push, jiff::SignedDuration::ZERO).unwrap();
        let outcome = crashed_after(polls, harness.stack.settle_down()).await;
        harness.pass(2_000).await;
        assert_eq!(harness.stack.vapi.assistants().len(), 1, "died at its poll {polls}");
        assert_eq!(self::shown(&harness).await["sync"], "synced", "died at its poll {polls}");
        assert_eq!(harness.stack.vapi.tools().len(), TOOLS.len(), "died at its poll {polls}");
        if outcome.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn a_refusal_of_what_all_orgs_share_alarms_at_once_and_is_tried_until_it_is_mended() {
    // V6
    let shared = [
        ("create_tool", "vapi_tool_refused", "pending"),
        ("create_credential", "vapi_credential_refused", "pending"),
        ("create_assistant", "vapi_agent_refused", "failed"),
        ("update_assistant", "vapi_agent_refused", "failed"),
    ];
    for (operation, alarm, sync) in shared {
        let harness = clinic().await;
        if operation == "update_assistant" {
            save(&harness, &json!({"inbound": agent("Old")})).await;
            harness.pass(10).await;
        }
        let (alarms, _guard) = alarms();
        harness.fault(("vapi", operation), Mode::Refuse, 2);
        save(&harness, &json!({"inbound": agent("New")})).await;
        harness.pass(10).await;
        assert!(alarms.names().contains(&alarm.to_owned()), "{operation}: {:?}", alarms.names());
        let refused = shown(&harness).await;
        assert_eq!(refused["sync"], sync, "{operation}: {refused}");
        assert!(
            sync != "failed" || refused["syncReason"].as_str().unwrap().contains("lies with us"),
            "{refused}"
        );
        harness.pass(1_500).await;
        assert_eq!(
            shown(&harness).await["sync"],
            "synced",
            "{operation}: no save of the clinic's was needed"
        );
    }
}

#[tokio::test]
async fn a_tool_is_found_by_what_the_vendor_keeps_and_one_of_another_definition_takes_its_place() {
    // V6: an end-call tool bears no name of ours.
    let harness = clinic().await;
    let there = Request::post("http://api.vapi.sandbox/tool")
        .header("authorization", "Bearer sandbox-vapi-key")
        .body(Bytes::from_static(br#"{"type": "endCall"}"#));
    let (status, there) = parts(&harness.stack.vapi.answer(&there.unwrap()));
    assert_eq!(status, 201, "{there}");
    save(&harness, &json!({"inbound": agent("One")})).await;
    harness.pass(10).await;
    assert_eq!(
        harness.stack.vapi.tools().len(),
        TOOLS.len(),
        "a try that died before it was noted: found, not made again"
    );
    assert_eq!(given(&harness).await["model"]["toolIds"][0], there["id"]);

    // As an older build left it: another definition at the vendor, and the hash of that.
    let old = there["id"].as_str().unwrap().to_owned();
    let said = json!({"messages": [{"type": "request-start", "content": "Goodbye."}]});
    harness.vapi_patch(&format!("/tool/{old}"), &said);
    let objects = MadeOnce::vapi_objects(harness.stack.db());
    let slot = objects.get("tool:end_call").await.unwrap().unwrap();
    let made = Some(VapiObject { definition_hash: "old".into(), ..slot.made.clone().unwrap() });
    objects.save("tool:end_call", &Slot { made, ..slot }).await.unwrap();
    save(&harness, &json!({"inbound": agent("Two")})).await;
    harness.pass(10).await;
    let tools = harness.stack.vapi.tools();
    let new = tools.iter().find(|tool| tool["type"] == "endCall" && tool["id"] != json!(old)).unwrap();
    assert_eq!(tools.len(), TOOLS.len() + 1, "the old one may be another's too, and stays as it is");
    let linked = given(&harness).await["model"]["toolIds"].clone();
    let has = |id: &Value| linked.as_array().unwrap().contains(id);
    assert!(
        has(&new["id"]) && !has(&json!(old)),
        "the agent has the new one, and the old one no more: {linked}"
    );
}

#[tokio::test]
async fn an_unlinked_number_takes_no_call_and_the_caller_hears_why() {
    let harness = clinic().await;
    let number = harness.has_number("inbound").await;
    let mut body = json!({"inbound": agent("One")});
    body["inbound"]["vapiPhoneNumberId"] = Value::Null;
    assert_eq!(save(&harness, &body).await.0, 200);
    harness.pass(70).await;
    let placing = sandbox::vapi::Placing {
        to: Some(number),
        from: "+447700900123".into(),
        talk_seconds: 60,
        web_assistant_id: None,
        max_duration_seconds: None,
        says: vec![],
    };
    let call = harness.stack.vapi.place(&placing).unwrap();
    harness.pass(100).await;
    let call = harness.stack.vapi.call(&call).unwrap();
    assert!(call.heard.iter().any(|said| said.contains("not available")), "{:?}", call.heard);
    assert_eq!(harness.money().await, (4_000, 0));
}

#[tokio::test]
async fn a_save_is_given_to_the_vendor_once() {
    let harness = clinic().await;
    let pushes = |harness: &Harness| {
        let received = harness.stack.vapi.received();
        received.iter().filter(|sent| sent.path.starts_with("/assistant")).count()
    };
    save(&harness, &json!({"inbound": agent("One")})).await;
    harness.pass(120).await;
    assert_eq!((pushes(&harness), &shown(&harness).await["sync"]), (1, &json!("synced")));
    save(&harness, &json!({"inbound": agent("Two")})).await;
    harness.pass(120).await;
    assert_eq!((pushes(&harness), given(&harness).await["name"].as_str()), (2, Some("Two")));
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_told_so_and_the_longest_fits_however_it_is_written() {
    let harness = clinic().await;
    let with = |prompt: &str| {
        let mut agent = agent("One");
        agent["systemPrompt"] = json!(prompt);
        agent
    };
    for prompt in ["x".repeat(20_001), "x".repeat(250_000), "語".repeat(13_334), "\u{1}".repeat(40_001)] {
        let (status, problem) = save(&harness, &json!({ "inbound": with(&prompt) })).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert_eq!((status, detail.contains("systemPrompt")), (400, true), "{problem}");
    }
    // Each character as six bytes of JSON.
    let (status, saved) = save(&harness, &json!({"inbound": with(&"é".repeat(20_000))})).await;
    assert_eq!(status, 200, "{saved}");
    let longest = with(&"\u{1}x".repeat(10_000));
    let (status, saved) = save(&harness, &json!({"inbound": longest, "outbound": longest})).await;
    assert_eq!(status, 200, "{saved}");
    harness.pass(30).await;
    let given = given(&harness).await;
    let prompt = given["model"]["messages"][0]["content"].as_str().unwrap();
    assert!(prompt.starts_with(&"\u{1}x".repeat(10_000)), "{given}");
    let (status, problem) = save(&harness, &json!({"inbound": with(&"x".repeat(600_000))})).await;
    assert_eq!((status, problem["code"].as_str()), (413, Some("body_too_large")));
}
