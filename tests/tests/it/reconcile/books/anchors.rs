//! Heads are anchored outside the tables: a chain that is written anew with everything that points to it is found all the same.

use bytes::Bytes;
use domain::{
    amount::Amount,
    ids::PaymentIntentId,
    ledger::{Entry, Head, Posting, Reason},
};
use http::{Request, Response, StatusCode};
use platform::bucket::{Bucket, BucketError};
use sandbox::bucket::BucketSandbox;
use std::sync::Mutex;
use vendors::http::Http;

use super::{
    anew::{later, put_entry, verified_clinic},
    *,
};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn anchors(harness: &Harness, org: OrgId) -> Vec<Value> {
    harness.stack.bucket.versions(&org.to_string())
}

/// Writes the clinic's ledger anew, as whoever may write to every table would: `count` entries that add up to what the wallet
/// has, rightly hashed and chained, with wallet and note put right.
async fn write_anew(harness: &Harness, count: u32) {
    for entry in harness.entries().await {
        remove_entry(harness, entry.entry_key.as_str()).await;
    }
    let wallet = harness.wallet().await;
    let whole = u32::try_from(wallet.balance().pence()).unwrap();
    let (mut head, mut balance) = (Head::genesis(ORG), Balance::ZERO);
    for nth in 1..=count {
        let pence = if nth == count { whole - (count - 1) } else { 1 };
        let payment_intent = PaymentIntentId::parse(format!("pi_forged_{nth}")).unwrap();
        let reason = Reason::TopUp { payment_intent };
        let at = harness.clock.now();
        let posting =
            Posting { reason, amount: Amount::from_pence(pence), description: "Top-up".to_owned(), at };
        let entry = Entry::next(ORG, head, balance, &posting);
        put_entry(harness, &entry).await;
        (head, balance) = (entry.head(), entry.balance_after);
    }
    let values = json!({":seq": {"N": head.seq.to_string()}, ":head": {"S": head.hash.to_string()}});
    change_wallet(harness, "SET ledger_seq = :seq, ledger_head = :head", values).await;
    harness.assert_books(ORG).await;
    let forged = Checked { verified: Verified { head, balance }, ..Checked::nothing(ORG) };
    Runs::new(harness.stack.db()).note_verified(ORG, &forged).await.unwrap();
}

#[tokio::test]
async fn a_head_is_anchored_on_each_day_on_which_the_ledger_moved() {
    let harness = verified_clinic().await;
    for moved in 1..=3_usize {
        let wallet = harness.wallet().await;
        for _ in 0..2 {
            assert_eq!(kinds(&run(&harness, "books").await.left), Vec::<&str>::new());
        }
        let there = anchors(&harness, ORG);
        assert_eq!(there.len(), moved, "{there:?}");
        let newest = there.last().unwrap();
        assert_eq!(newest["org_id"], ORG.to_string());
        assert_eq!(newest["ledger_seq"], wallet.ledger.seq);
        assert_eq!(newest["ledger_head"], wallet.ledger.hash.to_string());
        assert_eq!(newest["balance"], wallet.balance().pence());
        assert!(verified(&harness, ORG).await.is_anchored);
        later(&harness, DAY);
        harness.top_up(ORG, &format!("pi_day_{moved}"), 100).await;
    }
}

#[tokio::test]
async fn a_ledger_that_was_written_anew_with_its_wallet_and_its_note_is_found_by_its_anchor() {
    // As many entries, fewer, and more than were anchored.
    for count in [3, 2, 5] {
        let (alarms, _guard) = alarms();
        let harness = verified_clinic().await;
        write_anew(&harness, count).await;
        assert_eq!(kinds(&run(&harness, "books").await.left), ["books_wrong"], "{count} entries");
        later(&harness, SignedDuration::from_secs(60));
        run(&harness, "calls").await;
        assert_eq!(frozen(&harness).await.as_deref(), Some("books"), "{count} entries");
        // However long it stands, it is not taken for right, and what was anchored stays.
        for _ in 0..10 {
            later(&harness, DAY);
            assert_eq!(kinds(&run(&harness, "books").await.left), ["wallet_frozen"], "{count} entries");
        }
        assert_eq!(anchors(&harness, ORG).len(), 1, "{count} entries");
        assert!(super::count(&alarms, "books_wrong") >= 2, "{count} entries");
    }
}

