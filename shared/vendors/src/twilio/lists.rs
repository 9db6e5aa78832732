//! Whole lists, page after page to their end: the accounts below ours, the numbers of one.

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Account, NumberEntry, Owned, PAGE, Twilio, TwilioError,
    accounts::{AccountEntry, AccountStatus},
    form,
};
use domain::ids::NumberSid;

/// A list with more pages than this is taken to lead in a circle.
const MOST_PAGES: usize = 1_000;

/// An account below ours, as Twilio lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The account, with the token that opens it.
    pub account: Account,
    /// The name that its maker gave it; empty when it has none.
    pub friendly_name: String,
    /// Whether the account is neither suspended nor closed.
    pub is_active: bool,
}

impl From<AccountEntry> for Listed {
    fn from(entry: AccountEntry) -> Self {
        Self {
            is_active: entry.status == AccountStatus::Active,
            friendly_name: entry.friendly_name.clone().unwrap_or_default(),
            account: entry.into_account(),
        }
    }
}

impl Twilio {
    /// Returns every account below ours whose name begins with `prefix`.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn subaccounts(&self, prefix: &str) -> Result<Vec<Listed>, TwilioError> {
        #[derive(Deserialize)]
        struct Page {
            accounts: Vec<AccountEntry>,
            #[serde(default)]
            next_page_uri: Option<String>,
        }
        let parent = self.parent()?;
        let first = format!("{}/2010-04-01/Accounts.json?{}", self.base_url, form(&[("PageSize", PAGE)]));
        let listed = self
            .pages(parent, &self.base_url, first, |page: Page| (page.accounts, page.next_page_uri))
            .await?;
        let below_ours = listed.into_iter().filter(|entry| entry.sid != parent.sid).map(Listed::from);
        Ok(below_ours.filter(|listed| listed.friendly_name.starts_with(prefix)).collect())
    }

    /// Returns every number that an account owns.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn all_owned(&self, account: &Account) -> Result<Vec<Owned>, TwilioError> {
        #[derive(Deserialize)]
        struct Page {
            incoming_phone_numbers: Vec<NumberEntry>,
            #[serde(default)]
            next_page_uri: Option<String>,
        }
        let first =
            format!("{}?{}", self.of(account, "IncomingPhoneNumbers.json"), form(&[("PageSize", PAGE)]));
        let parts = |page: Page| (page.incoming_phone_numbers, page.next_page_uri);
        let listed = self.pages(account, &self.base_url, first, parts).await?;
        Ok(listed.into_iter().map(NumberEntry::into_owned).collect())
    }

    /// Returns whether an account owns a number, by Twilio's answer about this very number.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn has_number(&self, account: &Account, sid: &NumberSid) -> Result<bool, TwilioError> {
        let url = self.of(account, &format!("IncomingPhoneNumbers/{sid}.json"));
        match self.get::<NumberEntry>(account, &url).await {
            Ok(_) => Ok(true),
            Err(TwilioError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the rows of all pages at one host, or an error rather than a part of them.
    pub(super) async fn pages<P: DeserializeOwned, R>(
        &self,
        account: &Account,
        host: &str,
        first: String,
        parts: impl Fn(P) -> (Vec<R>, Option<String>),
    ) -> Result<Vec<R>, TwilioError> {
        let mut rows = Vec::new();
        let mut url = first;
        for _ in 0..MOST_PAGES {
            let page: P = self.get(account, &url).await?;
            let (more, next) = parts(page);
            rows.extend(more);
            match next {
                None => return Ok(rows),
                // A path is of the same host: the token that opens the account goes nowhere else.
                Some(next) if next.starts_with('/') => url = format!("{host}{next}"),
                Some(_) => break,
            }
        }
        // A list that was not read to its end must not pass for the whole list.
        let problem = "a list does not lead to its end";
        Err(TwilioError::Unreadable(serde::de::Error::custom(problem)))
    }
}
