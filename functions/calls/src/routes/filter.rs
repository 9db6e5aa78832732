//! Which calls a list holds: by what became of them, which way they went, why they ended, what they cost, and what is looked for.

use std::ops::RangeInclusive;

use domain::{
    call::{Call, Direction},
    personal::Personal,
    phone_number::{PhoneNumber, TypedNumber},
};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
};

use super::row::{Status, cost_of};

/// The longest text that is looked for, in characters.
const LONGEST_TEXT: usize = 100;

/// What a query says of the calls that are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What became of them.
    pub status: Option<&'a str>,
    /// Which way they went.
    pub call_type: Option<&'a str>,
    /// What is looked for in them.
    pub search: Option<&'a str>,
    /// Why they ended.
    pub ended_reason: Option<&'a str>,
    /// The least that they cost.
    pub min_cost_pence: Option<&'a str>,
    /// The most that they cost.
    pub max_cost_pence: Option<&'a str>,
}

/// Makes the type of a query for calls: what says which, and the fields of its own.
macro_rules! filtered {
    ($(#[$doc:meta])+ pub struct $name:ident { $($(#[$of:meta])* $field:ident: Option<String>,)* }) => {
        $(#[$doc])+
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$of])* $field: Option<String>,)*
            /// `completed`, `missed`, `transferred`, `failed` or `in-progress`.
            #[param(value_type = Option<$crate::routes::row::Status>)]
            status: Option<String>,
            /// `inbound` or `outbound`.
            #[param(value_type = Option<domain::call::Direction>)]
            call_type: Option<String>,
            /// Part of the number, as it is dialled or in E.164, of the id, or of the reason of the end.
            #[param(max_length = 100)]
            search: Option<String>,
            /// Vapi's reason for the end, whole.
            #[param(max_length = 100)]
            ended_reason: Option<String>,
            /// The least that the call cost, in pence. A call that is not billed yet has no cost.
            #[param(value_type = Option<u32>)]
            min_cost_pence: Option<String>,
            /// The most that the call cost, in pence.
            #[param(value_type = Option<u32>)]
            max_cost_pence: Option<String>,
            /// The first day in the clinic's zone, or an instant; where it is left out, thirty days before the end.
            #[serde(rename = "startDate")]
            start_date: Option<String>,
            /// The last day, which is included, or an instant; where it is left out, now.
            #[serde(rename = "endDate")]
            end_date: Option<String>,
        }
        web::query_values!($name);

        impl $name {
            fn wanted(&self) -> $crate::routes::filter::Wanted<'_> {
                $crate::routes::filter::Wanted {
                    status: self.status.as_deref(),
                    call_type: self.call_type.as_deref(),
                    search: self.search.as_deref(),
                    ended_reason: self.ended_reason.as_deref(),
                    min_cost_pence: self.min_cost_pence.as_deref(),
                    max_cost_pence: self.max_cost_pence.as_deref(),
                }
            }
        }
    };
}
pub(crate) use filtered;

/// Which calls are wanted.
#[derive(Debug)]
pub struct Filter {
    status: Option<Status>,
    direction: Option<Direction>,
    search: Option<Search>,
    ended_reason: Option<String>,
    cost: Option<RangeInclusive<i64>>,
}

impl Filter {
    /// Reads what is wanted.
    ///
    /// # Errors
    /// When a value is not usable, or somebody who may not see money asks for calls by what they cost.
    pub fn read(wanted: &Wanted<'_>, caller: &Caller) -> Result<Self, Problem> {
        let looked_for = wanted.search.map(|text| lowercased("search", text)).transpose()?;
        let reason = wanted.ended_reason.map(|text| lowercased("ended_reason", text)).transpose()?;
        let bounds = [("min_cost_pence", wanted.min_cost_pence), ("max_cost_pence", wanted.max_cost_pence)];
        let [least, most] = bounds.map(|(name, text)| text.map(|text| pence(name, text)).transpose());
        let cost = match (least?, most?) {
            (None, None) => None,
            (least, most) => {
                caller.may_see_the_business()?;
                let cost = least.unwrap_or(0)..=most.unwrap_or(i64::MAX);
                if cost.is_empty() {
                    return Err(invalid("min_cost_pence is no more than max_cost_pence."));
                }
                Some(cost)
            }
        };
        Ok(Self {
            status: wanted.status.map(status).transpose()?,
            direction: wanted.call_type.map(direction).transpose()?,
            search: looked_for.filter(|text| !text.is_empty()).map(Search::of),
            ended_reason: reason.filter(|text| !text.is_empty()),
            cost,
        })
    }

    /// Whether every call is wanted.
    pub const fn passes_all(&self) -> bool {
        self.status.is_none()
            && self.direction.is_none()
            && self.search.is_none()
            && self.ended_reason.is_none()
            && self.cost.is_none()
    }

    /// Whether `call` is wanted.
    pub fn passes(&self, call: &Call) -> bool {
        self.status.is_none_or(|status| Status::of(call) == status)
            && self.direction.is_none_or(|direction| call.parties.direction == direction)
            && self.search.as_ref().is_none_or(|search| search.finds(call))
            && self.ended_reason.as_ref().is_none_or(|reason| is_its_reason(call, reason))
            && self
                .cost
                .as_ref()
                .is_none_or(|cost| cost_of(call).is_some_and(|of_call| cost.contains(&of_call.pence())))
    }
}

/// What is looked for in a call's number, id and reason.
#[derive(Debug)]
struct Search {
    /// In lower case.
    text: String,
    /// The same as a number, where it is one or a part of one.
    number: Option<TypedNumber>,
}

impl Search {
    fn of(text: String) -> Self {
        Self { number: TypedNumber::parse(&text), text }
    }

    fn finds(&self, call: &Call) -> bool {
        let is_in =
            |place: Option<&str>| place.is_some_and(|place| place.to_lowercase().contains(&self.text));
        let number = call.parties.customer_number.as_ref().map(Personal::reveal);
        self.number.as_ref().zip(number).is_some_and(|(typed, number)| typed.is_in(number))
            || is_in(number.map(PhoneNumber::as_str))
            || is_in(Some(call.call_id.as_str()))
            || is_in(call.ended_reason.as_deref())
    }
}

fn status(text: &str) -> Result<Status, Problem> {
    Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        let known = Status::ALL.map(Status::as_str).join(", ");
        Problem::new(Code::InvalidValue).saying(format!("status is one of {known}."))
    })
}

fn direction(text: &str) -> Result<Direction, Problem> {
    Direction::parse(text)
        .ok_or_else(|| Problem::new(Code::InvalidValue).saying("call_type is inbound or outbound."))
}

fn is_its_reason(call: &Call, reason: &str) -> bool {
    call.ended_reason.as_ref().is_some_and(|of_call| of_call.eq_ignore_ascii_case(reason))
}

fn pence(name: &str, text: &str) -> Result<i64, Problem> {
    text.parse::<u32>()
        .map(i64::from)
        .map_err(|_| Problem::new(Code::InvalidValue).saying(format!("{name} is a whole number of pence.")))
}

/// A text in lower case. In a query string a `+` means a space, so that around the text it says nothing: `+44` looks for `44`.
fn lowercased(name: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim().to_lowercase();
    if text.chars().count() <= LONGEST_TEXT {
        return Ok(text);
    }
    Err(Problem::new(Code::InvalidValue).saying(format!("{name} is at most {LONGEST_TEXT} characters.")))
}