#[tokio::test]
async fn without_its_anchor_a_ledger_that_was_written_anew_is_not_seen() {
    let harness = verified_clinic().await;
    write_anew(&harness, 3).await;
    harness.stack.bucket.lose(&ORG.to_string());
    assert_eq!(kinds(&run(&harness, "books").await.left), Vec::<&str>::new());
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_keeps_no_ledger_from_being_verified_and_alarms_once_a_run() {
    let (alarms, _guard) = alarms();
    let harness = verified_clinic().await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    harness.top_up(OTHER_ORG, "pi_other", 1_000).await;
    harness.top_up(ORG, "pi_third", 1_000).await;
    harness.stack.bucket.set_down(true);
    for runs in 1..=2 {
        later(&harness, DAY);
        let report = run(&harness, "books").await;
        assert_eq!(kinds(&report.left), ["books_not_anchored"], "{report:?}");
        assert_eq!(count(&alarms, "books_not_anchored"), runs, "of two orgs the first");
        for org in [ORG, OTHER_ORG] {
            assert_eq!(verified(&harness, org).await.rota.unwrap().verified_at, harness.clock.now());
        }
    }
    harness.stack.bucket.set_down(false);
    assert_eq!(kinds(&run(&harness, "books").await.left), Vec::<&str>::new());
    assert_eq!((anchors(&harness, ORG).len(), anchors(&harness, OTHER_ORG).len()), (2, 1));
}

#[tokio::test]
async fn an_anchor_that_is_gone_or_not_this_orgs_alarms_freezes_nothing_and_is_not_replaced() {
    for there in [None, Some(json!({})), Some(json!({"org_id": OTHER_ORG.to_string()}))] {
        let (alarms, _guard) = alarms();
        let harness = verified_clinic().await;
        let key = ORG.to_string();
        let anothers = anchors(&harness, ORG).pop().map(|mut anchor| {
            anchor["org_id"] = OTHER_ORG.to_string().into();
            anchor
        });
        match &there {
            None => harness.stack.bucket.lose(&key),
            Some(object) if object["org_id"].is_string() => {
                harness.stack.bucket.overwrite(&key, anothers.unwrap());
            }
            Some(object) => harness.stack.bucket.overwrite(&key, object.clone()),
        }
        let before = anchors(&harness, ORG);
        harness.top_up(ORG, "pi_third", 1_000).await;
        for looks in 1..=2 {
            later(&harness, DAY);
            assert_eq!(kinds(&run(&harness, "books").await.left), ["books_not_anchored"], "{there:?}");
            assert_eq!(count(&alarms, "books_not_anchored"), looks, "{there:?}");
        }
        assert_eq!((frozen(&harness).await, anchors(&harness, ORG)), (None, before), "{there:?}");
    }
}

#[tokio::test]
async fn two_runs_at_once_anchor_a_new_ledger_and_neither_alarms() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    let both = join(Box::pin(run(&harness, "books")), Box::pin(run(&harness, "books"))).await;
    assert!(both.0.left.is_empty() && both.1.left.is_empty(), "{both:?}");
    assert_eq!((anchors(&harness, ORG).len(), count(&alarms, "books_not_anchored")), (1, 0));
}

