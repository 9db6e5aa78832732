//! What each route reads and answers, as `docs/openapi.json` says it (`OpenAPI` 3.1).
//!
//! [`crate::routes!`] makes a function's `contract` of its table: the schemas are those of the types that the handler reads and
//! returns, so a route whose types have none does not compile. [`document`] puts the contracts of all functions together.

mod document;

use serde::Serialize;
use serde_json::{Value, json};
pub use utoipa::openapi::path::Parameter;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

pub use self::document::document;
use crate::{
    problem::{Code, Problem},
    routes::{Input, IntoAnswer, JsonBody, QueryValues},
};

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Anybody: who has not signed in, a browser with a ticket of ours, a vendor that signs.
    Anyone,
    /// Every member of the clinic.
    Members,
    /// Those who see money, numbers and agents: all but staff.
    Business,
    /// Those who keep the diary and the messages: all but viewers.
    Diary,
    /// Those who pay and change.
    Change,
    /// Our own operators.
    Operators,
}

impl For {
    /// The roles that are let in; none where no token is asked for.
    pub const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Anyone => &[],
            Self::Members => &["owner", "admin", "staff", "viewer"],
            Self::Business => &["owner", "admin", "viewer"],
            Self::Diary => &["owner", "admin", "staff"],
            Self::Change => &["owner", "admin"],
            Self::Operators => &["operator"],
        }
    }
}

/// What the table of routes says of one.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST`, `PATCH`, `DELETE`.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// What it does, in sentences.
    pub about: &'static [&'static str],
    /// Who may ask.
    pub who: For,
    /// What it answers when it is done.
    pub statuses: &'static [u16],
    /// How it fails, besides what every route of its kind does.
    pub codes: &'static [Code],
}

/// A type's schema, and those that it refers to by name.
#[derive(Clone, Debug)]
pub struct Described {
    /// What the type is called.
    pub name: String,
    /// Its schema.
    pub schema: Value,
    /// What it refers to.
    pub components: Vec<(String, Value)>,
}

impl Described {
    /// An object of which nothing more is said.
    pub fn any_object(name: &str) -> Self {
        Self { name: name.to_owned(), schema: serde_json::json!({"type": "object"}), components: Vec::new() }
    }

    /// The schema of `T`.
    pub fn of<T: ToSchema>() -> Self {
        let mut components = Vec::new();
        T::schemas(&mut components);
        let value = |schema: &RefOr<Schema>| serde_json::to_value(schema).unwrap_or_default();
        Self {
            name: T::name().into_owned(),
            schema: value(&T::schema()),
            components: components.iter().map(|(name, schema)| (name.clone(), value(schema))).collect(),
        }
    }
}

/// One form of an answer.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its media type.
    pub kind: &'static str,
    /// What it holds, where that is JSON.
    pub schema: Option<Described>,
}

impl Content {
    /// JSON of this type.
    pub fn json<T: ToSchema>() -> Self {
        Self { kind: "application/json", schema: Some(Described::of::<T>()) }
    }

    /// Bytes of this kind.
    pub const fn bytes(kind: &'static str) -> Self {
        Self { kind, schema: None }
    }
}

/// One route with all that it reads and answers.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What the table says of it.
    pub route: Route,
    /// The query's values.
    pub query: Vec<Value>,
    /// The body.
    pub body: Option<Described>,
    /// The forms of its answer; none where it has no body.
    pub answers: Vec<Content>,
}

impl Operation {
    /// The operation of a handler, by the types that it reads and returns.
    pub fn of<D, C, Q, B, A>(route: Route, _: impl AsyncFn(&D, &C, Input<Q, B>) -> Result<A, Problem>) -> Self
    where
        Q: QueryValues,
        B: JsonBody,
        A: IntoAnswer,
    {
        Self { route, query: values(&Q::described()), body: B::described(), answers: A::described() }
    }

    /// The operation of a route beside the table, which a browser or a vendor asks in a form of its own.
    pub const fn beside(route: Route, answers: Vec<Content>) -> Self {
        Self { route, query: Vec::new(), body: None, answers }
    }

    /// The same, with values of the query: each optional, with a sentence.
    #[must_use]
    pub fn with_query(mut self, values: &[(&str, &str)]) -> Self {
        let parameter = |(name, about): &(&str, &str)| json!({"name": name, "in": "query", "description": about, "schema": {"type": "string"}});
        self.query = values.iter().map(parameter).collect();
        self
    }
}

fn values(parameters: &[impl Serialize]) -> Vec<Value> {
    parameters.iter().map(|parameter| serde_json::to_value(parameter).unwrap_or_default()).collect()
}

/// The parameters of a query's type.
pub fn parameters<Q: utoipa::IntoParams>() -> Vec<Parameter> {
    Q::into_params(|| Some(utoipa::openapi::path::ParameterIn::Query))
}
