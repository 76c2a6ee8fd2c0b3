//! Buckets as origins: what speaks Amazon's S3, Google's and Azure's stores (cloudfront.md 2.5, 8.7).

use std::path::PathBuf;

use super::web::{self, HttpOrigin, OriginProtocolPolicy};
use crate::section::Section;
use crate::setting::Default::{Absent, Value};
use crate::setting::{Kind, Setting, Stands};

/// A bucket: a web server that wants its requests signed.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketOrigin {
    /// The server, and the bucket's place there.
    pub server: HttpOrigin,
    /// How requests are signed.
    pub signing: Signing,
    /// Where the secrets come from; none: requests are not signed, for buckets that anyone may read.
    pub credentials: Option<Credentials>,
}

/// How requests to a bucket are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// AWS Signature Version 4 for S3, which Google's store takes too.
    S3 {
        /// The region in the signature.
        region: String,
    },
    /// Azure's Shared Key, or a shared access signature.
    Azure {
        /// The storage account.
        account: String,
    },
}

/// Where the secrets come from that sign requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The variables that the tools of each cloud read.
    Environment,
    /// A file as the AWS tools have it.
    File {
        /// The file.
        file: PathBuf,
        /// The section in it.
        profile: String,
    },
}

/// The options, beside those of every web server.
pub(super) const KEYS: [&str; 5] = ["url", "endpoint", "region", "path_style", "credentials"];

pub(super) const URL: Setting = Setting::new(
    "url",
    Kind::Text,
    Absent("needed for `bucket`, meaningless for others"),
    "`s3://bucket/prefix`, `gs://bucket/prefix` for Google's store, or `az://account/container/prefix` for Azure's.",
)
.example("s3://films/2026");

pub(super) const ENDPOINT: Setting = Setting::new(
    "endpoint",
    Kind::Text,
    Absent("the cloud's own"),
    "Set it for an S3-compatible server, or a stand-in for a cloud: its URL without a path.",
)
.example("http://127.0.0.1:9000");

pub(super) const REGION: Setting = Setting::new(
    "region",
    Kind::Name,
    Value("us-east-1", "the region of those who have none"),
    "Set it to the region that the bucket is in; Google's and Azure's stores do not ask.",
)
.example("eu-central-1");

pub(super) const PATH_STYLE: Setting = Setting::new(
    "path_style",
    Kind::Flag,
    Absent("true with an endpoint and for buckets with a dot in their name, else false"),
    "Set it to whether the bucket stands in the path, rather than in the host name.",
)
.example("true");

pub(super) const CREDENTIALS: Setting = Setting::new(
    "credentials",
    Kind::WordOrTable(&["environment", "none"], FROM_FILE),
    Value("environment", "where the tools of each cloud look"),
    "`environment` is AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (for `gs` an HMAC key), or \
     AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; set it to `none` for a bucket that anyone may read, or to a table that \
     names a file.",
)
.example("none");

const FROM_FILE: &[Setting] = &[
    Setting::new(
        "file",
        Kind::Path(Stands::File),
        Absent("needed in the table"),
        "A file of sections such as `[default]`, with lines such as `aws_access_key_id = …`, as the AWS tools have it; for \
         Azure `azure_storage_key` or `azure_storage_sas_token`. It is read again when it changes.",
    )
    .example("bucket-keys.ini"),
    Setting::new(
        "profile",
        Kind::Text,
        Value("default", "the section that the AWS tools read"),
        "Set it to the section of the file that is meant.",
    )
    .example("films"),
];

impl BucketOrigin {
    pub(super) fn read(section: &Section<'_>) -> Self {
        section.require("url");
        let url = section.text("url");
        let place = Place::parse(&url).unwrap_or_else(|| {
            if section.has("url") {
                section.report(
                    "url",
                    format!("{url:?} is no bucket"),
                    "write \"s3://bucket\", \"gs://bucket\" or \"az://account/container\", and a prefix where there is one",
                );
            }
            Place { cloud: Cloud::S3, account: String::new(), bucket: String::new(), prefix: String::new() }
        });
        let region = section.text("region");
        let endpoint = section.optional_text("endpoint").map(|text| {
            Endpoint::parse(&text).unwrap_or_else(|| {
                section.report(
                    "endpoint",
                    format!("{text:?} is no endpoint"),
                    "write \"http://host:port\" or \"https://host\", without a path",
                );
                place.cloud_endpoint(&region)
            })
        });
        let usual = endpoint.is_some() || place.bucket.contains('.') || place.cloud != Cloud::S3;
        let path_style = section.optional_flag("path_style").unwrap_or(usual);
        let endpoint = endpoint.unwrap_or_else(|| place.cloud_endpoint(&region));
        Self {
            server: place.server(endpoint, path_style, HttpOrigin::read_rest(section)),
            signing: match place.cloud {
                Cloud::S3 => Signing::S3 { region },
                // The name of all of Google's regions in a signature.
                Cloud::Google => Signing::S3 { region: "auto".into() },
                Cloud::Azure => Signing::Azure { account: place.account },
            },
            credentials: Credentials::read(section),
        }
    }
}

