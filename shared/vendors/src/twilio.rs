//! Twilio: accounts below ours, numbers for sale and the papers for them, numbers owned, the carrier's end of a call, its webhook's
//! signature.

mod accounts;
mod bundles;
mod error;
mod lists;
mod texts;
mod webhook;

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use accounts::age;
pub use error::{NO_PAPERS, TwilioError};
pub use lists::Listed;
pub use texts::{Taken, Text};
pub use webhook::{SIGNATURE_HEADER, TwilioWebhook};

use super::http::{Http, HttpError, is_transient_status};
use domain::{
    ids::{AccountSid, BundleSid, NumberSid},
    number::{Address, Available, Country, NumberType, Search},
    phone_number::PhoneNumber,
};

/// The most entries that a list gives at a time. A list that is asked for by name never comes near it; the
/// others are read to their end.
const PAGE: &str = "1000";
/// Twilio's code of the error for too many requests.
const TOO_MANY_REQUESTS: u32 = 20_429;

/// An account at Twilio, with the token that opens it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The SID of the account (`AC…`).
    pub sid: AccountSid,
    /// The auth token of the account.
    pub token: SecretString,
}

/// A number that an account owns: Twilio bills for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The SID of the number (`PN…`).
    pub sid: NumberSid,
    /// The number in E.164.
    pub phone_number: PhoneNumber,
    /// The name that its buyer gave it; empty when it has none.
    pub friendly_name: String,
}

/// A number to buy.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Which.
    pub number: &'a PhoneNumber,
    /// The name to give it.
    pub friendly_name: &'a str,
    /// The address of who takes it (`AD…`), where its country demands one.
    pub address_sid: Option<&'a str>,
    /// The bundle to buy it under, one of the account's own, where its country demands one.
    pub bundle_sid: Option<&'a BundleSid>,
    /// Where what people write to it is to be posted.
    pub texts_url: &'a str,
}

/// A client of Twilio's APIs, with our own account, under which every org's subaccount lives.
#[derive(Clone, Debug)]
pub struct Twilio {
    http: Http,
    base_url: String,
    voice_base_url: String,
    numbers_base_url: String,
    parent: Option<Account>,
}

/// The state of a call at the carrier (twilio.com/docs/voice/api/call-resource), as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum LegStatus {
    /// It cannot go on any more.
    #[serde(rename = "completed", alias = "canceled", alias = "failed", alias = "busy", alias = "no-answer")]
    Over,
    /// It is queued, rings, or goes on.
    #[default]
    #[serde(other)]
    Live,
}

#[derive(Deserialize)]
struct NumberEntry {
    sid: NumberSid,
    phone_number: PhoneNumber,
    #[serde(default)]
    friendly_name: Option<String>,
    #[serde(default)]
    date_created: Option<String>,
}

