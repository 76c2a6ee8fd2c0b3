//! When a certificate must be replaced: what it says of its time and of its names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls_pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// When a certificate should be replaced: after two thirds of its time, which leaves an authority weeks to come back,
/// and at once when it does not speak for one of these names or cannot be read. One that speaks for more, by name or by a
/// wildcard, serves its time: authorities count what they are asked for.
pub(super) fn due(leaf: &CertificateDer<'_>, names: &[String]) -> SystemTime {
    let speaks_for = |it: &EndEntityCert<'_>, name: &str| {
        ServerName::try_from(name).is_ok_and(|name| it.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let has_all = |it: EndEntityCert<'_>| names.iter().all(|name| speaks_for(&it, name));
    if !EndEntityCert::try_from(leaf).is_ok_and(has_all) {
        return UNIX_EPOCH;
    }
    let due = validity(leaf).and_then(|(begin, end)| {
        let lifetime = end.duration_since(begin).ok()?;
        Some(begin + lifetime * 2 / 3)
    });
    due.unwrap_or(UNIX_EPOCH)
}

/// From when and until when a certificate is valid (RFC 5280 4.1).
fn validity(leaf: &[u8]) -> Option<(SystemTime, SystemTime)> {
    let (certificate, _) = expect(leaf, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, rest)) = expect(fields, VERSION) {
        fields = rest;
    }
    let (_, fields) = expect(fields, INTEGER)?;
    let (_, fields) = expect(fields, SEQUENCE)?;
    let (_, fields) = expect(fields, SEQUENCE)?;
    let (validity, _) = expect(fields, SEQUENCE)?;
    let (begin, rest) = time(validity)?;
    let (end, _) = time(rest)?;
    Some((begin, end))
}

/// `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ` from then on.
fn time(der: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (tag, content, rest) = element(der)?;
    let digits = str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let century = match (tag, digits.as_bytes().first()?) {
        (GENERALIZED_TIME, _) => "",
        (UTC_TIME, b'5'..=b'9') => "19",
        (UTC_TIME, _) => "20",
        _ => return None,
    };
    let written = format!("{century}{digits}");
    let instant = DateTime::strptime("%Y%m%d%H%M%S", &written).ok()?.to_zoned(TimeZone::UTC).ok()?;
    let seconds = u64::try_from(instant.timestamp().as_second()).ok()?;
    Some((UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?, rest))
}

fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// Tag, content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (octets.iter().fold(0, |length, &it| length << 8 | usize::from(it)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str], years: (i32, i32)) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
        let mut made = rcgen::CertificateParams::new(names).unwrap();
        (made.not_before, made.not_after) =
            (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
        made.self_signed(&key).unwrap().der().clone()
    }

    fn of_year(year: i16) -> SystemTime {
        let begin = jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap();
        UNIX_EPOCH + Duration::from_secs(u64::try_from(begin.timestamp().as_second()).unwrap())
    }

    #[test]
    fn a_certificate_is_replaced_when_two_thirds_of_its_time_are_over() {
        let names = ["a.example".to_owned(), "b.example".to_owned()];
        let leaf = certificate(&["b.example", "a.example"], (2026, 2029));
        assert_eq!(validity(&leaf), Some((of_year(2026), of_year(2029))));
        assert_eq!(
            due(&leaf, &names),
            of_year(2026) + (of_year(2029).duration_since(of_year(2026)).unwrap() * 2 / 3)
        );
        let late = certificate(&["a.example", "b.example"], (2049, 2051));
        assert_eq!(validity(&late), Some((of_year(2049), of_year(2051))));
    }

    #[test]
    fn a_certificate_that_speaks_for_more_names_serves_its_time() {
        let names = ["a.example".to_owned(), "tv.b.example".to_owned()];
        for has in [["a.example", "tv.b.example", "c.example"].as_slice(), &["a.example", "*.b.example"]] {
            assert!(due(&certificate(has, (2026, 2029)), &names) > of_year(2027), "{has:?}");
        }
    }

    #[test]
    fn what_lacks_a_name_or_cannot_be_read_is_replaced_at_once() {
        let names = ["a.example".to_owned()];
        for has in ["b.example", "*.a.example", "*.example.a"] {
            assert_eq!(due(&certificate(&[has], (2026, 2029)), &names), UNIX_EPOCH, "{has}");
        }
        let both = ["a.example".to_owned(), "b.example".to_owned()];
        assert_eq!(due(&certificate(&["a.example"], (2026, 2029)), &both), UNIX_EPOCH);
        let whole = certificate(&["a.example"], (2026, 2029));
        for length in 0..whole.len() {
            // No beginning of it is read as more than it is.
            let _ = validity(&whole[..length]);
            assert_eq!(due(&CertificateDer::from(&whole[..length]), &names), UNIX_EPOCH);
        }
    }
}
