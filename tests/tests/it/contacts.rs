//! Contacts are found as people type.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::time::rfc3339_millis;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::table::Table;
use tests::{Harness, ORG, OTHER_ORG};

const CONTACTS: &str = "/api/contacts";

/// The names that a search finds, with the rest of the answer.
async fn found(harness: &Harness, search: &str) -> (Vec<String>, Value) {
    let sought: String = url::form_urlencoded::byte_serialize(search.as_bytes()).collect();
    let path = format!("{CONTACTS}?search={sought}");
    let (status, page) = harness.get(&path, &harness.token(ORG, "staff")).await;
    assert_eq!(status, 200, "{search}: {page}");
    (names(&page), page["pagination"].clone())
}

fn names(page: &Value) -> Vec<String> {
    let contacts = page["contacts"].as_array().unwrap().iter();
    contacts.map(|one| one["contact_name"].as_str().unwrap().to_owned()).collect()
}

async fn add(harness: &Harness, org: domain::ids::OrgId, body: &Value) {
    harness.clock.turn_to(base::clock::Clock::now(&*harness.clock) + SignedDuration::from_secs(1));
    let token = harness.token(org, "owner");
    let (status, made) = harness.call_api(("POST", CONTACTS), &token, None, body).await;
    assert_eq!(status, 201, "{made}");
}

#[tokio::test]
async fn a_contact_is_found_by_the_beginning_of_a_name_by_number_and_by_address() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for (name, number, email) in [
        ("Zoë Müller", "+447700900123", "zoe@example.com"),
        ("Ada Lovelace", "+447700900456", "countess@example.com"),
        ("Siobhán O’Brien", "+14155550199", "sob@example.org"),
    ] {
        let body = json!({"contact_name": name, "phone_number": number, "email": email});
        add(&harness, ORG, &body).await;
    }
    add(&harness, ORG, &json!({"contact_name": "Adam Zoellner"})).await;
    add(&harness, OTHER_ORG, &json!({"contact_name": "Ada Byron", "phone_number": "+447700900123"})).await;
    let (zoe, ada, siobhan, adam) = ("Zoë Müller", "Ada Lovelace", "Siobhán O’Brien", "Adam Zoellner");
    let cases: [(&str, &[&str]); 20] = [
        ("zoe", &[adam, zoe]),
        ("ZOË", &[adam, zoe]),
        ("zoe mull", &[zoe]),
        ("muller", &[zoe]),
        ("ada", &[adam, ada]),
        ("love ada", &[ada]),
        ("obrien", &[siobhan]),
        ("o'b", &[siobhan]),
        ("siobhan", &[siobhan]),
        ("lace", &[]),
        ("07700900123", &[zoe]),
        ("07700 900", &[ada, zoe]),
        ("+447700900456", &[ada]),
        ("+44", &[ada, zoe]),
        ("900123", &[zoe]),
        ("07700900124", &[]),
        ("countess@", &[ada]),
        ("COUNT", &[ada]),
        ("example.com", &[]),
        ("...", &[]),
    ];
    for (search, expected) in cases {
        let (shown, pagination) = found(&harness, search).await;
        assert_eq!(shown, expected, "{search}");
        assert_eq!(pagination, json!({"next_cursor": null, "is_cut": false}), "{search}");
    }
    assert_eq!(found(&harness, "  ").await.0.len(), 4, "nothing is looked for");
    // A `+` that is not escaped is a space.
    let (_, page) = harness.get(&format!("{CONTACTS}?search=+447700"), &harness.owner()).await;
    assert_eq!(names(&page), [ada, zoe]);
    let long = "x".repeat(101);
    let (status, problem) = harness.get(&format!("{CONTACTS}?search={long}"), &harness.owner()).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")));
    assert!(problem["detail"].as_str().unwrap().starts_with("search "), "{problem}");
}

/// Copies the one contact that there is so often, each changed a second before the one before, and called by another name.
async fn copies(harness: &Harness, count: i64) {
    let client = harness.stack.unguarded();
    let table = harness.stack.db().table_name(Table::Contacts);
    let there = client.scan().table_name(&table).send().await.unwrap().items.unwrap();
    let [contact] = &there[..] else { panic!("one contact: {there:?}") };
    let first = contact["updated_at"].as_s().unwrap().parse::<jiff::Timestamp>().unwrap();
    let copied = |nth: i64| {
        let mut item = contact.clone();
        let mut set = |name: &str, value: String| item.insert(name.to_owned(), AttributeValue::S(value));
        set("contact_id", format!("copy-{nth}"));
        set("item", format!("contact#copy-{nth}"));
        set(
            "name",
            if nth.rem_euclid(1_000) == 0 { "Ada Lovelace".to_owned() } else { "Grace Hopper".to_owned() },
        );
        set("updated_at", rfc3339_millis(first - SignedDuration::from_secs(nth)));
        client.put_item().table_name(&table).set_item(Some(item)).send()
    };
    for begin in (1..=count).step_by(100) {
        futures::future::try_join_all((begin..(begin + 100).min(count + 1)).map(copied)).await.unwrap();
    }
}

#[tokio::test]
async fn a_search_looks_at_five_thousand_says_so_and_goes_on_from_there() {
    let harness = Harness::with_wallet(2_500, 600).await;
    add(&harness, ORG, &json!({"contact_name": "Grace Hopper"})).await;
    copies(&harness, 6_500).await;
    let page = async |rest: &str| {
        let path = format!("{CONTACTS}?search=lovelace{rest}");
        let (status, page) = harness.get(&path, &harness.owner()).await;
        assert_eq!(status, 200, "{page}");
        let contacts = page["contacts"].as_array().unwrap().iter();
        let ids: Vec<String> = contacts.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        (ids, page["pagination"].clone())
    };
    // The one that was added, and 4,999 copies.
    let (ids, pagination) = page("").await;
    assert_eq!(ids, ["copy-1000", "copy-2000", "copy-3000", "copy-4000"]);
    assert_eq!(pagination["is_cut"], json!(true), "{pagination}");
    let next = pagination["next_cursor"].as_str().unwrap();
    let (ids, pagination) = page(&format!("&cursor={next}")).await;
    assert_eq!(ids, ["copy-5000", "copy-6000"]);
    assert_eq!(pagination, json!({"next_cursor": null, "is_cut": false}));
    // A page that is full is not cut, and the next begins after its last.
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (ids, pagination) = page(&format!("&limit=2{cursor}")).await;
        assert!(
            ids.len() == 2 && pagination["is_cut"] == json!(false) || pagination["next_cursor"].is_null()
        );
        all.extend(ids);
        let Some(next) = pagination["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all.len(), 6, "{all:?}");
}
