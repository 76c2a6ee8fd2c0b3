//! The PROXY protocol, versions 1 and 2: a proxy says for whom it speaks, before anybody else says anything.
//!
//! Not one octet behind the header is read. What is malformed ends the connection: whoever may speak so is trusted, and
//! a guess would write one viewer's doings down as another's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Octets of a line of version 1, its end among them, as its text bounds it.
const MAX_LINE: usize = 107;
/// Octets of addresses and what proxies add to them; a certificate of a viewer may be among it.
const MAX_ADDRESSES: usize = 4096;

/// What a header is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Malformed {
    #[error("it begins with no PROXY header")]
    Begin,
    #[error("the line of the PROXY header is none")]
    Line,
    #[error("the PROXY header is longer than {MAX_ADDRESSES} bytes")]
    Length,
    #[error("the PROXY header has an unknown version, command or family")]
    Kind,
    #[error("the PROXY header is shorter than its addresses")]
    Addresses,
}

/// Reads a header; nothing when the proxy speaks for itself.
///
/// # Errors
/// `InvalidData` when it is malformed, and what the socket says.
pub(super) async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let malformed = |it: Malformed| io::Error::new(io::ErrorKind::InvalidData, it);
    let mut begin = [0; SIGNATURE.len()];
    io.read_exact(&mut begin).await?;
    if begin == SIGNATURE {
        let mut head = [0; 4];
        io.read_exact(&mut head).await?;
        let [command, family, high, low] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_ADDRESSES {
            return Err(malformed(Malformed::Length));
        }
        let mut rest = vec![0; length];
        io.read_exact(&mut rest).await?;
        return binary(command, family, &rest).map_err(malformed);
    }
    if !begin.starts_with(b"PROXY ") {
        return Err(malformed(Malformed::Begin));
    }
    let mut line = begin.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == MAX_LINE {
            return Err(malformed(Malformed::Line));
        }
        line.push(io.read_u8().await?);
    }
    text(&line).map_err(malformed)
}

/// `PROXY TCP4 192.0.2.7 192.0.2.1 4711 443`, with its end.
fn text(line: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
    let line = line.strip_suffix(b"\r\n").and_then(|it| str::from_utf8(it).ok()).ok_or(Malformed::Line)?;
    let words: Vec<_> = line.split(' ').collect();
    let (source, port) = match words[..] {
        // Whatever follows is to be ignored.
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", "TCP4", source, target, port, target_port] => {
            let source: Ipv4Addr = source.parse().map_err(|_| Malformed::Line)?;
            target.parse::<Ipv4Addr>().map_err(|_| Malformed::Line)?;
            parse_port(target_port)?;
            (IpAddr::V4(source), port)
        }
        ["PROXY", "TCP6", source, target, port, target_port] => {
            let source: Ipv6Addr = source.parse().map_err(|_| Malformed::Line)?;
            target.parse::<Ipv6Addr>().map_err(|_| Malformed::Line)?;
            parse_port(target_port)?;
            (IpAddr::V6(source), port)
        }
        _ => return Err(Malformed::Line),
    };
    Ok(Some(SocketAddr::new(source.to_canonical(), parse_port(port)?)))
}

