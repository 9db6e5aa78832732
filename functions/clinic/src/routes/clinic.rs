//! `GET` and `PATCH /api/clinic`: what the clinic says about itself.

use domain::{
    answering::{Answering, own_red_flags, own_sentence, red_flags, sentence_for_emergencies},
    call::Direction,
    clinic::{Clinic, ClinicName, ClinicZone, Notice},
    email::EmailAddress,
    message::Reminder,
    notification::emergency_sentence,
    number::Country,
    personal::plain,
    phone_number::PhoneNumber,
    texting::SenderName,
};
use numbering::{Fiction, may_be_rung};
use serde::{Deserialize, Serialize};
use store::Attempt;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input, given},
};

use crate::Deps;

/// The longest address, in characters.
const LONGEST_ADDRESS: usize = 200;
/// The longest notice, in characters.
const LONGEST_NOTICE: usize = 300;
/// The most addresses that are told of an emergency.
const MOST_ADDRESSES: usize = 5;

/// What may be changed. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Hill Street Dental", "time_zone": "Europe/London"}))]
pub struct Wanted {
    /// The state that was seen: the change is refused where another came between. Without it, the last one stands.
    version: Option<u64>,
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
    /// When patients are reminded: `day_before`, `two_hours_before`, both or none. Reminders by text are paid for.
    reminders: Option<Vec<Reminder>>,
    /// The line that patients ring, in E.164: a landline or mobile of the US, GB, CA or AU; an empty text takes it away.
    main_line: Option<String>,
    /// `always`, `outside_hours` or `paused`: when the receptionist answers. Else calls are put through to that line, from a number of
    /// the clinic's own Twilio account, whose bill that way is; a number that was bought here she answers always.
    answering: Option<String>,
    /// What callers speak of who have an emergency; `null` for what holds in the clinic's country.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    #[expect(clippy::option_option, reason = "left out, null and a list are three things")]
    red_flags: Option<Option<Vec<String>>>,
    /// What they are told, as the clinic approved it; an empty text for what holds in its country.
    emergency_sentence: Option<String>,
}

/// A notice as it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoticeWanted {
    text: String,
    /// The last day on which it holds.
    until: Option<String>,
}
web::json_bodies!(Wanted);

/// The clinic as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    /// Raised by every change; 0 for a clinic that has said nothing.
    version: u64,
    time_zone: String,
    name: Option<String>,
    address: Option<String>,
    notice: Option<Notice>,
    #[schema(value_type = Vec<String>)]
    alert_emails: Vec<EmailAddress>,
    #[schema(value_type = Option<String>)]
    sender_name: Option<SenderName>,
    reminders: Vec<Reminder>,
    main_line: Option<PhoneNumber>,
    answering: &'static str,
    red_flags: Option<Vec<String>>,
    emergency_sentence: Option<String>,
    in_force: InForce,
}

/// What holds in an emergency: the clinic's own, or its country's.
#[derive(Debug, Serialize, ToSchema)]
struct InForce {
    red_flags: Vec<String>,
    emergency_sentence: String,
}

