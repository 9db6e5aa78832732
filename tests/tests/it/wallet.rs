//! The dashboard's wallet.

use serde_json::json;
use tests::{Harness, ORG, OTHER_ORG, web_report};

#[tokio::test]
async fn the_wallet_shows_what_is_there() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.ring(100);
    harness.pass(10).await;
    let (status, wallet) = harness.get("/api/billing/wallet", &harness.owner()).await;
    assert_eq!(status, 200);
    insta::assert_json_snapshot!(wallet);
}

#[tokio::test]
async fn the_first_request_of_an_org_makes_its_wallet() {
    let harness = Harness::empty(vec![]).await;
    let (status, wallet) = harness.get("/api/billing/wallet", &harness.owner()).await;
    assert_eq!((status, &wallet["balance_pence"], &wallet["is_low_balance"]), (200, &json!(0), &json!(true)));
}

#[tokio::test]
async fn transactions_are_paged_newest_first_and_filtered() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for i in 0..5 {
        let report = web_report(&format!("web-{i}"), "2025-12-17T00:00:00Z", "2025-12-17T00:01:00Z");
        harness.vapi(&report).await;
    }
    let owner = harness.owner();
    let mut seen = Vec::new();
    let mut path = "/api/billing/wallet/transactions?limit=2&type=call".to_owned();
    loop {
        let (status, page) = harness.get(&path, &owner).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(
            page["transactions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|t| t["call_id"].as_str().unwrap().to_owned()),
        );
        match page["pagination"]["next_cursor"].as_str() {
            Some(cursor) => {
                path = format!("/api/billing/wallet/transactions?limit=2&type=call&cursor={cursor}");
            }
            None => break,
        }
    }
    assert_eq!(seen, ["web-4", "web-3", "web-2", "web-1", "web-0"]);
    let (_, all) = harness.get("/api/billing/wallet/transactions", &owner).await;
    insta::assert_json_snapshot!(all["transactions"][5]);
}

#[tokio::test]
async fn bad_query_values_are_named_problems() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let owner = harness.owner();
    let (_, page) =
        harness.get("/api/billing/wallet/transactions?limit=1", &harness.token(OTHER_ORG, "owner")).await;
    assert!(page["pagination"]["next_cursor"].is_null());
    let foreign = {
        harness.wallets.ensure(OTHER_ORG).await.unwrap();
        harness.top_up(OTHER_ORG, "pi_1", 100).await;
        harness.top_up(OTHER_ORG, "pi_2", 100).await;
        let token = harness.token(OTHER_ORG, "owner");
        let (_, page) = harness.get("/api/billing/wallet/transactions?limit=1", &token).await;
        page["pagination"]["next_cursor"].as_str().unwrap().to_owned()
    };
    let cases = [
        ("transactions?limit=0".to_owned(), 400, "invalid_value"),
        ("transactions?limit=abc".to_owned(), 400, "invalid_value"),
        ("transactions?limit=101".to_owned(), 400, "invalid_value"),
        ("transactions?type=gift".to_owned(), 400, "invalid_value"),
        ("transactions?colour=red".to_owned(), 400, "invalid_value"),
        ("transactions?limit=1&limit=2".to_owned(), 400, "invalid_value"),
        ("transactions?cursor=made-up".to_owned(), 400, "invalid_cursor"),
        (format!("transactions?cursor={foreign}"), 400, "invalid_cursor"),
        ("statement?from=yesterday".to_owned(), 400, "invalid_value"),
        ("statement?from=2026-01-02&to=2026-01-01".to_owned(), 400, "invalid_value"),
        ("statement?format=xml".to_owned(), 400, "invalid_value"),
        ("statement?to=9999-12-30".to_owned(), 400, "invalid_value"),
        ("statement?from=-009999-01-02T01:59:59Z".to_owned(), 400, "invalid_value"),
        ("statement?from=0001-01-01".to_owned(), 400, "invalid_value"),
        ("nothing".to_owned(), 404, "not_found"),
    ];
    for (path, status, code) in cases {
        let (got, problem) = harness.get(&format!("/api/billing/wallet/{path}"), &owner).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{problem}");
        assert!(problem["request_id"].as_str().is_some_and(|id| id.len() > 10), "{problem}");
    }
}

