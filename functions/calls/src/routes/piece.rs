//! Pieces of a recording: a function of AWS Lambda answers at most 6 MB, and bytes that are no text a third less.

use bytes::Bytes;
use http::{Response, StatusCode, header};

/// The largest piece, in bytes.
const LARGEST: u64 = 3 * 1024 * 1024;

/// What is asked for of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// From this byte to that one, both included.
    From(u64, u64),
    /// So many bytes at the end.
    Last(u64),
}

/// What a player is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// 200 for the whole, 206 for a piece, 416 where there is none.
    pub status: StatusCode,
    /// Where in the whole the piece lies; nothing for the whole.
    pub content_range: Option<String>,
    /// The kind of sound.
    pub content_type: String,
    /// The piece.
    pub bytes: Bytes,
}

impl Piece {
    /// Reads the header `Range`. Without one, and where it is more or other than one range of bytes, the beginning is meant
    /// (RFC 9110, 14.2: a range that is not understood is passed over). No piece is larger than 3 MiB.
    pub fn asked(range: Option<&str>) -> Self {
        range.and_then(Self::read).unwrap_or(Self::From(0, LARGEST.saturating_sub(1)))
    }

    fn read(range: &str) -> Option<Self> {
        let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            return last.parse().ok().map(|count: u64| Self::Last(count.min(LARGEST)));
        }
        let first: u64 = first.parse().ok()?;
        let furthest = first.saturating_add(LARGEST.saturating_sub(1));
        let last = if last.is_empty() { furthest } else { last.parse().ok()? };
        (first <= last).then_some(Self::From(first, last.min(furthest)))
    }

    /// The header `Range` that asks for it.
    pub fn range(self) -> String {
        match self {
            Self::From(first, last) => format!("bytes={first}-{last}"),
            Self::Last(count) => format!("bytes=-{count}"),
        }
    }

    /// Cuts it out of a whole.
    fn of(self, whole: &Bytes) -> Option<(u64, Bytes)> {
        let length = u64::try_from(whole.len()).ok()?;
        let (first, last) = match self {
            Self::From(first, last) => (first, last.min(length.checked_sub(1)?)),
            Self::Last(count) => (length.saturating_sub(count), length.checked_sub(1)?),
        };
        let (from, to) = (usize::try_from(first).ok()?, usize::try_from(last.saturating_add(1)).ok()?);
        (from < to).then(|| (first, whole.slice(from..to)))
    }

    /// What a player is answered out of what the storage answered. `is_asked` says whether the player asked for a range.
    pub fn played(self, is_asked: bool, found: Response<Bytes>) -> Played {
        let text = |name| found.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let content_type = text(header::CONTENT_TYPE)
            .filter(|kind| kind.starts_with("audio/"))
            .unwrap_or_else(|| "audio/wav".into());
        let said = text(header::CONTENT_RANGE);
        let (status, content_range, bytes) = match found.status() {
            StatusCode::PARTIAL_CONTENT => (StatusCode::PARTIAL_CONTENT, said, found.into_body()),
            StatusCode::RANGE_NOT_SATISFIABLE => (StatusCode::RANGE_NOT_SATISFIABLE, said, Bytes::new()),
            // The storage does not do pieces: this is the whole.
            _ => {
                let whole = found.into_body();
                let length = whole.len();
                match self.of(&whole) {
                    Some((first, piece)) => {
                        let last = first
                            .saturating_add(u64::try_from(piece.len()).unwrap_or_default())
                            .saturating_sub(1);
                        (StatusCode::PARTIAL_CONTENT, Some(format!("bytes {first}-{last}/{length}")), piece)
                    }
                    None => {
                        (StatusCode::RANGE_NOT_SATISFIABLE, Some(format!("bytes */{length}")), Bytes::new())
                    }
                }
            }
        };
        let is_whole = content_range.as_deref()
            == Some(&format!("bytes 0-{}/{}", bytes.len().saturating_sub(1), bytes.len()));
        if status == StatusCode::PARTIAL_CONTENT && is_whole && !is_asked {
            return Played { status: StatusCode::OK, content_range: None, content_type, bytes };
        }
        Played { status, content_range, content_type, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_its_standard_says_and_is_never_over_3_mib() {
        let most = LARGEST - 1;
        let cases = [
            (None, Piece::From(0, most)),
            (Some("bytes=0-"), Piece::From(0, most)),
            (Some("bytes=100-199"), Piece::From(100, 199)),
            (Some("bytes=5-99999999"), Piece::From(5, 5 + most)),
            (Some("bytes=-500"), Piece::Last(500)),
            (Some("bytes=-99999999"), Piece::Last(LARGEST)),
            (Some("bytes=9-3"), Piece::From(0, most)),
            (Some("bytes=0-1,5-6"), Piece::From(0, most)),
            (Some("items=0-1"), Piece::From(0, most)),
            (Some("bytes=18446744073709551615-"), Piece::From(u64::MAX, u64::MAX)),
        ];
        for (range, piece) in cases {
            assert_eq!(Piece::asked(range), piece, "{range:?}");
        }
    }

    #[test]
    fn a_storage_that_gives_the_whole_is_cut() {
        let whole = || Response::new(Bytes::from_static(b"0123456789"));
        let played = |range: Option<&str>| {
            let played = Piece::asked(range).played(range.is_some(), whole());
            (played.status.as_u16(), played.content_range, played.bytes)
        };
        assert_eq!(played(None), (200, None, Bytes::from_static(b"0123456789")));
        let piece =
            |said: &str, bytes: &'static [u8]| (206, Some(said.to_owned()), Bytes::from_static(bytes));
        assert_eq!(played(Some("bytes=0-")), piece("bytes 0-9/10", b"0123456789"));
        assert_eq!(played(Some("bytes=2-4")), piece("bytes 2-4/10", b"234"));
        assert_eq!(played(Some("bytes=-3")), piece("bytes 7-9/10", b"789"));
        assert_eq!(played(Some("bytes=10-")), (416, Some("bytes */10".into()), Bytes::new()));
    }
}
