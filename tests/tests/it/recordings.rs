//! V11, V12: what was said is kept whichever way it comes, and a recording can be heard whenever it is asked for.

use bytes::Bytes;
use domain::ids::CallId;
use http::{Request, Response};
use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG, bodies};

const ORIGIN: &str = "http://127.0.0.1:3000";

async fn content(harness: &Harness, call: &str) -> domain::content::Content {
    let kept = harness.calls.content(ORG, &CallId::parse(call).unwrap()).await.unwrap();
    kept.expect("something was kept")
}

fn lose(harness: &Harness, labels: &[&str]) {
    harness
        .stack
        .vapi
        .with_faults(|faults| faults.lost.extend(labels.iter().map(|label| (*label).to_owned())));
}

#[tokio::test]
async fn what_vapis_record_has_is_kept_when_the_report_is_lost() {
    // V11: the meter finds it, or reconciliation does.
    for lost in [&["end-of-call-report"][..], &["end-of-call-report", "status-update:ended"]] {
        let harness = Harness::with_wallet(2_500, 600).await;
        lose(&harness, lost);
        let call = harness.ring(60);
        harness.pass(600).await;
        assert_eq!(harness.bills_of(&call).await, [56], "{lost:?}");
        let kept = content(&harness, &call).await;
        assert!(kept.transcript.unwrap().reveal().starts_with("AI: Hello"), "{lost:?}");
        assert_eq!(kept.summary.unwrap().reveal(), "The caller asked about an appointment.");
        assert_eq!((kept.has_recording, kept.vendor_cost_usd.as_deref()), (true, Some("0.0394")), "{lost:?}");
    }
    let harness = Harness::with_wallet(2_500, 600).await;
    lose(&harness, &["end-of-call-report", "status-update:ended", "status-update:in-progress"]);
    let call = harness.ring_from_the_web(60);
    harness.pass(120).await;
    harness.reconcile("listing").await;
    assert_eq!(harness.bills_of(&call).await, [56]);
    assert!(content(&harness, &call).await.has_recording, "found by the list alone");
}

#[tokio::test]
async fn a_report_that_comes_late_adds_to_what_the_record_said_and_wins() {
    let harness = Harness::with_wallet(2_500, 600).await;
    lose(&harness, &["end-of-call-report"]);
    let call = harness.ring(60);
    harness.pass(600).await;
    let mut report = bodies::report(&call, 60);
    report["message"]["analysis"] =
        json!({"summary": "The last word.", "structuredData": {"urgency": "high"}});
    for _ in 0..2 {
        assert_eq!(harness.vapi(&report).await.0, 200);
        let kept = content(&harness, &call).await;
        assert_eq!(kept.summary.unwrap().reveal(), "The last word.");
        assert_eq!(kept.urgency.as_deref(), Some("high"));
        assert!(kept.transcript.is_some() && kept.has_recording, "what the report lacks stays");
    }
    assert_eq!(harness.bills_of(&call).await, [56]);
}

#[tokio::test]
async fn text_that_a_crash_kept_from_being_written_is_found_by_the_list() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(60);
    harness.pass(120).await;
    let id = CallId::parse(&call).unwrap();
    harness.calls.put_content(ORG, &id, &domain::content::Content::default()).await.unwrap();
    harness.reconcile("listing").await;
    assert!(content(&harness, &call).await.transcript.is_some());
}

#[tokio::test]
async fn a_recording_is_known_from_any_of_its_fields() {
    // V12: 2024, 2025, 2026.
    let link = "https://storage.example.test/private/a.wav";
    let cases = [
        (json!({"recordingUrl": link}), json!({}), true),
        (json!({"stereoRecordingUrl": link}), json!({}), true),
        (json!({}), json!({"recordingUrl": link}), true),
        (json!({}), json!({"stereoRecordingUrl": link}), true),
        (json!({}), json!({"recording": {"stereoUrl": link}}), true),
        (json!({}), json!({"recording": {"mono": {"combinedUrl": link}}}), true),
        (json!({}), json!({"recording": {"mono": {"assistantUrl": link, "customerUrl": link}}}), true),
        (json!({}), json!({"recording": {"url": link}}), true),
        (
            json!({}),
            json!({"presignedMonoUrl": link, "presignedUrlsExpiresAt": "2026-07-01T09:00:00.000Z"}),
            true,
        ),
        (json!({}), json!({"presignedStereoUrl": link}), true),
        (json!({"recordingUrl": null}), json!({"recording": {}, "recordingUrl": ""}), false),
        (json!({}), json!({"presignedLogUrl": link, "videoRecordingUrl": null}), false),
    ];
    for (index, (fields, artifact, has_recording)) in cases.into_iter().enumerate() {
        let harness = Harness::with_wallet(2_500, 600).await;
        let call = format!("call-{index}");
        let mut report = bodies::report(&call, 20);
        for (name, value) in fields.as_object().unwrap() {
            report["message"][name] = value.clone();
        }
        report["message"]["artifact"] = artifact.clone();
        report["message"]["transcript"] = json!("AI: Hello.");
        assert_eq!(harness.vapi_as_it_is(&report).await.0, 200);
        let (status, shown) = harness.get(&format!("/api/calls-dashboard/{call}"), &harness.owner()).await;
        assert_eq!((status, &shown["has_recording"]), (200, &json!(has_recording)), "{fields} {artifact}");
        assert_eq!(shown["recording_url"].is_string(), has_recording, "{shown}");
        assert!(
            !shown.to_string().contains("storage.example.test"),
            "no vendor's link is handed out: {shown}"
        );
        let kept = harness.calls.content(ORG, &CallId::parse(&call).unwrap()).await.unwrap().unwrap();
        assert!(!serde_json::to_string(&kept).unwrap().contains("storage.example.test"), "or kept");
    }
}

