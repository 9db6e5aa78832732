//! `cargo run -- dead-letters`: what the queues gave up on and what could not be placed, looked at and sent back.

use domain::time::rfc3339_millis;
use indicatif::{ProgressBar, ProgressStyle};
use local::dead_letters::{DeadLetterError, DeadLetters, Letter, Listed, Progress, Which};
use web::problem::chain;

use super::{Letters, Place, Selection, target::Target};

pub(super) async fn run(act: Letters) -> Result<(), String> {
    match act {
        Letters::List { place } => {
            let target = reach(&place).await?;
            let letters = DeadLetters::new(&target.platform, &target.environment);
            let listed = letters.list().await.map_err(|error| sentence(&error))?;
            println!("{}", told(&listed));
            Ok(())
        }
        Letters::Show { id, place } => {
            let target = reach(&place).await?;
            let letters = DeadLetters::new(&target.platform, &target.environment);
            let letter = letters.show(&id).await.map_err(|error| sentence(&error))?;
            println!("{}", shown(&letter));
            Ok(())
        }
        Letters::Redrive { selection, place } => {
            let target = reach(&place).await?;
            redrive(&DeadLetters::new(&target.platform, &target.environment), selection).await
        }
    }
}

async fn reach(place: &Place) -> Result<Target, String> {
    match &place.env {
        Some(environment) => Target::deployed(environment).await,
        None => Target::local(&place.data_dir, None).await,
    }
}

async fn redrive(letters: &DeadLetters, selection: Selection) -> Result<(), String> {
    let which = match (selection.id, selection.queue, selection.all) {
        (Some(id), _, _) => Which::Letter(id),
        (None, Some(queue), _) => Which::Queue(queue),
        (None, None, true) => Which::All,
        (None, None, false) => return Err("Say which: an id, --queue with a queue's name, or --all.".into()),
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("  sent back [{bar:40.green/white}] {pos} of {len}") {
        bar.set_style(style.progress_chars("█▉ "));
    }
    let mut far = Progress::default();
    let outcome = letters
        .redrive(&which, |progress| {
            far = progress;
            bar.set_length(progress.expected.max(progress.done));
            bar.set_position(progress.done);
        })
        .await;
    bar.finish_and_clear();
    match outcome {
        Ok(done) => {
            println!("{done} sent back.");
            let left = far.expected.saturating_sub(far.done);
            if left > 0 {
                println!("{left} more did not show: look with `dead-letters list`, and run it again.");
            }
            Ok(())
        }
        Err(error) => Err(format!("{} sent back. {}", far.done, sentence(&error))),
    }
}

fn sentence(error: &DeadLetterError) -> String {
    let text = chain(error);
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

/// The letters, in columns, and what the look could not see.
fn told(listed: &Listed) -> String {
    if listed.letters.is_empty() && listed.notes.is_empty() {
        return "No dead letters.".to_owned();
    }
    let mut lines = Vec::new();
    if !listed.letters.is_empty() {
        let heads = ["queue", "id", "received", "sent at", "what"].map(str::to_owned);
        let rows: Vec<[String; 5]> =
            std::iter::once(heads).chain(listed.letters.iter().map(columns)).collect();
        let widths: [usize; 5] = std::array::from_fn(|column| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        });
        for row in &rows {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            lines.push(cells.join("  ").trim_end().to_owned());
        }
    }
    lines.extend(listed.notes.iter().cloned());
    lines.join("\n")
}

fn columns(letter: &Letter) -> [String; 5] {
    [
        letter.origin.to_string(),
        letter.id.clone(),
        letter.received.map_or_else(|| "-".to_owned(), |times| times.to_string()),
        letter.at.map_or_else(|| "-".to_owned(), rfc3339_millis),
        letter.about.clone(),
    ]
}

/// All of a letter.
fn shown(letter: &Letter) -> String {
    let [origin, id, received, at, about] = columns(letter);
    let body = serde_json::from_str::<serde_json::Value>(&letter.body)
        .map_or_else(|_| letter.body.clone(), |body| format!("{body:#}"));
    format!(
        "queue:    {origin}\nid:       {id}\nreceived: {received}\nsent at:  {at}\nwhat:     {about}\n\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use local::dead_letters::Origin;

    use super::*;

    #[test]
    fn letters_are_told_in_columns() {
        let letter = |id: &str, origin, received| Letter {
            id: id.to_owned(),
            origin,
            received,
            at: Some(Timestamp::UNIX_EPOCH),
            about: "call_id=c1".to_owned(),
            body: "{}".to_owned(),
        };
        let letters =
            vec![letter("m1", Origin::Queue("call-meter"), Some(720)), letter("evt_1", Origin::Stripe, None)];
        let listed = Listed { letters, notes: vec!["One more did not show.".to_owned()] };
        let expected = "\
queue         id     received  sent at                   what
call-meter    m1     720       1970-01-01T00:00:00.000Z  call_id=c1
stripe event  evt_1  -         1970-01-01T00:00:00.000Z  call_id=c1
One more did not show.";
        assert_eq!(told(&listed), expected);
        assert_eq!(told(&Listed::default()), "No dead letters.");
    }
}
