use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::BoxFuture;

use super::{webhook::spellings, *};
use crate::signature::Unverified;

/// The example of Twilio's own libraries: token, URL, parameters, signature.
const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
/// The same, signed with the port in the URL.
const SIGNATURE_WITH_PORT: &str = "kvajT1Ptam85bY51eRf/AJRuM3w=";

fn webhook(tokens: &[&str]) -> TwilioWebhook {
    TwilioWebhook { tokens: tokens.iter().map(|token| SecretString::from(*token)).collect() }
}

fn parameters() -> Vec<(String, String)> {
    let pairs = [
        ("To", "+18005551212"),
        ("Digits", "1234"),
        ("CallSid", "CA1234567890ABCDE"),
        ("From", "+14158675309"),
        ("Caller", "+14158675309"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

#[test]
fn a_signature_is_believed_with_and_without_the_port_and_under_either_token() {
    let with_port = "https://mycompany.com:443/myapp.php?foo=1&bar=2";
    for tokens in [&["12345"][..], &["new", "12345"]] {
        for url in [URL, with_port] {
            for signature in [SIGNATURE, SIGNATURE_WITH_PORT] {
                assert_eq!(webhook(tokens).verify(signature, url, &parameters()), Ok(()), "{url}");
            }
        }
    }
}

#[test]
fn a_repeated_parameter_counts_once() {
    let mut repeated = parameters();
    repeated.extend(parameters());
    assert_eq!(webhook(&["12345"]).verify(SIGNATURE, URL, &repeated), Ok(()));
}

#[test]
fn a_signature_that_is_forged_absent_or_broken_is_not_believed() {
    let webhook = webhook(&["12345"]);
    let verify = |signature: &str, url: &str| webhook.verify(signature, url, &parameters());
    assert_eq!(verify(SIGNATURE, "https://mycompany.com/myapp.php?foo=1"), Err(Unverified::Mismatch));
    assert_eq!(verify(SIGNATURE, "http://mycompany.com/myapp.php?foo=1&bar=2"), Err(Unverified::Mismatch));
    assert_eq!(verify("AAAA", URL), Err(Unverified::Mismatch));
    assert_eq!(verify("", URL), Err(Unverified::Unsigned));
    assert_eq!(verify("not base64!", URL), Err(Unverified::Malformed));
    let mut changed = parameters();
    changed.push(("Extra".to_owned(), "1".to_owned()));
    assert_eq!(webhook.verify(SIGNATURE, URL, &changed), Err(Unverified::Mismatch));
}

#[test]
fn without_a_token_nothing_is_believed() {
    for tokens in [&[][..], &[""], &[" "]] {
        assert_eq!(webhook(tokens).verify(SIGNATURE, URL, &parameters()), Err(Unverified::NoSecret));
    }
}

#[test]
fn only_the_schemes_own_port_is_added_or_taken_away() {
    for (url, other) in [
        ("https://a.example/x?y=:443", Some("https://a.example:443/x?y=:443")),
        ("https://a.example:443", Some("https://a.example")),
        ("http://a.example/x", Some("http://a.example:80/x")),
        ("http://a.example:80?x", Some("http://a.example?x")),
        ("http://a.example:443/x", None),
        ("https://a.example:8443/x", None),
        ("not a url", None),
    ] {
        let expected: Vec<&str> = std::iter::once(url).chain(other).collect();
        assert_eq!(spellings(url), expected);
    }
}

#[test]
fn what_twilio_refuses_is_final_and_what_it_could_not_do_is_not() {
    for (status, body, is_final) in [
        (400, r#"{"code":21422,"message":"taken","status":400}"#, true),
        (401, r#"{"code":20003}"#, true),
        (404, r#"{"code":20404}"#, true),
        (400, "not JSON", true),
        (429, r#"{"code":20429}"#, false),
        (400, r#"{"code":20429}"#, false),
        (408, "", false),
        (503, "", false),
    ] {
        let error = refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        assert_eq!(error.is_final(), is_final, "{status} {body}");
    }
    assert!(TwilioError::Inactive.is_final());
    assert!(!TwilioError::Unreachable(HttpError::TimedOut).is_final());
}

#[test]
fn the_clinic_reads_a_sentence_for_each_code() {
    let sentence = |code| TwilioError::Refused { status: StatusCode::BAD_REQUEST, code }.sentence();
    for (code, part) in [
        (20_003, "account SID and auth token"),
        (20_404, "does not know"),
        (21_404, "trial account"),
        (21_408, "region"),
        (21_421, "not valid"),
        (21_422, "no longer available"),
        (21_631, "address"),
        (21_649, "papers it has approved"),
        (21_650, "documents"),
        (21_651, "address"),
        (99_999, "refused"),
    ] {
        assert!(sentence(Some(code)).contains(part), "{code}");
    }
    assert!(sentence(None).contains("refused"));
    let unnamed = TwilioError::Refused { status: StatusCode::UNAUTHORIZED, code: None };
    assert_eq!(unnamed.sentence(), sentence(Some(20_003)));
    assert!(TwilioError::Unreachable(HttpError::TimedOut).sentence().contains("try again"));
}

#[test]
fn two_addresses_share_a_name_only_when_they_are_the_same() {
    let address = |street: &str, city: &str| Address {
        customer_name: "Clinic".into(),
        street: street.into(),
        city: city.into(),
        region: "London".into(),
        postal_code: "N1 1AA".into(),
    };
    let name = address_name(Country::UnitedKingdom, &address("1 High St", "London"));
    assert_eq!(name.len(), 32);
    assert_eq!(name, address_name(Country::UnitedKingdom, &address("1 High St", "London")));
    assert_ne!(name, address_name(Country::Australia, &address("1 High St", "London")));
    assert_ne!(name, address_name(Country::UnitedKingdom, &address("1 High StL", "ondon")));
}

#[test]
fn the_oldest_comes_first_and_the_undated_last() {
    let older = age(Some("Thu, 30 Jul 2015 20:00:00 +0000"), "ACb");
    let newer = age(Some("Fri, 31 Jul 2015 20:00:00 +0000"), "ACa");
    let undated = age(None, "AC0");
    assert!(older < newer && newer < undated && age(Some("never"), "AC1") > undated);
}

fn client(http: Http) -> Twilio {
    Twilio::new(http, "http://api.example", "http://voice.example", "http://numbers.example")
}

/// Returns a client whose every page of a list leads to `next`, and which counts them.
fn endless(next: &'static str) -> (Twilio, Arc<AtomicUsize>) {
    let pages = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pages);
    let sandbox = move |_: Request<Bytes>| -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        counted.fetch_add(1, Ordering::Relaxed);
        let body = serde_json::json!({"incoming_phone_numbers": [], "next_page_uri": next});
        Box::pin(async move { Ok(Response::new(Bytes::from(body.to_string()))) })
    };
    let http = Http::Sandbox(Arc::new(sandbox));
    (client(http), pages)
}

#[tokio::test]
async fn a_list_without_an_end_is_an_error_and_never_a_part_of_it() {
    let account = Account { sid: AccountSid::parse("AC1").unwrap(), token: SecretString::from("token") };
    let cases = [("/2010-04-01/again", 1_000), ("https://elsewhere.example/", 1), ("@elsewhere.example/", 1)];
    for (next, most) in cases {
        let (twilio, pages) = endless(next);
        let error = twilio.all_owned(&account).await.unwrap_err();
        assert!(matches!(error, TwilioError::Unreadable(_)), "{next}: {error:?}");
        assert_eq!(pages.load(Ordering::Relaxed), most, "{next}");
    }
}
