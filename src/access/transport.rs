//! Protocol and method: what is settled before anyone looks for a signature (cloudfront.md 2.3).

use config::distribution::ViewerProtocolPolicy;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode, Version};

use crate::passage::{Behavior, Reason, Request, Scheme};

/// Judges scheme and method. `https_port` is where this server's https is, when it has any.
pub(super) fn judge(request: &Request, behavior: &Behavior, https_port: Option<u16>) -> Result<(), Reason> {
    let policy = behavior.viewer_protocol_policy;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match (request.scheme(), policy) {
        (Scheme::Https, _) | (Scheme::Http, ViewerProtocolPolicy::AllowAll) => {}
        (Scheme::Http, ViewerProtocolPolicy::HttpsOnly) => return Err(Reason::HttpsOnly),
        // HTTP/1.0 has no status that keeps the method.
        (Scheme::Http, ViewerProtocolPolicy::RedirectToHttps)
            if !is_read && request.version() < Version::HTTP_11 =>
        {
            return Err(Reason::HttpsOnly);
        }
        (Scheme::Http, ViewerProtocolPolicy::RedirectToHttps) => {
            let status = if is_read { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
            return Err(Reason::Redirect { status, location: location(request, https_port) });
        }
    }
    if !behavior.allowed_methods.has(request.method().as_str()) {
        return Err(Reason::Method);
    }
    // What says no length is counted as it comes.
    let length = request.header(CONTENT_LENGTH).and_then(|it| it.parse::<u64>().ok());
    if length.is_some_and(|it| it > behavior.max_request_body) { Err(Reason::TooLarge) } else { Ok(()) }
}

/// The URL as asked with https. A port in it was http's, so it is replaced by ours; without any, a proxy before us
/// has https on its usual port.
fn location(request: &Request, https_port: Option<u16>) -> String {
    let port = match https_port {
        None | Some(443) => String::new(),
        Some(port) => format!(":{port}"),
    };
    let query = request.query().map_or_else(String::new, |it| format!("?{it}"));
    format!("https://{}{port}{}{query}", request.host_name(), request.path())
}

#[cfg(test)]
mod tests {
    use config::distribution::AllowedMethods;

    use super::*;
    use crate::passage::example::Example;

    fn check(
        method: Method,
        url: &str,
        policy: ViewerProtocolPolicy,
        port: Option<u16>,
        expected: Result<(), Reason>,
    ) {
        let mut example = Example::get_url(url).method(method);
        example.behavior.viewer_protocol_policy = policy;
        let routed = example.routed();
        assert_eq!(judge(routed.request(), routed.behavior(), port), expected, "{url}");
    }

    fn redirect(status: StatusCode, location: &str) -> Result<(), Reason> {
        Err(Reason::Redirect { status, location: location.to_owned() })
    }

    #[test]
    fn http_is_redirected_with_path_and_query_as_sent() {
        use ViewerProtocolPolicy::RedirectToHttps;
        let permanently = StatusCode::MOVED_PERMANENTLY;
        let url = "http://h:8080/a%7e?b=c&Policy=x";
        check(Method::GET, url, RedirectToHttps, None, redirect(permanently, "https://h/a%7e?b=c&Policy=x"));
        check(Method::HEAD, "http://h/a", RedirectToHttps, Some(443), redirect(permanently, "https://h/a"));
        check(
            Method::GET,
            "http://h/a",
            RedirectToHttps,
            Some(8443),
            redirect(permanently, "https://h:8443/a"),
        );
        let post = redirect(StatusCode::TEMPORARY_REDIRECT, "https://h/a");
        check(Method::POST, "http://h/a", RedirectToHttps, None, post);
        check(Method::GET, "https://h/a", RedirectToHttps, None, Ok(()));
    }

    #[test]
    fn an_http_1_0_post_cannot_be_redirected() {
        let mut example = Example::get_url("http://h/a").method(Method::POST);
        example.head().version = Version::HTTP_10;
        example.behavior.viewer_protocol_policy = ViewerProtocolPolicy::RedirectToHttps;
        let routed = example.routed();
        assert_eq!(judge(routed.request(), routed.behavior(), None), Err(Reason::HttpsOnly));
    }

    #[test]
    fn a_behavior_answers_its_methods_and_takes_bodies_up_to_its_most() {
        let check = |allowed, method: Method, length: &str, expected| {
            let mut example = Example::get("/a").method(method).header("content-length", length);
            (example.behavior.allowed_methods, example.behavior.max_request_body) = (allowed, 10);
            let routed = example.routed();
            assert_eq!(judge(routed.request(), routed.behavior(), None), expected);
        };
        check(AllowedMethods::Read, Method::OPTIONS, "0", Err(Reason::Method));
        check(AllowedMethods::ReadAndOptions, Method::OPTIONS, "0", Ok(()));
        check(AllowedMethods::ReadAndOptions, Method::POST, "0", Err(Reason::Method));
        for method in [
            Method::GET,
            Method::HEAD,
            Method::OPTIONS,
            Method::PUT,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
        ] {
            check(AllowedMethods::All, method, "10", Ok(()));
        }
        check(AllowedMethods::All, Method::POST, "11", Err(Reason::TooLarge));
        check(AllowedMethods::All, Method::from_bytes(b"PURGE").unwrap(), "0", Err(Reason::Method));
    }

    #[test]
    fn https_only_refuses_http_and_only_reads_are_answered() {
        use ViewerProtocolPolicy::{AllowAll, HttpsOnly};
        check(Method::GET, "http://h/a", HttpsOnly, Some(443), Err(Reason::HttpsOnly));
        check(Method::GET, "https://h/a", HttpsOnly, None, Ok(()));
        check(Method::GET, "http://h/a", AllowAll, None, Ok(()));
        check(Method::PUT, "http://h/a", AllowAll, None, Err(Reason::Method));
        check(Method::OPTIONS, "https://h/a", HttpsOnly, None, Err(Reason::Method));
    }
}
