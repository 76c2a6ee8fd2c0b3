//! A request whose viewer may not have what it asks for.

use std::sync::Arc;

use http::StatusCode;

use super::Routed;
use crate::{access, protect};

/// Why a viewer is refused.
///
/// Viewers learn the code and the message of [`Reason::error`], which are CloudFront's; logs and metrics learn
/// [`Reason::name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Only https is served here: the same URL is at `location`.
    Redirect {
        /// 301, or 307 for a method that must not become GET.
        status: StatusCode,
        /// The URL as asked, with https.
        location: String,
    },
    /// Only https is served here.
    HttpsOnly,
    /// A method this behavior does not answer.
    Method,
    /// The address is one of those that are refused, or none of those that are not.
    AddressDenied,
    /// Viewers in its country are refused.
    Country,
    /// The client asks more than it may.
    Rate {
        /// 403 or 429.
        status: StatusCode,
        /// Seconds until it may be worth asking again.
        retry_after: u32,
        /// The name of the rule.
        rule: Arc<str>,
    },
    /// A body larger than this behavior takes.
    TooLarge,
    /// Neither query nor cookies name a key.
    MissingKey,
    /// No key group of the behavior has the key.
    UnknownKey,
    /// The signature is no CF-base64, or longer than any key makes.
    MalformedSignature,
    /// The policy or the expiry cannot be read.
    MalformedPolicy,
    /// A key is named, but policy and expiry, or the signature, are missing.
    Incomplete,
    /// A signing parameter came twice: which one counts would be anyone's guess.
    Repeated,
    /// `Hash-Algorithm` is neither `SHA1` nor `SHA256`.
    HashAlgorithm,
    /// Too many wrong signatures came from this address; this one was not looked at.
    Limited,
    /// The signature is not of this key over this policy.
    BadSignature,
    /// The policy is for other URLs.
    Resource,
    /// The policy does not hold yet.
    TooEarly,
    /// The policy holds no longer.
    Expired,
    /// The policy is for other addresses.
    Address,
}

impl Reason {
    /// CloudFront's code and message (cloudfront.md 1.7) for what has an XML body; None for the rest, whose body is
    /// a page.
    pub const fn error(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Redirect { .. }
            | Self::HttpsOnly
            | Self::Method
            | Self::TooLarge
            | Self::AddressDenied
            | Self::Country
            | Self::Rate { .. } => None,
            Self::MissingKey => Some(("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")),
            Self::UnknownKey => Some(("InvalidKey", "Unknown Key")),
            Self::MalformedSignature => Some(("MalformedSignature", "Could not unencode Signature")),
            Self::MalformedPolicy => Some(("MalformedPolicy", "Malformed Policy")),
            Self::Incomplete
            | Self::Repeated
            | Self::HashAlgorithm
            | Self::Limited
            | Self::BadSignature
            | Self::Resource
            | Self::TooEarly
            | Self::Expired
            | Self::Address => Some(("AccessDenied", "Access denied")),
        }
    }

    /// One word for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Redirect { .. } => "redirect-to-https",
            Self::HttpsOnly => "https-only",
            Self::Method => "method",
            Self::TooLarge => "too-large",
            Self::AddressDenied => "address-denied",
            Self::Country => "country",
            Self::Rate { .. } => "rate",
            Self::MissingKey => "missing-key",
            Self::UnknownKey => "unknown-key",
            Self::MalformedSignature => "malformed-signature",
            Self::MalformedPolicy => "malformed-policy",
            Self::Incomplete => "incomplete",
            Self::Repeated => "repeated",
            Self::HashAlgorithm => "hash-algorithm",
            Self::Limited => "limited",
            Self::BadSignature => "bad-signature",
            Self::Resource => "resource",
            Self::TooEarly => "too-early",
            Self::Expired => "expired",
            Self::Address => "address",
        }
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Redirect { status, .. } | Self::Rate { status, .. } => *status,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

/// A refused request; it keeps what it was routed to, for CORS and error pages.
#[derive(Debug)]
pub struct Refusal {
    routed: Box<Routed>,
    reason: Reason,
}

impl Refusal {
    /// Made by `access` alone.
    pub fn new(_: access::Witness, routed: Routed, reason: Reason) -> Self {
        Self { routed: Box::new(routed), reason }
    }

    /// Made by `protect`, before anybody looked for a signature.
    pub fn before_access(_: protect::Witness, routed: Routed, reason: Reason) -> Self {
        Self { routed: Box::new(routed), reason }
    }

    /// What was asked, and under which rules.
    pub const fn routed(&self) -> &Routed {
        &self.routed
    }

    /// Why not.
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}
