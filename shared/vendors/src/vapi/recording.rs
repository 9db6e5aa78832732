//! A call's recording. Since 2026 Vapi keeps it private: our key gets a link that lives for minutes, and the link gets the bytes.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};

use super::{Vapi, VapiError, is_transient_status, refusal};
use crate::http::HttpError;
use domain::ids::VapiCallId;

/// Where Vapi's API has a recording: of both sides in one channel, else in two.
const FORMS: [&str; 2] = ["mono-recording", "stereo-recording"];

impl Vapi {
    /// Returns a piece of a call's recording, as the storage answers it: 206 with the piece, 200 with the whole where the storage
    /// does not do pieces, or 416 where there is no such piece. `range` is the value of the `Range` header.
    ///
    /// # Errors
    /// [`VapiError::NotFound`] when Vapi has no recording of the call; else see [`VapiError`].
    pub async fn recording(&self, id: &VapiCallId, range: &str) -> Result<Response<Bytes>, VapiError> {
        for form in FORMS {
            let path = format!("/call/{id}/{form}");
            let request = self.request(Method::GET, &path).header(header::RANGE, range).body(Bytes::new());
            let answer = self.exchange(request).await?;
            match answer.status() {
                StatusCode::NOT_FOUND => {}
                StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::TEMPORARY_REDIRECT => {
                    return self.stored(&answer, range).await;
                }
                _ => return of_storage(answer),
            }
        }
        Err(VapiError::NotFound)
    }

    /// Follows a link, without our key: it is of another host, and bears its own signature.
    async fn stored(&self, redirect: &Response<Bytes>, range: &str) -> Result<Response<Bytes>, VapiError> {
        let link = redirect.headers().get(header::LOCATION).and_then(|link| link.to_str().ok());
        let link = link.and_then(|link| url::Url::parse(link).ok()).filter(|link| self.is_as_safe(link));
        let link = link.ok_or(VapiError::ForeignControlUrl)?;
        let request = Request::get(link.as_str()).header(header::RANGE, range).body(Bytes::new());
        of_storage(self.exchange(request).await?)
    }

    /// Whether a link is over TLS, as the API is; the sandbox's are not.
    fn is_as_safe(&self, link: &url::Url) -> bool {
        link.scheme() == "https" || self.base_url.starts_with("http://")
    }

    async fn exchange(&self, request: http::Result<Request<Bytes>>) -> Result<Response<Bytes>, VapiError> {
        let request =
            request.map_err(|error| VapiError::Unreachable(HttpError::Connection(Box::new(error))))?;
        self.http.send(request).await.map_err(VapiError::Unreachable)
    }
}

fn of_storage(answer: Response<Bytes>) -> Result<Response<Bytes>, VapiError> {
    match answer.status() {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(answer),
        StatusCode::NOT_FOUND => Err(VapiError::NotFound),
        status if is_transient_status(status) => Err(VapiError::Trouble { status }),
        status => Err(VapiError::Refused { status, message: refusal(answer.body()) }),
    }
}
