use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

fn plain(secrets: &[SecretString]) -> Vec<&str> {
    secrets.iter().map(ExposeSecret::expose_secret).collect()
}

#[test]
fn an_endpoints_record_comes_back_as_it_was_written_and_shows_nothing() {
    const EMPTY: &str = r#"{"endpoint_id": "we_1", "secret": " "}"#;
    let record = EndpointSecret {
        endpoint_id: "we_1".into(),
        secret: "whsec_new".into(),
        previous: vec![PreviousSecret { secret: "whsec_old".into(), until: at(100) }],
    };
    let read = EndpointSecret::parse(&record.written()).unwrap();
    assert_eq!(read.endpoint_id, "we_1");
    assert_eq!(plain(&read.secrets(at(99))), ["whsec_new", "whsec_old"]);
    assert_eq!(plain(&read.secrets(at(100))), ["whsec_new"], "its time is over");
    assert!(!format!("{read:?}").contains("whsec_"));
    for text in ["", "{", "null", "[]", r#"{"endpoint_id": "we_1"}"#, r#"{"secret": "whsec_x"}"#, EMPTY] {
        let error = EndpointSecret::parse(&SecretString::from(text)).unwrap_err();
        assert!(!error.to_string().contains("whsec_"), "{text}");
    }
}

#[test]
fn a_field_holds_one_secret_or_several() {
    let form = Form::Field("VAPI_WEBHOOK_SECRETS");
    let cases: [(&str, &[&str]); 6] = [
        (r#"{"VAPI_WEBHOOK_SECRETS": "one"}"#, &["one"]),
        (r#"{"VAPI_WEBHOOK_SECRETS": "new, old ,"}"#, &["new", "old"]),
        (r#"{"VAPI_WEBHOOK_SECRETS": " , "}"#, &[]),
        (r#"{"OTHER": "one"}"#, &[]),
        ("one", &[]),
        ("", &[]),
    ];
    for (text, expected) in cases {
        let content = form.content(&SecretString::from(text));
        let cache = Cache { content, asked_at: Some(at(0)), good_at: Some(at(0)) };
        assert_eq!(plain(&cache.secrets(at(0))), expected, "{text}");
    }
}

#[test]
fn what_is_known_is_fresh_for_five_minutes_and_believed_for_an_hour() {
    let content = Some(Content::List(vec!["one".into()]));
    let cache = Cache { content, asked_at: Some(at(0)), good_at: Some(at(0)) };
    assert!(cache.is_fresh(at(299)) && !cache.is_fresh(at(300)));
    assert!(!cache.may_ask(at(4)) && cache.may_ask(at(5)) && cache.may_ask(at(-5)));
    assert_eq!(cache.secrets(at(3_599)).len(), 1);
    assert_eq!(cache.secrets(at(3_600)).len(), 0);
    let nothing = Cache { content: None, asked_at: Some(at(0)), good_at: Some(at(0)) };
    assert!(!nothing.is_fresh(at(1)), "asked for again as soon as may be");
}
