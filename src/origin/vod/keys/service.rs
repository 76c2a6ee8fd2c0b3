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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A key server that answers once; gives where it is, and what it was sent.
    fn server(
        status: &'static str,
        answer: impl FnOnce(&str) -> String + Send + 'static,
    ) -> (Secret, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/speke", listener.local_addr().unwrap());
        let serving = thread::spawn(move || {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let field = line.to_ascii_lowercase();
                length =
                    field.strip_prefix("content-length: ").map_or(length, |it| it.trim().parse().unwrap());
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let answer = answer(&body);
            let length = answer.len();
            let head_of_answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            reader.get_mut().write_all((head_of_answer + &answer).as_bytes()).unwrap();
            head + &body
        });
        (Secret::new(url), serving)
    }

    /// A document with a key of zeros for each name that was asked for.
    fn keys(asked: &str) -> String {
        let ids = asked.split("<cpix:ContentKey kid=\"").skip(1).map(|it| it.split('"').next().unwrap());
        let key = |id: &str| {
            format!(
                "<ContentKey kid=\"{id}\"><Data><Secret><PlainValue>AAAAAAAAAAAAAAAAAAAAAA==</PlainValue></Secret></Data></ContentKey>"
            )
        };
        format!("<CPIX>{}</CPIX>", ids.map(key).collect::<String>())
    }

    async fn ask(url: &Secret) -> Result<Found, String> {
        let headers = [("authorization".to_owned(), "Bearer 1".to_owned())];
        let wanted = Wanted { title: "films/a.mp4", periods: 2, separate: true };
        KeyService::new(url, &headers).keys(wanted, EncryptionMethod::Cbcs, &[System::Widevine]).await
    }

    #[tokio::test]
    async fn a_key_server_is_asked_for_all_keys_of_a_title_at_once() {
        let (url, serving) = server("200 OK", keys);
        let found = ask(&url).await.unwrap();
        let ids: std::collections::BTreeSet<_> = found.periods.iter().flatten().map(|it| it.id).collect();
        assert_eq!((found.periods.len(), ids.len()), (2, 4));
        let sent = serving.join().unwrap();
        assert!(sent.starts_with("POST /speke HTTP/1.1\r\n"), "{sent}");
        for field in
            ["authorization: Bearer 1\r\n", "x-speke-version: 2.0\r\n", "content-type: application/xml\r\n"]
        {
            assert!(sent.contains(field), "{sent}");
        }
        assert!(sent.contains("contentId=\"films/a.mp4\""), "{sent}");
    }

    #[tokio::test]
    async fn what_a_key_server_lacks_is_told() {
        let told = async |status, answer: &'static str| {
            let (url, serving) = server(status, move |_| answer.to_owned());
            let told = ask(&url).await.unwrap_err();
            serving.join().unwrap();
            told
        };
        let refused = told("403 Forbidden", "").await;
        assert_eq!(refused, "the key server of \"films/a.mp4\": it said 403 Forbidden");
        let none = told("200 OK", "<CPIX/>").await;
        assert!(none.starts_with("it has no key "), "{none}");
        let broken = told("200 OK", "keys").await;
        assert!(broken.contains("it has no key"), "{broken}");
        assert!(ask(&Secret::new("http://127.0.0.1:1/")).await.is_err());
    }
}
