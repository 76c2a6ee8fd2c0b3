//! What kind of device a viewer has, guessed from what its browser calls itself, as CloudFront's headers say it.

use http::HeaderMap;
use http::header::USER_AGENT;

/// What of `CloudFront-Is-…-Viewer` is true, by the word in its middle; none for a word that is no device.
pub(super) fn is(headers: &HeaderMap, device: &str) -> Option<bool> {
    let name = headers.get(USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|it| name.contains(it));
    let ios = has(&["iPhone", "iPad", "iPod"]);
    let android = has(&["Android"]);
    let television = has(&[
        "SmartTV", "SMART-TV", "Smart TV", "Tizen", "Web0S", "HbbTV", "AppleTV", "Apple TV", "Roku",
        "BRAVIA", "AFT", "CrKey", "GoogleTV",
    ]);
    let tablet = !television && (has(&["iPad", "Tablet", "Kindle", "Silk/"]) || android && !has(&["Mobile"]));
    let mobile = !television && !tablet && (ios || has(&["Mobile", "Windows Phone", "Opera Mini"]));
    Some(match device {
        "android" => android,
        "desktop" => !(television || tablet || mobile),
        "ios" => ios,
        "mobile" => mobile,
        "smarttv" => television,
        "tablet" => tablet,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(name: &'static str, expected: &[&str]) {
        let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(name))]);
        let all = ["android", "desktop", "ios", "mobile", "smarttv", "tablet"];
        let found: Vec<_> = all.into_iter().filter(|it| is(&headers, it) == Some(true)).collect();
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn a_device_is_one_of_four_kinds() {
        check("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36", &["desktop"]);
        check("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148", &["ios", "mobile"]);
        check("Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) Mobile/15E148", &["ios", "tablet"]);
        check("Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile Safari/537.36", &["android", "mobile"]);
        check("Mozilla/5.0 (Linux; Android 13; SM-X900) Safari/537.36", &["android", "tablet"]);
        check("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) TV Safari/538.1", &["smarttv"]);
        check("Mozilla/5.0 (Linux; Android 9; BRAVIA 4K) Safari/537.36", &["android", "smarttv"]);
        check("curl/8.5.0", &["desktop"]);
        assert_eq!(is(&HeaderMap::new(), "toaster"), None);
    }
}