/// Plays what an address of ours leads to, as a browser does: without a token.
async fn play(harness: &Harness, url: &str, range: Option<&str>) -> Response<Bytes> {
    let path = url.strip_prefix(ORIGIN).expect("an address of ours");
    let mut request = Request::get(path);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    harness.send(request.body(Bytes::new()).unwrap()).await
}

fn said(response: &Response<Bytes>) -> (u16, Option<&str>, usize) {
    let range = response.headers().get("content-range").map(|range| range.to_str().unwrap());
    (response.status().as_u16(), range, response.body().len())
}

async fn link(harness: &Harness, call: &str, token: &str) -> (u16, Value) {
    harness.get(&format!("/api/calls-dashboard/{call}/recording"), token).await
}

#[tokio::test]
async fn a_recordings_link_is_made_when_asked_and_played_in_pieces_by_our_key() {
    let harness = Harness::with_wallet(5_000, 3_600).await;
    let call = harness.ring(600);
    harness.pass(700).await;
    let (status, answer) = link(&harness, &call, &harness.owner()).await;
    assert_eq!((status, answer.as_object().map(serde_json::Map::len)), (200, Some(1)), "{answer}");
    let url = answer["url"].as_str().unwrap().to_owned();
    // Ten minutes of 8,000 bytes a second, and the head of the file.
    let first = play(&harness, &url, Some("bytes=0-")).await;
    assert_eq!(said(&first), (206, Some("bytes 0-3145727/4800044"), 3_145_728));
    assert_eq!(
        (&first.body()[..4], &first.headers()["content-type"]),
        (&b"RIFF"[..], &"audio/wav".parse().unwrap())
    );
    assert_eq!(first.headers()["cache-control"], "private, no-store");
    let rest = play(&harness, &url, Some("bytes=3145728-")).await;
    assert_eq!(said(&rest), (206, Some("bytes 3145728-4800043/4800044"), 1_654_316));
    let last = play(&harness, &url, Some("bytes=-44")).await;
    assert_eq!(said(&last), (206, Some("bytes 4800000-4800043/4800044"), 44));
    assert_eq!(said(&play(&harness, &url, Some("bytes=4800044-")).await), (416, Some("bytes */4800044"), 0));
    harness.fault(("vapi", "get_recording"), Mode::Error, 1);
    assert_eq!(play(&harness, &url, None).await.status(), 502);
    harness.pass(301).await;
    assert_eq!(play(&harness, &url, None).await.status(), 404, "five minutes");
    let (_, anew) = link(&harness, &call, &harness.owner()).await;
    assert_eq!(
        play(&harness, anew["url"].as_str().unwrap(), None).await.status(),
        206,
        "as often as it is asked for"
    );
    let (_, shown) = harness.get(&format!("/api/calls-dashboard/{call}"), &harness.owner()).await;
    assert_eq!(play(&harness, shown["recording_url"].as_str().unwrap(), None).await.status(), 206);
}

#[tokio::test]
async fn a_short_recording_is_whole_and_anothers_or_a_forged_one_is_not_there() {
    let harness = Harness::with_wallet(5_000, 600).await;
    let call = harness.ring(60);
    harness.pass(100).await;
    let (_, answer) = link(&harness, &call, &harness.token(ORG, "viewer")).await;
    let url = answer["url"].as_str().unwrap().to_owned();
    assert_eq!(said(&play(&harness, &url, None).await), (200, None, 480_044));
    let other = harness.token(OTHER_ORG, "owner");
    assert_eq!(link(&harness, &call, &other).await.0, 404, "another org's");
    assert_eq!(link(&harness, "no-such-call", &harness.owner()).await.0, 404);
    harness.vapi(&bodies::request("call-1")).await;
    assert_eq!(link(&harness, "call-1", &harness.owner()).await.0, 404, "it goes on");
    for forged in
        [format!("{url}A"), format!("{ORIGIN}/api/recordings/x"), format!("{ORIGIN}/api/recordings/a.b")]
    {
        assert_eq!(play(&harness, &forged, None).await.status(), 404, "{forged}");
    }
    let path = url.strip_prefix(ORIGIN).unwrap();
    let posted = harness.send(Request::post(path).body(Bytes::new()).unwrap()).await;
    assert_eq!(posted.status(), 405);
}
