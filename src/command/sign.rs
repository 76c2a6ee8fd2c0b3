//! `levada sign`: a signed URL or signed cookies.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use http::Uri;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::access::sign::{Signed, Signer, Terms, is_signed};

/// Sign a URL, so that its viewer is let in.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Without --resource, --starts or --ip the signature is for this one URL (a canned policy). What a playlist names has URLs
of its own: sign for all of them with --resource.

Examples:
  levada sign https://video.example/vod/film.mp4 --private-key keys/KVIEWERS.private.pem
  levada sign https://video.example/live/tour/index.m3u8 --resource 'https://video.example/live/tour/*' \\
      --expires-in 6h --private-key keys/KVIEWERS.private.pem
  levada sign https://video.example/live/tour/index.m3u8 --resource 'https://video.example/live/*' \\
      --ip 203.0.113.0/24 --starts 2027-01-01T20:00:00Z --expires 2027-01-01T23:00:00Z \\
      --cookies=curl --private-key keys/KVIEWERS.private.pem")]
pub struct Sign {
    /// The URL as the viewer will ask for it
    url: String,
    /// The private key that signs: RSA or ECDSA, PKCS#8, PKCS#1 or SEC1 in PEM
    #[arg(long, value_name = "FILE")]
    private_key: PathBuf,
    /// The id of its public key [default: the file's name up to the first dot, as keygen makes it]
    #[arg(long, value_name = "ID")]
    key_pair_id: Option<String>,
    /// How long the signature holds
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = config::units::duration::parse)]
    expires_in: Duration,
    /// When the signature ends instead: 2027-01-31, 2027-01-31T20:00:00Z, or seconds since 1970
    #[arg(long, value_name = "DATE", conflicts_with = "expires_in", value_parser = parse_date)]
    expires: Option<SystemTime>,
    /// When it begins
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    starts: Option<SystemTime>,
    /// Which viewers may use it: an IPv4 address, or a network such as 203.0.113.0/24
    #[arg(long, value_name = "NETWORK", value_parser = parse_network)]
    ip: Option<(Ipv4Addr, u8)>,
    /// Which URLs it opens: * is anything, ? one character
    #[arg(long, value_name = "PATTERN")]
    resource: Option<String>,
    /// Print cookies instead of a URL: as Set-Cookie fields, or as an argument of curl
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "set-cookie")]
    cookies: Option<Cookies>,
}

/// How cookies are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Cookies {
    /// A field per cookie, for a server to answer with.
    SetCookie,
    /// `-b '…'`.
    Curl,
}

/// Prints the signed URL or the cookies.
///
/// # Errors
/// One sentence when the key cannot be used or the URL cannot be signed.
pub fn run(sign: &Sign) -> anyhow::Result<()> {
    let pem =
        fs::read(&sign.private_key).with_context(|| format!("cannot read {}", sign.private_key.display()))?;
    let key_pair_id = match &sign.key_pair_id {
        Some(it) => it.as_str(),
        None => id_in_name(&sign.private_key).context("--key-pair-id is missing")?,
    };
    let signer = Signer::from_pem(key_pair_id, &pem)
        .with_context(|| format!("cannot sign with {}", sign.private_key.display()))?;
    println!("{}", sign.answer(&signer, SystemTime::now())?);
    if sign.is_canned() && is_manifest(&sign.url) {
        eprintln!(
            "note: this opens the playlist alone. Players also ask for what it names; open that too with --resource '{}*'",
            sign.url.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned() + "/"
        );
    }
    Ok(())
}

impl Sign {
    fn answer(&self, signer: &Signer, now: SystemTime) -> anyhow::Result<String> {
        let url = as_requested(&self.url)?;
        let expires = self.expires.unwrap_or_else(|| now + self.expires_in);
        let signed = if self.is_canned() {
            signer.sign_canned(&url, expires)?
        } else {
            signer.sign_custom(&Terms {
                resource: Some(self.resource.clone().unwrap_or_else(|| url.clone())),
                expires,
                not_before: self.starts,
                network: self.ip,
            })?
        };
        Ok(match self.cookies {
            None => signed.append_to(&url),
            Some(Cookies::SetCookie) => set_cookies(&signed, url.starts_with("https:")),
            Some(Cookies::Curl) => {
                let pairs = signed.cookies().map(|(name, value)| format!("{name}={value}"));
                format!("-b '{}'", pairs.collect::<Vec<_>>().join("; "))
            }
        })
    }

    const fn is_canned(&self) -> bool {
        self.resource.is_none() && self.starts.is_none() && self.ip.is_none()
    }
}

fn set_cookies(signed: &Signed, is_https: bool) -> String {
    let secure = if is_https { "; Secure" } else { "" };
    let field = |(name, value)| format!("Set-Cookie: {name}={value}; Path=/; HttpOnly{secure}");
    signed.cookies().map(field).collect::<Vec<_>>().join("\n")
}

