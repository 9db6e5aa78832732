//! Calls: the golden record, and its text in an item of its own.

use std::io::{Read, Write};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::put_item::PutItemError,
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};
use jiff::{SignedDuration, Timestamp};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

use super::table::{
    Dynamo, Item, StoreError, Table, TransactError, encode, number, org_key, put_new_part, text, unavailable,
};
use domain::{
    call::Call,
    content::Content,
    ids::{CallId, OrgId, VapiCallId},
    phone_number::PhoneNumber,
    time::rfc3339_millis,
};

/// The table of calls, and the mapping from Vapi's call ids.
#[derive(Clone, Debug)]
pub struct Calls {
    db: Dynamo,
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It was changed by others since it was read: read again, decide again.
    #[error("the call has changed since it was read")]
    Moved,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which call was begun to a number, or by a client's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialClaim {
    /// The call.
    pub dialled: CallId,
    /// The body it was asked for with.
    pub body_hash: String,
}

/// Why a call was not begun.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another was begun since it was read.
    #[error("another call was begun in the same moment")]
    Moved,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which of our calls a Vapi call is. Put once, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMapping {
    /// The call as Vapi names it.
    pub vapi_call_id: VapiCallId,
    /// Whose it is.
    pub org_id: OrgId,
    /// Which it is.
    pub call_id: CallId,
}

/// A call that somebody must look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Whose it is.
    pub org_id: OrgId,
    /// Which it is.
    pub call_id: CallId,
    /// Since when.
    pub due_at: Timestamp,
}

/// The index of live calls by when they are due.
const LIVE_BY_DUE: &str = "live_by_due";
/// The index by org and time.
const BY_CREATED: &str = "by_created";

/// The largest text kept, before compression: far below an item's 400 KB, even if it does not compress.
const LONGEST_TEXT: usize = 300_000;
const LONGEST_SUMMARY: usize = 20_000;
const LONGEST_URL: usize = 4_000;
const LONGEST_WORD: usize = 128;
const CUT_MARK: &str = "\n[cut: the rest was too long to keep]";