#[tokio::test]
async fn each_bad_amount_has_its_own_sentence_and_changes_nothing() {
    // B14
    let harness = Harness::with_wallet(0, 600).await;
    let owner = harness.owner();
    let bodies = [
        (r#"{"amount_pence": -2500}"#, "invalid_amount", "negative"),
        (r#"{"amount_pence": 2500.5}"#, "invalid_amount", "fraction"),
        (r#"{"amount_pence": "2500"}"#, "invalid_amount", "must be a number"),
        (r#"{"amount_pence": null}"#, "invalid_amount", "missing"),
        ("{}", "invalid_amount", "missing"),
        (r#"{"amount_pence": 2499}"#, "invalid_amount", "smallest"),
        (r#"{"amount_pence": 0}"#, "invalid_amount", "smallest"),
        (r#"{"amount_pence": 100001}"#, "invalid_amount", "largest"),
        (r#"{"amount_pence": 99999999999999999}"#, "invalid_amount", "largest"),
        (r#"{"amount_pence": 18446744073709551615}"#, "invalid_amount", "largest"),
        (r#"{"amount_pence": 1e3}"#, "invalid_amount", "fraction"),
        (r#"{"amount_pence": NaN}"#, "invalid_body", "JSON"),
        (r#"{"amount_pence": 2500, "return_url": "https://evil.example"}"#, "invalid_value", "path"),
        (r#"{"amount_pence": 2500, "return_url": "//evil.example"}"#, "invalid_value", "path"),
        (r#"{"amount_pence": 2500, "return_url": "/\\evil.example"}"#, "invalid_value", "path"),
        ("[1]", "invalid_body", "JSON"),
        ("", "invalid_body", "JSON"),
        ("not json", "invalid_body", "JSON"),
    ];
    for (body, code, word) in bodies {
        let (status, problem) = harness.post("/api/billing/wallet/topup", &owner, body).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some(code)), "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{body}: {problem}");
    }
    let (status, problem) = harness.post("/api/billing/wallet/topup", &owner, vec![0xFF, 0xFE, 0x00]).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_body")), "not UTF-8");
    let nested = "[".repeat(100_000);
    let (status, _) = harness.post("/api/billing/wallet/topup", &owner, nested).await;
    assert_eq!(status, 413);
    let nested = "[".repeat(10_000);
    let (status, _) = harness.post("/api/billing/wallet/topup", &owner, nested).await;
    assert_eq!(status, 400, "deeply nested");
    assert!(harness.stack.stripe.all("checkout.session").is_empty());
}

#[tokio::test]
async fn a_statement_is_whole_and_chained_in_both_forms() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for i in 0..3 {
        harness.pass(86_400).await;
        let report = web_report(&format!("web-{i}"), "2025-12-17T00:00:00Z", "2025-12-17T00:01:00Z");
        harness.vapi(&report).await;
    }
    let owner = harness.owner();
    let (status, all) = harness.get("/api/billing/wallet/statement?from=2020-01-01", &owner).await;
    assert_eq!(status, 200);
    assert_eq!(all["entries"].as_array().unwrap().len(), 4);
    let at = all["entries"][2]["created_at"].as_str().unwrap().to_owned();
    let last = all["entries"][3]["created_at"].as_str().unwrap().to_owned();
    let path = format!("/api/billing/wallet/statement?from={at}&to={last}");
    let (_, part) = harness.get(&path, &owner).await;
    let seqs: Vec<_> =
        part["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [3], "the end of a period is not inside it");
    let request = http::Request::get("/api/billing/wallet/statement?from=2020-01-01&format=csv")
        .header("authorization", format!("Bearer {owner}"))
        .body(bytes::Bytes::new())
        .unwrap();
    let answer = harness.send(request).await;
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert_eq!(text.lines().count(), 5);
    for form in [all.to_string(), text.clone()] {
        let verdict = local::statement::verify(&[form]).unwrap();
        assert_eq!((verdict.covers, verdict.flaws.len()), (Some((1, 4)), 0), "{verdict}");
    }
    let altered = text.replace(",56,", ",55,");
    assert!(!local::statement::verify(&[altered]).unwrap().flaws.is_empty());
    assert!(text.starts_with("previous_hash,org_id,entry_key,seq,type,direction,amount_pence"));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_wallet_that_cannot_be_read_is_an_error_and_not_a_zero() {
    // B13
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.stack.aws.set_plan(|_| local::aws::Outcome::Fail("InternalServerError"));
    for path in ["wallet", "wallet/transactions", "wallet/statement"] {
        let (status, problem) = harness.get(&format!("/api/billing/{path}"), &harness.owner()).await;
        assert_eq!((status, problem["code"].as_str()), (500, Some("internal")), "{path}");
        assert!(problem.get("balance_pence").is_none());
        assert!(!problem.to_string().contains("injected"), "S3: nothing internal leaves: {problem}");
    }
}

#[tokio::test]
async fn stripe_out_of_reach_is_told_so_and_nothing_is_lost() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.stack.stripe.with_faults(|faults| faults.rest_is_down = true);
    let (status, problem) =
        harness.post("/api/billing/wallet/topup", &harness.owner(), r#"{"amount_pence": 2500}"#).await;
    assert_eq!((status, problem["code"].as_str()), (502, Some("payment_provider_unavailable")));
    harness.stack.stripe.with_faults(|faults| faults.rest_is_down = false);
    harness.begin_top_up(2_500).await;
}

#[tokio::test]
async fn a_period_that_holds_too_much_is_refused_and_a_shorter_one_is_given() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for i in 0..3 {
        harness.pass(100).await;
        harness.top_up(ORG, &format!("pi_{i}"), 100).await;
    }
    let (from, to) =
        (local::stack::test_epoch(), harness.stack.clock.now() + jiff::SignedDuration::from_secs(1));
    let refused = harness.ledger.statement(ORG, 4, from, to, 3).await;
    assert!(matches!(refused, Err(store::ledger::StatementError::TooMany { most: 3 })));
    let part =
        harness.ledger.statement(ORG, 4, from + jiff::SignedDuration::from_secs(50), to, 3).await.unwrap();
    assert_eq!(part.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 3, 4]);
}
