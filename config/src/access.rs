//! Public keys and key groups.

use std::path::PathBuf;

use crate::names::{Names, unique};
use crate::section::Section;
use crate::setting::Default::Required;
use crate::setting::{Kind, Setting, Stands};

/// Who may sign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// Keys by id.
    pub public_keys: Vec<PublicKey>,
    /// Groups that behaviors trust.
    pub key_groups: Vec<KeyGroup>,
}

/// A public key file.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicKey {
    /// What `Key-Pair-Id` says.
    pub id: String,
    /// PEM, `BEGIN PUBLIC KEY`. Read again at reload.
    pub file: PathBuf,
}

/// Keys that are trusted together, so that they can be rotated.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyGroup {
    /// What a behavior names.
    pub name: String,
    /// Ids of public keys, all known.
    pub keys: Vec<String>,
}

pub(crate) const PUBLIC_KEY: &[Setting] = &[
    Setting::new("id", Kind::Name, Required, "What `Key-Pair-Id` says in the URLs and cookies that the key signs.")
        .example("K2JCJMDEHXQW5F"),
    Setting::new(
        "file",
        Kind::Path(Stands::File),
        Required,
        "A PEM `PUBLIC KEY`, RSA 2048 or ECDSA P-256; `levada keygen` makes a pair. It is read again at reload.",
    )
    .example("keys/viewer.pub.pem"),
];

pub(crate) const KEY_GROUP: &[Setting] = &[
    Setting::new("name", Kind::Name, Required, "What behaviors name in trusted_key_groups.")
        .example("viewers"),
    Setting::new(
        "keys",
        Kind::Texts,
        Required,
        "Ids of the public keys in it; two while you rotate from one to the other.",
    )
    .example("K2JCJMDEHXQW5F"),
];

impl Access {
    pub(crate) fn read(root: &Section<'_>) -> Self {
        let keys = root.tables("public_key");
        unique(&keys, "id");
        let public_keys: Vec<_> =
            keys.iter().map(|it| PublicKey { id: it.text("id"), file: it.path("file") }).collect();
        let ids = Names::new("public key", "[[public_key]]", public_keys.iter().map(|it| it.id.as_str()));

        let groups = root.tables("key_group");
        unique(&groups, "name");
        let key_groups = groups.iter().map(|it| KeyGroup::read(it, &ids)).collect();
        Self { public_keys, key_groups }
    }
}

impl KeyGroup {
    fn read(section: &Section<'_>, ids: &Names<'_>) -> Self {
        let keys = section.optional_texts("keys");
        if keys.as_ref().is_some_and(Vec::is_empty) {
            section.report(
                "keys",
                "the group has no key, so nobody could sign",
                "write the id of a public key",
            );
        }
        let keys = keys.unwrap_or_default();
        ids.check(section, "keys", &keys);
        Self { name: section.text("name"), keys }
    }
}
