//! Text messages: sent, and looked for among those that were.

use serde::Deserialize;

use super::{Account, Twilio, TwilioError, form, read};
use domain::phone_number::PhoneNumber;

/// The most rows that are looked through: those of one sender to one number.
const PAGE: &str = "1000";

/// A text that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// To which number.
    pub to: &'a PhoneNumber,
    /// From which number of the account, or under which name.
    pub from: &'a str,
    /// What it says.
    pub body: &'a str,
    /// For how many seconds the carrier may keep it back, 1 to 36,000: after that it is of no use any more.
    pub validity_secs: u16,
    /// The address at which the carrier says what becomes of it.
    pub status_url: &'a str,
}

/// A text that the account has: Twilio took it, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Taken {
    /// As Twilio names it (`SM…`).
    pub sid: String,
    /// What it says; none where it was redacted.
    #[serde(default)]
    pub body: Option<String>,
}

impl Twilio {
    /// Sends a text. Twilio has no idempotency key: after anything but a clear answer, look with [`Self::texts_to`].
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn send_text(&self, account: &Account, text: &Text<'_>) -> Result<Taken, TwilioError> {
        let validity = text.validity_secs.to_string();
        let fields = [
            ("To", text.to.as_str()),
            ("From", text.from),
            ("Body", text.body),
            ("ValidityPeriod", validity.as_str()),
            ("StatusCallback", text.status_url),
        ];
        let answer = self.post(account, &self.of(account, "Messages.json"), &fields).await?;
        read(&answer)
    }

    /// Returns what was sent from one sender to one number, the newest first. No day is asked for: what the carrier has not passed on yet
    /// has no day of sending.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn texts_to(
        &self,
        account: &Account,
        to: &PhoneNumber,
        from: &str,
    ) -> Result<Vec<Taken>, TwilioError> {
        #[derive(Deserialize)]
        struct Page {
            messages: Vec<Taken>,
            #[serde(default)]
            next_page_uri: Option<String>,
        }
        let query = form(&[("To", to.as_str()), ("From", from), ("PageSize", PAGE)]);
        let first = format!("{}?{query}", self.of(account, "Messages.json"));
        self.pages(account, &self.base_url, first, |page: Page| (page.messages, page.next_page_uri)).await
    }
}
