//! What reconciliation remembers from run to run: reports, watermarks, what it saw and when, and how far a ledger is verified.

mod orphans;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    dynamo::{Dynamo, Read, Scoped},
    error::{ChangeError, StoreError, unavailable},
    item::{Item, decode, number, record, text},
    scope::System,
    table::Table,
};
use domain::{amount::Balance, ids::OrgId, ledger::Head, time::rfc3339_millis};

pub use orphans::Word;

/// How long a report is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);
/// What the items of reports begin with.
const RUN: &str = "run#";
/// The item of a task's watermark.
const WATERMARK: &str = "watermark";
/// The item of where a task goes on.
const CURSOR: &str = "cursor";
/// The partition of how far ledgers are verified.
const BOOKS: &str = "books#checked";
/// The partition of wallets that have failed.
const FAILING: &str = "books#failing";

/// The table of runs.
#[derive(Clone, Debug)]
pub struct Runs {
    db: Dynamo,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which task.
    pub task: String,
    /// When it began.
    #[serde(with = "domain::time::millis")]
    pub started_at: Timestamp,
    /// When it was done.
    #[serde(with = "domain::time::millis")]
    pub finished_at: Timestamp,
    /// How many things were looked at.
    pub checked: u64,
    /// Which; the first of them, when they are very many.
    #[serde(default)]
    pub checked_ids: Vec<String>,
    /// What was put right.
    pub repaired: Vec<Finding>,
    /// What is left, for a person or the next run.
    pub left: Vec<Finding>,
    /// Whether it came to the end, rather than to the end of its time.
    pub complete: bool,
}

/// One thing that a run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What about it, in a stable word.
    pub what: String,
    /// Which.
    pub id: String,
}

/// How far an org's ledger is verified, and how far what was verified is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Up to where it is verified.
    #[serde(flatten)]
    pub verified: Verified,
    /// When it was. Absent in a note of a build that read nothing anew.
    #[serde(default)]
    pub rota: Option<Rota>,
    /// Whether its head was anchored outside the tables, ever.
    #[serde(default)]
    pub is_anchored: bool,
}

impl Checked {
    /// What is known of a ledger that was never looked at.
    pub fn nothing(org: OrgId) -> Self {
        Self { verified: Verified::nothing(org), rota: None, is_anchored: false }
    }
}

/// When an org's ledger was verified, and the round in which it is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rota {
    /// When everything that the wallet then had booked was last verified; for one that never was, when it was first seen.
    #[serde(with = "domain::time::millis")]
    pub verified_at: Timestamp,
    /// When this round began.
    #[serde(with = "domain::time::millis")]
    pub round_began_at: Timestamp,
    /// How far this round has come.
    pub read: Verified,
}

impl Rota {
    /// The rota of a ledger that is seen for the first time.
    pub fn begin(org: OrgId, now: Timestamp) -> Self {
        Self { verified_at: now, round_began_at: now, read: Verified::nothing(org) }
    }
}

/// A point of an org's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The last entry.
    #[serde(flatten)]
    pub head: Head,
    /// What the wallet stood at after it.
    pub balance: Balance,
}

impl Verified {
    /// The point before the first entry.
    pub fn nothing(org: OrgId) -> Self {
        Self { head: Head::genesis(org), balance: Balance::ZERO }
    }
}

#[derive(Deserialize)]
struct Seen {
    item: String,
    #[serde(with = "domain::time::millis")]
    first_seen_at: Timestamp,
}

/// Which ledgers have waited longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The one that was verified longest ago.
    pub verified: (Timestamp, OrgId),
    /// The one whose round began longest ago.
    pub round: (Timestamp, OrgId),
}

#[derive(Serialize, Deserialize)]
struct Watermark {
    #[serde(with = "domain::time::millis")]
    at: Timestamp,
}

