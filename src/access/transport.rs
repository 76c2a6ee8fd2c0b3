//! Protocol and method: what is settled before anyone looks for a signature (cloudfront.md 2.3).

use config::distribution::ViewerProtocolPolicy;
use http::{Method, StatusCode, Version};

use crate::passage::{Reason, Request, Scheme};

/// Judges scheme and method. `https_port` is where this server's https is, when it has any.
pub(super) fn judge(
    request: &Request,
    policy: ViewerProtocolPolicy,
    https_port: Option<u16>,
) -> Result<(), Reason> {
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
    // Preflights were answered before; nothing here takes other methods.
    if is_read { Ok(()) } else { Err(Reason::Method) }
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
    use super::*;
    use crate::passage::example::Example;

    fn check(
        method: Method,
        url: &str,
        policy: ViewerProtocolPolicy,
        port: Option<u16>,
        expected: Result<(), Reason>,
    ) {
        let request = Example::get_url(url).method(method).request();
        assert_eq!(judge(&request, policy, port), expected, "{url}");
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
        let policy = ViewerProtocolPolicy::RedirectToHttps;
        assert_eq!(judge(&example.request(), policy, None), Err(Reason::HttpsOnly));
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
