//! Who may talk to the control address.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};

use super::Control;

/// Lets in requests for a name of ours, and from no page but our own: a stranger's page can make a browser send
/// requests here, under its own `Origin`, or under its own name that resolves to loopback.
pub(super) async fn same_site(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    match judge(request.headers(), &control.hosts) {
        Ok(()) => next.run(request).await,
        Err(sentence) => (StatusCode::FORBIDDEN, format!("{sentence}\n")).into_response(),
    }
}

/// Lets in requests with the bearer token.
pub(super) async fn bearer(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    if control.token.allows(given) {
        return next.run(request).await;
    }
    let sentence =
        "this needs `Authorization: Bearer …` with the text of control-token in the state directory\n";
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], sentence).into_response()
}

fn judge(headers: &HeaderMap, hosts: &[String]) -> Result<(), &'static str> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let host = text(HOST).ok_or("the request names no host")?;
    if !is_ours(host, hosts) {
        return Err("the control address does not go by this name; add it as control.public_host");
    }
    match text(ORIGIN) {
        Some(origin) if origin.split_once("://").map(|(_, it)| it) != Some(host) => {
            Err("pages of other sites may not talk to the control address")
        }
        _ => Ok(()),
    }
}

fn is_ours(host: &str, hosts: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok()
        || hosts.iter().any(|it| it.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_page_under_our_own_name_is_let_in() {
        let check = |host: &str, origin: Option<&str>, allowed: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            let judged = judge(&headers, &["stream.example".into()]);
            assert_eq!(judged.is_ok(), allowed, "{host} {origin:?} {judged:?}");
        };
        check("127.0.0.1:9090", None, true);
        check("localhost:9090", Some("http://localhost:9090"), true);
        check("[::1]:9090", None, true);
        check("stream.example", Some("https://stream.example"), true);
        check("evil.example:9090", None, false);
        check("127.0.0.1:9090", Some("https://evil.example"), false);
        check("127.0.0.1:9090", Some("null"), false);
    }
}
