//! S3: objects that no table holds. Two requests of its REST API, signed here by the SDK's own signer: its client would bring
//! more code than both (decision 14).

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};

use crate::{
    Platform,
    signed::{Signed, SignedError},
};

/// The checksum of what is put: S3 demands one wherever objects are locked.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    signed: Signed,
    base_url: String,
}

/// Why an object was not got or put. A put may have been done all the same.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// No answer came, or the request could not be made or signed: no credentials, or a key that is no path.
    #[error("the bucket did not answer")]
    Unanswered(#[from] SignedError),
    /// S3 refused.
    #[error("the bucket answered {0}")]
    Refused(StatusCode),
}

impl Bucket {
    /// Returns the bucket at `base_url`, such as `https://<bucket>.s3.<region>.amazonaws.com`, by the platform's credentials.
    pub fn of(platform: &Platform, base_url: impl Into<String>) -> Self {
        Self { signed: Signed::of(platform, "s3"), base_url: base_url.into() }
    }

    /// Returns the newest version of an object. None when there is none, or when S3 keeps to itself whether there is one: to
    /// whoever may not list the bucket it answers 403 for an object that is not there. [`Bucket::put_new`] tells them apart.
    ///
    /// `key` is letters, digits and `-`.
    ///
    /// # Errors
    /// When S3 does not answer, or answers with anything but the object.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, BucketError> {
        let answer = self.send(Method::GET, key, Bytes::new(), false).await?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer.into_body())),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(None),
            status => Err(BucketError::Refused(status)),
        }
    }

    /// Puts a version of an object, over any that is there.
    ///
    /// # Errors
    /// When S3 does not answer, or refuses.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<(), BucketError> {
        match self.send(Method::PUT, key, body, false).await?.status() {
            StatusCode::OK => Ok(()),
            status => Err(BucketError::Refused(status)),
        }
    }

    /// Puts an object where there is none; returns whether it did.
    ///
    /// # Errors
    /// When S3 does not answer, or refuses for another reason.
    pub async fn put_new(&self, key: &str, body: Bytes) -> Result<bool, BucketError> {
        match self.send(Method::PUT, key, body, true).await?.status() {
            StatusCode::OK => Ok(true),
            StatusCode::PRECONDITION_FAILED => Ok(false),
            status => Err(BucketError::Refused(status)),
        }
    }

    async fn send(
        &self,
        method: Method,
        key: &str,
        body: Bytes,
        is_new: bool,
    ) -> Result<Response<Bytes>, BucketError> {
        let mut request =
            Request::builder().method(&method).uri(format!("{}/{key}", self.base_url.trim_end_matches('/')));
        if method == Method::PUT {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .header(CHECKSUM, STANDARD.encode(digest(&SHA256, &body)));
        }
        if is_new {
            request = request.header(header::IF_NONE_MATCH, "*");
        }
        let request = request.body(body).map_err(|error| SignedError::Unsigned(Box::new(error)))?;
        Ok(self.signed.send(request).await?)
    }
}