/// The URL as players send it: a lower-case host, no default port, a path.
fn as_requested(url: &str) -> anyhow::Result<String> {
    let uri: Uri = url.parse().context("this is no URL; are spaces and other letters percent-encoded?")?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        bail!("the URL begins with https://, http://, rtmps:// or rtmp:// and a host");
    };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        "rtmp" => 1935,
        "rtmps" => 443,
        _ => bail!("{scheme}:// is not signed; https, http, rtmps and rtmp are"),
    };
    let query = uri.query();
    if query.is_some_and(is_signed) {
        bail!("the URL has a parameter that belongs to signatures; is it signed already?");
    }
    let port =
        uri.port_u16().filter(|it| *it != default_port).map_or_else(String::new, |it| format!(":{it}"));
    let query = query.map_or_else(String::new, |it| format!("?{it}"));
    Ok(format!("{scheme}://{}{port}{}{query}", host.to_ascii_lowercase(), uri.path()))
}

fn is_manifest(url: &str) -> bool {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    path.ends_with(".m3u8") || path.ends_with(".mpd")
}

fn id_in_name(file: &Path) -> Option<&str> {
    file.file_name()?.to_str()?.split('.').next().filter(|it| !it.is_empty())
}

fn parse_date(text: &str) -> Result<SystemTime, String> {
    let seconds = text.parse().ok().and_then(|it| Timestamp::from_second(it).ok());
    let day = || {
        text.parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight())
            .to_zoned(Offset::UTC.to_time_zone())
            .ok()
    };
    seconds
        .or_else(|| text.parse().ok())
        .or_else(|| day().map(|it| it.timestamp()))
        .map(SystemTime::from)
        .ok_or_else(|| "expected 2027-01-31, 2027-01-31T20:00:00Z, or seconds since 1970".to_owned())
}

fn parse_network(text: &str) -> Result<(Ipv4Addr, u8), String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, prefix.parse().ok().filter(|it| *it <= 32)),
        None => (text, Some(32)),
    };
    address
        .parse()
        .ok()
        .zip(prefix)
        .ok_or_else(|| "expected an IPv4 address, or a network such as 203.0.113.0/24".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use clap::Parser;

    use super::*;
    use crate::access::sign::{Algorithm, NewKeys};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sign: Sign,
    }

    fn answer(line: &str) -> anyhow::Result<String> {
        let keys = NewKeys::generate(Algorithm::Ecdsa)?;
        let signer = Signer::from_pem("KTEST", keys.private.as_bytes())?;
        let words = ["sign"].into_iter().chain(line.split(' ')).chain(["--private-key", "k"]);
        Line::try_parse_from(words)?.sign.answer(&signer, UNIX_EPOCH + Duration::from_secs(1000))
    }

    fn check(line: &str, beginning: &str) {
        let found = answer(line).unwrap();
        assert!(found.starts_with(beginning), "{line}: {found}");
    }

    #[test]
    fn a_url_is_signed_for_itself_as_players_send_it() {
        check("https://H.Example:443/a?b=c", "https://h.example/a?b=c&Expires=4600&Signature=");
        check("http://h.example --expires-in 1s", "http://h.example/?Expires=1001&Signature=");
        check(
            "rtmp://h.example:1936/live/a --expires 5000",
            "rtmp://h.example:1936/live/a?Expires=5000&Signature=",
        );
    }

    #[test]
    fn a_resource_a_start_or_an_address_makes_it_a_custom_policy() {
        check("https://h/a --resource https://h/*", "https://h/a?Policy=");
        check("https://h/a --starts 1970-01-01", "https://h/a?Policy=");
        check("https://h/a --ip 192.0.2.1", "https://h/a?Policy=");
    }

    #[test]
    fn cookies_come_as_fields_or_for_curl() {
        let fields = answer("https://h/a --cookies").unwrap();
        assert_eq!(fields.lines().count(), 4);
        assert!(
            fields.lines().all(|it| it.starts_with("Set-Cookie: CloudFront-") && it.ends_with("; Secure"))
        );
        check("http://h/a --resource * --cookies=curl", "-b 'CloudFront-Policy=");
    }

    #[test]
    fn dates_are_days_moments_or_seconds() {
        let seconds =
            |text: &str| parse_date(text).map(|it| it.duration_since(UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(seconds("1970-01-02"), Ok(86_400));
        assert_eq!(seconds("1970-01-01T01:00:00+01:00"), Ok(0));
        assert_eq!(seconds("4102444800"), Ok(4_102_444_800));
        assert!(seconds("tomorrow").is_err());
    }

    #[test]
    fn what_cannot_be_signed_is_refused() {
        for line in [
            "h.example/a",
            "ftp://h/a",
            "https://h/a?Signature=x",
            "https://h/a --ip 192.0.2.0/33",
            "https://h/a --ip 2001:db8::1",
            "https://h/a --expires 5 --expires-in 5s",
            "https://h/a --expires-in 5",
        ] {
            assert!(answer(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_id_is_the_beginning_of_the_files_name() {
        assert_eq!(id_in_name(Path::new("keys/KVIEWERS.private.pem")), Some("KVIEWERS"));
        assert_eq!(id_in_name(Path::new("keys/.pem")), None);
    }
}
