//! `verify-statement`: says what of a downloaded statement is intact, and what was altered.

use std::{collections::BTreeMap, fmt};

use domain::ledger::{Entry, Flaw, flaws};
use serde_json::{Map, Value, json};

/// What a look at statements found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries were read.
    pub entries: usize,
    /// The first and the last number.
    pub covers: Option<(u64, u64)>,
    /// What is wrong.
    pub flaws: Vec<Flaw>,
}

/// Why a file is no statement.
#[derive(Debug, thiserror::Error)]
pub enum NotAStatement {
    /// It is neither JSON nor CSV of the form that is downloaded.
    #[error("the file is not a statement as the dashboard gives it: {0}")]
    Form(String),
    /// Entries of several orgs.
    #[error(
        "the files are of several clinics ({key} is another's than the first entry): verify each clinic's alone"
    )]
    SeveralOrgs {
        /// An entry of another org than the first.
        key: String,
    },
    /// An entry in it cannot be read.
    #[error("entry {position} of the file cannot be read: {reason}")]
    Entry {
        /// Its place, from 1.
        position: usize,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, last)) = self.covers else { return write!(f, "The statement has no entries.") };
        if self.flaws.is_empty() {
            write!(
                f,
                "Intact: {} entries, seq {first} to {last}, every hash and every balance.",
                self.entries
            )?;
            if first > 1 {
                write!(f, " What lies before seq {first} is not in it, and was not checked.")?;
            }
            return Ok(());
        }
        writeln!(f, "NOT intact: {} entries, seq {first} to {last}.", self.entries)?;
        for flaw in &self.flaws {
            writeln!(f, "  - {flaw}")?;
        }
        Ok(())
    }
}

/// Looks at the entries of one or more files of one org, as one run.
///
/// # Errors
/// When a file is no statement.
pub fn verify(files: &[String]) -> Result<Verdict, NotAStatement> {
    let mut entries: Vec<Entry> = Vec::new();
    for file in files {
        for entry in read(file)? {
            // Two downloads may overlap; what they share counts once.
            if !entries.contains(&entry) || files.len() == 1 {
                entries.push(entry);
            }
        }
    }
    if files.len() > 1 {
        entries.sort_by_key(|entry| entry.seq);
    }
    if let Some(other) =
        entries.iter().find(|entry| Some(entry.org_id) != entries.first().map(|first| first.org_id))
    {
        return Err(NotAStatement::SeveralOrgs { key: other.entry_key.to_string() });
    }
    let seqs = entries.iter().map(|entry| entry.seq);
    let covers = seqs.clone().min().zip(seqs.max());
    Ok(Verdict { entries: entries.len(), covers, flaws: flaws(&entries) })
}

fn read(text: &str) -> Result<Vec<Entry>, NotAStatement> {
    let rows = if text.trim_start().starts_with('{') { json_rows(text)? } else { csv_rows(text)? };
    rows.into_iter().enumerate().map(|(index, row)| entry(index.saturating_add(1), &row)).collect()
}

fn json_rows(text: &str) -> Result<Vec<Map<String, Value>>, NotAStatement> {
    let body: Value = serde_json::from_str(text).map_err(|error| NotAStatement::Form(error.to_string()))?;
    let entries =
        body["entries"].as_array().ok_or_else(|| NotAStatement::Form("it has no entries".into()))?;
    Ok(entries.iter().map(|entry| entry.as_object().cloned().unwrap_or_default()).collect())
}

fn csv_rows(text: &str) -> Result<Vec<Map<String, Value>>, NotAStatement> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Result<Vec<BTreeMap<String, String>>, csv::Error> = reader.deserialize().collect();
    let rows = rows.map_err(|error| NotAStatement::Form(error.to_string()))?;
    Ok(rows
        .into_iter()
        .map(|row| row.into_iter().map(|(name, value)| (name.clone(), typed(&name, value))).collect())
        .collect())
}

/// CSV has only texts: an empty one is nothing, and these columns hold whole numbers.
fn typed(name: &str, value: String) -> Value {
    const NUMBERS: [&str; 5] =
        ["seq", "amount_pence", "balance_before_pence", "balance_after_pence", "tariff_version"];
    match value.parse::<i64>() {
        _ if value.is_empty() => Value::Null,
        Ok(number) if NUMBERS.contains(&name) => json!(number),
        Ok(_) | Err(_) => Value::String(value),
    }
}

fn entry(position: usize, row: &Map<String, Value>) -> Result<Entry, NotAStatement> {
    const RENAMED: [(&str, &str); 6] = [
        ("type", "kind"),
        ("amount_pence", "amount"),
        ("balance_before_pence", "balance_before"),
        ("balance_after_pence", "balance_after"),
        ("stripe_payment_intent_id", "payment_intent"),
        ("tariff_version", "tariff"),
    ];
    let fields: Map<String, Value> = row
        .iter()
        .map(|(name, value)| {
            let renamed =
                RENAMED.iter().find(|(theirs, _)| theirs == name).map_or(name.as_str(), |(_, ours)| ours);
            (renamed.to_owned(), value.clone())
        })
        .collect();
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| NotAStatement::Entry { position, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../fixtures/statement.json");

    #[test]
    fn a_statement_is_intact_until_a_digit_is_changed() {
        let verdict = verify(&[GOOD.to_owned()]).unwrap();
        assert_eq!((verdict.covers, verdict.flaws.len()), (Some((1, 3)), 0));
        assert!(verdict.to_string().starts_with("Intact: 3 entries, seq 1 to 3"));

        let altered = GOOD.replacen("\"amount_pence\": 56", "\"amount_pence\": 55", 1);
        let verdict = verify(&[altered]).unwrap();
        let said = verdict.to_string();
        assert!(said.contains("entry 2 (call#web-0) was altered"), "{said}");
    }

    #[test]
    fn a_removed_entry_is_missed() {
        let mut body: Value = serde_json::from_str(GOOD).unwrap();
        body["entries"].as_array_mut().unwrap().remove(1);
        let said = verify(&[body.to_string()]).unwrap().to_string();
        assert!(said.contains("after entry 1 comes entry 3"), "{said}");
    }

    #[test]
    fn what_is_no_statement_is_said_so() {
        for text in ["", "{}", "not a statement", "{\"entries\": [{}]}"] {
            let outcome = verify(&[text.to_owned()]);
            assert!(
                outcome.as_ref().is_err() || outcome.is_ok_and(|verdict| verdict.covers.is_none()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn overlapping_files_are_one_run() {
        let verdict = verify(&[GOOD.to_owned(), GOOD.to_owned()]).unwrap();
        assert_eq!((verdict.entries, verdict.flaws.len()), (3, 0));
    }
}
