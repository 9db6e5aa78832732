//! Where the console is: which requests come from its own pages, and which cookies a browser keeps for it.

use base::config::Reader;
use http::{HeaderMap, header};
use secrecy::{ExposeSecret as _, SecretString};
use web::problem::{Code, Problem};

/// What the cookie may be sent to.
const PATH: &str = "/api/session";
/// How long a browser keeps the cookie since it was last replaced: 30 days.
const KEPT_SECS: u32 = 30 * 24 * 60 * 60;

/// The origin of the console's pages.
#[derive(Clone, Debug)]
pub struct Place {
    origin: String,
}

impl Place {
    /// Reads where browsers reach the console: `API_ORIGIN`, and where that is not set `PUBLIC_URL`.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let url = match reader.optional("API_ORIGIN") {
            Some(origin) => origin,
            None => reader.required("PUBLIC_URL"),
        };
        Self { origin: url.trim_end_matches('/').to_ascii_lowercase() }
    }

    /// Returns where the console's pages are.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the pages come over TLS.
    fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// Passes what a page of our own sends: JSON, which no form of another origin can send without being asked about first, and
    /// where the browser names an origin, ours. Ours is also the one that the request was sent to, by whichever name.
    ///
    /// # Errors
    /// [`Code::InvalidBody`] for what is not sent as JSON, [`Code::Forbidden`] for another origin's.
    pub fn is_own(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text(header::CONTENT_TYPE).and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(Code::InvalidBody)
                .saying("Send the body as JSON, with content-type: application/json."));
        }
        if !headers.contains_key(header::ORIGIN) {
            return Ok(());
        }
        let given = text(header::ORIGIN).unwrap_or_default().to_ascii_lowercase();
        let scheme = if self.is_secure() { "https" } else { "http" };
        let host = text(header::HOST).map(|host| format!("{scheme}://{}", host.to_ascii_lowercase()));
        if given == self.origin || Some(given) == host {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden)
            .saying("Only the console's own pages sign in here. Open the console."))
    }

    /// The cookie's name. Over TLS a browser takes one of this name from nobody who is not secure (RFC 6265bis, 4.1.3.1).
    fn name(&self) -> &'static str {
        if self.is_secure() { "__Secure-session" } else { "session" }
    }

    fn cookie(&self, value: &str, secs: u32) -> String {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        format!("{}={value}; Path={PATH}; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}", self.name())
    }

    /// Returns the cookie that keeps a refresh token; none where a cookie cannot hold it (RFC 6265, 4.1.1).
    pub fn keeps(&self, refresh_token: &SecretString) -> Option<String> {
        let value = refresh_token.expose_secret();
        let holds = value.bytes().all(|c| c.is_ascii_graphic() && !b"\",;\\".contains(&c));
        (holds && !value.is_empty()).then(|| self.cookie(value, KEPT_SECS))
    }

    /// Returns the cookie that has a browser drop the one it has.
    pub fn drops(&self) -> String {
        self.cookie("", 0)
    }

    /// Returns the refresh token of a request's cookie, if it has one. Of two, which a page of a neighbouring domain may have set, none
    /// is believed.
    pub fn kept(&self, headers: &HeaderMap) -> Option<SecretString> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.split_once('='));
        let is_ours = |(name, value): &(&str, &str)| name.trim() == self.name() && !value.trim().is_empty();
        let (_, value) = pairs.find(is_ours)?;
        pairs.find(is_ours).is_none().then(|| value.trim().to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn what_another_origin_sends_is_not_ours() {
        let place = Place { origin: "https://api.example.com".into() };
        let json = ("content-type", "application/json; charset=utf-8");
        let host = ("host", "abc.execute-api.eu-west-2.amazonaws.com");
        for (given, is_own) in [
            (&[json][..], true),
            (&[json, ("origin", "https://api.example.com")], true),
            (&[json, host, ("origin", "https://abc.execute-api.eu-west-2.amazonaws.com")], true),
            (&[json, host, ("origin", "http://abc.execute-api.eu-west-2.amazonaws.com")], false),
            (&[json, ("origin", "http://api.example.com")], false),
            (&[json, ("origin", "https://api.example.com.evil.example")], false),
            (&[json, ("origin", "null")], false),
            (&[json, ("origin", "")], false),
            (&[("origin", "https://api.example.com")], false),
            (&[("content-type", "text/plain")], false),
            (&[("content-type", "application/x-www-form-urlencoded")], false),
        ] {
            assert_eq!(place.is_own(&headers(given)).is_ok(), is_own, "{given:?}");
        }
    }

    #[test]
    fn a_cookie_is_for_the_session_alone_and_secure_where_the_pages_are() {
        let (secure, plain) =
            (Place { origin: "https://a.example".into() }, Place { origin: "http://127.0.0.1:3000".into() });
        let token = SecretString::from("v1-Ab_c.d".to_owned());
        assert_eq!(
            secure.keeps(&token).unwrap(),
            "__Secure-session=v1-Ab_c.d; Path=/api/session; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(plain.drops(), "session=; Path=/api/session; Max-Age=0; HttpOnly; SameSite=Strict");
        for no_cookie in ["", "a;b", "a b", "a\"b", "é", "a\r\nb"] {
            assert_eq!(plain.keeps(&SecretString::from(no_cookie.to_owned())), None, "{no_cookie:?}");
        }
        let kept = |cookies| plain.kept(&headers(&[("cookie", cookies)]));
        assert_eq!(kept("a=b; session=x=y; __Secure-session=z").unwrap().expose_secret(), "x=y");
        assert!(kept("session=x; session=y").is_none());
        assert!(kept("a=b; session=").is_none() && kept("mysession=x").is_none());
    }
}
