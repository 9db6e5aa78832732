//! The seam to every vendor: reqwest when deployed, a sandbox in the same process otherwise.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};

/// The largest answer that is read, in bytes, by its own `content-length`.
const LARGEST_ANSWER: u64 = 10 * 1024 * 1024;

/// A function in the same process that answers a vendor's requests.
pub type Sandbox =
    dyn Fn(Request<Bytes>) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> + Send + Sync;

/// How long whoever sends a request waits for its answer, where that is less than usual. It goes with the request, so that a
/// sandbox knows when it is given up.
#[derive(Clone, Copy, Debug)]
pub struct Patience(pub Duration);

/// How requests to the vendors leave.
#[derive(Clone)]
pub enum Http {
    /// Requests go over the network, each whole exchange within this time.
    Network(reqwest::Client, Duration),
    /// Requests go to a sandbox in the same process.
    Sandbox(Arc<Sandbox>),
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network(..) => "Network",
            Self::Sandbox(_) => "Sandbox",
        })
    }
}

/// Why there is no answer. The request may have been carried out all the same.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The connection failed, or the request could not be made.
    #[error("the connection failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is larger than anything we ask for.
    #[error("the answer is too large")]
    TooLarge,
}

impl Http {
    /// Returns a client for the network: TLS by rustls, never following a redirect, `timeout` for each whole
    /// exchange.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn network(timeout: Duration) -> Result<Self, HttpError> {
        reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map(|client| Self::Network(client, timeout))
            .map_err(|error| HttpError::Connection(Box::new(error)))
    }

    /// Returns the same, which waits no longer than `patience` for each whole exchange.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        match self {
            Self::Network(client, timeout) => Self::Network(client, timeout.min(patience)),
            Self::Sandbox(sandbox) => Self::Sandbox(Arc::new(move |mut request| {
                request.extensions_mut().insert(Patience(patience));
                sandbox(request)
            })),
        }
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When no answer comes. The vendor may have acted.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        match self {
            Self::Sandbox(sandbox) => sandbox(request).await,
            Self::Network(client, timeout) => {
                let (parts, body) = request.into_parts();
                let patience = parts.extensions.get().map_or(*timeout, |Patience(patience)| *patience);
                let request = client
                    .request(parts.method, parts.uri.to_string())
                    .timeout(patience.min(*timeout))
                    .headers(parts.headers)
                    .body(body);
                let mut answer = request.send().await.map_err(broken)?;
                if answer.content_length().is_some_and(|length| length > LARGEST_ANSWER) {
                    return Err(HttpError::TooLarge);
                }
                let mut builder = Response::builder().status(answer.status());
                if let Some(headers) = builder.headers_mut() {
                    headers.extend(answer.headers().clone());
                }
                // Whatever length it states: no more than that is read.
                let mut body = BytesMut::new();
                while let Some(chunk) = answer.chunk().await.map_err(broken)? {
                    body.extend_from_slice(&chunk);
                    if u64::try_from(body.len()).is_ok_and(|length| length > LARGEST_ANSWER) {
                        return Err(HttpError::TooLarge);
                    }
                }
                builder.body(body.freeze()).map_err(|error| HttpError::Connection(Box::new(error)))
            }
        }
    }
}

fn broken(error: reqwest::Error) -> HttpError {
    // The URL may hold a call's control address, so it is not logged.
    let error = error.without_url();
    if error.is_timeout() { HttpError::TimedOut } else { HttpError::Connection(Box::new(error)) }
}

/// Returns whether asking again can help: too many requests, a time-out, or the vendor's own trouble.
pub fn is_transient_status(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request with this head and a body of so many bytes, and goes away. Returns where.
    fn answering(head: &'static str, bytes: u64, is_chunked: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4_096]).unwrap();
            let chunk = vec![b'x'; 64 * 1024];
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n");
            // Whoever has read enough hangs up.
            for _ in 0..bytes / 65_536 {
                if is_chunked && write!(stream, "10000\r\n").is_err() {
                    return;
                }
                let written = stream.write_all(&chunk);
                if written.is_err() || is_chunked && write!(stream, "\r\n").is_err() {
                    return;
                }
            }
            if is_chunked {
                let _ = write!(stream, "0\r\n\r\n");
            }
        });
        address
    }

    async fn asked(address: &str) -> Result<usize, HttpError> {
        let http = Http::network(Duration::from_secs(20)).unwrap();
        let answer = http.send(Request::get(address).body(Bytes::new()).unwrap()).await?;
        Ok(answer.body().len())
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_ten_mebibytes_whatever_length_it_states() {
        let chunked = "transfer-encoding: chunked";
        let whole = usize::try_from(LARGEST_ANSWER).unwrap();
        assert_eq!(
            asked(&answering("content-length: 10485760", LARGEST_ANSWER, false)).await.unwrap(),
            whole
        );
        assert_eq!(asked(&answering(chunked, LARGEST_ANSWER, true)).await.unwrap(), whole);
        // Stated to be larger: nothing of it is read.
        let stated = asked(&answering("content-length: 10485761", 0, false)).await;
        assert!(matches!(stated, Err(HttpError::TooLarge)), "{stated:?}");
        // Larger without saying so.
        let endless = asked(&answering(chunked, 4 * LARGEST_ANSWER, true)).await;
        assert!(matches!(endless, Err(HttpError::TooLarge)), "{endless:?}");
        let unstated = asked(&answering("connection: close", 4 * LARGEST_ANSWER, false)).await;
        assert!(matches!(unstated, Err(HttpError::TooLarge)), "{unstated:?}");
    }
}
