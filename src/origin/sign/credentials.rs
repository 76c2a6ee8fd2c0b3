//! Where the secrets of buckets are found: what the tools of each cloud read.

use std::collections::HashMap;

use config::units::Secret;

/// An access key of S3 or of what speaks like it.
pub(super) struct Keys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    /// Of a key that was lent.
    pub(super) session_token: Option<Secret>,
}

/// What Azure lets in.
pub(super) enum AzureKey {
    /// The account's key, in base64.
    Account(Secret),
    /// A shared access signature: the query that is added.
    SharedAccess(Secret),
}

/// Names in lower case and their values.
pub(super) struct Lines(HashMap<String, String>);

/// The environment that `variable` reads.
pub(super) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Lines {
    let names = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_STORAGE_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
    ];
    let set = |name: &str| variable(name).map(|value| (name.to_ascii_lowercase(), value));
    Lines(names.into_iter().filter_map(set).collect())
}

/// A section of a file of `[sections]` with lines of `name = value`.
pub(super) fn of_file(text: &str, profile: &str) -> Lines {
    let mut section = "";
    let mut lines = HashMap::new();
    for line in text.lines().map(str::trim).filter(|it| !it.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = name.trim();
        } else if let (true, Some((name, value))) = (section == profile, line.split_once('=')) {
            lines.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Lines(lines)
}

impl Lines {
    fn secret(&self, name: &str) -> Option<Secret> {
        self.0.get(name).filter(|it| !it.is_empty()).map(Secret::new)
    }

    /// # Errors
    /// What is missing.
    pub(super) fn s3(&self) -> Result<Keys, &'static str> {
        Ok(Keys {
            access_key_id: self.0.get("aws_access_key_id").cloned().ok_or("AWS_ACCESS_KEY_ID")?,
            secret_access_key: self.secret("aws_secret_access_key").ok_or("AWS_SECRET_ACCESS_KEY")?,
            session_token: self.secret("aws_session_token"),
        })
    }

    /// # Errors
    /// What is missing.
    pub(super) fn azure(&self) -> Result<AzureKey, &'static str> {
        let account = self.secret("azure_storage_key").map(AzureKey::Account);
        account
            .or_else(|| self.secret("azure_storage_sas_token").map(AzureKey::SharedAccess))
            .ok_or("AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_the_aws_tools_read_it() {
        let text = "# keys\n[default]\naws_access_key_id=A\n aws_secret_access_key = s=1 \n\n[ films ]\r\n\
                    AWS_ACCESS_KEY_ID = B\r\naws_secret_access_key = t\r\naws_session_token = u\r\n";
        let read = |profile: &str| {
            let keys = of_file(text, profile).s3()?;
            let token = keys.session_token.map(|it| it.reveal().to_owned());
            Ok((keys.access_key_id, keys.secret_access_key.reveal().to_owned(), token))
        };
        assert_eq!(read("default"), Ok(("A".to_owned(), "s=1".to_owned(), None)));
        assert_eq!(read("films"), Ok(("B".to_owned(), "t".to_owned(), Some("u".to_owned()))));
        assert_eq!(read("other"), Err("AWS_ACCESS_KEY_ID"));
    }

    #[test]
    fn the_environment_has_what_each_cloud_calls_its_own() {
        let of = |set: &[(&str, &str)]| {
            let set: HashMap<_, _> = set.iter().map(|&(name, value)| (name, value.to_owned())).collect();
            of_environment(|name| set.get(name).cloned())
        };
        assert!(of(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")]).s3().is_ok());
        assert_eq!(of(&[("AWS_ACCESS_KEY_ID", "A")]).s3().err(), Some("AWS_SECRET_ACCESS_KEY"));
        assert!(matches!(of(&[("AZURE_STORAGE_KEY", "a")]).azure(), Ok(AzureKey::Account(_))));
        assert!(matches!(of(&[("AZURE_STORAGE_SAS_TOKEN", "a")]).azure(), Ok(AzureKey::SharedAccess(_))));
    }
}
