//! Routes: one compiled table per function, and the types that each route reads and answers.
//!
//! A function says `web::routes! { Deps; GET "/api/…/{id}" => handler; … }`. That makes its `ROUTES`, which tests compare with
//! the template's, and `dispatch`, which finds the route of a request (a literal segment is preferred to a parameter), reads the
//! handler's [`Input`] and turns what it returns into the answer.

use std::{collections::BTreeMap, fmt};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use lambda_http::{Body, Request, RequestExt as _, request::RequestContext};
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Serialize,
    de::{self, DeserializeOwned, IntoDeserializer, value::MapDeserializer},
};

use utoipa::ToSchema;

use crate::{
    contract::{Content, Described, Parameter},
    problem::{Code, Problem, respond},
    runtime::request_id,
};

/// The largest JSON body that a route takes which says nothing else, in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// What a route reads of a request: values of the path, the query as `Q` and the JSON body as `B`. A route that takes no query
/// has `Q = ()`, and refuses one; a route that takes no body has `B = ()`, and refuses its fields.
#[derive(Debug)]
pub struct Input<Q = (), B = ()> {
    /// The path's parameters, by name.
    pub path: Params,
    /// The query.
    pub query: Q,
    /// The body.
    pub body: B,
    /// The headers.
    pub headers: HeaderMap,
    /// Where the request came from.
    pub origin: Origin,
}

/// Where a request came from, as the audit log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The id that the answer and the log lines have.
    pub request_id: String,
    /// The client's address, as the gateway saw it.
    pub source: Option<String>,
}

impl Origin {
    fn of(request: &Request) -> Self {
        let source = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            Some(_) | None => None,
        };
        Self { request_id: request_id(request), source }
    }
}

/// The values that a path has in the place of its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<&'static str, String>);

impl Params {
    /// The value of a parameter; empty for one that the route's path does not have.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl<Q: QueryValues, B: JsonBody> Input<Q, B> {
    /// Reads them.
    ///
    /// # Errors
    /// When the query or the body has what the route does not take, or not in the form it takes: a sentence that says what.
    pub fn read(path: Params, request: &Request) -> Result<Self, Problem> {
        Ok(Self {
            path,
            query: Q::read(request.uri().query().unwrap_or_default())?,
            body: B::read(request.body())?,
            headers: request.headers().clone(),
            origin: Origin::of(request),
        })
    }
}

/// What a query is read into: a struct of optional texts, or nothing.
pub trait QueryValues: Sized {
    /// Reads the values, each of which may be given once; an empty one is as if it were not given.
    ///
    /// # Errors
    /// When a value is given that the route does not take, or one is given twice.
    fn read(query: &str) -> Result<Self, Problem>;

    /// Its values, for the document of the API.
    fn described() -> Vec<Parameter>;
}

impl QueryValues for () {
    fn read(query: &str) -> Result<Self, Problem> {
        match url::form_urlencoded::parse(query.as_bytes()).next() {
            None => Ok(()),
            Some((name, _)) => Err(QueryError::Unknown { name: name.into_owned(), known: &[] }.into()),
        }
    }

    fn described() -> Vec<Parameter> {
        Vec::new()
    }
}

/// Marks a struct of optional texts as the query of a route: its fields' names are the values that the route takes.
#[macro_export]
macro_rules! query_values {
    ($($query:ty),+ $(,)?) => {
        $(impl $crate::routes::QueryValues for $query {
            fn read(query: &str) -> Result<Self, $crate::problem::Problem> {
                $crate::routes::read_query(query)
            }

            fn described() -> Vec<$crate::contract::Parameter> {
                $crate::contract::parameters::<$query>()
            }
        })+
    };
}

/// Reads a query into a struct of optional texts.
///
/// # Errors
/// As [`QueryValues::read`].
pub fn read_query<Q: DeserializeOwned>(query: &str) -> Result<Q, Problem> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let (name, value) = (name.into_owned(), value.into_owned());
        if let Some(twice) = values.insert(name.clone(), value).map(|_| name) {
            return Err(QueryError::Twice(twice).into());
        }
    }
    let values = values.into_iter().map(|(name, value)| (name, Text(value)));
    Q::deserialize(MapDeserializer::<_, QueryError>::new(values)).map_err(Problem::from)
}

/// A value of a query, as serde reads it: none when it is empty.
struct Text(String);

impl IntoDeserializer<'_, QueryError> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for Text {
    type Error = QueryError;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        if self.0.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Why a query is not one that the route takes.