impl Calls {
    /// The calls of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Reads a call's record, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId, call: &CallId) -> Result<Option<Call>, StoreError> {
        let (name, value) = org_key(org);
        self.db.get(Table::Calls, &[(name, &value), ("call_id", call.as_str())]).await
    }

    /// Records a call that was just heard of; answers the record that is there, if it was heard of before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(&self, call: &Call) -> Result<Option<Call>, StoreError> {
        let there = self.db.put_new(Table::Calls, "call_id", record(call)?).await?;
        there.map(|item| super::table::decode(Table::Calls, item)).transpose()
    }

    /// The call that was begun to a number last.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn dial_claim(&self, org: OrgId, to: &PhoneNumber) -> Result<Option<DialClaim>, StoreError> {
        self.dial_item(org, &format!("dial#{}", to.as_str())).await
    }

    /// The call that a client's key began.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn dial_key(&self, org: OrgId, key: &str) -> Result<Option<DialClaim>, StoreError> {
        self.dial_item(org, &format!("key#{key}")).await
    }

    async fn dial_item(&self, org: OrgId, item: &str) -> Result<Option<DialClaim>, StoreError> {
        let (name, value) = org_key(org);
        self.db.get(Table::Calls, &[(name, &value), ("call_id", item)]).await
    }

    /// Records a call that is to be started, as the one begun to its number (in the place of `before`) and by its key. All or
    /// nothing.
    ///
    /// # Errors
    /// [`ClaimError::Moved`] when another was begun to the number or by the key since it was read.
    pub async fn claim_dial(
        &self,
        call: &Call,
        claim: &DialClaim,
        to: &PhoneNumber,
        before: Option<&DialClaim>,
        key: Option<&str>,
    ) -> Result<(), ClaimError> {
        let item = |name: String| -> Result<Item, StoreError> {
            let mut item = encode(Table::Calls, claim)?;
            item.insert("org_id".into(), text(call.org_id.to_string()));
            item.insert("call_id".into(), text(name));
            Ok(item)
        };
        let to = item(format!("dial#{}", to.as_str()))?;
        let to = match before {
            None => put_new_part(&self.db, Table::Calls, "call_id", to)?,
            Some(before) => {
                let put = Put::builder()
                    .table_name(self.db.table_name(Table::Calls))
                    .set_item(Some(to))
                    .condition_expression("dialled = :read")
                    .expression_attribute_values(":read", text(before.dialled.as_str()))
                    .build()
                    .map_err(|error| unavailable("TransactWriteItems", error))?;
                TransactWriteItem::builder().put(put).build()
            }
        };
        let mut items = vec![to, put_new_part(&self.db, Table::Calls, "call_id", record(call)?)?];
        if let Some(key) = key {
            items.push(put_new_part(&self.db, Table::Calls, "call_id", item(format!("key#{key}"))?)?);
        }
        self.db.transact(items).await.map_err(|error| match error {
            TransactError::Refused(_) => ClaimError::Moved,
            TransactError::Store(error) => error.into(),
        })
    }

    /// An org's calls that were first heard of from `from` until before `to`, newest first; at most `most`, and whether there are
    /// more. By an index, which may be a moment behind: nothing is decided on it.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn between(
        &self,
        org: OrgId,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<(Vec<Call>, bool), StoreError> {
        let mut calls = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .db
                .retrying("Query", || {
                    self.db
                        .client
                        .query()
                        .table_name(self.db.table_name(Table::Calls))
                        .index_name(BY_CREATED)
                        .key_condition_expression("org_id = :org AND created_at BETWEEN :from AND :to")
                        .expression_attribute_values(":org", text(org.to_string()))
                        .expression_attribute_values(":from", text(rfc3339_millis(from)))
                        // Both ends of a BETWEEN are inside: the last millisecond before `to`.
                        .expression_attribute_values(
                            ":to",
                            text(rfc3339_millis(to - SignedDuration::from_millis(1))),
                        )
                        .scan_index_forward(false)
                        .set_exclusive_start_key(start.clone())
                        .send()
                })
                .await
                .map_err(|error| unavailable("Query", error))?;
            for item in answer.items.unwrap_or_default() {
                if calls.len() >= most {
                    return Ok((calls, true));
                }
                calls.push(super::table::decode(Table::Calls, item)?);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok((calls, false));
            }
        }
    }

    /// Writes `after` in the place of `call`, if that is still what is there.
    ///
    /// # Errors
    /// [`SaveError::Moved`] when it is not.
    pub async fn save(&self, call: &Call, after: &Call) -> Result<Call, SaveError> {
        let after = next_version(after, call.version);
        let item = record(&after)?;
        let outcome = self
            .db
            .retrying("PutItem", || {
                self.db
                    .client
                    .put_item()
                    .table_name(self.db.table_name(Table::Calls))
                    .set_item(Some(item.clone()))
                    .condition_expression("version = :read")
                    .expression_attribute_values(":read", number(call.version))
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(after),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                Err(SaveError::Moved)
            }
            Err(error) => Err(unavailable("PutItem", error).into()),
        }
    }

    /// The calls whose next look is due by `at`, and those that are over whose last was due by `closed_by`; the longest due
    /// first, at most `most`. By an index, which may be a moment behind: the records decide.
    ///
    /// # Errors
    /// When the database does not answer, or an entry does not decode.
    pub async fn due(
        &self,
        at: Timestamp,
        closed_by: Timestamp,
        most: usize,
    ) -> Result<Vec<Due>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            org_id: OrgId,
            call_id: CallId,
            #[serde(with = "domain::time::millis")]
            due_at: Timestamp,
            #[serde(default)]
            state: String,
        }
        let mut due = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .db
                .retrying("Query", || {
                    self.db
                        .client
                        .query()
                        .table_name(self.db.table_name(Table::Calls))
                        .index_name(LIVE_BY_DUE)
                        .key_condition_expression("live = :live AND due_at <= :at")
                        .expression_attribute_values(":live", text("live"))
                        .expression_attribute_values(":at", text(rfc3339_millis(at)))
                        .set_exclusive_start_key(start.clone())
                        .send()
                })
                .await
                .map_err(|error| unavailable("Query", error))?;
            for item in answer.items.unwrap_or_default() {
                let row: Row = super::table::decode(Table::Calls, item)?;
                let is_closed = matches!(row.state.as_str(), "settled" | "released" | "refused");
                if !is_closed || row.due_at <= closed_by {
                    due.push(Due { org_id: row.org_id, call_id: row.call_id, due_at: row.due_at });
                }
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || due.len() >= most {
                due.truncate(most);
                return Ok(due);
            }
        }
    }

    /// Takes a call that is over out of the live index, if it is still as it was read.
    ///
    /// # Errors
    /// [`SaveError::Moved`] when it is not.
    pub async fn retire(&self, call: &Call) -> Result<(), SaveError> {
        let outcome = self
            .db
            .retrying("UpdateItem", || {
                self.db
                    .client
                    .update_item()
                    .table_name(self.db.table_name(Table::Calls))
                    .key("org_id", text(call.org_id.to_string()))
                    .key("call_id", text(call.call_id.as_str()))
                    .update_expression("REMOVE live")
                    .condition_expression("version = :read")
                    .expression_attribute_values(":read", number(call.version))
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(SaveError::Moved)
            }
            Err(error) => Err(unavailable("UpdateItem", error).into()),
        }
    }

    /// Which call of whose a Vapi call is, if it was heard of.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn mapping(&self, call: &VapiCallId) -> Result<Option<CallMapping>, StoreError> {
        self.db.get(Table::CallMapping, &[("vapi_call_id", call.as_str())]).await
    }

    /// Notes which call of whose a Vapi call is; answers what is noted, which an earlier message may have decided.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn map(&self, mapping: &CallMapping) -> Result<CallMapping, StoreError> {
        let item = encode(Table::CallMapping, mapping)?;
        match self.db.put_new(Table::CallMapping, "vapi_call_id", item).await? {
            None => Ok(mapping.clone()),
            Some(there) => super::table::decode(Table::CallMapping, there),
        }
    }

    /// Keeps a call's text, compressed, and cut with a mark when it is too long. Writing it again changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_content(&self, org: OrgId, call: &CallId, content: &Content) -> Result<(), StoreError> {
        let packed = pack(&cut(content)).map_err(|error| unavailable("PutItem", error))?;
        self.db
            .retrying("PutItem", || {
                self.db
                    .client
                    .put_item()
                    .table_name(self.db.table_name(Table::Calls))
                    .item("org_id", text(org.to_string()))
                    .item("call_id", text(content_key(call)))
                    .item("content", AttributeValue::B(Blob::new(packed.clone())))
                    .send()
            })
            .await
            .map(|_| ())
            .map_err(|error| unavailable("PutItem", error))
    }

    /// Reads a call's text.
    ///
    /// # Errors
    /// When the database does not answer, or the text does not unpack.
    pub async fn content(&self, org: OrgId, call: &CallId) -> Result<Option<Content>, StoreError> {
        #[derive(Deserialize)]
        struct Packed {
            content: serde_bytes_vec::Bytes,
        }
        let (name, value) = org_key(org);
        let key = content_key(call);
        let packed: Option<Packed> = self.db.get(Table::Calls, &[(name, &value), ("call_id", &key)]).await?;
        packed
            .map(|packed| unpack(&packed.content.0).map_err(|error| unavailable("GetItem", error)))
            .transpose()
    }
}

