//! Text messages: taken or refused as the rules of sender and number say, and listed.

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Made, State, TwilioSandbox,
    api::{Answer, Params, Refusal, bad, date, missing},
    page::page,
};
use domain::phone_number::PhoneNumber;

/// The longest body, in characters (error 21617).
const LONGEST: usize = 1_600;

/// A text that an account has sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Text {
    /// As the API names it.
    pub sid: String,
    /// Whose it is.
    pub account: String,
    /// To which number.
    pub to: String,
    /// From which number, or under which name.
    pub from: String,
    /// What it says.
    pub body: String,
    /// How many segments the carriers make of it.
    pub segments: usize,
    /// Where what becomes of it is posted.
    #[serde(default)]
    pub(super) status_url: Option<String>,
    pub(super) made: Made,
}

impl Text {
    /// When it was taken.
    pub fn at(&self) -> Timestamp {
        self.made.at
    }
}

impl TwilioSandbox {
    /// What was taken, oldest first.
    pub fn texts(&self) -> Vec<Text> {
        self.lock().texts.clone()
    }

    /// Somebody answers STOP to what comes from this sender.
    pub fn opt_out(&self, number: &str, from: &str) {
        self.lock().opted_out.insert(format!("{from}>{number}"));
    }

    pub(super) fn send_text(&self, state: &mut State, account: &str, params: &Params) -> Answer {
        let given = |name: &str| params.get(name).map_or("", String::as_str);
        let (to, from, body) = (given("To"), given("From"), given("Body"));
        refusal(state, account, (to, from, body))?;
        let validity = params.get("ValidityPeriod").map(|seconds| seconds.parse::<u32>());
        if validity.is_some_and(|seconds| !seconds.is_ok_and(|seconds| (1..=36_000).contains(&seconds))) {
            return Err(bad(21_601, "ValidityPeriod is 1 to 36000 seconds"));
        }
        let text = Text {
            sid: self.sid("SM"),
            account: account.to_owned(),
            to: to.to_owned(),
            from: from.to_owned(),
            body: body.to_owned(),
            segments: counted(body),
            status_url: params.get("StatusCallback").filter(|url| !url.is_empty()).cloned(),
            made: state.made(self.clock.now()),
        };
        // What it is at first: the carrier has not been asked yet.
        let (sid, answer) = (text.sid.clone(), shown(&text, "queued", None));
        state.texts.push(text);
        state.tell(&sid, self.clock.now());
        Ok((StatusCode::CREATED, answer))
    }

    pub(super) fn list_texts(state: &State, account: &str, path: &str, params: &Params) -> Value {
        let is = |name: &str, value: &str| params.get(name).is_none_or(|wanted| wanted == value);
        let rows = state
            .texts
            .iter()
            .rev()
            .filter(|text| text.account == account && is("To", &text.to) && is("From", &text.from));
        let rows: Vec<(u64, Value)> =
            rows.map(|text| (text.made.order, shown(text, "delivered", Some(text.made)))).collect();
        page(path, params, "messages", &rows)
    }

    pub(super) fn text(state: &State, account: &str, sid: &str, path: &str) -> Answer {
        let sid = sid.strip_suffix(".json").ok_or_else(|| missing(path))?;
        let text = state.texts.iter().find(|text| text.sid == sid && text.account == account);
        let text = text.ok_or_else(|| missing(path))?;
        Ok((StatusCode::OK, shown(text, "delivered", Some(text.made))))
    }
}

/// Why Twilio would not take it (twilio.com/docs/api/errors).
fn refusal(state: &State, account: &str, (to, from, body): (&str, &str, &str)) -> Result<(), Refusal> {
    if body.is_empty() {
        return Err(bad(21_602, "Message body is required."));
    }
    if body.chars().count() > LONGEST {
        return Err(bad(21_617, "The concatenated message body exceeds the 1600 character limit."));
    }
    if PhoneNumber::parse(to).is_err() {
        return Err(bad(21_211, format!("The 'To' number {to} is not a valid phone number.")));
    }
    if is_landline(to) {
        return Err(bad(21_614, format!("'To' number: {to}, is not a mobile number")));
    }
    if from.starts_with('+') {
        if !state.numbers.values().any(|owned| owned.account == account && owned.number == from) {
            return Err(bad(
                21_606,
                format!(
                    "The From phone number {from} is not a valid, SMS-capable inbound phone \
                number or short code for your account."
                ),
            ));
        }
    } else {
        let is_name = (1..=11).contains(&from.len())
            && from
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, b' ' | b'-' | b'_' | b'&' | b'+'))
            && from.bytes().any(|c| c.is_ascii_alphabetic());
        if !is_name {
            return Err(bad(
                21_212,
                format!(
                    "The 'From' number {from} is not a valid phone number, shortcode, or \
                alphanumeric sender ID."
                ),
            ));
        }
        // No carrier of +1 takes a name.
        if to.starts_with("+1") {
            return Err(bad(
                21_612,
                "Message cannot be sent with the current combination of 'To' and/or 'From' parameters",
            ));
        }
    }
    if state.opted_out.contains(&format!("{from}>{to}")) {
        return Err(bad(21_610, "Attempt to send to unsubscribed recipient"));
    }
    Ok(())
}

/// Whether the number is a landline's in the countries whose numbers say so.
fn is_landline(number: &str) -> bool {
    let digits = number.strip_prefix("+44").or_else(|| number.strip_prefix("+61"));
    let mobile = if number.starts_with("+44") { '7' } else { '4' };
    digits.is_some_and(|digits| !digits.starts_with(mobile))
}

/// The segments, counted in the two alphabets' own way: everything but plain Latin counts in halves of UTF-16.
fn counted(body: &str) -> usize {
    let is_gsm = |c: char| c.is_ascii() && c != '`' || "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà€".contains(c);
    let (units, alone, each) = if body.chars().all(is_gsm) {
        let twice = body.chars().filter(|c| "^{}\\[~]|€\u{c}".contains(*c)).count();
        (body.chars().count().saturating_add(twice), 160, 153)
    } else {
        (body.encode_utf16().count(), 70, 67)
    };
    if units <= alone { 1 } else { units.div_ceil(each) }
}

fn shown(text: &Text, status: &str, sent: Option<Made>) -> Value {
    let (sid, account, made) = (&text.sid, &text.account, date(text.made.at));
    json!({"sid": sid, "account_sid": account, "messaging_service_sid": null, "to": text.to, "from": text.from,
        "body": text.body, "status": status, "num_segments": text.segments.to_string(), "num_media": "0",
        "direction": "outbound-api", "api_version": "2010-04-01", "price": null, "price_unit": "USD",
        "error_code": null, "error_message": null, "date_created": made, "date_updated": made,
        "date_sent": sent.map(|sent| date(sent.at)),
        "uri": format!("/2010-04-01/Accounts/{account}/Messages/{sid}.json"),
        "subresource_uris": {"media": format!("/2010-04-01/Accounts/{account}/Messages/{sid}/Media.json")}})
}
