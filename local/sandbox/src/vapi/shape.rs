//! What is wrong with a body, in the words of Vapi's validation: a field that the API does not describe, a value out of its
//! range, a field that must be there.

use serde_json::{Map, Value};

/// What an object may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Its fields. A field that is not among them is refused, unless the shape is open.
    pub(super) fields: &'static [(&'static str, Is)],
    /// Those that must be there.
    pub(super) required: &'static [&'static str],
    /// Another shape, whose fields it has as well.
    pub(super) and: Option<&'static Self>,
    /// Whether it may have fields that are not known here.
    pub(super) is_open: bool,
}

/// What a field holds. Null clears a field, and is never wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Is {
    /// Anything.
    Any,
    /// An object.
    Object(&'static Shape),
    /// A list of objects.
    List(&'static Shape),
    /// An object whose shape depends on a field of it; of another value it is not known here, and anything is taken.
    By(&'static str, &'static [(&'static str, Shape)]),
    /// A list of the same.
    ListBy(&'static str, &'static [(&'static str, Shape)]),
    /// Text of so many characters at the most.
    Text(usize),
    /// A whole number in a range.
    Number(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of such words.
    Words(&'static [&'static str]),
}

impl Shape {
    /// A shape of these fields, of which none must be there.
    pub(super) const fn of(fields: &'static [(&'static str, Is)]) -> Self {
        Self { fields, required: &[], and: None, is_open: false }
    }

    /// The same, where these must be there.
    pub(super) const fn with(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// The same, with another's fields.
    pub(super) const fn and(self, other: &'static Self) -> Self {
        Self { and: Some(other), ..self }
    }

    /// The same, where more fields are taken.
    pub(super) const fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    /// What is wrong with a body that is to be made of it. Empty when nothing is.
    pub(super) fn flaws(&self, body: &Value) -> Vec<String> {
        let mut flaws = Vec::new();
        self.check("", body, true, &mut flaws);
        flaws
    }

    /// The same for the changes of something that is there: nothing must be among them.
    pub(super) fn flaws_of_changes(&self, body: &Value) -> Vec<String> {
        let mut flaws = Vec::new();
        self.check("", body, false, &mut flaws);
        flaws
    }

    fn check(&self, at: &str, body: &Value, is_whole: bool, flaws: &mut Vec<String>) {
        let Some(fields) = body.as_object() else {
            flaws.push(format!("{} must be an object", at.trim_end_matches('.')));
            return;
        };
        if is_whole {
            flaws.extend(self.missing(fields).map(|name| format!("{at}{name} should not be empty")));
        }
        for (name, value) in fields {
            match self.field(name) {
                Some(is) => is.check(&format!("{at}{name}"), value, flaws),
                None if self.is_open => {}
                None => flaws.push(format!("{at}property {name} should not exist")),
            }
        }
    }

    fn missing<'a>(&'a self, fields: &'a Map<String, Value>) -> impl Iterator<Item = &'static str> + 'a {
        let is_empty = |name: &str| fields.get(name).is_none_or(|value| value.is_null() || *value == "");
        self.required.iter().copied().filter(move |name| is_empty(name))
    }

    fn field(&self, name: &str) -> Option<Is> {
        let own = self.fields.iter().find(|(known, _)| *known == name).map(|(_, is)| *is);
        own.or_else(|| self.and.and_then(|other| other.field(name)))
    }
}

impl Is {
    fn check(self, at: &str, value: &Value, flaws: &mut Vec<String>) {
        let inner = format!("{at}.");
        let each = |check: &mut dyn FnMut(&str, &Value)| {
            for (index, entry) in value.as_array().into_iter().flatten().enumerate() {
                check(&format!("{at}.{index}"), entry);
            }
        };
        if value.is_null() {
            return;
        }
        match self {
            Self::Object(shape) => shape.check(&inner, value, true, flaws),
            Self::By(field, shapes) => {
                let kind = value[field].as_str().unwrap_or_default();
                match shapes.iter().find(|(name, _)| *name == kind) {
                    Some((_, shape)) => shape.check(&inner, value, true, flaws),
                    None if kind.is_empty() => flaws.push(format!("{inner}{field} should not be empty")),
                    None => {}
                }
            }
            Self::List(_) | Self::ListBy(..) | Self::Words(_) if !value.is_array() => {
                flaws.push(format!("{at} must be an array"));
            }
            Self::List(shape) => each(&mut |at, entry| Self::Object(shape).check(at, entry, flaws)),
            Self::ListBy(field, shapes) => {
                each(&mut |at, entry| Self::By(field, shapes).check(at, entry, flaws));
            }
            Self::Text(longest) => flaws.extend(text_flaw(at, value, longest)),
            Self::Number(least, most) => flaws.extend(number_flaw(at, value, least, most)),
            Self::Word(words) if !is_one_of(value, words) => {
                flaws.push(format!("{at} must be one of the following values: {}", words.join(", ")));
            }
            Self::Words(words)
                if value.as_array().is_some_and(|list| !list.iter().all(|word| is_one_of(word, words))) =>
            {
                let words = words.join(", ");
                flaws.push(format!("each value in {at} must be one of the following values: {words}"));
            }
            Self::Any | Self::Word(_) | Self::Words(_) => {}
        }
    }
}

fn text_flaw(at: &str, value: &Value, longest: usize) -> Option<String> {
    match value.as_str() {
        None => Some(format!("{at} must be a string")),
        Some(text) if text.chars().count() > longest => {
            Some(format!("{at} must be shorter than or equal to {longest} characters"))
        }
        Some(_) => None,
    }
}

fn number_flaw(at: &str, value: &Value, least: i64, most: i64) -> Option<String> {
    match value.as_i64() {
        None => Some(format!("{at} must be a number conforming to the specified constraints")),
        Some(number) if number < least => Some(format!("{at} must not be less than {least}")),
        Some(number) if number > most => Some(format!("{at} must not be greater than {most}")),
        Some(_) => None,
    }
}

fn is_one_of(value: &Value, known: &[&str]) -> bool {
    value.as_str().is_some_and(|text| known.contains(&text))
}
