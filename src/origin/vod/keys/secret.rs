//! Keys that follow from a secret and a title's path: the same on every server, and nothing to keep.

use aws_lc_rs::hmac;
use config::units;
use packager::protect::{ContentKey, KeyId};

use super::{Found, Wanted};

pub(super) struct Secret(hmac::Key);

impl Secret {
    pub(super) fn new(secret: &units::Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()))
    }

    pub(super) fn keys(&self, wanted: Wanted<'_>) -> Found {
        let pair = |period| {
            let pictures = self.key(wanted.title, "video", period);
            let sound =
                if wanted.separate { self.key(wanted.title, "audio", period) } else { pictures.clone() };
            [pictures, sound]
        };
        Found { periods: (0..wanted.periods).map(pair).collect(), ..Found::default() }
    }

    fn key(&self, title: &str, track: &str, period: usize) -> ContentKey {
        let derive = |what: &str| -> [u8; 16] {
            let mut context = hmac::Context::with_key(&self.0);
            // No part can hold what stands between them.
            for part in ["levada content ", what, "\0", track, "\0", &period.to_string(), "\0", title] {
                context.update(part.as_bytes());
            }
            *context.sign().as_ref().first_chunk().expect("HMAC-SHA-256 gives 32 octets")
        };
        let mut id = derive("kid");
        // A UUID of version 8, whose other bits are whatever its maker says (RFC 9562 5.8).
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        ContentKey::new(KeyId(id), derive("key"), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str, title: &str, separate: bool) -> Vec<[ContentKey; 2]> {
        Secret::new(&units::Secret::new(secret)).keys(Wanted { title, periods: 2, separate }).periods
    }

    #[test]
    fn keys_differ_by_secret_title_track_and_period_and_by_nothing_else() {
        let [first, second] = keys("0123456789abcdef", "a.mp4", false).try_into().unwrap();
        assert_eq!(first[0], first[1]);
        assert_ne!(first[0].id, second[0].id);
        assert_ne!(first[0].reveal(), second[0].reveal());
        assert_eq!(keys("0123456789abcdef", "a.mp4", false)[0], first);
        let separate = keys("0123456789abcdef", "a.mp4", true);
        assert_eq!(separate[0][0], first[0]);
        assert_ne!(separate[0][1].id, first[0].id);
        assert_ne!(keys("0123456789abcdef", "b.mp4", false)[0], first);
        assert_ne!(keys("another secret text", "a.mp4", false)[0], first);
        assert_ne!(first[0].id.0, *first[0].reveal());
    }
}
