//! Whose a calendar is: consents, tokens, channels.

use super::*;
use http::Request;
use tests::{OTHER_ORG, parts};

const OTHER_ACCOUNT: &str = "office@other-clinic.example";

#[tokio::test]
async fn a_state_is_taken_once_in_time_and_for_its_own_org() {
    // C1
    let harness = clinic().await;
    let google = &harness.stack.google;
    google.add_account(ACCOUNT, "Europe/London");
    google.add_account(OTHER_ACCOUNT, "Europe/London");
    let good = google.consent(&authorize(&harness, ORG).await, Some(ACCOUNT), &[]).unwrap();
    let forged = good.replace("state=", "state=0");
    assert_eq!(returns(&harness, &forged).await, "error=oauth_state_invalid");
    assert_eq!(returns(&harness, "https://x/api/google-oauth/callback").await, "error=oauth_state_invalid");
    assert_eq!(returns(&harness, &good).await, "success=calendar_connected");
    assert_eq!(returns(&harness, &good).await, "error=oauth_state_invalid", "again");
    let late = google.consent(&authorize(&harness, ORG).await, Some(ACCOUNT), &[]).unwrap();
    harness.pass(600).await;
    assert_eq!(returns(&harness, &late).await, "error=oauth_state_invalid");
    // The code of one consent with the state of another: its verifier is another.
    let mine = google.consent(&authorize(&harness, ORG).await, Some(ACCOUNT), &[]).unwrap();
    let theirs = google.consent(&authorize(&harness, OTHER_ORG).await, Some(OTHER_ACCOUNT), &[]).unwrap();
    let crossed = theirs.replace(&state_of(&theirs), &state_of(&mine));
    assert_eq!(returns(&harness, &crossed).await, "error=oauth_token_exchange_failed");
    let (_, status) = harness.get("/api/google-oauth/status", &harness.token(OTHER_ORG, "owner")).await;
    assert_eq!((&status["connected"], &status["state"]), (&json!(false), &json!("none")), "{status}");
    let (_, status) = harness.get("/api/google-oauth/status", &harness.owner()).await;
    assert_eq!((&status["connected"], &status["account"]), (&json!(true), &json!(ACCOUNT)), "{status}");
}

#[tokio::test]
async fn a_consent_is_taken_from_the_browser_that_asked_and_from_no_other() {
    // C1: one clinic sends the address of its own consent to another's owner.
    let harness = clinic().await;
    harness.stack.google.add_account(OTHER_ACCOUNT, "Europe/London");
    for kept in [None, Some("google_consent=0"), Some("google_consent=")] {
        let sent = authorize(&harness, ORG).await;
        let back = harness.stack.google.consent(&sent, Some(OTHER_ACCOUNT), &[]).unwrap();
        assert_eq!(returns_with(&harness, &back, kept).await, "error=oauth_state_invalid", "{kept:?}");
        assert_eq!(returns(&harness, &back).await, "error=oauth_state_invalid", "the state is used up");
    }
    let (_, status) = harness.get("/api/google-oauth/status", &harness.owner()).await;
    assert_eq!(status["state"], "none", "{status}");
}

#[tokio::test]
async fn who_denies_or_unticks_connects_nothing() {
    // C1
    let harness = clinic().await;
    harness.stack.google.add_account(ACCOUNT, "Europe/London");
    assert_eq!(consent(&harness, ORG, None, &[]).await, "error=user_denied_consent");
    for scope in ["calendar.events", "calendar.calendarlist.readonly"] {
        assert_eq!(consent(&harness, ORG, Some(ACCOUNT), &[scope]).await, "error=scopes_missing");
    }
    harness.fault(("google", "token"), sandbox::faults::Mode::Error, 1);
    assert_eq!(consent(&harness, ORG, Some(ACCOUNT), &[]).await, "error=oauth_token_exchange_failed");
    let (_, status) = harness.get("/api/google-oauth/status", &harness.owner()).await;
    assert_eq!(status["state"], "none", "{status}");
    // Nothing that opens anything is in an answer, a record or a URL of ours.
    assert_eq!(consent(&harness, ORG, Some(ACCOUNT), &[]).await, "success=calendar_connected");
    for path in ["/api/google-oauth/status", "/api/calendars"] {
        let (_, shown) = harness.get(path, &harness.owner()).await;
        assert!(!shown.to_string().contains("ya29.") && !shown.to_string().contains("1//"), "{shown}");
    }
}

