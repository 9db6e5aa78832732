//! Query strings: each value checked, each fault with its own sentence.

use std::collections::BTreeMap;

use shared::http::problem::{Code, Problem};

/// The values of a query string.
#[derive(Debug)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query string that may hold these names, each once.
    ///
    /// # Errors
    /// When it holds another name, or one twice.
    pub fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&&*name) {
                let detail = format!("This address takes the query values {}.", known.join(", "));
                return Err(Problem::new(Code::InvalidValue).saying(detail));
            }
            if values.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::new(Code::InvalidValue).saying(format!("{name} is given twice.")));
            }
        }
        values.retain(|_, value: &mut String| !value.is_empty());
        Ok(Self(values))
    }

    /// A value, if it was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
