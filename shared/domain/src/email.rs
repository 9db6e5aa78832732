//! E-mail addresses.

use std::str::FromStr as _;

use email_address::{EmailAddress as Parsed, Options};
use serde::{Deserialize, Serialize};

use crate::personal::{Email, Personal};

/// The longest address that a mail server takes, in bytes (RFC 5321, section 4.5.3.1.3, without its brackets).
const LONGEST: usize = 254;

/// An address to which mail can be sent: `name@host`, with a host that has a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(Personal<String, Email>);

/// Why a text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address is written name@example.com")]
pub struct NotAnAddress;

impl EmailAddress {
    /// Takes one address as a person writes it. The host is written in small letters; the name before it is left as it is, because
    /// only its host knows whether capitals matter.
    ///
    /// # Errors
    /// [`NotAnAddress`] when it is none, several, or one that no mail server of the internet takes: a host without a dot, an address
    /// in brackets, a name in quotes.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim();
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        let is_short = text.len() <= LONGEST && text.is_ascii();
        let is_plain = !text.contains(['"', ' ', '\\', ',', ';']);
        if !is_short || !is_plain || Parsed::parse_with_options(text, options).is_err() {
            return Err(NotAnAddress);
        }
        let address = Parsed::from_str(text).map_err(|_| NotAnAddress)?;
        Ok(Self(Personal::new(format!("{}@{}", address.local_part(), address.domain().to_ascii_lowercase()))))
    }

    /// Returns the address.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0.reveal().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_mail_reaches() {
        for (text, address) in [
            (" Ada.Lovelace@Example.COM ", "Ada.Lovelace@example.com"),
            ("ada+clinic@mail.example.co.uk", "ada+clinic@mail.example.co.uk"),
            ("o'neill@example.com", "o'neill@example.com"),
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().reveal(), address, "{text}");
        }
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "ada@[192.0.2.1]",
            "ada at example dot com",
            "Ada <ada@example.com>",
            "ada@example.com, ida@example.com",
            "ada@example.com\r\nBcc: ida@example.com",
            "\"a b\"@example.com",
            "ada@exämple.com",
            "ada..l@example.com",
            &format!("{}@example.com", "x".repeat(250)),
        ] {
            assert_eq!(EmailAddress::parse(bad), Err(NotAnAddress), "{bad:?}");
        }
    }
}