#[derive(Debug, thiserror::Error)]
enum QueryError {
    #[error("{name} is no query value of this address, which takes {}: leave it out, or correct its name.", known.join(", "))]
    Unknown { name: String, known: &'static [&'static str] },
    #[error("{0} is given twice.")]
    Twice(String),
    #[error("{0}")]
    Other(String),
}

impl de::Error for QueryError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown { name: name.to_owned(), known }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let sentence = match &error {
            QueryError::Unknown { name, known: [] } => {
                format!("{name} is no query value of this address, which takes none: leave it out.")
            }
            QueryError::Unknown { .. } | QueryError::Twice(_) | QueryError::Other(_) => error.to_string(),
        };
        Self::new(Code::InvalidValue).repeating(&sentence)
    }
}

/// What a JSON body is read into: a struct that refuses unknown fields, or nothing.
pub trait JsonBody: Sized {
    /// Reads the body.
    ///
    /// # Errors
    /// When it is too large, no JSON object, has a field that the route does not take, or one of another type.
    fn read(body: &[u8]) -> Result<Self, Problem>;

    /// Its schema, for the document of the API; none where there is no body.
    fn described() -> Option<Described>;
}

impl JsonBody for () {
    /// A body that is none, or an object without fields, is as if it were not there.
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let body = body.trim_ascii();
        if body.is_empty() || body == b"null" {
            return Ok(());
        }
        let fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(body).map_err(|_| Problem::new(Code::InvalidBody))?;
        match fields.keys().next() {
            None => Ok(()),
            Some(name) => {
                let sentence =
                    format!("{name} is no field of this address, which takes no body: leave it out.");
                Err(Problem::new(Code::InvalidValue).repeating(&sentence))
            }
        }
    }

    fn described() -> Option<Described> {
        None
    }
}

/// Marks structs as the bodies of routes. Each denies unknown fields. One that may be larger than the others says how large, in
/// bytes: `json_bodies!(Wanted, 1024)`.
#[macro_export]
macro_rules! json_bodies {
    ($body:ty, $largest:literal) => {
        impl $crate::routes::JsonBody for $body {
            fn read(body: &[u8]) -> Result<Self, $crate::problem::Problem> {
                $crate::routes::read_body(body, $largest)
            }

            fn described() -> Option<$crate::contract::Described> {
                Some($crate::contract::Described::of::<$body>())
            }
        }
    };
    ($($body:ty),+ $(,)?) => {
        $(impl $crate::routes::JsonBody for $body {
            fn read(body: &[u8]) -> Result<Self, $crate::problem::Problem> {
                $crate::routes::read_body(body, $crate::routes::LARGEST_BODY)
            }

            fn described() -> Option<$crate::contract::Described> {
                Some($crate::contract::Described::of::<$body>())
            }
        })+
    };
}

/// Reads a JSON object of so many bytes at most into a struct.
///
/// # Errors
/// As [`JsonBody::read`].
pub fn read_body<B: DeserializeOwned>(body: &[u8], largest: usize) -> Result<B, Problem> {
    if body.len() > largest {
        return Err(Problem::new(Code::BodyTooLarge));
    }
    // First as JSON at all: a body that cannot be read is another fault than a field that is not usable.
    let value: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| Problem::new(Code::InvalidBody).because(&error))?;
    if !value.is_object() {
        return Err(Problem::new(Code::InvalidBody));
    }
    serde_path_to_error::deserialize(&value).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner());
        let sentence = if path == "." { format!("{inner}.") } else { format!("{path}: {inner}.") };
        Problem::new(Code::InvalidValue).repeating(&sentence)
    })
}

/// Tells a field that is `null` (`Some(None)`) from one that is not there (`None`): `#[serde(default, deserialize_with)]`.
///
/// # Errors
/// When the value is neither `null` nor a `T`.
pub fn given<'de, T: Deserialize<'de>, D: de::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What a route returns.
#[derive(Debug)]
pub struct Answer<T> {
    status: StatusCode,
    body: T,
    cookie: Option<HeaderValue>,
}

impl<T: Serialize> Answer<T> {
    /// 200 with this body.
    pub const fn ok(body: T) -> Self {
        Self { status: StatusCode::OK, body, cookie: None }
    }

    /// Another status with this body.
    pub const fn with(status: StatusCode, body: T) -> Self {
        Self { status, body, cookie: None }
    }

    /// The same, which has the browser keep a cookie; one that no header may have is left out.
    #[must_use]
    pub fn with_cookie(self, cookie: &str) -> Self {
        Self { cookie: HeaderValue::from_str(cookie).ok(), ..self }
    }
}