#[tokio::test]
async fn what_the_bucket_is_asked_is_signed_and_each_of_its_answers_has_a_meaning() {
    let harness = Harness::empty(vec![]).await;
    let asked: Arc<Mutex<Vec<Request<Bytes>>>> = Arc::default();
    let status = Arc::new(Mutex::new(StatusCode::OK));
    let mut platform = harness.stack.platform.clone();
    let (noted, answer) = (Arc::clone(&asked), Arc::clone(&status));
    platform.vendors = Http::Sandbox(Arc::new(move |request| {
        noted.lock().unwrap().push(request);
        let mut response = Response::new(Bytes::from_static(b"{}"));
        *response.status_mut() = *answer.lock().unwrap();
        Box::pin(async move { Ok(response) })
    }));
    let bucket = Bucket::of(&platform, "https://anchors.s3.eu-west-2.amazonaws.com/");
    let says = |code: u16| *status.lock().unwrap() = StatusCode::from_u16(code).unwrap();
    let body = || Bytes::from_static(b"{\"a\":1}");

    assert_eq!(bucket.get("key").await.unwrap(), Some(Bytes::from_static(b"{}")));
    bucket.put("key", body()).await.unwrap();
    assert!(bucket.put_new("key", body()).await.unwrap());
    let sent = std::mem::take(&mut *asked.lock().unwrap());
    let header = |at: usize, name: &str| {
        sent[at].headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    for (at, method) in ["GET", "PUT", "PUT"].into_iter().enumerate() {
        assert_eq!(sent[at].method(), method);
        assert_eq!(sent[at].uri(), "https://anchors.s3.eu-west-2.amazonaws.com/key");
        assert!(header(at, "authorization").contains("/eu-west-2/s3/aws4_request"), "{sent:?}");
    }
    // `printf '{"a":1}' | openssl dgst -sha256 -binary | base64`
    let sum = "AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=";
    assert_eq!(["", sum, sum], [0, 1, 2].map(|at| header(at, "x-amz-checksum-sha256")));
    assert_eq!(["", "", "*"], [0, 1, 2].map(|at| header(at, "if-none-match")));

    for code in [403, 404] {
        says(code);
        assert_eq!(bucket.get("key").await.unwrap(), None, "{code}");
    }
    says(412);
    assert!(!bucket.put_new("key", body()).await.unwrap());
    for code in [301, 400, 403, 409, 429, 500, 503] {
        says(code);
        assert!(matches!(bucket.put("key", body()).await, Err(BucketError::Refused(s)) if s == code));
        assert!(matches!(bucket.put_new("key", body()).await, Err(BucketError::Refused(s)) if s == code));
    }
    for code in [301, 400, 500, 503] {
        says(code);
        assert!(matches!(bucket.get("key").await, Err(BucketError::Refused(s)) if s == code), "{code}");
    }
}

#[test]
fn the_sandbox_refuses_what_s3_refuses() {
    let bucket = BucketSandbox::new(None);
    let signed = [
        ("authorization", "AWS4-HMAC-SHA256 Credential=local/20251217/eu-west-2/s3/aws4_request"),
        ("x-amz-date", "20251217T000000Z"),
        ("x-amz-content-sha256", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        ("x-amz-checksum-sha256", "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o="),
    ];
    let answer = |method: &str, change: Option<(&str, &str)>| {
        let mut request = Request::builder().method(method).uri("http://anchors.s3.sandbox/key");
        for (name, value) in signed {
            let value = change.filter(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
            if !value.is_empty() {
                request = request.header(name, value.as_bytes());
            }
        }
        if let Some((name @ "if-none-match", value)) = change {
            request = request.header(name, value);
        }
        bucket.answer(&request.body(Bytes::from_static(b"{}")).unwrap()).status().as_u16()
    };
    for (name, value, status) in [
        ("authorization", "", 403),
        ("x-amz-date", "", 403),
        ("x-amz-content-sha256", "", 400),
        ("x-amz-content-sha256", "00", 400),
        ("x-amz-checksum-sha256", "", 400),
        ("x-amz-checksum-sha256", "AAAA", 400),
        ("if-none-match", "\"an-etag\"", 501),
    ] {
        assert_eq!(answer("PUT", Some((name, value))), status, "{name}: {value}");
    }
    assert_eq!(answer("GET", None), 403, "nothing is there, and whoever may not list is not told so");
    assert_eq!(answer("PUT", Some(("if-none-match", "*"))), 200);
    assert_eq!(answer("PUT", Some(("if-none-match", "*"))), 412);
    assert_eq!((answer("PUT", None), answer("GET", None), answer("DELETE", None)), (200, 200, 403));
    assert_eq!(bucket.versions("key"), [json!({}), json!({})]);
}
