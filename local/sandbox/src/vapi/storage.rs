//! Recordings: kept private, behind links that live for half an hour. What is heard is silence, as long as the call was.

use bytes::Bytes;
use domain::time::plus_secs;
use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use vendors::signature::hmac_sha256;

use super::{State, VapiSandbox, record::Call, rest::Refusal};

/// How long a link lives, in seconds.
const LINK_SECS: i64 = 1_800;
/// How many bytes a second of sound is: one channel of 8 bits at 8 kHz.
const BYTES_PER_SEC: u32 = 8_000;
/// What no sound is, in 8 bits.
const SILENCE: u8 = 128;

impl VapiSandbox {
    /// `GET /call/{id}/mono-recording`: leads to where it lies.
    pub(super) fn recording(&self, state: &State, id: &str) -> Result<Response<Bytes>, Refusal> {
        let has_one = state.calls.get(id).is_some_and(|call| sound_bytes(call).is_some());
        if !has_one {
            return Err(Refusal::missing("Artifact not found."));
        }
        let expires = plus_secs(self.clock.now(), LINK_SECS).as_second();
        let link = format!(
            "http://storage.vapi.sandbox/{id}?expires={expires}&signature={}",
            self.mark(id, expires)
        );
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::FOUND;
        if let Ok(link) = HeaderValue::from_str(&link) {
            answer.headers_mut().insert(header::LOCATION, link);
        }
        Ok(answer)
    }

    /// Returns what lies behind a link, or the piece of it that is asked for; 403 when the link is not ours or is over.
    pub fn stored(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let id = request.uri().path().trim_start_matches('/').to_owned();
        let query = request.uri().query().unwrap_or_default();
        let given = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        let expires = given("expires").and_then(|at| at.parse().ok()).unwrap_or_default();
        let is_good = given("signature").is_some_and(|mark| mark == self.mark(&id, expires));
        if !is_good || self.clock.now() >= Timestamp::from_second(expires).unwrap_or_default() {
            return with_status(StatusCode::FORBIDDEN);
        }
        let sound = self.lock().calls.get(&id).and_then(sound_bytes);
        sound.map_or_else(|| with_status(StatusCode::NOT_FOUND), |length| piece(request, length))
    }

    fn mark(&self, id: &str, expires: i64) -> String {
        let key = self.settings.api_key.as_str().into();
        hex::encode(hmac_sha256(&key, &[id.as_bytes(), expires.to_string().as_bytes()]))
    }
}

/// How many bytes of sound a call has; none that was not talked on, or goes on.
fn sound_bytes(call: &Call) -> Option<u32> {
    let talked = call.ended_at?.duration_since(call.started_at?);
    u32::try_from(talked.as_secs()).ok()?.checked_mul(BYTES_PER_SEC)
}

/// The file, or as much of it as the header `Range` names.
fn piece(request: &Request<Bytes>, sound: u32) -> Response<Bytes> {
    let head = head(sound);
    let length = u64::from(sound).saturating_add(44);
    let asked = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = asked.and_then(|range| range.strip_prefix("bytes=")).and_then(|range| range.split_once('-'));
    let last = length.saturating_sub(1);
    let (first, until) = match range {
        None => (0, last),
        Some(("", count)) => (length.saturating_sub(count.parse().unwrap_or(0)), last),
        Some((first, until)) => (first.parse().unwrap_or(0), until.parse().unwrap_or(last).min(last)),
    };
    if first > until {
        return with_range(StatusCode::RANGE_NOT_SATISFIABLE, &format!("bytes */{length}"), Bytes::new());
    }
    let bytes = (first..=until).map(|at| {
        let of_head = usize::try_from(at).ok().and_then(|at| head.get(at));
        of_head.copied().unwrap_or(SILENCE)
    });
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    with_range(status, &format!("bytes {first}-{until}/{length}"), bytes.collect())
}

/// The 44 bytes before the sound of a WAV file.
fn head(sound: u32) -> Vec<u8> {
    let mut head = b"RIFF".to_vec();
    head.extend(sound.saturating_add(36).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    head.extend(BYTES_PER_SEC.to_le_bytes());
    head.extend(BYTES_PER_SEC.to_le_bytes());
    head.extend(b"\x01\0\x08\0data");
    head.extend(sound.to_le_bytes());
    head
}

fn with_range(status: StatusCode, range: &str, bytes: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(bytes);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    if status != StatusCode::OK
        && let Ok(range) = HeaderValue::from_str(range)
    {
        answer.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    answer
}

fn with_status(status: StatusCode) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}
