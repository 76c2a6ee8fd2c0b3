//! Asks an operator's web service whether an encoder may publish.

use std::time::Duration;

use config::units::Secret;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use ingest::admission::{PublishAsk, Reason, Refusal};
use serde::{Deserialize, Serialize};

use crate::body::read_within;
use crate::service::{self, ServiceClient};

/// Octets of a service's answer that are read.
const MAX_ANSWER: usize = 16 * 1024;
/// Characters of a service's sentence that an encoder is shown.
const MAX_SENTENCE: usize = 200;

/// One operator's web service.
pub(super) struct Webhook {
    url: Secret,
    timeout: Duration,
    unnamed: Unnamed,
    client: ServiceClient,
}

/// What becomes of a publisher whom the service admits without a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unnamed {
    /// The key is no secret, and its name.
    ByKey,
    /// Nobody publishes under a name that opens the door.
    Refused,
}

/// What the service is told.
#[derive(Serialize)]
struct Question<'a> {
    action: &'static str,
    app: &'a str,
    key: &'a str,
    query: &'a str,
    address: String,
    tc_url: Option<&'a str>,
}

/// What it may say; an empty answer says nothing.
#[derive(Default, Deserialize)]
struct Said {
    /// The public name.
    name: Option<String>,
    /// For the encoder's user, when the answer is no.
    message: Option<String>,
}

impl Webhook {
    pub(super) fn new(url: Secret, timeout: Duration, unnamed: Unnamed) -> Self {
        Self { url, timeout, unnamed, client: service::client() }
    }

    /// The public name the service gives, or its no.
    pub(super) async fn ask(&self, ask: &PublishAsk) -> Result<String, Refusal> {
        let unavailable = |why: String| {
            tracing::warn!(app = %ask.app, %why, "the publishing webhook did not answer");
            Refusal::new(Reason::Unavailable, "who may publish could not be found out just now; try again")
        };
        match tokio::time::timeout(self.timeout, self.call(ask)).await {
            Ok(Ok((true, said))) => self.name(ask, said),
            Ok(Ok((false, said))) => {
                let sentence =
                    said.message.unwrap_or_else(|| "you may not publish here with this key".into());
                Err(Refusal::new(Reason::Denied, sentence.chars().take(MAX_SENTENCE).collect::<String>()))
            }
            Ok(Err(why)) => Err(unavailable(why)),
            Err(_) => Err(unavailable(format!("it took longer than {:?}", self.timeout))),
        }
    }

    fn name(&self, ask: &PublishAsk, said: Said) -> Result<String, Refusal> {
        match (said.name, self.unnamed) {
            (Some(name), _) => Ok(name),
            (None, Unnamed::ByKey) => Ok(ask.name.clone()),
            (None, Unnamed::Refused) => {
                tracing::error!(
                    app = %ask.app,
                    "the publishing webhook admitted a publisher and gave no public name; have it answer \
                     {{\"name\": \"…\"}}, or set key_is_name where keys are no secrets"
                );
                Err(Refusal::new(
                    Reason::Unavailable,
                    "this key is known, but no public name is known for it",
                ))
            }
        }
    }

    /// Whether the service said yes, and what else. 5xx is no answer: the service itself is in trouble.
    async fn call(&self, ask: &PublishAsk) -> Result<(bool, Said), String> {
        let question = Question {
            action: "publish",
            app: &ask.app,
            key: &ask.name,
            query: ask.query.as_str(),
            address: ask.address.to_string(),
            tc_url: ask.tc_url.as_deref(),
        };
        let body = serde_json::to_vec(&question).expect("texts are always JSON");
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.reveal())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, service::USER_AGENT)
            .body(Full::from(body))
            .map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        if status.is_server_error() {
            return Err(format!("it said {status}"));
        }
        let body = read_within(response.into_body(), MAX_ANSWER).await.map_err(|error| error.to_string())?;
        // A service that answers with a status alone has said enough.
        let said =
            if body.is_empty() { Said::default() } else { serde_json::from_slice(&body).unwrap_or_default() };
        Ok((status.is_success(), said))
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use http::StatusCode;

    use super::*;

    fn ask() -> PublishAsk {
        PublishAsk {
            app: "live".into(),
            name: "key-of-match".into(),
            query: Default::default(),
            address: "192.0.2.1:5000".parse().unwrap(),
            tc_url: None,
        }
    }

    async fn answer_of(
        status: StatusCode,
        body: &'static str,
        delay: Duration,
        unnamed: Unnamed,
    ) -> Result<String, Reason> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let answer = move |question: String| async move {
            assert!(question.contains(r#""key":"key-of-match""#), "{question}");
            tokio::time::sleep(delay).await;
            (status, body)
        };
        let server =
            tokio::spawn(
                async move { axum::serve(listener, Router::new().route("/hook", post(answer))).await },
            );
        let hook = Webhook::new(Secret::new(url), Duration::from_millis(300), unnamed);
        let answer = hook.ask(&ask()).await.map_err(|it| it.reason);
        server.abort();
        answer
    }

    #[tokio::test]
    async fn the_webhook_names_refuses_or_is_unavailable() {
        let at_once = Duration::ZERO;
        let check = async |status, body, expected: Result<&str, Reason>| {
            let answer = answer_of(status, body, at_once, Unnamed::Refused).await;
            assert_eq!(answer.as_deref(), expected.as_ref().map(|it| *it), "{status} {body}");
        };
        check(StatusCode::OK, r#"{"name":"match"}"#, Ok("match")).await;
        check(StatusCode::NO_CONTENT, "", Err(Reason::Unavailable)).await;
        check(StatusCode::OK, "OK", Err(Reason::Unavailable)).await;
        check(StatusCode::FORBIDDEN, r#"{"message":"the event begins at noon"}"#, Err(Reason::Denied)).await;
        check(StatusCode::BAD_GATEWAY, "", Err(Reason::Unavailable)).await;
        let late = answer_of(StatusCode::OK, "", Duration::from_secs(3), Unnamed::ByKey).await;
        assert_eq!(late, Err(Reason::Unavailable));
    }

    #[tokio::test]
    async fn a_key_is_the_name_only_where_the_operator_says_so_and_the_webhook_gives_none() {
        let answer = async |body| answer_of(StatusCode::OK, body, Duration::ZERO, Unnamed::ByKey).await;
        assert_eq!(answer("").await, Ok("key-of-match".into()));
        assert_eq!(answer(r#"{"name":"match"}"#).await, Ok("match".into()));
    }
}
