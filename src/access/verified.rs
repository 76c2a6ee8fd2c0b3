//! Signatures that were found good, so that a presentation's thousand requests cost one verification.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};

use super::keys::{Hash, PublicKey};
use super::policy::Policy;
use crate::recent::Recent;

/// Memory for verified policies: 16 MiB hold at least twenty thousand of the usual size, many more than the viewers
/// with a policy of their own that one server has.
const MAX_BYTES: usize = 16 << 20;

/// What an entry weighs beside the text of its resource: digest, table slots, allocations.
const ENTRY: usize = 256;

/// How the policy came. A canned policy's URL is not kept with it, so its entry must never be found by a custom policy
/// of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Canned,
    Custom,
}

/// Names one verification: the same key, hash, form, policy and signature give the same result for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claim([u8; 32]);

impl Claim {
    pub(super) fn new(key: &PublicKey, hash: Hash, form: Form, policy: &[u8], signature: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(key.fingerprint());
        context.update(&[u8::from(hash == Hash::Sha256), u8::from(form == Form::Custom)]);
        // The length keeps apart what policy and signature share a border with.
        context.update(&(policy.len() as u64).to_be_bytes());
        context.update(policy);
        context.update(signature);
        Self(context.finish().as_ref().try_into().expect("SHA-256 has 32 octets"))
    }
}

/// Only successes are kept: a stranger cannot fill it.
#[derive(Debug)]
pub(super) struct Verified {
    entries: Mutex<Recent<Claim, Entry>>,
}

#[derive(Debug)]
struct Entry {
    key: Arc<PublicKey>,
    policy: Arc<Policy>,
}

impl Verified {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::new(Recent::new(MAX_BYTES)) }
    }

    pub(super) fn find(&self, claim: &Claim) -> Option<Arc<Policy>> {
        self.with(|entries| entries.get_mut(claim).map(|it| Arc::clone(&it.policy)))
    }

    pub(super) fn keep(&self, claim: Claim, key: &Arc<PublicKey>, policy: &Arc<Policy>) {
        let weight = ENTRY + policy.resource.as_ref().map_or(0, |it| it.len());
        let entry = Entry { key: Arc::clone(key), policy: Arc::clone(policy) };
        self.with(|entries| entries.insert(claim, entry, weight));
    }

    /// Forgets what was signed by keys that are no longer trusted. A verification that ends just now may still be kept;
    /// nobody will find it, since a claim is made with a key that is trusted.
    pub(super) fn retain(&self, trusted: impl Fn(&PublicKey) -> bool) {
        self.with(|entries| entries.retain(|it| trusted(&it.key)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Recent<Claim, Entry>) -> T) -> T {
        act(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
