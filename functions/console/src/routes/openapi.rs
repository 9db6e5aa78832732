//! `GET /api/openapi.json`: the document of the API, and what it says of addresses that no function has.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use http::Response;
use serde::Deserialize;
use web::{
    contract::{Content, Described},
    problem::Problem,
    routes::{Input, IntoAnswer, find},
    runtime::Body,
};

use crate::{
    Deps,
    assets::Asset,
    pages::{ASKED_EACH_TIME, served},
};

/// The document as it is committed: a test compares it with what all functions read and answer.
const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

/// The document, as an answer.
#[derive(Debug)]
pub struct Document(Response<Body>);

impl IntoAnswer for Document {
    fn into_answer(self) -> Response<Body> {
        self.0
    }

    fn described() -> Vec<Content> {
        vec![Content { kind: "application/json", schema: Some(Described::any_object("OpenApi")) }]
    }
}

/// Shows the document.
///
/// # Errors
/// When a query value is given: it takes none.
pub async fn show(_: &Deps, (): &(), input: Input) -> Result<Document, Problem> {
    let hash = hex::encode(digest(&SHA256, DOCUMENT.as_bytes()));
    let asset = Asset { kind: "application/json", hash, bytes: DOCUMENT.as_bytes().into() };
    Ok(Document(served(&asset, ASKED_EACH_TIME, &input.headers)))
}

/// Why no function took a request of the API: nothing is there, or not by that method.
pub fn refused(method: &str, path: &str) -> Option<Problem> {
    let routes: Vec<(&str, &str)> =
        routes().iter().map(|(method, path)| (method.as_str(), path.as_str())).collect();
    find(&routes, method, path).err()
}

/// Every route of the document: its method and its path.
fn routes() -> &'static [(String, String)] {
    #[derive(Deserialize)]
    struct Paths {
        paths: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    }
    static ROUTES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        // A document that cannot be read is found by the tests; here it is one without routes.
        let paths =
            serde_json::from_str::<Paths>(DOCUMENT).map(|document| document.paths).unwrap_or_default();
        let of_path = |(path, methods): (String, BTreeMap<String, serde_json::Value>)| {
            methods.into_keys().map(move |method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        };
        paths.into_iter().flat_map(of_path).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_function_says_what_it_takes() {
        let answer = |method, path| refused(method, path).map(|problem| problem.answer("r"));
        let refused = answer("PUT", "/api/appointments/appointment-1").unwrap();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &"DELETE, GET, HEAD, PATCH".parse().unwrap())
        );
        assert_eq!(answer("GET", "/api/vapi/webhook").unwrap().headers()["allow"], "POST");
        assert_eq!(answer("GET", "/api/nothing").unwrap().status(), 404);
        assert!(answer("GET", "/api/openapi.json").is_none());
    }
}
