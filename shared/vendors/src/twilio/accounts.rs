//! Accounts below ours: found, made, checked.

use jiff::{Timestamp, fmt::rfc2822};
use secrecy::SecretString;
use serde::Deserialize;

use super::{Account, PAGE, Twilio, TwilioError, form, read};
use domain::ids::AccountSid;

/// The state of an account (twilio.com/docs/iam/api/account).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AccountStatus {
    /// It may be used.
    Active,
    /// Twilio, or its parent, has stopped it for now.
    Suspended,
    /// It is closed for good.
    Closed,
    /// No state, or one that this code does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
pub(super) struct AccountEntry {
    pub(super) sid: AccountSid,
    auth_token: String,
    #[serde(default)]
    pub(super) friendly_name: Option<String>,
    #[serde(default)]
    pub(super) status: AccountStatus,
    #[serde(default)]
    date_created: Option<String>,
}

impl AccountEntry {
    pub(super) fn into_account(self) -> Account {
        Account { sid: self.sid, token: SecretString::from(self.auth_token) }
    }
}

/// Returns a key that sorts the oldest first, then by SID. An entry that does not say when it was made comes
/// last.
pub(super) fn age(date_created: Option<&str>, sid: &str) -> (bool, Option<Timestamp>, String) {
    let created_at = date_created.and_then(|text| rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
    (created_at.is_none(), created_at, sid.to_owned())
}

impl Twilio {
    /// Returns the active subaccount of exactly this name; the oldest, when there are several, so that every
    /// function finds the same one.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn subaccount_named(&self, name: &str) -> Result<Option<Account>, TwilioError> {
        let parent = self.parent()?;
        #[derive(Deserialize)]
        struct Accounts {
            accounts: Vec<AccountEntry>,
        }
        let query = form(&[("FriendlyName", name), ("Status", "active"), ("PageSize", PAGE)]);
        let url = format!("{}/2010-04-01/Accounts.json?{query}", self.base_url);
        let found: Accounts = self.get(parent, &url).await?;
        let is_it =
            |entry: &AccountEntry| entry.sid != parent.sid && entry.friendly_name.as_deref() == Some(name);
        let oldest = found
            .accounts
            .into_iter()
            .filter(is_it)
            .min_by_key(|entry| age(entry.date_created.as_deref(), entry.sid.as_str()));
        Ok(oldest.map(AccountEntry::into_account))
    }

    /// Makes a subaccount. Twilio makes another for each request, so the caller must look for it first.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn create_subaccount(&self, name: &str) -> Result<Account, TwilioError> {
        let url = format!("{}/2010-04-01/Accounts.json", self.base_url);
        let answer = self.post(self.parent()?, &url, &[("FriendlyName", name)]).await?;
        Ok(read::<AccountEntry>(&answer)?.into_account())
    }

    /// Lets a subaccount call the countries that our own account may call. Repeating it changes nothing.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn inherit_dialling_permissions(&self, account: &Account) -> Result<(), TwilioError> {
        let url = format!("{}/v1/Settings", self.voice_base_url);
        self.post(account, &url, &[("DialingPermissionsInheritance", "true")]).await.map(|_| ())
    }

    /// Checks that the token opens the account and that the account is active.
    ///
    /// # Errors
    /// [`TwilioError::Inactive`] when it is suspended or closed; see [`TwilioError`].
    pub async fn check(&self, account: &Account) -> Result<(), TwilioError> {
        #[derive(Deserialize)]
        struct Standing {
            #[serde(default)]
            status: AccountStatus,
        }
        let url = format!("{}/2010-04-01/Accounts/{}.json", self.base_url, account.sid);
        let standing: Standing = self.get(account, &url).await?;
        if standing.status == AccountStatus::Active { Ok(()) } else { Err(TwilioError::Inactive) }
    }
}