/// Reads a binary attribute.
mod serde_bytes_vec {
    use serde::{Deserialize, Deserializer, de};

    pub(super) struct Bytes(pub(super) Vec<u8>);

    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl de::Visitor<'_> for Visitor {
                type Value = Bytes;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("binary")
                }

                fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                    Ok(Bytes(bytes.to_vec()))
                }

                fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                    Ok(Bytes(bytes))
                }
            }
            deserializer.deserialize_byte_buf(Visitor)
        }
    }
}

fn content_key(call: &CallId) -> String {
    format!("{call}#content")
}

fn cut(content: &Content) -> Content {
    let cut = |text: &Option<String>, longest| text.as_deref().map(|text| cut_text(text, longest));
    Content {
        transcript: cut(&content.transcript, LONGEST_TEXT),
        summary: cut(&content.summary, LONGEST_SUMMARY),
        sentiment_label: cut(&content.sentiment_label, LONGEST_WORD),
        sentiment_score: cut(&content.sentiment_score, LONGEST_WORD),
        outcome: cut(&content.outcome, LONGEST_SUMMARY),
        urgency: cut(&content.urgency, LONGEST_WORD),
        caller_name: cut(&content.caller_name, LONGEST_WORD),
        tools_used: content.tools_used.iter().take(200).map(|tool| cut_text(tool, LONGEST_WORD)).collect(),
        recording_url: cut(&content.recording_url, LONGEST_URL),
        vendor_cost_usd: cut(&content.vendor_cost_usd, LONGEST_WORD),
    }
}

fn cut_text(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(longest)).unwrap_or_default();
    format!("{kept}{CUT_MARK}")
}

fn pack(content: &Content) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&serde_json::to_vec(content)?)?;
    encoder.finish()
}

fn unpack(packed: &[u8]) -> std::io::Result<Content> {
    let mut plain = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut plain)?;
    Ok(serde_json::from_slice(&plain)?)
}

fn next_version(call: &Call, read: u64) -> Call {
    Call { version: read.saturating_add(1), ..call.clone() }
}

/// The record as an item. `live` puts it on the index by `due_at`; only reconciliation takes it off.
fn record(call: &Call) -> Result<Item, StoreError> {
    let mut item = encode(Table::Calls, call)?;
    item.retain(|_, value| !value.is_null());
    item.insert("live".into(), text("live"));
    Ok(item)
}

/// The part of a transaction that writes `after` in the place of the record whose version was `read`.
pub(super) fn put(db: &Dynamo, after: &Call, read: u64) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(db.table_name(Table::Calls))
        .set_item(Some(record(&next_version(after, read))?))
        .condition_expression("version = :read")
        .expression_attribute_values(":read", number(read))
        .build()
        .map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_vendor_says_fits_an_item_and_is_marked_where_it_was_cut() {
        let long = || Some("é".repeat(500_000));
        let content = Content {
            transcript: long(),
            summary: long(),
            sentiment_label: long(),
            sentiment_score: long(),
            outcome: long(),
            urgency: long(),
            caller_name: long(),
            tools_used: vec![long().unwrap(); 1_000],
            recording_url: long(),
            vendor_cost_usd: long(),
        };
        let kept = cut(&content);
        assert!(serde_json::to_vec(&kept).unwrap().len() < 390_000);
        for text in [&kept.transcript, &kept.summary, &kept.outcome, &kept.recording_url] {
            assert!(text.as_ref().unwrap().ends_with(CUT_MARK));
        }
        assert_eq!(unpack(&pack(&kept).unwrap()).unwrap(), kept);
        let short = Content { summary: Some("short".into()), ..Content::default() };
        assert_eq!(cut(&short), short);
    }
}
