//! The heads of ledgers, anchored outside the tables: whoever can write to the tables can write a whole chain anew, hashes,
//! wallet, notes and all, but cannot change what was anchored (decision 14).

use base::{alarm, alarm::chain};
use bytes::Bytes;
use domain::ids::OrgId;
use jiff::Timestamp;
use platform::bucket::{Bucket, BucketError};
use serde::{Deserialize, Serialize};
use store::runs::Verified;

use super::{Books, point_after};
use crate::reconcile::{Reconcile, ReconcileError, Run};

/// What a run calls a ledger that it could not hold against its anchor, or not anchor.
const NOT_ANCHORED: &str = "books_not_anchored";

/// The point that a ledger had come to when it was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Whose ledger it is.
    pub org_id: OrgId,
    /// The last entry, and what the wallet stood at after it.
    #[serde(flatten)]
    pub point: Verified,
    /// When it was anchored.
    #[serde(with = "domain::time::millis")]
    pub anchored_at: Timestamp,
}

/// Why a ledger is not held against its anchor, or not anchored. It is verified all the same.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The bucket did not do its part.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// What the bucket has is no anchor of this build's.
    #[error("the anchor cannot be read or written")]
    Unreadable(#[source] serde_json::Error),
    /// The bucket has another org's anchor in this one's place.
    #[error("the anchor is another org's")]
    Foreign,
    /// The bucket does not give an anchor that was put there.
    #[error("the ledger was anchored, and its anchor is gone or kept from us")]
    Gone,
}

/// The newest anchor of a ledger, as far as it is known.
pub(super) enum Last {
    /// This one; or none, where the ledger was never anchored.
    Known(Option<Anchor>),
    /// The bucket did not tell. A person was told.
    Unknown,
}

/// The bucket that heads are anchored in: an object for each org, a version of it for each day on which the ledger moved.
#[derive(Clone, Debug)]
pub struct Anchors {
    bucket: Bucket,
}

impl Anchors {
    /// The anchors in this bucket.
    pub const fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Returns the newest anchor of an org's ledger, if it has one. `was_anchored` says whether it must.
    ///
    /// # Errors
    /// When the bucket does not answer, or what it has is not this org's anchor.
    pub async fn last(&self, org: OrgId, was_anchored: bool) -> Result<Option<Anchor>, AnchorError> {
        let Some(object) = self.bucket.get(&org.to_string()).await? else {
            return if was_anchored { Err(AnchorError::Gone) } else { Ok(None) };
        };
        let anchor: Anchor = serde_json::from_slice(&object).map_err(AnchorError::Unreadable)?;
        if anchor.org_id == org { Ok(Some(anchor)) } else { Err(AnchorError::Foreign) }
    }

    /// Anchors a ledger, after `last`. The first anchor replaces none: one that the bucket kept from us, or that another run
    /// has just put, stays.
    ///
    /// # Errors
    /// When the bucket does not answer, or has an anchor that it does not give.
    pub async fn add(&self, anchor: &Anchor, last: Option<&Anchor>) -> Result<(), AnchorError> {
        let object = Bytes::from(serde_json::to_vec(anchor).map_err(AnchorError::Unreadable)?);
        let key = anchor.org_id.to_string();
        if last.is_some() {
            return Ok(self.bucket.put(&key, object).await?);
        }
        if !self.bucket.put_new(&key, object).await? {
            self.last(anchor.org_id, true).await?;
        }
        Ok(())
    }
}

impl Reconcile {
    /// The newest anchor of an org's ledger.
    pub(super) async fn last_anchor(&self, run: &mut Run, org: OrgId, was_anchored: bool) -> Last {
        match self.anchors.last(org, was_anchored).await {
            Ok(anchor) => Last::Known(anchor),
            Err(error) => {
                not_anchored(run, org, &error);
                Last::Unknown
            }
        }
    }

    /// Whether a ledger, verified up to `end`, still has what was anchored. The anchor was read before the wallet.
    pub(super) async fn hold_against(&self, last: &Last, end: &Verified) -> Result<Books, ReconcileError> {
        let Last::Known(Some(anchor)) = last else { return Ok(Books::Right) };
        let (point, seq) = (anchor.point, anchor.point.head.seq);
        if point == *end {
            return Ok(Books::Right);
        }
        if seq > end.head.seq {
            let at = end.head.seq;
            return Ok(Books::Wrong(format!("entry {seq} was anchored, and the ledger ends at entry {at}")));
        }
        // Each entry seals the one before: with this one all before it are what they were.
        let there = match seq {
            0 => Some(Verified::nothing(anchor.org_id)),
            _ => self.ledger.range(anchor.org_id, seq, seq).await?.entries.first().map(point_after),
        };
        if there != Some(point) {
            return Ok(Books::Wrong(format!("entry {seq} is not the one that was anchored")));
        }
        Ok(Books::Right)
    }

    /// Anchors what was verified, unless it is. Returns whether the ledger is known to be anchored.
    pub(super) async fn anchor(&self, run: &mut Run, last: &Last, org: OrgId, point: Verified) -> bool {
        let Last::Known(last) = last else { return false };
        if last.is_some_and(|last| last.point == point) {
            return true;
        }
        let anchor = Anchor { org_id: org, point, anchored_at: self.clock.now() };
        match self.anchors.add(&anchor, last.as_ref()).await {
            Ok(()) => true,
            Err(error) => {
                not_anchored(run, org, &error);
                last.is_some()
            }
        }
    }
}

/// Notes it of each org, and tells a person of the first: the bucket is the same for all.
fn not_anchored(run: &mut Run, org: OrgId, error: &AnchorError) {
    if !run.left.iter().any(|left| left.what == NOT_ANCHORED) {
        alarm!("books_not_anchored", org_id = %org, cause = chain(error), "a ledger could not be anchored outside the tables, or not held against its anchor");
    }
    run.failed(NOT_ANCHORED, org, error);
}
