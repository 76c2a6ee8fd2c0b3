//! AWS Signature Version 4 in the `Authorization` field, as S3 wants it.
//!
//! The path is signed as it is sent: all but unreserved characters are triplets there, each once.

use std::fmt::Write as _;
use std::time::SystemTime;

use aws_lc_rs::{digest, hmac};
use http::Request;
use jiff::Timestamp;

use super::credentials::Keys;
use super::{fields, put, put_secret};

/// SHA-256 of nothing: our requests have no bodies.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A key and where it is good for.
pub(in crate::origin) struct SigV4 {
    keys: Keys,
    region: String,
    service: &'static str,
}

impl SigV4 {
    pub(super) fn new(keys: Keys, region: &str) -> Self {
        Self { keys, region: region.to_owned(), service: "s3" }
    }

    pub(super) fn sign<B>(&self, request: &mut Request<B>, now: SystemTime) -> Result<(), http::Error> {
        let time = amazon_date(now);
        put(request, "x-amz-content-sha256", EMPTY)?;
        put(request, "x-amz-date", &time)?;
        if let Some(token) = &self.keys.session_token {
            put_secret(request, "x-amz-security-token", token.reveal())?;
        }
        let authorization = self.authorization(request, &time, EMPTY);
        put_secret(request, "authorization", &authorization)
    }

    fn authorization<B>(&self, request: &Request<B>, time: &str, payload: &str) -> String {
        let signed =
            fields(request, |it| matches!(it, "host" | "range" | "date") || it.starts_with("x-amz-"));
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical = canonical(request, &signed, &names, payload);
        let date = time.get(..8).unwrap_or_default();
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let signature = hex(self.key(date).sign(to_sign.as_bytes()));
        let id = &self.keys.access_key_id;
        format!("{ALGORITHM} Credential={id}/{scope},SignedHeaders={names},Signature={signature}")
    }

    /// The key of one day, region and service.
    fn key(&self, date: &str) -> Mac {
        let secret = format!("AWS4{}", self.keys.secret_access_key.reveal());
        [date, &self.region, self.service, "aws4_request"]
            .iter()
            .fold(Mac::new(secret.as_bytes()), |key, part| Mac::new(key.sign(part.as_bytes()).as_ref()))
    }
}

/// What both sides take the digest of.
fn canonical<B>(request: &Request<B>, signed: &[(&str, String)], names: &str, payload: &str) -> String {
    let uri = request.uri();
    let mut text = format!("{}\n{}\n{}\n", request.method(), uri.path(), canonical_query(uri.query()));
    for (name, value) in signed {
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "\n{names}\n{payload}");
    text
}

/// Parameters by name, those without a value with an empty one.
fn canonical_query(query: Option<&str>) -> String {
    let parameters = query.unwrap_or_default().split('&').filter(|it| !it.is_empty());
    let mut parameters: Vec<_> = parameters.map(|it| it.split_once('=').unwrap_or((it, ""))).collect();
    parameters.sort_unstable();
    parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// `20130524T000000Z`.
fn amazon_date(now: SystemTime) -> String {
    Timestamp::try_from(now)
        .map(|it| it.strftime("%Y%m%dT%H%M%SZ").to_string())
        .expect("the clock shows a year of four digits")
}

fn sha256(text: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, text))
}

fn hex(octets: impl AsRef<[u8]>) -> String {
    octets.as_ref().iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// HMAC-SHA-256 with a key.
struct Mac(hmac::Key);

impl Mac {
    fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, text)
    }
}

#[cfg(test)]
mod tests {
    use config::units::Secret;
    use http::Method;

    use super::*;

    /// The key of the examples in Amazon's documents.
    fn signer(id: &str, secret: &str, service: &'static str) -> SigV4 {
        let keys = Keys {
            access_key_id: id.to_owned(),
            secret_access_key: Secret::new(secret),
            session_token: None,
        };
        SigV4 { keys, region: "us-east-1".to_owned(), service }
    }

    fn request(method: Method, uri: &str, fields: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// The examples of "Authenticating Requests: Using the Authorization Header" of Amazon S3.
    #[test]
    fn the_examples_of_s3_are_signed_as_published() {
        let signer = signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3");
        let host = ("host", "examplebucket.s3.amazonaws.com");
        let date = ("x-amz-date", "20130524T000000Z");
        let check = |request: Request<()>, payload: &str, names: &str, signature: &str| {
            assert_eq!(
                signer.authorization(&request, date.1, payload),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                     SignedHeaders={names},Signature={signature}"
                )
            );
        };
        let empty = ("x-amz-content-sha256", EMPTY);
        check(
            request(
                Method::GET,
                "https://examplebucket.s3.amazonaws.com/test.txt",
                &[host, date, empty, ("range", "bytes=0-9"), ("user-agent", "unsigned")],
            ),
            EMPTY,
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        let put = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        check(
            request(
                Method::PUT,
                "https://examplebucket.s3.amazonaws.com/test%24file.text",
                &[
                    host,
                    date,
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-content-sha256", put),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
            ),
            put,
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        let bucket = "https://examplebucket.s3.amazonaws.com/";
        for (query, signature) in [
            ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            ("prefix=J&max-keys=2", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ] {
            check(
                request(Method::GET, &format!("{bucket}?{query}"), &[host, date, empty]),
                EMPTY,
                "host;x-amz-content-sha256;x-amz-date",
                signature,
            );
        }
    }

    /// `get-vanilla`, `get-header-value-trim` and `get-vanilla-query-order-key-case` of Amazon's signature test suite.
    #[test]
    fn the_test_suite_is_signed_as_published() {
        let signer = signer("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service");
        let date = ("x-amz-date", "20150830T123600Z");
        let check = |uri: &str, signature: &str| {
            let request = request(Method::GET, uri, &[("host", "example.amazonaws.com"), date]);
            let found = signer.authorization(&request, date.1, EMPTY);
            assert!(found.ends_with(&format!(",Signature={signature}")), "{uri}: {found}");
        };
        check("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        check(
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
    }

    #[test]
    fn a_request_carries_its_time_its_token_and_its_signature() {
        let mut signer = signer("id", "secret", "s3");
        signer.keys.session_token = Some(Secret::new("token"));
        let mut asked = request(Method::GET, "https://b.example/a%20b", &[("host", "b.example")]);
        signer.sign(&mut asked, SystemTime::UNIX_EPOCH).unwrap();
        let field = |name: &str| asked.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(field("x-amz-date"), "19700101T000000Z");
        assert_eq!(field("x-amz-content-sha256"), EMPTY);
        assert_eq!(field("x-amz-security-token"), "token");
        assert!(field("authorization").contains(
            "Credential=id/19700101/us-east-1/s3/aws4_request,\
             SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,Signature="
        ));
        assert!(!format!("{:?}", asked.headers()).contains("Signature="), "it is shown nowhere");
    }
}
