//! A call's text, apart from its record, compressed, and cut with a mark where it is too long: no vendor's text can block a
//! debit.

use std::io::{Read, Write};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{
    content::Content,
    ids::{CallId, OrgId},
    personal::{Classed, Personal},
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::Deserialize;

use super::Calls;
use crate::{
    error::{StoreError, unavailable},
    item::{org_key, text},
    table::Table,
};

/// The largest text kept, before compression: far below an item's 400 KB, even if it does not compress.
const LONGEST_TEXT: usize = 300_000;
const LONGEST_SUMMARY: usize = 20_000;
const LONGEST_WORD: usize = 128;
const CUT_MARK: &str = "\n[cut: the rest was too long to keep]";

impl Calls {
    /// Keeps a call's text, compressed, and cut with a mark when it is too long. Writing it again changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_content(&self, org: OrgId, call: &CallId, content: &Content) -> Result<(), StoreError> {
        let packed = pack(&cut(content)).map_err(|error| unavailable("PutItem", error))?;
        let (name, value) = org_key(org);
        let item = [
            (name, text(value)),
            ("call_id", text(content_key(call))),
            ("content", AttributeValue::B(Blob::new(packed))),
        ];
        let item = item.map(|(name, value)| (name.to_owned(), value)).into();
        self.db.of_org(org).put(Table::Calls, item).await
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
        let packed: Option<Packed> =
            self.db.of_org(org).get(Table::Calls, &[(name, &value), ("call_id", &key)]).await?;
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
        transcript: words(content.transcript.as_ref(), LONGEST_TEXT),
        summary: words(content.summary.as_ref(), LONGEST_SUMMARY),
        sentiment_label: cut(&content.sentiment_label, LONGEST_WORD),
        sentiment_score: cut(&content.sentiment_score, LONGEST_WORD),
        outcome: words(content.outcome.as_ref(), LONGEST_SUMMARY),
        urgency: cut(&content.urgency, LONGEST_WORD),
        caller_name: words(content.caller_name.as_ref(), LONGEST_WORD),
        tools_used: content.tools_used.iter().take(200).map(|tool| cut_text(tool, LONGEST_WORD)).collect(),
        has_recording: content.has_recording,
        vendor_cost_usd: cut(&content.vendor_cost_usd, LONGEST_WORD),
    }
}

fn words<C: Classed>(text: Option<&Personal<String, C>>, longest: usize) -> Option<Personal<String, C>> {
    text.map(|text| Personal::new(cut_text(text.reveal(), longest)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_vendor_says_fits_an_item_and_is_marked_where_it_was_cut() {
        let long = || Some("é".repeat(500_000));
        let content = Content {
            transcript: long().map(Personal::new),
            summary: long().map(Personal::new),
            sentiment_label: long(),
            sentiment_score: long(),
            outcome: long().map(Personal::new),
            urgency: long(),
            caller_name: long().map(Personal::new),
            tools_used: vec![long().unwrap(); 1_000],
            has_recording: true,
            vendor_cost_usd: long(),
        };
        let kept = cut(&content);
        assert!(serde_json::to_vec(&kept).unwrap().len() < 390_000);
        for text in [&kept.transcript, &kept.summary, &kept.outcome] {
            assert!(text.as_ref().unwrap().reveal().ends_with(CUT_MARK));
        }
        assert!(kept.has_recording);
        assert_eq!(unpack(&pack(&kept).unwrap()).unwrap(), kept);
        let short = Content { summary: Some(Personal::new("short".into())), ..Content::default() };
        assert_eq!(cut(&short), short);
    }
}
