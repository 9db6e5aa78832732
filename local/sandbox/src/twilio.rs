//! Twilio: accounts and subaccounts, numbers that can be searched, bought and released, addresses and regulatory bundles, and the
//! leg of a call that can be hung up. The inventory is invented, of numbers that regulators keep for fiction.

mod api;
mod bundles;
mod inventory;
mod numbers;
mod page;
mod posts;
mod texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use base::clock::Clock;
use base::entropy::Entropy;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    agenda::Agenda,
    kept::{Guard, Kept},
};
pub use posts::Post;
pub use texts::Text;

/// The sandbox.
#[derive(Debug)]
pub struct TwilioSandbox {
    state: Kept<State>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// What the sandbox must know of the platform around it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The parent account.
    pub account_sid: String,
    /// The parent account's token.
    pub auth_token: String,
    /// The file its state outlives the process in.
    pub kept_in: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    accounts: BTreeMap<String, Account>,
    /// By the SID of each: `PN…`.
    numbers: BTreeMap<String, Owned>,
    addresses: BTreeMap<String, Address>,
    /// By the SID of each: `BU…`.
    #[serde(default)]
    bundles: BTreeMap<String, bundles::Bundle>,
    calls: BTreeMap<String, Leg>,
    /// Numbers that a customer outside the sandbox has taken.
    taken_away: BTreeSet<String>,
    /// What was sent, oldest first.
    #[serde(default)]
    texts: Vec<Text>,
    /// Sender and number, of those who answered STOP.
    #[serde(default)]
    opted_out: BTreeSet<String>,
    /// What is to be posted, and when.
    #[serde(default)]
    agenda: Agenda<posts::Word>,
    /// Calls whose end was requested and not handed on yet.
    ended: Vec<String>,
    made: u64,
    #[serde(skip)]
    faults: Faults,
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The end of a call is accepted and nothing happens.
    pub ignores_end_call: bool,
    /// The REST API answers 503.
    pub rest_is_down: bool,
    /// What would be posted is lost.
    pub loses_words: bool,
    /// Numbers that no text reaches, each with the code of why.
    pub undelivered: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    sid: String,
    auth_token: String,
    /// The parent's SID; a parent owns itself.
    owner: String,
    friendly_name: String,
    /// `active`, `suspended`, `closed`.
    status: String,
    inherits_dialling_permissions: bool,
    made: Made,
}

/// A number that an account has.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Owned {
    sid: String,
    account: String,
    number: String,
    friendly_name: String,
    address: Option<String>,
    #[serde(default)]
    bundle: Option<String>,
    address_requirements: String,
    /// Where what people write to it is posted.
    #[serde(default)]
    sms_url: Option<String>,
    made: Made,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Address {
    sid: String,
    account: String,
    /// By the names of the form's parameters.
    fields: BTreeMap<String, String>,
    made: Made,
}

/// One side of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Leg {
    account: String,
    /// `in-progress`, `completed`, `canceled`.
    status: String,
    made: Made,
    /// When its status became `completed`. A call that is live or was canceled has none.
    #[serde(default)]
    ended_at: Option<Timestamp>,
}

/// When a thing was made, and as which one: lists answer the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Made {
    order: u64,
    at: Timestamp,
}

impl State {
    fn made(&mut self, at: Timestamp) -> Made {
        self.made = self.made.saturating_add(1);
        Made { order: self.made, at }
    }

    fn is_owned(&self, number: &str) -> bool {
        self.numbers.values().any(|owned| owned.number == number)
    }
}