#[tokio::test]
async fn two_clinics_whose_tokens_are_refreshed_in_turn_keep_each_its_own() {
    // C2
    let harness = connected().await;
    crate::booking::offers(&harness, OTHER_ORG, &["Dr Other"]).await;
    harness.stack.google.add_account(OTHER_ACCOUNT, "Europe/London");
    consent(&harness, OTHER_ORG, Some(OTHER_ACCOUNT), &[]).await;
    let all = resources(&harness, OTHER_ORG).await;
    map(&harness, OTHER_ORG, OTHER_ACCOUNT, &all).await;
    for hours in 0..3 {
        // Longer than an access token lasts.
        harness.pass(2 * 3_600).await;
        let at = format!("2026-01-1{}T10:00:00Z", 3 + hours);
        book(&harness, &at, "Ada Lovelace").await;
        let owner = harness.token(OTHER_ORG, "owner");
        let (_, listed) = harness.get("/api/services", &owner).await;
        let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": at, "contact": {"name": "Grace Hopper"}});
        let (status, made) = harness.post("/api/appointments", &owner, body.to_string()).await;
        assert_eq!(status, 201, "{made}");
        harness.pass(60).await;
    }
    assert_eq!(events(&harness).len(), 3);
    assert_eq!(harness.stack.google.events(OTHER_ACCOUNT).len(), 3);
    let id_of = |event: &Value| event["extendedProperties"]["private"]["voxanne_appointment"].clone();
    let mine: Vec<Value> = events(&harness).iter().map(id_of).collect();
    let theirs = appointments(&harness, OTHER_ORG).await;
    assert!(theirs.iter().all(|one| !mine.contains(&one["id"])), "{mine:?}");
}

#[tokio::test]
async fn a_consent_that_has_ended_is_told_once_and_nothing_is_retried_or_freed() {
    let harness = connected().await;
    enter(&harness, "2026-01-12T10:00:00Z", "2026-01-12T11:00:00Z");
    harness.pass(5).await;
    harness.stack.google.withdraw(ACCOUNT);
    let one = book(&harness, TUESDAY_TEN, "Ada Lovelace").await;
    harness.pass(120).await;
    schedule(&harness, "poll").await;
    let (_, status) = harness.get("/api/google-oauth/status", &harness.owner()).await;
    assert_eq!(status["state"], "broken", "{status}");
    assert_eq!(told(&harness).await.len(), 1);
    assert_eq!(busy(&harness, "2026-01-12").await.len(), 1, "what was known stands");
    let asked = harness.stack.faults.log().len();
    harness.pass(24 * 3_600).await;
    schedule(&harness, "poll").await;
    assert_eq!(harness.stack.faults.log().len(), asked, "nothing is asked any more");
    // Connected anew, what was booked meanwhile gets there.
    consent(&harness, ORG, Some(ACCOUNT), &[]).await;
    harness.pass(120).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "synced");
    assert!(starts(&harness).contains(&TUESDAY_TEN.to_owned()));
}

#[tokio::test]
async fn a_word_of_a_channel_is_believed_by_its_token_alone() {
    let harness = connected().await;
    harness.pass(60).await;
    assert_eq!(harness.stack.google.channels(ACCOUNT), 1);
    let say = |channel: &str, token: &str| {
        let request = Request::post("/api/webhooks/google-calendar")
            .header("x-goog-channel-id", channel)
            .header("x-goog-channel-token", token)
            .header("x-goog-resource-state", "exists");
        harness.send(request.body(bytes::Bytes::new()).unwrap())
    };
    let watched = harness.stack.google.received();
    let watched = watched.iter().find(|received| received.path.ends_with("/watch")).unwrap();
    let (channel, token) = (watched.body["id"].as_str().unwrap(), watched.body["token"].as_str().unwrap());
    for (channel, token) in [(channel, "another"), ("another", token), (channel, ""), ("a b", token)] {
        assert_eq!(parts(&say(channel, token).await).0, 401, "{channel} {token}");
    }
    assert_eq!(parts(&say(channel, token).await).0, 200);
}

