//! What is personal about callers and patients: numbers, names and words. A value of these types cannot be
//! printed or logged by accident: the code that reads it calls [`Personal::reveal`].

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What kind of personal data a field holds. The class decides how it is sealed, exported, erased and
/// audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldClass {
    /// A telephone number, by which a person can be found again.
    Number,
    /// The name of a person.
    Name,
    /// An e-mail address.
    Email,
    /// What a person said or wrote, or what was said about a person: often health data.
    Words,
}

/// A marker type that gives a [`Personal`] value its class.
pub trait Classed {
    /// The class of the values that bear this marker.
    const CLASS: FieldClass;
}

/// The marker of the class [`FieldClass::Number`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number;
/// The marker of the class [`FieldClass::Name`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name;
/// The marker of the class [`FieldClass::Email`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Email;
/// The marker of the class [`FieldClass::Words`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Words;

impl Classed for Number {
    const CLASS: FieldClass = FieldClass::Number;
}
impl Classed for Name {
    const CLASS: FieldClass = FieldClass::Name;
}
impl Classed for Email {
    const CLASS: FieldClass = FieldClass::Email;
}
impl Classed for Words {
    const CLASS: FieldClass = FieldClass::Words;
}

/// A personal value of class `C`.
///
/// It has no `Display`, and its `Debug`, which the records that hold it need, shows the class alone. Records
/// and answers to a dashboard serialize the value itself; nothing in a log line takes it.
///
/// ```compile_fail
/// use domain::personal::{Name, Personal};
/// println!("{}", Personal::<_, Name>::new("Ada".to_owned()));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Personal<T, C>(T, PhantomData<C>);

impl<T, C: Classed> Personal<T, C> {
    /// Wraps a value, so that it cannot be printed.
    pub const fn new(value: T) -> Self {
        Self(value, PhantomData)
    }

    /// Returns the value. A search for this method finds all code that reads personal values.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// Returns the class of every value of this type.
    pub const fn class() -> FieldClass {
        C::CLASS
    }
}

/// Returns a text as it may be shown in a line: without control characters and without the marks that turn the direction of
/// writing (Unicode's `Bidi_Control`) or take no room, each run of white space one space.
pub fn plain(text: &str) -> String {
    let is_mark = |c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let shown: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !is_mark(*c)).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl<T, C: Classed> fmt::Debug for Personal<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Personal({:?})", C::CLASS)
    }
}

impl<T: Serialize, C> Serialize for Personal<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, C> Deserialize<'de> for Personal<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(value, PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_one_line_in_one_direction() {
        for (text, plain_text) in [
            ("  Ada \n\t Lovelace ", "Ada Lovelace"),
            ("Ada\u{202e}ecalevoL\u{202c}", "AdaecalevoL"),
            ("\u{200f}\u{feff}", ""),
            ("محمد علي", "محمد علي"),
        ] {
            assert_eq!(plain(text), plain_text, "{text:?}");
        }
    }

    #[test]
    fn a_personal_value_shows_its_class_and_nothing_else_and_is_written_as_itself() {
        let words = Personal::<_, Words>::new("I have a rash".to_owned());
        assert_eq!(format!("{words:?}"), "Personal(Words)");
        assert_eq!(serde_json::to_string(&words).unwrap(), "\"I have a rash\"");
        let read: Personal<String, Words> = serde_json::from_str("\"I have a rash\"").unwrap();
        assert_eq!(
            (read.reveal().as_str(), Personal::<String, Name>::class()),
            ("I have a rash", FieldClass::Name)
        );
    }
}