impl TwilioSandbox {
    /// One with nothing but the parent account, whose papers are approved wherever papers are needed.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        let sandbox = Self { state: Kept::open(settings.kept_in), clock, entropy };
        let token_before = sandbox.token_of(&settings.account_sid);
        match token_before {
            None => sandbox.open_account(&settings.account_sid, &settings.auth_token, "Voxanne"),
            // It was given another token since, as its owner may do at Twilio.
            Some(token) if token != settings.auth_token => {
                if let Some(account) = sandbox.lock().accounts.get_mut(&settings.account_sid) {
                    account.auth_token = settings.auth_token;
                }
            }
            Some(_) => {}
        }
        sandbox.file_papers(&settings.account_sid);
        sandbox
    }

    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// A fresh SID: two letters and 32 hexadecimal digits.
    fn sid(&self, letters: &str) -> String {
        format!("{letters}{:016x}{:016x}", self.entropy.bits(), self.entropy.bits())
    }

    fn open_account(&self, sid: &str, auth_token: &str, friendly_name: &str) {
        let now = self.clock.now();
        let mut state = self.lock();
        let account = Account {
            sid: sid.to_owned(),
            auth_token: auth_token.to_owned(),
            owner: sid.to_owned(),
            friendly_name: friendly_name.to_owned(),
            status: "active".into(),
            inherits_dialling_permissions: false,
            made: state.made(now),
        };
        state.accounts.insert(sid.to_owned(), account);
    }

    /// Adds another customer's account, with numbers it has.
    pub fn add_account(&self, sid: &str, token: &str, numbers: &[&str]) {
        self.open_account(sid, token, "An account of its own");
        for number in numbers {
            let owned_sid = self.sid("PN");
            let now = self.clock.now();
            let mut state = self.lock();
            let owned = Owned {
                sid: owned_sid.clone(),
                account: sid.to_owned(),
                number: (*number).to_owned(),
                friendly_name: inventory::friendly_name(number),
                address: None,
                bundle: None,
                address_requirements: "none".into(),
                sms_url: None,
                made: state.made(now),
            };
            state.numbers.insert(owned_sid, owned);
        }
    }

    /// An account comes to a number that was not asked for through the API: a purchase that was carried out late. Returns its
    /// SID.
    pub fn add_owned(&self, account_sid: &str, number: &str, friendly_name: &str) -> String {
        let sid = self.sid("PN");
        let now = self.clock.now();
        let mut state = self.lock();
        let owned = Owned {
            sid: sid.clone(),
            account: account_sid.to_owned(),
            number: number.to_owned(),
            friendly_name: friendly_name.to_owned(),
            address: None,
            bundle: None,
            address_requirements: "none".into(),
            sms_url: None,
            made: state.made(now),
        };
        state.numbers.insert(sid.clone(), owned);
        sid
    }

    /// Changes what goes wrong.
    pub fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    /// Account, number and friendly name of every number that is owned, oldest first.
    pub fn numbers(&self) -> Vec<(String, String, String)> {
        let state = self.lock();
        let mut owned: Vec<&Owned> = state.numbers.values().collect();
        owned.sort_by_key(|owned| owned.made);
        let told = owned.into_iter();
        told.map(|owned| (owned.account.clone(), owned.number.clone(), owned.friendly_name.clone())).collect()
    }

    /// SID, friendly name and status of every account, oldest first.
    pub fn accounts(&self) -> Vec<(String, String, String)> {
        let state = self.lock();
        let mut accounts: Vec<&Account> = state.accounts.values().collect();
        accounts.sort_by_key(|account| account.made);
        let told = accounts.into_iter();
        told.map(|account| (account.sid.clone(), account.friendly_name.clone(), account.status.clone()))
            .collect()
    }

    /// What opens an account.
    pub fn token_of(&self, account_sid: &str) -> Option<String> {
        self.lock().accounts.get(account_sid).map(|account| account.auth_token.clone())
    }

    /// Whether an account takes its parent's dialling permissions. None when there is no such account.
    pub fn inherits_dialling_permissions(&self, account_sid: &str) -> Option<bool> {
        self.lock().accounts.get(account_sid).map(|account| account.inherits_dialling_permissions)
    }

    /// Whether `token` opens the account, and the account has the number.
    pub fn owns(&self, account_sid: &str, token: &str, number: &str) -> bool {
        let state = self.lock();
        let is_open = state
            .accounts
            .get(account_sid)
            .is_some_and(|account| account.auth_token == token && account.status == "active");
        is_open && state.numbers.values().any(|owned| owned.account == account_sid && owned.number == number)
    }

    /// Another customer takes an available number: it is listed no longer, and buying it is refused.
    pub fn take_away(&self, number: &str) {
        self.lock().taken_away.insert(number.to_owned());
    }

    /// A number goes away without us: released at Twilio's console, or taken back.
    pub fn lose(&self, number: &str) {
        self.lock().numbers.retain(|_, owned| owned.number != number);
    }

    /// A call of the account has begun.
    pub fn connect(&self, account_sid: &str, call_sid: &str) {
        let now = self.clock.now();
        let mut state = self.lock();
        let made = state.made(now);
        let account = account_sid.to_owned();
        let leg = Leg { account, status: "in-progress".into(), made, ended_at: None };
        state.calls.insert(call_sid.to_owned(), leg);
    }

    /// The calls whose end was requested since this was last asked.
    pub fn ended_calls(&self) -> Vec<String> {
        let mut state = self.lock();
        // Looked at before it is touched: what is touched is written to disk.
        if state.ended.is_empty() { Vec::new() } else { std::mem::take(&mut state.ended) }
    }
}