/// Digits without a sign or a zero in front.
fn parse_port(text: &str) -> Result<u16, Malformed> {
    let plain = text.bytes().all(|it| it.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or(Malformed::Line)
}

/// What follows the signature and the length of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
    match (command, family) {
        // LOCAL: the proxy asks for itself, such as whether we are well. PROXY UNSPEC: it does not say for whom.
        (0x20, _) | (0x21, 0x00) => Ok(None),
        (0x21, 0x11) => {
            let (addresses, _) = rest.split_first_chunk::<12>().ok_or(Malformed::Addresses)?;
            let [a, b, c, d, _, _, _, _, high, low, ..] = *addresses;
            let source = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
            Ok(Some(SocketAddr::new(source, u16::from_be_bytes([high, low]))))
        }
        (0x21, 0x21) => {
            let (addresses, _) = rest.split_first_chunk::<36>().ok_or(Malformed::Addresses)?;
            let (source, more) = addresses.split_first_chunk::<16>().ok_or(Malformed::Addresses)?;
            let port = u16::from_be_bytes([more[16], more[17]]);
            Ok(Some(SocketAddr::new(IpAddr::V6((*source).into()).to_canonical(), port)))
        }
        _ => Err(Malformed::Kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(bytes: &[u8], expected: Result<Option<&str>, Malformed>) {
        let mut input = [bytes, b"GET /"].concat();
        input.truncate(bytes.len() + 5);
        let mut io = &input[..];
        let found =
            read(&mut io).await.map_err(|it| *it.into_inner().unwrap().downcast::<Malformed>().unwrap());
        if found.is_ok() {
            assert_eq!(io, b"GET /", "what follows is not read");
        }
        assert_eq!(found, expected.map(|it| it.map(|it| it.parse().unwrap())), "{bytes:?}");
    }

    fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    #[tokio::test]
    async fn version_1_says_an_address_and_a_port() {
        check(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n", Ok(Some("192.0.2.7:4711"))).await;
        check(b"PROXY TCP6 2001:db8::7 ::1 65535 443\r\n", Ok(Some("[2001:db8::7]:65535"))).await;
        check(b"PROXY UNKNOWN\r\n", Ok(None)).await;
        check(b"PROXY UNKNOWN ffff::1 ::1 1 2\r\n", Ok(None)).await;
    }

    #[tokio::test]
    async fn a_line_that_is_not_exactly_one_is_refused() {
        for line in [
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n",
            "PROXY TCP4  192.0.2.7 192.0.2.1 4711 443\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 04711 443\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 +711 443\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711 65536\r\n",
            "PROXY TCP4 ::1 ::1 4711 443\r\n",
            "PROXY TCP6 192.0.2.7 ::1 4711 443\r\n",
            "PROXY tcp4 192.0.2.7 192.0.2.1 4711 443\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\n\r\n",
        ] {
            check(line.as_bytes(), Err(Malformed::Line)).await;
        }
        check(&[b"PROXY ", &[b'1'; 200][..]].concat(), Err(Malformed::Line)).await;
        check(b"GET / HTTP/1.1\r\n", Err(Malformed::Begin)).await;
    }

    #[tokio::test]
    async fn version_2_says_an_address_and_a_port_and_more_that_is_passed_over() {
        let four = [192, 0, 2, 7, 192, 0, 2, 1, 0x12, 0x67, 1, 187];
        check(&version_2(0x21, 0x11, &four), Ok(Some("192.0.2.7:4711"))).await;
        check(&version_2(0x21, 0x11, &[&four[..], &[3, 0, 1, 9]].concat()), Ok(Some("192.0.2.7:4711"))).await;
        let six =
            [&Ipv6Addr::from(0x2001_0db8 << 96 | 7).octets()[..], &[0; 16], &[0x12, 0x67, 1, 187]].concat();
        check(&version_2(0x21, 0x21, &six), Ok(Some("[2001:db8::7]:4711"))).await;
        check(&version_2(0x20, 0x00, &[]), Ok(None)).await;
        check(&version_2(0x21, 0x00, &[1, 2, 3]), Ok(None)).await;
        check(&version_2(0x21, 0x11, &four[..11]), Err(Malformed::Addresses)).await;
        check(&version_2(0x21, 0x12, &four), Err(Malformed::Kind)).await;
        check(&version_2(0x31, 0x11, &four), Err(Malformed::Kind)).await;
        check(&version_2(0x22, 0x11, &four), Err(Malformed::Kind)).await;
        check(&version_2(0x21, 0x11, &[0; 5000]), Err(Malformed::Length)).await;
    }
}