impl NumberEntry {
    fn into_owned(self) -> Owned {
        Owned {
            sid: self.sid,
            phone_number: self.phone_number,
            friendly_name: self.friendly_name.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
struct Numbers {
    incoming_phone_numbers: Vec<NumberEntry>,
}

/// Returns a short name that two addresses share only when they are the same.
fn address_name(country: Country, address: &Address) -> String {
    let mut context = Context::new(&SHA256);
    let fields: [&str; 6] = [
        country.code(),
        &address.customer_name,
        &address.street,
        &address.city,
        &address.region,
        &address.postal_code,
    ];
    for field in fields {
        context.update(field.len().to_string().as_bytes());
        context.update(b":");
        context.update(field.as_bytes());
    }
    hex::encode(context.finish()).chars().take(32).collect()
}

impl Twilio {
    /// Returns a client of the APIs at these addresses, for accounts that are given with each request.
    pub fn new(
        http: Http,
        base_url: impl Into<String>,
        voice_base_url: impl Into<String>,
        numbers_base_url: impl Into<String>,
    ) -> Self {
        let (base_url, voice_base_url) = (base_url.into(), voice_base_url.into());
        Self { http, base_url, voice_base_url, numbers_base_url: numbers_base_url.into(), parent: None }
    }

    /// Returns the same client with our own account, under which every org's subaccount lives, and which
    /// searches.
    #[must_use]
    pub fn with_parent(mut self, parent: Account) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Returns our own account. Without one, the account counts as inactive.
    fn parent(&self) -> Result<&Account, TwilioError> {
        self.parent.as_ref().ok_or(TwilioError::Inactive)
    }

    /// Returns numbers for sale that take calls. A number that is not written in E.164 is left out.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn search(&self, search: &Search) -> Result<Vec<Available>, TwilioError> {
        #[derive(Deserialize)]
        struct Offers {
            available_phone_numbers: Vec<Offer>,
        }
        #[derive(Deserialize)]
        struct Offer {
            phone_number: String,
            #[serde(default)]
            locality: Option<String>,
            #[serde(default)]
            region: Option<String>,
        }
        let kind = match search.number_type {
            NumberType::Local => "Local",
            NumberType::TollFree => "TollFree",
        };
        let limit = search.limit.to_string();
        let mut pairs = vec![("VoiceEnabled", "true"), ("PageSize", limit.as_str())];
        // Twilio takes `AreaCode` of +1 only; elsewhere the number's beginning says the same.
        let is_plus_one = search.country.calling_code() == "+1";
        let beginning =
            search.area_code.as_ref().map(|area| format!("{}{area}*", search.country.calling_code()));
        match (&search.area_code, &beginning) {
            (Some(area_code), _) if is_plus_one => pairs.push(("AreaCode", area_code)),
            (Some(_), Some(beginning)) => pairs.push(("Contains", beginning)),
            _ => {}
        }
        let place = format!("AvailablePhoneNumbers/{}/{kind}.json", search.country.code());
        let url = format!("{}?{}", self.of(self.parent()?, &place), form(&pairs));
        let offers: Offers = self.get(self.parent()?, &url).await?;
        let available = |offer: Offer| {
            Some(Available {
                phone_number: PhoneNumber::parse(offer.phone_number).ok()?,
                locality: offer.locality,
                region: offer.region,
            })
        };
        Ok(offers.available_phone_numbers.into_iter().filter_map(available).collect())
    }

    /// Returns the number, if the account owns exactly this one.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn owned(&self, account: &Account, number: &PhoneNumber) -> Result<Option<Owned>, TwilioError> {
        let found = self.numbers(account, ("PhoneNumber", number.as_str())).await?;
        Ok(found.into_iter().find(|entry| entry.phone_number == *number).map(NumberEntry::into_owned))
    }

    /// Returns the number that the account owns under exactly this name; the oldest, when there are several.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn bought_as(
        &self,
        account: &Account,
        friendly_name: &str,
    ) -> Result<Option<Owned>, TwilioError> {
        let found = self.numbers(account, ("FriendlyName", friendly_name)).await?;
        let oldest = found
            .into_iter()
            .filter(|entry| entry.friendly_name.as_deref() == Some(friendly_name))
            .min_by_key(|entry| age(entry.date_created.as_deref(), entry.sid.as_str()));
        Ok(oldest.map(NumberEntry::into_owned))
    }

