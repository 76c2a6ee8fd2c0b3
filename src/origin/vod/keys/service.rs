//! Keys of a key server, asked by SPEKE version 2: a CPIX document goes there and comes back with keys in it.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use config::origin::EncryptionMethod;
use config::units::Secret;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use packager::protect::{KeyId, System};

use super::cpix::{self, Ask};
use super::{Found, Wanted};
use crate::body::read_within;
use crate::service::{self, ServiceClient};

/// Viewers wait for the first manifest as long.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Octets of an answer that are read: 256 keys for four systems have about 2 MiB.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

pub(super) struct KeyService {
    url: Secret,
    headers: Vec<(String, String)>,
    client: ServiceClient,
}

impl KeyService {
    pub(super) fn new(url: &Secret, headers: &[(String, String)]) -> Self {
        Self { url: url.clone(), headers: headers.to_vec(), client: service::client() }
    }

    pub(super) async fn keys(
        &self,
        wanted: Wanted<'_>,
        method: EncryptionMethod,
        systems: &[System],
    ) -> Result<Found, String> {
        let ids = (0..wanted.periods).map(|period| {
            let pictures = id(wanted.title, "video", period);
            [pictures, if wanted.separate { id(wanted.title, "audio", period) } else { pictures }]
        });
        let ask = Ask { content: wanted.title, method, systems, ids: ids.collect() };
        let answer = tokio::time::timeout(TIMEOUT, self.call(ask.document()));
        let answer = match answer.await {
            Ok(answer) => answer.map_err(|it| format!("the key server of {:?}: {it}", wanted.title))?,
            Err(_) => return Err(format!("the key server took longer than {TIMEOUT:?}")),
        };
        let answer = cpix::read(&answer)
            .map_err(|it| format!("the key server's answer for {:?}: {it}", wanted.title))?;
        let periods = ask.ids.iter().map(|ids| Ok([answer.key(ids[0])?, answer.key(ids[1])?]));
        Ok(Found { periods: periods.collect::<Result<_, String>>()?, data: answer.data })
    }

    async fn call(&self, document: String) -> Result<Bytes, String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.url.reveal())
            .header(CONTENT_TYPE, "application/xml")
            .header(USER_AGENT, service::USER_AGENT)
            .header("x-speke-version", "2.0")
            .header("x-speke-user-agent", service::USER_AGENT);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(document)).map_err(|it| it.to_string())?;
        let response = self.client.request(request).await.map_err(|it| it.to_string())?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("it said {status}"));
        }
        read_within(response.into_body(), MAX_ANSWER).await.map_err(|it| it.to_string())
    }
}

/// The name of a key: the packager's to choose, and the same whenever it is asked for.
fn id(title: &str, track: &str, period: usize) -> KeyId {
    let named = digest(&SHA256, format!("levada\0{track}\0{period}\0{title}").as_bytes());
    let mut id: [u8; 16] = *named.as_ref().first_chunk().expect("SHA-256 gives 32 octets");
    // A UUID of version 8 (RFC 9562 5.8).
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    KeyId(id)
}
