//! What a certificate authority finds at our names, to see that they are ours (RFC 8555 8.3).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Where it looks.
const PATH: &str = "/.well-known/acme-challenge/";

/// The challenges under way.
#[derive(Clone, Debug, Default)]
pub struct Challenges(Arc<Mutex<HashMap<String, String>>>);

impl Challenges {
    /// The answer to a challenge of ours; other programs may have their own at the same place.
    pub fn answer(&self, path: &str) -> Option<String> {
        self.lock().get(path.strip_prefix(PATH)?).cloned()
    }

    /// Answers a challenge as long as the value lives.
    pub(super) fn offer(&self, token: &str, answer: &str) -> Offer {
        self.lock().insert(token.to_owned(), answer.to_owned());
        Offer { challenges: self.clone(), token: token.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().expect("no code panics while it holds this lock")
    }
}

/// A challenge that is answered.
#[derive(Debug)]
pub(super) struct Offer {
    challenges: Challenges,
    token: String,
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.challenges.lock().remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_at_its_place_while_it_is_under_way() {
        let challenges = Challenges::default();
        let offer = challenges.offer("token", "token.thumbprint");
        let at = |path: &str| challenges.answer(path);
        assert_eq!(at("/.well-known/acme-challenge/token").as_deref(), Some("token.thumbprint"));
        assert_eq!((at("/.well-known/acme-challenge/other"), at("/token"), at("token")), (None, None, None));
        drop(offer);
        assert_eq!(challenges.answer("/.well-known/acme-challenge/token"), None);
    }
}
