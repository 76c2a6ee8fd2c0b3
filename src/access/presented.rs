//! What a viewer presents: the signing parameters of a query or of cookies (cloudfront.md 1.2).

use http::HeaderMap;
use http::header::COOKIE;

use crate::passage::Reason;

/// What stands before the names of signing parameters in cookies.
const COOKIE_PREFIX: &str = "CloudFront-";

/// Signing parameters as received, still encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presented<'a> {
    pub(super) expires: Option<&'a str>,
    pub(super) policy: Option<&'a str>,
    pub(super) signature: Option<&'a str>,
    pub(super) key_pair_id: Option<&'a str>,
    pub(super) hash_algorithm: Option<&'a str>,
}

impl<'a> Presented<'a> {
    /// What the cookies say. Of two with one name the first counts: browsers send the one with the longer path first
    /// (RFC 6265 5.4).
    pub(super) fn in_cookies(headers: &'a HeaderMap) -> Self {
        let mut presented = Self::default();
        let pairs = headers.get_all(COOKIE).iter().flat_map(|it| it.as_bytes().split(|&it| it == b';'));
        // Cookies of others in the same field may have any octets.
        for pair in pairs.filter_map(|it| std::str::from_utf8(it).ok()) {
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            if let Some(place) = name.strip_prefix(COOKIE_PREFIX).and_then(|it| presented.place(it)) {
                place.get_or_insert(value);
            }
        }
        presented
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        match name {
            "Expires" => Some(&mut self.expires),
            "Policy" => Some(&mut self.policy),
            "Signature" => Some(&mut self.signature),
            "Key-Pair-Id" => Some(&mut self.key_pair_id),
            "Hash-Algorithm" => Some(&mut self.hash_algorithm),
            _ => None,
        }
    }
}

/// A query taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    /// The viewer's own parameters, order and encoding untouched. None: nothing is left, not even a `?`.
    pub(super) own: Option<String>,
    /// The signing parameters; None: there is none, so cookies count.
    pub(super) presented: Option<Presented<'a>>,
}

impl<'a> Query<'a> {
    /// Parts a query as sent.
    ///
    /// # Errors
    /// [`Reason::Repeated`] when a signing parameter comes twice.
    pub(super) fn part(query: Option<&'a str>) -> Result<Self, Reason> {
        let Some(query) = query else { return Ok(Self { own: None, presented: None }) };
        let mut presented = Presented::default();
        let mut own: Option<String> = None;
        let mut is_signed = false;
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if let Some(place) = presented.place(name) {
                is_signed = true;
                if place.replace(value).is_some() {
                    return Err(Reason::Repeated);
                }
                continue;
            }
            match &mut own {
                Some(own) => own.extend(["&", parameter]),
                None => own = Some(parameter.to_owned()),
            }
        }
        Ok(Self { own, presented: is_signed.then_some(presented) })
    }
}

/// The signing parameters of a query as received, in the order they came, to hand on.
pub(super) fn signing_part(query: &str) -> String {
    let name = |parameter: &str| parameter.split_once('=').map_or(parameter, |(name, _)| name).to_owned();
    let is_signing = |it: &&str| Presented::default().place(&name(it)).is_some();
    query.split('&').filter(is_signing).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check_own(query: &str, own: Option<&str>, is_signed: bool) {
        let parted = Query::part(Some(query)).unwrap();
        assert_eq!((parted.own.as_deref(), parted.presented.is_some()), (own, is_signed), "{query}");
    }

    #[test]
    fn own_parameters_keep_order_and_encoding() {
        check_own("b=1&Expires=5&a=%41&Signature=x&b=2&Key-Pair-Id=K", Some("b=1&a=%41&b=2"), true);
        check_own("Expires=5&Signature=x&Key-Pair-Id=K", None, true);
        check_own("a=1&&b", Some("a=1&&b"), false);
        check_own("", Some(""), false);
        check_own("&Expires=5", Some(""), true);
        check_own("Expires", None, true);
    }

    #[test]
    fn names_are_exact() {
        check_own("expires=5&Expiress=5&%45xpires=5", Some("expires=5&Expiress=5&%45xpires=5"), false);
    }

    #[test]
    fn a_parameter_that_comes_twice_is_refused() {
        assert_eq!(Query::part(Some("Policy=a&x=1&Policy=a")), Err(Reason::Repeated));
        assert_eq!(Query::part(Some("Expires&Expires=5")), Err(Reason::Repeated));
    }

    #[test]
    fn cookies_come_in_one_field_or_many_and_the_first_of_a_name_counts() {
        let mut headers = HeaderMap::new();
        let field =
            "a=é; CloudFront-Policy=p=_; Policy=no;CloudFront-Signature=s; CloudFront-Policy=later; odd";
        headers.append(COOKIE, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        headers.append(COOKIE, HeaderValue::from_static("CloudFront-Key-Pair-Id=K"));
        headers.append(COOKIE, HeaderValue::from_bytes(b"CloudFront-Expires=\xff").unwrap());
        assert_eq!(
            Presented::in_cookies(&headers),
            Presented {
                policy: Some("p=_"),
                signature: Some("s"),
                key_pair_id: Some("K"),
                ..Presented::default()
            }
        );
    }

    #[test]
    fn what_is_handed_on_is_what_came() {
        assert_eq!(
            signing_part("a=1&Policy=p%7E&b&Signature=s&Key-Pair-Id=K"),
            "Policy=p%7E&Signature=s&Key-Pair-Id=K"
        );
    }
}