impl From<Clinic> for Shown {
    fn from(clinic: Clinic) -> Self {
        let in_force = InForce {
            red_flags: red_flags(&clinic),
            // A clinic that has not said where it is may be anywhere.
            emergency_sentence: match clinic.version {
                0 => emergency_sentence(None),
                _ => sentence_for_emergencies(&clinic),
            },
        };
        Self {
            in_force,
            version: clinic.version,
            main_line: clinic.main_line,
            answering: clinic.answering.as_str(),
            red_flags: clinic.red_flags,
            emergency_sentence: clinic.emergency_sentence,
            time_zone: clinic.time_zone.into(),
            name: clinic.name.map(String::from),
            address: clinic.address,
            notice: clinic.notice,
            alert_emails: clinic.alert_emails,
            sender_name: clinic.sender_name,
            reminders: clinic.reminders,
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
/// When the caller may not change, a value is not usable, the clinic is not in the state that was seen, or the first save does not say
/// the time zone.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let seen = input.body.version;
    let change = &Change::read(&input.body, Fiction::rung_if(deps.platform.rings_fiction))?;
    let ours = &deps.numbers.of_direction(caller.org, Direction::Inbound).await?;
    if let Set::To(Some(line)) = &change.main_line
        && ours.as_ref().is_some_and(|ours| ours.phone_number == *line)
    {
        return Err(invalid(
            "main_line is the clinic's own line, and not the number that the receptionist answers.",
        ));
    }
    let save = || async move {
        let there = deps.clinics.get(caller.org).await?;
        // Who has an emergency is told the number of the clinic's country: only the clinic says where it is.
        if there.version == 0 && change.time_zone.is_none() {
            return Err(invalid("Say the clinic's time_zone first, such as Europe/London."));
        }
        let after = change.of(&there)?;
        let is_news = after.answering != there.answering && after.answering != Answering::Always;
        if is_news && ours.as_ref().is_some_and(|ours| ours.is_managed) {
            return Err(invalid(
                "answering: calls are put through only from a number of the clinic's own Twilio account. The receptionist always answers the number that you bought here: connect your own number first.",
            ));
        }
        // So is a repeat of what was saved already.
        if after == there && there.version > 0 {
            return Ok::<_, Problem>(Attempt::Done(there));
        }
        if seen.is_some_and(|seen| seen != there.version) {
            return Err(Problem::new(Code::VersionConflict)
                .saying("The clinic was changed meanwhile. Load it again, and make your change to that."));
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
    reminders: Option<Vec<Reminder>>,
    main_line: Set<PhoneNumber>,
    answering: Option<Answering>,
    red_flags: Set<Vec<String>>,
    emergency_sentence: Set<String>,
}

impl Change {
    fn read(wanted: &Wanted, fiction: Fiction) -> Result<Self, Problem> {
        let time_zone = wanted.time_zone.as_deref().map(ClinicZone::parse).transpose();
        let name = wanted.name.as_deref().map(ClinicName::parse).transpose();
        let address = |text: &str| line("address", text, LONGEST_ADDRESS);
        let main_line = |text: &str| main_line(text, fiction);
        Ok(Self {
            time_zone: time_zone.map_err(|error| invalid(format!("time_zone: {error}.")))?,
            name: name.map_err(|error| invalid(format!("name: {error}.")))?,
            address: wanted.address.as_deref().map(address).transpose()?.map_or(Set::Kept, Set::To),
            notice: wanted.notice.as_ref().map(notice).transpose()?.map_or(Set::Kept, Set::To),
            alert_emails: wanted.alert_emails.as_deref().map(addresses).transpose()?,
            sender_name: wanted.sender_name.as_deref().map(sender).transpose()?.map_or(Set::Kept, Set::To),
            reminders: wanted.reminders.clone().map(|mut reminders| {
                reminders.sort_unstable();
                reminders.dedup();
                reminders
            }),
            main_line: wanted.main_line.as_deref().map(main_line).transpose()?.map_or(Set::Kept, Set::To),
            answering: wanted.answering.as_deref().map(answering).transpose()?,
            red_flags: match &wanted.red_flags {
                None => Set::Kept,
                Some(None) => Set::To(None),
                Some(Some(texts)) => Set::To(Some(own_red_flags(texts).map_err(invalid)?)),
            },
            emergency_sentence: match wanted.emergency_sentence.as_deref().map(str::trim) {
                None => Set::Kept,
                Some("") => Set::To(None),
                Some(text) => Set::To(Some(text.to_owned())),
            },
        })
    }

    /// The clinic after it.
    fn of(&self, there: &Clinic) -> Result<Clinic, Problem> {
        let mut after = Clinic {
            main_line: self.main_line.of(there.main_line.as_ref()),
            answering: self.answering.unwrap_or(there.answering),
            red_flags: self.red_flags.of(there.red_flags.as_ref()),
            time_zone: self.time_zone.clone().unwrap_or_else(|| there.time_zone.clone()),
            name: self.name.clone().or_else(|| there.name.clone()),
            address: self.address.of(there.address.as_ref()),
            notice: self.notice.of(there.notice.as_ref()),
            alert_emails: self.alert_emails.clone().unwrap_or_else(|| there.alert_emails.clone()),
            sender_name: self.sender_name.of(there.sender_name.as_ref()),
            reminders: self.reminders.clone().unwrap_or_else(|| there.reminders.clone()),
            ..there.clone()
        };
        match &self.emergency_sentence {
            Set::Kept => {}
            Set::To(None) => after.emergency_sentence = None,
            // By where the clinic is then.
            Set::To(Some(text)) => {
                after.emergency_sentence = Some(own_sentence(text, &after).map_err(invalid)?);
            }
        }
        // What was seen of another line says nothing of this one.
        if after.main_line != there.main_line {
            after.diversion =
                after.diversion.filter(|test| after.main_line.as_ref() == Some(&test.main_line));
        }
        if after.answering != Answering::Always && after.main_line.is_none() {
            return Err(invalid(
                "main_line: name the clinic's own line, to which calls are put through while the receptionist does not answer.",
            ));
        }
        Ok(after)
    }
}

/// A line that patients ring; none where the text is empty.
fn main_line(text: &str, fiction: Fiction) -> Result<Option<PhoneNumber>, Problem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    own_line(text, fiction).map(Some)
}

/// A clinic's own line, to which calls may be put through: none that costs more than an ordinary call.
pub(super) fn own_line(text: &str, fiction: Fiction) -> Result<PhoneNumber, Problem> {
    let line = PhoneNumber::parse(text).map_err(|error| invalid(format!("main_line: {error}.")))?;
    if may_be_rung(&line, &Country::ALL, fiction) {
        Ok(line)
    } else {
        Err(invalid(
            "main_line is a landline or mobile number of the US, GB, CA or AU: the clinic's own line.",
        ))
    }
}

fn answering(word: &str) -> Result<Answering, Problem> {
    Answering::parse(word).ok_or_else(|| invalid("answering is always, outside_hours or paused."))
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
