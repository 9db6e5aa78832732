use super::*;

#[derive(Debug, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<String>,
    cursor: Option<String>,
}
query_values!(Page);

#[derive(Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    name: String,
    #[serde(default, deserialize_with = "given")]
    #[expect(clippy::option_option, reason = "a field that is null is another than one that is left out")]
    number: Option<Option<u32>>,
}
json_bodies!(Change);

const TABLE: &[(&str, &str)] = &[
    ("GET", "/api/slots/{id}"),
    ("GET", "/api/slots/available"),
    ("DELETE", "/api/slots/{id}"),
    ("GET", "/api/slots/{id}/notes/{note}"),
];

fn sentence(problem: &Problem) -> String {
    format!("{problem:?}")
}

#[test]
fn a_literal_segment_is_preferred_to_a_parameter_wherever_it_stands_in_the_table() {
    let (place, params) = find(TABLE, "GET", "/api/slots/available").unwrap();
    assert_eq!((place, params.get("id")), (1, ""));
    let (place, params) = find(TABLE, "GET", "/api/slots/7/notes/a%20b%3A%2Fc").unwrap();
    assert_eq!((place, params.get("id"), params.get("note")), (3, "7", "a b:/c"), "as a browser escapes it");
    assert_eq!(find(TABLE, "DELETE", "/api/slots/available").unwrap().0, 2);
    for path in
        ["/api/slots/7/notes/%ff", "/api/slots", "/api/slots/", "/api/slots/7/notes/", "/api/slots/7/8"]
    {
        assert!(sentence(&find(TABLE, "GET", path).unwrap_err()).contains("NotFound"), "{path}");
    }
    assert!(sentence(&find(TABLE, "POST", "/api/slots/7").unwrap_err()).contains("MethodNotAllowed"));
}

#[test]
fn a_query_has_known_values_once() {
    let page = Page { limit: Some("5".into()), cursor: None };
    assert_eq!(Page::read("limit=5&cursor=").unwrap(), page);
    assert!(sentence(&Page::read("limit=5&limit=6").unwrap_err()).contains("limit is given twice."));
    assert!(
        sentence(&Page::read("offset=5").unwrap_err())
            .contains("offset is no query value of this address, which takes limit, cursor: leave it out")
    );
    let none = <() as QueryValues>::read("a=b").unwrap_err();
    assert!(sentence(&none).contains("a is no query value of this address, which takes none: leave it out."));
    assert!(<() as QueryValues>::read("a=b").is_err() && <() as QueryValues>::read("").is_ok());
}

#[test]
fn a_route_without_a_body_refuses_fields_by_name() {
    for none in ["", "{}", " ", "null"] {
        assert!(<() as JsonBody>::read(none.as_bytes()).is_ok(), "{none}");
    }
    for other in ["[]", "act=pay", "{broken", "7"] {
        assert!(<() as JsonBody>::read(other.as_bytes()).is_err(), "{other}");
    }
    let refused = <() as JsonBody>::read(br#"{"all": true}"#).unwrap_err();
    assert!(
        sentence(&refused).contains("all is no field of this address, which takes no body: leave it out."),
        "{refused:?}"
    );
}

#[test]
fn a_body_says_which_field_is_not_usable() {
    let read = |body: &str| Change::read(body.as_bytes());
    assert_eq!(read(r#"{"name": "a"}"#).unwrap(), Change { name: "a".into(), number: None });
    assert_eq!(read(r#"{"name": "a", "number": null}"#).unwrap().number, Some(None));
    assert!(sentence(&read(r#"{"name": 5}"#).unwrap_err()).contains("name: invalid type"));
    assert!(sentence(&read(r#"{"name": "a", "nmber": 1}"#).unwrap_err()).contains("unknown field `nmber`"));
    for (body, code) in [("[]", "InvalidBody"), ("{", "InvalidBody")] {
        assert!(sentence(&read(body).unwrap_err()).contains(code), "{body}");
    }
    assert!(sentence(&read(&" ".repeat(70_000)).unwrap_err()).contains("BodyTooLarge"));
}