impl Runs {
    /// The runs of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Keeps a report. `id` tells two runs of one moment apart.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep(&self, report: &Report, id: &str) -> Result<(), StoreError> {
        let mut item = record(Table::Reconciliation, report)?;
        item.insert("item".into(), text(format!("{RUN}{}#{id}", rfc3339_millis(report.started_at))));
        item.insert("expires_at".into(), number((report.finished_at + KEPT).as_second()));
        self.put(item).await
    }

    /// The last reports of a task, newest first.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn last(&self, task: &str, most: i32) -> Result<Vec<Report>, StoreError> {
        let items = self.query(task, RUN, false, Some(most)).await?;
        items.into_iter().map(|item| decode(Table::Reconciliation, item)).collect()
    }

    /// Up to when a task has seen everything.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn watermark(&self, task: &str) -> Result<Option<Timestamp>, StoreError> {
        let found: Option<Watermark> =
            self.db().get(Table::Reconciliation, &[("task", task), ("item", WATERMARK)]).await?;
        Ok(found.map(|found| found.at))
    }

    /// Notes up to when a task has seen everything. It never goes back: of two runs at once the later one's stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn advance(&self, task: &str, at: Timestamp) -> Result<(), StoreError> {
        let mut item = record(Table::Reconciliation, &Watermark { at })?;
        item.insert("task".into(), text(task));
        item.insert("item".into(), text(WATERMARK));
        let values = [(":at", text(rfc3339_millis(at)))];
        let names = [("#at", "at")];
        match self
            .db()
            .put_if(Table::Reconciliation, item, "attribute_not_exists(#at) OR #at < :at", &names, &values)
            .await
        {
            // The later one stands.
            Ok(()) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Where a task that was cut off goes on.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn cursor(&self, task: &str) -> Result<Option<String>, StoreError> {
        #[derive(Deserialize)]
        struct Cursor {
            after: String,
        }
        let found: Option<Cursor> =
            self.db().get(Table::Reconciliation, &[("task", task), ("item", CURSOR)]).await?;
        Ok(found.map(|found| found.after))
    }

    /// Notes where a task goes on; nowhere, when it has come to the end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_cursor(&self, task: &str, after: Option<&str>) -> Result<(), StoreError> {
        let Some(after) = after else { return self.forget(task, CURSOR).await };
        let item = [("task", task), ("item", CURSOR), ("after", after)];
        self.put(item.map(|(name, value)| (name.to_owned(), text(value))).into()).await
    }

    /// Notes that something was seen; answers when it was seen first.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn note_seen(&self, task: &str, item: &str, now: Timestamp) -> Result<Timestamp, StoreError> {
        let seen = Item::from([
            ("task".to_owned(), text(task)),
            ("item".to_owned(), text(item)),
            ("first_seen_at".to_owned(), text(rfc3339_millis(now))),
        ]);
        let there = self.db().put_new(Table::Reconciliation, "item", seen).await?;
        let there = there.map(|item| decode::<Seen>(Table::Reconciliation, item)).transpose()?;
        Ok(there.map_or(now, |there| there.first_seen_at))
    }

    /// Forgets that something was seen.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget(&self, task: &str, item: &str) -> Result<(), StoreError> {
        let db = self.db();
        self.db
            .retrying("DeleteItem", || {
                db.client()
                    .delete_item()
                    .table_name(self.db.table_name(Table::Reconciliation))
                    .key("task", text(task))
                    .key("item", text(item))
                    .customize()
                    .interceptor(db.mark())
                    .send()
            })
            .await
            .map(|_| ())
            .map_err(|error| unavailable("DeleteItem", error))
    }

    /// What was seen, by the beginning of its name, and when it was seen first.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn seen(&self, task: &str, prefix: &str) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let items = self.query(task, prefix, true, None).await?;
        let seen = items.into_iter().map(|item| decode::<Seen>(Table::Reconciliation, item));
        seen.map(|seen| seen.map(|seen| (seen.item, seen.first_seen_at))).collect()
    }

    /// How far an org's ledger is verified.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn verified(&self, org: OrgId) -> Result<Option<Checked>, StoreError> {
        self.db().get(Table::Reconciliation, &[("task", BOOKS), ("item", &org.to_string())]).await
    }

    /// Notes how far an org's ledger is verified.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_verified(&self, org: OrgId, checked: &Checked) -> Result<(), StoreError> {
        let mut item = record(Table::Reconciliation, checked)?;
        item.insert("task".into(), text(BOOKS));
        item.insert("item".into(), text(org.to_string()));
        self.put(item).await
    }

    /// The org of the note whose ledger has waited longest to be verified, and that whose round began first, each with its
    /// time. None where nothing is noted yet.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn longest_waiting(&self) -> Result<Option<Waiting>, StoreError> {
        let mut waiting: Option<Waiting> = None;
        for item in self.query(BOOKS, "", true, None).await? {
            let org: Option<OrgId> =
                item.get("item").and_then(|org| org.as_s().ok()).and_then(|org| org.parse().ok());
            let Checked { rota, .. } = decode(Table::Reconciliation, item)?;
            let (Some(org), Some(rota)) = (org, rota) else { continue };
            let (verified, round) = ((rota.verified_at, org), (rota.round_began_at, org));
            waiting = Some(waiting.map_or(Waiting { verified, round }, |first| Waiting {
                verified: first.verified.min(verified),
                round: first.round.min(round),
            }));
        }
        Ok(waiting)
    }

    /// Notes that an org's books are not right; answers since when that is known.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn note_failing(&self, org: OrgId, now: Timestamp) -> Result<Timestamp, StoreError> {
        self.note_seen(FAILING, &org.to_string(), now).await
    }

    /// Notes that an org's books are right again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_right(&self, org: OrgId) -> Result<(), StoreError> {
        self.forget(FAILING, &org.to_string()).await
    }

    /// The orgs whose books were not right when last looked at, and since when that is known.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn failing(&self) -> Result<Vec<(OrgId, Timestamp)>, StoreError> {
        let seen = self.seen(FAILING, "").await?;
        Ok(seen.into_iter().filter_map(|(org, since)| Some((org.parse().ok()?, since))).collect())
    }

    fn db(&self) -> Scoped<'_> {
        self.db.of_system(System::Runs)
    }

    async fn put(&self, item: Item) -> Result<(), StoreError> {
        self.db().put(Table::Reconciliation, item).await
    }

    async fn query(
        &self,
        task: &str,
        prefix: &str,
        ascending: bool,
        most: Option<i32>,
    ) -> Result<Vec<Item>, StoreError> {
        let read = Read { backwards: !ascending, limit: most, ..Read::default() };
        let values = [(":task", text(task)), (":prefix", text(prefix))];
        let read = if prefix.is_empty() {
            Read { condition: Some("task = :task"), values: &values[..1], ..read }
        } else {
            let condition = Some("task = :task AND begins_with(#item, :prefix)");
            Read { condition, names: &[("#item", "item")], values: &values, ..read }
        };
        let mut pages = self.db().pages(Table::Reconciliation, read);
        let mut items = Vec::new();
        while let Some(page) = pages.next().await? {
            items.extend(page.items);
            if most.is_some() {
                break;
            }
        }
        Ok(items)
    }
}