impl Credentials {
    fn read(origin: &Section<'_>) -> Option<Self> {
        if !origin.is_table("credentials") {
            return (origin.word("credentials") != Some("none")).then_some(Self::Environment);
        }
        let section = origin.table("credentials");
        section.require("file");
        Some(Self::File { file: section.path("file"), profile: section.text("profile") })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    S3,
    Google,
    Azure,
}

/// What a bucket's URL says.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    cloud: Cloud,
    /// Azure's storage account; the others have none.
    account: String,
    bucket: String,
    /// With a slash in front and none behind, or empty; spelled as a path.
    prefix: String,
}

impl Place {
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let cloud = match scheme {
            "s3" => Cloud::S3,
            "gs" => Cloud::Google,
            "az" => Cloud::Azure,
            _ => return None,
        };
        let (account, rest) = if cloud == Cloud::Azure { rest.split_once('/')? } else { ("", rest) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |it: &str| {
            (3..=222).contains(&it.len())
                && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._$".contains(&it))
                && it.bytes().next().is_some_and(|it| it != b'.' && it != b'-')
                && !it.contains("..")
        };
        if !is_name(bucket) || (cloud == Cloud::Azure && !is_name(account)) || prefix.contains(['?', '#']) {
            return None;
        }
        let prefix = prefix.trim_matches('/');
        let has_dots = prefix.split('/').any(|it| matches!(it, "." | ".."));
        let spelled = if prefix.is_empty() { String::new() } else { format!("/{}", spelled(prefix)) };
        (!has_dots).then(|| Self {
            cloud,
            account: account.to_owned(),
            bucket: bucket.to_owned(),
            prefix: spelled,
        })
    }

    /// Where the cloud itself is.
    fn cloud_endpoint(&self, region: &str) -> Endpoint {
        let host = match self.cloud {
            Cloud::S3 => format!("s3.{region}.amazonaws.com"),
            Cloud::Google => "storage.googleapis.com".to_owned(),
            Cloud::Azure => format!("{}.blob.core.windows.net", self.account),
        };
        Endpoint { host, port: 443, secure: true }
    }

    /// The bucket as a web server; `rest` has what does not depend on where it is.
    fn server(&self, endpoint: Endpoint, path_style: bool, rest: HttpOrigin) -> HttpOrigin {
        let Endpoint { host, port, secure } = endpoint;
        let (domain_name, path) = if path_style {
            (host, format!("/{}{}", self.bucket, self.prefix))
        } else {
            (format!("{}.{host}", self.bucket), self.prefix.clone())
        };
        HttpOrigin {
            domain_name: domain_name.to_ascii_lowercase(),
            path,
            protocol_policy: if secure {
                OriginProtocolPolicy::HttpsOnly
            } else {
                OriginProtocolPolicy::HttpOnly
            },
            http_port: port,
            https_port: port,
            ..rest
        }
    }
}

/// A scheme, a host and a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let secure = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an IPv6 address are no port's.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|it| *it != 0)?),
            _ => (rest, if secure { 443 } else { 80 }),
        };
        let host = host.to_ascii_lowercase();
        web::is_host(&host).then_some(Self { host, port, secure })
    }
}

/// A prefix as it stands in a path: all but unreserved characters and slashes as triplets (RFC 3986 2.3).
fn spelled(prefix: &str) -> String {
    let mut text = String::with_capacity(prefix.len());
    for byte in prefix.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_a_bucket_is() {
        let check = |url: &str, expected: Option<(&str, &str, &str)>| {
            let place = Place::parse(url);
            let found =
                place.as_ref().map(|it| (it.account.as_str(), it.bucket.as_str(), it.prefix.as_str()));
            assert_eq!(found, expected, "{url}");
        };
        check("s3://films", Some(("", "films", "")));
        check("s3://films/", Some(("", "films", "")));
        check("s3://films/a b/ä/", Some(("", "films", "/a%20b/%C3%A4")));
        check("s3://films/a+b@c=d!e'f", Some(("", "films", "/a%2Bb%40c%3Dd%21e%27f")));
        check("gs://films/a", Some(("", "films", "/a")));
        check("az://acme/films/a", Some(("acme", "films", "/a")));
        for url in
            ["films", "http://films", "s3://", "s3://a", "s3://-ab", "s3://a..b", "s3://a b c", "az://films"]
        {
            check(url, None);
        }
        check("s3://films/../other", None);
        check("s3://films/a?b", None);
    }

    #[test]
    fn an_endpoint_is_a_scheme_a_host_and_a_port() {
        let check = |url: &str, expected: Option<(&str, u16, bool)>| {
            let endpoint = Endpoint::parse(url);
            assert_eq!(endpoint.as_ref().map(|it| (it.host.as_str(), it.port, it.secure)), expected, "{url}");
        };
        check("http://127.0.0.1:9000", Some(("127.0.0.1", 9000, false)));
        check("https://Minio.example/", Some(("minio.example", 443, true)));
        check("http://[::1]:8333", Some(("[::1]", 8333, false)));
        check("http://[::1]", Some(("[::1]", 80, false)));
        for url in
            ["127.0.0.1:9000", "ftp://a", "http://a/b", "http://a:0", "http://a:x", "http://a@b", "http://"]
        {
            check(url, None);
        }
    }
}
