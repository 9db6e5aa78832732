//! The document of the API: it is that of this build, names every route, and nothing in it is made up.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{
    Harness,
    contract::{document, faults},
};

/// Every operation of the document: its method, its path and what it says.
fn operations() -> Vec<(String, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap().iter();
    let of_path = |(path, item): (&'static String, &'static Value)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    };
    paths.flat_map(of_path).collect()
}

#[test]
fn the_document_in_the_repository_is_that_of_this_build() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let how = "write it anew: cargo run -- openapi";
    for part in ["paths", "components"] {
        let (now, then) = (document()[part].as_object().unwrap(), written[part].as_object().unwrap());
        for (name, value) in now {
            assert_eq!(Some(value), then.get(name), "{part}: {name} has changed; {how}");
        }
        assert_eq!(now.len(), then.len(), "something of {part} is gone; {how}");
    }
    assert_eq!(*document(), written, "{how}");
}

#[tokio::test]
async fn the_documents_paths_and_the_templates_routes_are_one_list() {
    // That a function's compiled table is the template's, access.rs holds.
    let harness = Harness::empty(vec![]).await;
    let (heads, others): (Vec<_>, Vec<_>) =
        harness.stack.template.routes.iter().partition(|route| route.method == "HEAD");
    let gets = others.iter().filter(|route| route.method == "GET");
    let place = |route: &&&local::template::Route| (route.path.clone(), route.function.clone());
    assert_eq!(
        heads.iter().map(|route| place(&route)).collect::<BTreeSet<_>>(),
        gets.map(|route| place(&route)).collect(),
        "HEAD is wherever GET is, at the same function"
    );
    let of_template: BTreeSet<(String, &str)> =
        others.iter().map(|route| (route.method.clone(), route.path.as_str())).collect();
    let documented: BTreeSet<(String, &str)> =
        operations().into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(documented, of_template);
    for (method, path, operation) in operations() {
        let route =
            harness.stack.template.routes.iter().find(|route| route.method == method && route.path == path);
        assert_eq!(operation["tags"][0], route.unwrap().function, "{method} {path}");
    }
}

#[test]
fn every_operation_says_in_a_sentence_what_it_does_and_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        let said = operation["description"].as_str().unwrap();
        assert!(said.len() > 15 && said.contains('.'), "{method} {path}: {said}");
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "two operations are called {name}");
        let roles = operation["x-roles"].as_array().unwrap();
        let wants_token = !operation["security"].as_array().unwrap().is_empty();
        assert_eq!(roles.is_empty(), !wants_token, "{method} {path}");
    }
    assert!(names.len() > 60, "{} operations", names.len());
}

/// The name of the schema that this one refers to.
fn referred(schema: &'static Value) -> Option<&'static str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// The objects in a schema and in what it refers to, that do not refuse what they do not know.
fn open_objects(name: &str, schema: &'static Value, seen: &mut BTreeSet<String>, found: &mut Vec<String>) {
    if let Some(to) = referred(schema) {
        if seen.insert(to.to_owned()) {
            open_objects(to, &document()["components"]["schemas"][to], seen, found);
        }
        return;
    }
    if schema["properties"].is_object() && schema["additionalProperties"] != false {
        found.push(name.to_owned());
    }
    let members = schema.as_object().into_iter().flatten().filter(|(key, _)| *key != "examples");
    for part in members.map(|(_, part)| part).chain(schema.as_array().into_iter().flatten()) {
        open_objects(name, part, seen, found);
    }
}

#[test]
fn no_body_takes_a_field_that_nobody_knows() {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for (method, path, operation) in operations() {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        open_objects(&format!("{method} {path}"), body, &mut seen, &mut found);
    }
    assert!(seen.len() > 20, "{seen:?}");
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_body_has_an_example_that_its_route_takes() {
    let mut examples = 0;
    for (method, path, operation) in operations() {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(mut name) = referred(body) else { continue };
        // One that is another's under a name of its own.
        while let Some(other) = referred(&document()["components"]["schemas"][name]) {
            name = other;
        }
        let schema = &document()["components"]["schemas"][name];
        let example = &schema["examples"][0];
        assert!(example.is_object(), "{name}, the body of {method} {path}, has no example");
        let faults = faults(&format!("example of {name}"), body, example);
        assert!(faults.is_empty(), "{method} {path}: {faults:?}");
        examples += 1;
    }
    assert!(examples > 15, "{examples} bodies");
}
