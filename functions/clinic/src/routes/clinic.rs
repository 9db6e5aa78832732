//! `GET` and `PATCH /api/clinic`: what the clinic says about itself.

use domain::{
    clinic::{Clinic, ClinicName, ClinicZone, Notice},
    email::EmailAddress,
    personal::plain,
    texting::SenderName,
};
use serde::{Deserialize, Serialize};
use store::Attempt;
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// The longest address, in characters.
const LONGEST_ADDRESS: usize = 200;
/// The longest notice, in characters.
const LONGEST_NOTICE: usize = 300;
/// The most addresses that are told of an emergency.
const MOST_ADDRESSES: usize = 5;

/// What may be changed. What is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The name of a zone of the IANA database.
    time_zone: Option<String>,
    /// What patients know the clinic by.
    name: Option<String>,
    /// Where callers find it; an empty text takes it away.
    address: Option<String>,
    /// What callers are to be told for some time; an empty text takes it away.
    notice: Option<NoticeWanted>,
    /// Where it is told at once of an emergency.
    alert_emails: Option<Vec<String>>,
    /// The name that patients' telephones show of its texts, which are paid for; an empty text takes it away, and no text is sent.
    sender_name: Option<String>,
}

/// A notice as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeWanted {
    text: String,
    /// The last day on which it holds.
    until: Option<String>,
}
web::json_bodies!(Wanted);

/// The clinic as the dashboard knows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    time_zone: String,
    name: Option<String>,
    address: Option<String>,
    notice: Option<Notice>,
    alert_emails: Vec<EmailAddress>,
    sender_name: Option<SenderName>,
}

impl From<Clinic> for Shown {
    fn from(clinic: Clinic) -> Self {
        Self {
            time_zone: clinic.time_zone.into(),
            name: clinic.name.map(String::from),
            address: clinic.address,
            notice: clinic.notice,
            alert_emails: clinic.alert_emails,
            sender_name: clinic.sender_name,
        }
    }
}

/// Shows what the clinic has said; of a clinic that has said nothing, what is taken to be so.
///
/// # Errors
/// When the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Shown>, Problem> {
    Ok(Answer::ok(deps.clinics.get(caller.org).await?.into()))
}

/// Changes what the body names, and shows the clinic as it is then.
///
/// # Errors
/// When the caller may not change, a value is not usable, or the first save does not say the time zone.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let change = &Change::read(&input.body)?;
    let save = || async move {
        let there = deps.clinics.get(caller.org).await?;
        // Who has an emergency is told the number of the clinic's country: only the clinic says where it is.
        if there.version == 0 && change.time_zone.is_none() {
            return Err(invalid("Say the clinic's time_zone first, such as Europe/London."));
        }
        let after = change.of(&there);
        if after == there && there.version > 0 {
            return Ok::<_, Problem>(Attempt::Done(there));
        }
        Ok(Attempt::of(deps.clinics.save(&after).await)?)
    };
    let saved = deps.db.until_written("the clinic", save).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, "a clinic was saved");
    Ok(Answer::ok(saved.into()))
}

/// What becomes of a value that may be missing.
enum Set<T> {
    /// It stays.
    Kept,
    /// It is this, or is taken away.
    To(Option<T>),
}

impl<T: Clone> Set<T> {
    fn of(&self, there: Option<&T>) -> Option<T> {
        match self {
            Self::Kept => there.cloned(),
            Self::To(value) => value.clone(),
        }
    }
}

/// What is changed: none of a value leaves it as it is.
struct Change {
    time_zone: Option<ClinicZone>,
    name: Option<ClinicName>,
    address: Set<String>,
    notice: Set<Notice>,
    alert_emails: Option<Vec<EmailAddress>>,
    sender_name: Set<SenderName>,
}

impl Change {
    fn read(wanted: &Wanted) -> Result<Self, Problem> {
        let time_zone = wanted.time_zone.as_deref().map(ClinicZone::parse).transpose();
        let name = wanted.name.as_deref().map(ClinicName::parse).transpose();
        let address = |text: &str| line("address", text, LONGEST_ADDRESS);
        Ok(Self {
            time_zone: time_zone.map_err(|error| invalid(format!("time_zone: {error}.")))?,
            name: name.map_err(|error| invalid(format!("name: {error}.")))?,
            address: wanted.address.as_deref().map(address).transpose()?.map_or(Set::Kept, Set::To),
            notice: wanted.notice.as_ref().map(notice).transpose()?.map_or(Set::Kept, Set::To),
            alert_emails: wanted.alert_emails.as_deref().map(addresses).transpose()?,
            sender_name: wanted.sender_name.as_deref().map(sender).transpose()?.map_or(Set::Kept, Set::To),
        })
    }

    fn of(&self, there: &Clinic) -> Clinic {
        Clinic {
            time_zone: self.time_zone.clone().unwrap_or_else(|| there.time_zone.clone()),
            name: self.name.clone().or_else(|| there.name.clone()),
            address: self.address.of(there.address.as_ref()),
            notice: self.notice.of(there.notice.as_ref()),
            alert_emails: self.alert_emails.clone().unwrap_or_else(|| there.alert_emails.clone()),
            sender_name: self.sender_name.of(there.sender_name.as_ref()),
            ..there.clone()
        }
    }
}

/// One line; none where the text is empty.
fn line(name: &str, text: &str, longest: usize) -> Result<Option<String>, Problem> {
    let text = plain(text);
    if text.chars().count() > longest {
        return Err(invalid(format!("{name} has at most {longest} characters.")));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A sender's name; none where the text is empty.
fn sender(text: &str) -> Result<Option<SenderName>, Problem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    SenderName::parse(text).map(Some).map_err(|error| invalid(format!("sender_name: {error}.")))
}

fn notice(wanted: &NoticeWanted) -> Result<Option<Notice>, Problem> {
    let Some(text) = line("notice.text", &wanted.text, LONGEST_NOTICE)? else { return Ok(None) };
    let until = wanted.until.as_deref().and_then(|day| day.parse().ok());
    let until = until
        .ok_or_else(|| invalid("notice.until is the last day on which it holds, such as 2026-12-24."))?;
    Ok(Some(Notice { text, until }))
}

fn addresses(wanted: &[String]) -> Result<Vec<EmailAddress>, Problem> {
    if wanted.len() > MOST_ADDRESSES {
        return Err(invalid(format!("alert_emails has at most {MOST_ADDRESSES} addresses.")));
    }
    let mut read: Vec<EmailAddress> = Vec::new();
    for text in wanted {
        let address =
            EmailAddress::parse(text).map_err(|error| invalid(format!("alert_emails: {error}.")))?;
        if !read.contains(&address) {
            read.push(address);
        }
    }
    Ok(read)
}
