//! Whether a page of another origin may read the answer.
//!
//! Where every origin is allowed, the answer says so to everybody, as players expect; elsewhere it names the asking
//! origin and varies on it. Refusals and failures get the same fields: without them a page sees only "CORS error".

use config::distribution::Cors as Rules;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::passage::{Cors, Request};

/// Adds what an answer to `request` says under `cors`, over what the origin said unless that stands.
pub(super) fn add(headers: &mut HeaderMap, request: &Request, cors: &Cors) {
    if !cors.rules.origin_override && headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    if allow_origin(headers, request, cors) {
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, cors.expose_headers.as_ref());
    }
}

/// Whether `request` asks what a page may ask.
pub(super) fn is_preflight(request: &Request) -> bool {
    *request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds what the answer to a preflight says.
pub(super) fn add_preflight(headers: &mut HeaderMap, request: &Request, cors: &Cors) {
    if !allow_origin(headers, request, cors) {
        return;
    }
    set(headers, ACCESS_CONTROL_ALLOW_METHODS, cors.allow_methods.as_ref());
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.rules.max_age));
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
    if cors.rules.allow_headers.iter().any(|it| it == "*") {
        // A bare `*` does not cover Authorization, nor anything with credentials; what was asked for always does.
        let all = asked.cloned().unwrap_or(HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, all);
    } else {
        set(headers, ACCESS_CONTROL_ALLOW_HEADERS, cors.allow_headers.as_ref());
    }
}

/// Whether an answer says the same whoever asks.
pub(super) fn is_for_everyone(cors: &Cors) -> bool {
    is_any(&cors.rules) && !cors.rules.allow_credentials
}

fn is_any(rules: &Rules) -> bool {
    rules.allow_origins.iter().any(|it| it == "*")
}

/// Says which origin may read the answer; false when the asking one may not.
fn allow_origin(headers: &mut HeaderMap, request: &Request, cors: &Cors) -> bool {
    for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS]
    {
        headers.remove(name);
    }
    if is_for_everyone(cors) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        return true;
    }
    vary(headers, "Origin");
    let rules = &cors.rules;
    let everyone = is_any(rules);
    let Some(origin) = request.headers().get(ORIGIN) else { return false };
    let allowed = everyone
        || origin.to_str().is_ok_and(|it| rules.allow_origins.iter().any(|allowed| matches(allowed, it)));
    if allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if rules.allow_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    allowed
}

/// Says that the answer depends on a header of the request.
pub(super) fn vary(headers: &mut HeaderMap, name: &'static str) {
    let says = |line: &HeaderValue| {
        line.to_str().is_ok_and(|it| it.split(',').any(|it| it.trim().eq_ignore_ascii_case(name)))
    };
    if !headers.get_all(VARY).iter().any(says) {
        headers.append(VARY, HeaderValue::from_static(name));
    }
}

/// Whether an allowed origin, exact or with `*` as its leftmost label, is `origin`.
fn matches(allowed: &str, origin: &str) -> bool {
    let (allowed, origin) = (allowed.to_ascii_lowercase(), origin.to_ascii_lowercase());
    match allowed.split_once('*') {
        None => allowed == origin,
        Some((before, after)) => origin
            .strip_prefix(before)
            .and_then(|it| it.strip_suffix(after))
            .is_some_and(|label| !label.is_empty() && !label.contains(['/', ':', '@'])),
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passage::example::Example;

    fn check(allowed: &[&str], credentials: bool, origin: Option<&str>, expected: Option<&str>) {
        let mut example = Example::get("/a");
        if let Some(origin) = origin {
            example = example.header("origin", origin);
        }
        let routed = example.routed();
        let cors = Cors::new(Rules {
            allow_origins: allowed.iter().map(|&it| it.to_owned()).collect(),
            allow_credentials: credentials,
            ..routed.behavior().response_headers.cors.clone().unwrap().rules
        });
        let mut headers = HeaderMap::from_iter([(
            ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("https://the.origin.says"),
        )]);
        add(&mut headers, routed.request(), &cors);
        let got = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|it| it.to_str().unwrap());
        assert_eq!(got, expected, "{allowed:?} {origin:?}");
        assert_eq!(headers.contains_key(VARY), expected != Some("*"));
        assert_eq!(headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS), expected.is_some());
        assert_eq!(headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS), credentials && expected.is_some());
    }

    #[test]
    fn an_allowed_origin_may_read_the_answer() {
        let page = Some("https://page.example");
        check(&["*"], false, page, Some("*"));
        check(&["*"], false, None, Some("*"));
        check(&["https://page.example"], false, page, page);
        check(&["https://PAGE.example"], false, page, page);
        check(&["https://other.example"], false, page, None);
        check(&["https://page.example"], false, None, None);
    }

    #[test]
    fn what_the_origin_says_stands_where_the_policy_lets_it() {
        let routed = Example::get("/a").header("origin", "https://page.example").routed();
        let rules = routed.behavior().response_headers.cors.clone().unwrap().rules;
        let cors = Cors::new(Rules { origin_override: false, ..rules });
        let added = |said: &[(HeaderName, HeaderValue)]| {
            let mut headers = HeaderMap::from_iter(said.iter().cloned());
            add(&mut headers, routed.request(), &cors);
            headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned().unwrap()
        };
        let said = (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://the.origin.says"));
        assert_eq!(added(&[said]), "https://the.origin.says");
        assert_eq!(added(&[]), "*");
    }

    #[test]
    fn with_credentials_the_origin_is_named() {
        check(&["*"], true, Some("https://page.example"), Some("https://page.example"));
        check(&["*"], true, None, None);
    }

    #[test]
    fn a_star_is_a_label_and_nothing_else() {
        let allowed = &["https://*.page.example"];
        check(allowed, false, Some("https://a.page.example"), Some("https://a.page.example"));
        check(allowed, false, Some("https://a.b.page.example"), Some("https://a.b.page.example"));
        check(allowed, false, Some("https://page.example"), None);
        check(allowed, false, Some("https://.page.example"), None);
        check(allowed, false, Some("https://evil.example/.page.example"), None);
        check(allowed, false, Some("http://a.page.example"), None);
    }

    #[test]
    fn a_preflight_is_told_what_it_may_send() {
        let preflight = Example::get("/a")
            .method(Method::OPTIONS)
            .header("origin", "https://page.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization, range")
            .routed();
        assert!(is_preflight(preflight.request()));
        let cors = preflight.behavior().response_headers.cors.clone().unwrap();
        let allowed = |cors: &Cors| {
            let mut headers = HeaderMap::new();
            add_preflight(&mut headers, preflight.request(), cors);
            let text = |name| headers.get(name).map(|it: &HeaderValue| it.to_str().unwrap().to_owned());
            (text(ACCESS_CONTROL_ALLOW_METHODS).unwrap(), text(ACCESS_CONTROL_ALLOW_HEADERS).unwrap())
        };
        assert_eq!(allowed(&cors), ("GET, HEAD, OPTIONS".to_owned(), "Range".to_owned()));
        let all = Cors::new(Rules { allow_headers: vec!["*".to_owned()], ..cors.rules });
        assert_eq!(allowed(&all).1, "authorization, range");
    }

    #[test]
    fn options_alone_is_no_preflight() {
        let plain =
            Example::get("/a").method(Method::OPTIONS).header("origin", "https://page.example").routed();
        assert!(!is_preflight(plain.request()));
    }
}