/// What can be turned into the answer of a request.
pub trait IntoAnswer {
    /// The answer.
    fn into_answer(self) -> Response<Body>;

    /// The forms that it has, for the document of the API.
    fn described() -> Vec<Content>;
}

impl<T: Serialize + ToSchema> IntoAnswer for Answer<T> {
    fn into_answer(self) -> Response<Body> {
        match serde_json::to_string(&self.body) {
            Ok(body) => {
                let mut response = respond(self.status, "application/json", body);
                if let Some(cookie) = self.cookie {
                    response.headers_mut().insert(header::SET_COOKIE, cookie);
                }
                response
            }
            Err(error) => Problem::internal(&error).answer("none"),
        }
    }

    fn described() -> Vec<Content> {
        vec![Content::json::<T>()]
    }
}

/// Finds the route of a method and a path: its place in the table, and the values of its parameters.
///
/// # Errors
/// [`Code::NotFound`] when no route has the path, [`Code::MethodNotAllowed`] when one has it for another method.
pub fn find(
    routes: &[(&'static str, &'static str)],
    method: &str,
    path: &str,
) -> Result<(usize, Params), Problem> {
    let mut found: Option<(usize, Params)> = None;
    let mut allowed = Vec::new();
    for (place, (of_method, pattern)) in routes.iter().enumerate() {
        let Some(params) = matched(pattern, path) else { continue };
        allowed.push(*of_method);
        // The more literal of two patterns has fewer parameters.
        let is_closer = found.as_ref().is_none_or(|(_, before)| params.0.len() < before.0.len());
        if *of_method == method && is_closer {
            found = Some((place, params));
        }
    }
    found.ok_or_else(|| {
        if allowed.is_empty() { Problem::new(Code::NotFound) } else { Problem::not_allowed(&allowed) }
    })
}

/// The values of a pattern's parameters, if the path fits it. A parameter is one whole segment that is not empty; what a browser has
/// escaped in it (`%3A` for a colon) stands for itself.
fn matched(pattern: &'static str, path: &str) -> Option<Params> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = BTreeMap::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(Params(params)),
            (Some(wanted), Some(given)) if wanted == given => {}
            (Some(wanted), Some(given)) if !given.is_empty() => {
                let name = wanted.strip_prefix('{')?.strip_suffix('}')?;
                params.insert(name, percent_decode_str(given).decode_utf8().ok()?.into_owned());
            }
            _ => return None,
        }
    }
}

/// Makes a function's `ROUTES`, `dispatch` and `contract` of its routes. Each handler is
/// `async fn(&Deps, &Caller, Input<Q, B>) -> Result<impl IntoAnswer, Problem>`. A route says what it does, who may ask
/// ([`crate::contract::For`]), what it answers when it is done, and how it fails besides what every route of its kind does:
///
/// ```text
/// /// Pays money in by card.
/// POST "/api/billing/wallet/topup" => routes::top_up::create, for Change, answers 200, fails InvalidAmount | WalletFrozen;
/// ```
#[macro_export]
macro_rules! routes {
    ($deps:ty, $caller:ty; $(
        $(#[doc = $about:literal])+
        $method:ident $path:literal => $handler:path, for $who:ident, answers $($status:literal)|+ $(, fails $($code:ident)|+)?;
    )+) => {
        /// Every route of this function: its method and its path, as the template has them.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),+];

        async fn dispatch(
            deps: &$deps,
            caller: &$caller,
            request: $crate::runtime::Request,
        ) -> Result<http::Response<$crate::runtime::Body>, $crate::problem::Problem> {
            let (place, params) =
                $crate::routes::find(ROUTES, request.method().as_str(), request.uri().path())?;
            let (method, path) = ROUTES.get(place).copied().unwrap_or_default();
            $(if (method, path) == (stringify!($method), $path) {
                let input = $crate::routes::Input::read(params, &request)?;
                return Ok($crate::routes::IntoAnswer::into_answer($handler(deps, caller, input).await?));
            })+
            Err($crate::problem::Problem::new($crate::problem::Code::NotFound))
        }

        /// What each route of the table reads and answers.
        fn tabled() -> Vec<$crate::contract::Operation> {
            vec![$($crate::contract::Operation::of::<$deps, $caller, _, _, _>(
                $crate::contract::Route {
                    method: stringify!($method),
                    path: $path,
                    about: &[$($about),+],
                    who: $crate::contract::For::$who,
                    statuses: &[$($status),+],
                    codes: &[$($($crate::problem::Code::$code),+)?],
                },
                $handler,
            )),+]
        }
    };
}

#[cfg(test)]
mod tests;
