//! Stands in for a bucket of S3 with object lock and versions, to whoever may get and put objects and nothing else.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::Value;

use crate::kept::Kept;

/// The host of the bucket that heads of ledgers are anchored in.
pub const HOST: &str = "anchors.s3.sandbox";

/// The bucket.
#[derive(Debug)]
pub struct BucketSandbox {
    /// Every version of every object, oldest first: JSON.
    objects: Kept<BTreeMap<String, Vec<Value>>>,
    is_down: AtomicBool,
}

impl BucketSandbox {
    /// Returns the bucket that is kept in this file, or one in memory.
    pub fn new(kept_in: Option<PathBuf>) -> Self {
        Self { objects: Kept::open(kept_in), is_down: AtomicBool::new(false) }
    }

    /// Has S3 answer 503 from now on, or no longer.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    /// Returns every version of an object, oldest first.
    pub fn versions(&self, key: &str) -> Vec<Value> {
        self.objects.lock().get(key).cloned().unwrap_or_default()
    }

    /// Loses an object, as whoever owns the account could.
    pub fn lose(&self, key: &str) {
        self.objects.lock().remove(key);
    }

    /// Puts a version behind everyone's back.
    pub fn overwrite(&self, key: &str, version: Value) {
        self.objects.lock().entry(key.to_owned()).or_default().push(version);
    }

    /// Answers a request as S3 would.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        match self.outcome(request) {
            Ok(body) => Response::new(body),
            Err((status, code)) => {
                let body =
                    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>");
                let mut answer = Response::new(Bytes::from(body));
                *answer.status_mut() = status;
                answer
            }
        }
    }

    fn outcome(&self, request: &Request<Bytes>) -> Result<Bytes, (StatusCode, &'static str)> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "SlowDown"));
        }
        signed(request)?;
        let key = request.uri().path().trim_start_matches('/').to_owned();
        let mut objects = self.objects.lock();
        match *request.method() {
            // Whoever may not list the bucket is not told that there is no such object.
            Method::GET => match objects.get(&key).and_then(|versions| versions.last()) {
                Some(newest) => Ok(Bytes::from(newest.to_string())),
                None => Err((StatusCode::FORBIDDEN, "AccessDenied")),
            },
            Method::PUT => {
                checked(request)?;
                let condition = request.headers().get(header::IF_NONE_MATCH);
                if condition.is_some_and(|tag| tag != "*") {
                    return Err((StatusCode::NOT_IMPLEMENTED, "NotImplemented"));
                }
                if condition.is_some() && objects.contains_key(&key) {
                    return Err((StatusCode::PRECONDITION_FAILED, "PreconditionFailed"));
                }
                // S3 takes anything; what is put here is JSON, and kept as such.
                let version = serde_json::from_slice(request.body())
                    .map_err(|_| (StatusCode::BAD_REQUEST, "InvalidRequest"))?;
                objects.entry(key).or_default().push(version);
                Ok(Bytes::new())
            }
            _ => Err((StatusCode::FORBIDDEN, "AccessDenied")),
        }
    }
}

/// Refuses a request that is not signed for S3, or whose body is not the one that was signed.
fn signed(request: &Request<Bytes>) -> Result<(), (StatusCode, &'static str)> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_signed = header("authorization").is_some_and(|signature| {
        signature.starts_with("AWS4-HMAC-SHA256 Credential=") && signature.contains("/s3/aws4_request")
    });
    if !is_signed || header("x-amz-date").is_none() {
        return Err((StatusCode::FORBIDDEN, "AccessDenied"));
    }
    match header("x-amz-content-sha256") {
        None => Err((StatusCode::BAD_REQUEST, "MissingSecurityHeader")),
        Some(hash) if hash == hex::encode(digest(&SHA256, request.body())) => Ok(()),
        Some(_) => Err((StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch")),
    }
}

/// Refuses what is put without a checksum, as a bucket with object lock does, or with another's.
fn checked(request: &Request<Bytes>) -> Result<(), (StatusCode, &'static str)> {
    match request.headers().get("x-amz-checksum-sha256") {
        None => Err((StatusCode::BAD_REQUEST, "InvalidRequest")),
        Some(sum) if *sum == STANDARD.encode(digest(&SHA256, request.body())) => Ok(()),
        Some(_) => Err((StatusCode::BAD_REQUEST, "BadDigest")),
    }
}