    /// Returns Twilio's SID (`AD…`) of an address: the one that is there already, or a new one.
    ///
    /// The name is made from what the address says, so a repeat finds what was made before.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn ensure_address(
        &self,
        account: &Account,
        country: Country,
        address: &Address,
    ) -> Result<String, TwilioError> {
        #[derive(Deserialize)]
        struct Addresses {
            addresses: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            sid: String,
            #[serde(default)]
            friendly_name: Option<String>,
        }
        let name = address_name(country, address);
        let addresses = self.of(account, "Addresses.json");
        let url = format!("{addresses}?{}", form(&[("FriendlyName", name.as_str()), ("PageSize", PAGE)]));
        let found: Addresses = self.get(account, &url).await?;
        let is_it = |entry: &Entry| entry.friendly_name.as_ref() == Some(&name);
        if let Some(entry) = found.addresses.into_iter().find(is_it) {
            return Ok(entry.sid);
        }
        let fields = [
            ("FriendlyName", name.as_str()),
            ("CustomerName", &address.customer_name),
            ("Street", &address.street),
            ("City", &address.city),
            ("Region", &address.region),
            ("PostalCode", &address.postal_code),
            ("IsoCountry", country.code()),
        ];
        let answer = self.post(account, &addresses, &fields).await?;
        Ok(read::<Entry>(&answer)?.sid)
    }

    /// Buys a number. Twilio has no idempotency key: after anything but a clear answer, the caller must look
    /// with [`Self::bought_as`] before buying again.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn buy(&self, account: &Account, order: &Order<'_>) -> Result<Owned, TwilioError> {
        let mut fields = vec![
            ("PhoneNumber", order.number.as_str()),
            ("FriendlyName", order.friendly_name),
            ("SmsUrl", order.texts_url),
        ];
        fields.extend(order.address_sid.map(|sid| ("AddressSid", sid)));
        fields.extend(order.bundle_sid.map(|sid| ("BundleSid", sid.as_str())));
        let answer = self.post(account, &self.of(account, "IncomingPhoneNumbers.json"), &fields).await?;
        Ok(read::<NumberEntry>(&answer)?.into_owned())
    }

    /// Gives a number back, for good. One that is gone already counts as released.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn release(&self, account: &Account, sid: &NumberSid) -> Result<(), TwilioError> {
        let url = self.of(account, &format!("IncomingPhoneNumbers/{sid}.json"));
        match self.send(request(account, Method::DELETE, &url).body(Bytes::new())).await {
            Ok(_) | Err(TwilioError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Hangs up a call at the carrier. Returns whether the carrier says that the call is over.
    ///
    /// # Errors
    /// [`TwilioError::NotFound`] when the account has no such call, or `call_sid` cannot be a call's name;
    /// see [`TwilioError`].
    pub async fn end_call(&self, account: &Account, call_sid: &str) -> Result<bool, TwilioError> {
        /// The error of a call that cannot be changed any more, because it is over.
        const NOT_IN_PROGRESS: u32 = 21_220;
        #[derive(Deserialize)]
        struct Leg {
            #[serde(default)]
            status: LegStatus,
        }
        // The SID came in a message, so it must not lead to another path.
        if call_sid.is_empty() || !call_sid.bytes().all(|c| c.is_ascii_alphanumeric()) {
            return Err(TwilioError::NotFound);
        }
        let url = self.of(account, &format!("Calls/{call_sid}.json"));
        let answer = match self.post(account, &url, &[("Status", "completed")]).await {
            Err(TwilioError::Refused { code: Some(NOT_IN_PROGRESS), .. }) => return Ok(true),
            answer => answer?,
        };
        Ok(read::<Leg>(&answer)?.status == LegStatus::Over)
    }

    async fn numbers(
        &self,
        account: &Account,
        filter: (&str, &str),
    ) -> Result<Vec<NumberEntry>, TwilioError> {
        let query = form(&[filter, ("PageSize", PAGE)]);
        let url = format!("{}?{query}", self.of(account, "IncomingPhoneNumbers.json"));
        Ok(self.get::<Numbers>(account, &url).await?.incoming_phone_numbers)
    }

    /// Returns the URL of something that belongs to an account.
    fn of(&self, account: &Account, place: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}/{place}", self.base_url, account.sid)
    }

    async fn get<T: DeserializeOwned>(&self, account: &Account, url: &str) -> Result<T, TwilioError> {
        let answer = self.send(request(account, Method::GET, url).body(Bytes::new())).await?;
        read(&answer)
    }

    async fn post(
        &self,
        account: &Account,
        url: &str,
        fields: &[(&str, &str)],
    ) -> Result<Response<Bytes>, TwilioError> {
        let request = request(account, Method::POST, url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form(fields)));
        self.send(request).await
    }

    async fn send(&self, request: http::Result<Request<Bytes>>) -> Result<Response<Bytes>, TwilioError> {
        let request =
            request.map_err(|error| TwilioError::Unreachable(HttpError::Connection(Box::new(error))))?;
        let answer = self.http.send(request).await.map_err(TwilioError::Unreachable)?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer.status(), answer.body())) }
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> TwilioError {
    #[derive(Deserialize)]
    struct Reason {
        #[serde(default)]
        code: Option<u32>,
    }
    let code = serde_json::from_slice::<Reason>(body).ok().and_then(|reason| reason.code);
    match status {
        StatusCode::NOT_FOUND => TwilioError::NotFound,
        status if is_transient_status(status) || code == Some(TOO_MANY_REQUESTS) => {
            TwilioError::Trouble { status }
        }
        status => TwilioError::Refused { status, code },
    }
}

fn request(account: &Account, method: Method, url: &str) -> http::request::Builder {
    let pair = format!("{}:{}", account.sid, account.token.expose_secret());
    Request::builder()
        .method(method)
        .uri(url)
        .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn read<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, TwilioError> {
    serde_json::from_slice(answer.body()).map_err(TwilioError::Unreadable)
}

#[cfg(test)]
mod tests;
