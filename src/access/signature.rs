//! The order of checks (cloudfront.md 1.7): key, signature and policy can be read, the signature is the key's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::keys::{Hash, PublicKey};
use super::policy::{MAX_POLICY, Policy, canned_text};
use super::presented::Presented;
use super::verified::{Claim, Form};
use super::{Access, Rules, encoding};
use crate::passage::Reason;

/// Octets of the longest signature: RSA of 2048 bits.
const MAX_SIGNATURE: usize = 256;

/// Who presents what, to whom, when.
pub(super) struct Ask<'a> {
    pub(super) presented: Presented<'a>,
    pub(super) key_groups: &'a [String],
    pub(super) client: IpAddr,
    pub(super) now: SystemTime,
}

impl Access {
    /// The policy that was signed, with its form. Resource, time and address are the caller's to judge. A canned policy
    /// may be for any of `canned_urls`.
    pub(super) fn check_signature(
        &self,
        rules: &Rules,
        ask: &Ask<'_>,
        canned_urls: &[String],
    ) -> Result<(Form, Arc<Policy>), Reason> {
        let Presented { expires, policy, signature, key_pair_id, hash_algorithm } = ask.presented;
        let id = key_pair_id.ok_or(Reason::MissingKey)?;
        let key = rules.keys.find(ask.key_groups, id).ok_or(Reason::UnknownKey)?;
        let signature = signature.filter(|_| policy.or(expires).is_some()).ok_or(Reason::Incomplete)?;
        let signature = encoding::decode(signature, MAX_SIGNATURE).ok_or(Reason::MalformedSignature)?;
        let hash = Hash::parse(hash_algorithm);
        let check = |form, text: &[u8], policy: &dyn Fn() -> Option<Policy>| {
            let signed =
                Signed { key, hash: hash.ok_or(Reason::HashAlgorithm)?, form, text, signature: &signature };
            self.recognise(rules, ask, &signed, policy).map(|it| (form, it))
        };
        // Both a policy and an expiry: the policy says more, and it wins.
        if let Some(policy) = policy {
            let json = encoding::decode(policy, MAX_POLICY).ok_or(Reason::MalformedPolicy)?;
            return check(Form::Custom, &json, &|| Policy::parse(&json));
        }
        let (digits, seconds) = expires.and_then(parse_seconds).ok_or(Reason::MalformedPolicy)?;
        let mut result = Err(Reason::BadSignature);
        for text in canned_urls.iter().filter_map(|it| canned_text(it, digits)) {
            result = check(Form::Canned, text.as_bytes(), &|| Some(Policy::canned(seconds)));
            if result != Err(Reason::BadSignature) {
                break;
            }
        }
        result
    }

    /// Verifies, unless the very same was verified before.
    fn recognise(
        &self,
        rules: &Rules,
        ask: &Ask<'_>,
        signed: &Signed<'_>,
        policy: &dyn Fn() -> Option<Policy>,
    ) -> Result<Arc<Policy>, Reason> {
        let claim = Claim::new(signed.key, signed.hash, signed.form, signed.text, signed.signature);
        if let Some(policy) = self.verified.find(&claim) {
            self.counters.recognised();
            return Ok(policy);
        }
        let policy = Arc::new(policy().ok_or(Reason::MalformedPolicy)?);
        let limited = rules.limits(ask.client);
        if limited && self.failures.is_exhausted(ask.client, ask.now) {
            return Err(Reason::Limited);
        }
        self.counters.verified();
        if !signed.key.verify(signed.hash, signed.text, signed.signature) {
            if limited {
                self.failures.count(ask.client, ask.now);
            }
            return Err(Reason::BadSignature);
        }
        self.verified.keep(claim, signed.key, &policy);
        Ok(policy)
    }
}

/// What a signature is said to be of.
struct Signed<'a> {
    key: &'a Arc<PublicKey>,
    hash: Hash,
    form: Form,
    text: &'a [u8],
    signature: &'a [u8],
}

/// The digits as sent, which are what was signed, and their value.
fn parse_seconds(text: &str) -> Option<(&str, i64)> {
    let is_decimal = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    Some((text, text.parse().ok().filter(|_| is_decimal)?))
}