#[tokio::test]
async fn who_disconnects_ends_channels_gives_the_consent_back_and_frees_what_others_kept() {
    let harness = connected().await;
    enter(&harness, "2026-01-12T10:00:00Z", "2026-01-12T11:00:00Z");
    harness.pass(5).await;
    let (status, answer) = harness.post("/api/google-oauth/revoke", &harness.owner(), "").await;
    assert_eq!((status, &answer["state"]), (200, &json!("disconnected")), "{answer}");
    harness.pass(60).await;
    assert_eq!(harness.stack.google.channels(ACCOUNT), 0);
    assert_eq!(busy(&harness, "2026-01-12").await, Vec::<String>::new());
    let (status, answer) = harness.post("/api/google-oauth/revoke", &harness.owner(), "").await;
    assert_eq!((status, &answer["state"]), (200, &json!("disconnected")), "again: {answer}");
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    assert_eq!(one["calendar"], "none");
    assert_eq!(starts(&harness), ["2026-01-12T10:00:00Z"], "the clinic's own, and none of ours");
}

#[tokio::test]
async fn a_calendar_in_which_we_may_not_write_is_read_for_busy_times_and_says_so() {
    let harness = clinic().await;
    let google = &harness.stack.google;
    google.add_account(ACCOUNT, "Europe/London");
    google.add_calendar("dr@elsewhere.example", "dr@elsewhere.example", "Dr Rahman's own", "Europe/London");
    google.share("dr@elsewhere.example", ACCOUNT, Some("reader"));
    consent(&harness, ORG, Some(ACCOUNT), &[]).await;
    let all = resources(&harness, ORG).await;
    let saved = map(&harness, ORG, "Dr Rahman's own", &all).await;
    assert_eq!((&saved["access"], &saved["state"]), (&json!("read"), &json!("active")), "{saved}");
    let event = json!({"start": {"dateTime": MONDAY_TEN}, "end": {"dateTime": "2026-01-12T11:00:00Z"}});
    hand(&harness, json!({"act": "create", "calendar": "dr@elsewhere.example", "event": event}));
    harness.pass(5).await;
    assert_eq!(try_to_book(&harness, MONDAY_TEN, "Ada Lovelace").await.0, 409);
    let one = book(&harness, TUESDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "none");
    assert_eq!(google.events("dr@elsewhere.example").len(), 1);
    // It is shared no longer: nothing is freed, and the clinic is told.
    google.share("dr@elsewhere.example", ACCOUNT, None);
    harness.pass(3_700).await;
    schedule(&harness, "poll").await;
    assert_eq!(busy(&harness, "2026-01-12").await.len(), 1);
    assert_eq!(told(&harness).await.len(), 1);
}

#[tokio::test]
async fn what_opens_a_calendar_is_sealed_anew_with_the_other_secrets_and_numbers_are_listed_beside_it() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let harness = connected().await;
    let keys = harness.stack.platform.environment.reader().optional("CREDENTIAL_KEYS").unwrap();
    let mut platform = harness.stack.platform.clone();
    let both = format!("new:{},{keys}", STANDARD.encode([9; 32]));
    platform.environment = platform.environment.with("CREDENTIAL_KEYS", &both);
    let environment = platform.environment.clone();
    let mut reader = environment.reader();
    let settings = services::provisioning::Settings::read(&mut reader, &platform);
    reader.finish().unwrap();
    let rotated =
        services::provisioning::Provisioning::deployed(&platform, settings).rotate_keys().await.unwrap();
    assert_eq!((rotated.resealed, rotated.missed), (1, 0));
    let credentials = store::calendars::CalendarCredentials::new(harness.stack.db());
    let kept = credentials.get(ORG).await.unwrap().unwrap();
    assert_eq!((kept.refresh_token.key_id.as_str(), kept.access_token), ("new", None));
    assert_eq!(harness.dropdown_of(ORG).await, Vec::<String>::new(), "it is no number");
}
