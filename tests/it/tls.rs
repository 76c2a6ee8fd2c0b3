//! Which certificate is shown to whom, and what is spoken under it.

use std::path::PathBuf;

use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, SignatureScheme};

use crate::support::house::House;
use crate::support::http::Line;
use crate::support::secure::{Http2, Visitor, write_certificate_for};

const FILM: &str = "GET /sample.mp4/index.m3u8";

/// A house with two certificates more for `bare.example` and what is below, one by RSA and one by ECDSA.
async fn furnished() -> House {
    let house = House::open().await;
    let names = ["bare.example", "*.bare.example"];
    write_certificate_for(&names, &house.path().join("rsa"), &rcgen::PKCS_RSA_SHA256);
    write_certificate_for(&names, &house.path().join("ecdsa"), &rcgen::PKCS_ECDSA_P256_SHA256);
    let more = "private_key = \"certificate.key.pem\"\n[[listen.https.additional_certificate]]\n\
                certificate = \"rsa.pem\"\nprivate_key = \"rsa.key.pem\"\n[[listen.https.additional_certificate]]\n\
                certificate = \"ecdsa.pem\"\nprivate_key = \"ecdsa.key.pem\"\n";
    let text = house.configuration().replace("private_key = \"certificate.key.pem\"\n", more);
    house.write_configuration(&text);
    house.running.reload().expect("certificates are taken at reload");
    house
}

async fn shows(house: &House, name: &str, file: &str, scheme: Option<SignatureScheme>) -> bool {
    let trusted: PathBuf = house.path().join(file);
    let visitor = Visitor { name, trusted: &trusted, protocols: &[], versions: ALL_VERSIONS, scheme };
    visitor.connect(house.https()).await.is_some()
}

#[tokio::test]
async fn each_name_is_shown_its_certificate_by_ecdsa_where_the_viewer_knows_it() {
    let house = furnished().await;
    assert!(shows(&house, "localhost", "certificate.pem", None).await);
    assert!(shows(&house, "bare.example", "ecdsa.pem", None).await);
    assert!(shows(&house, "any.bare.example", "ecdsa.pem", None).await);
    assert!(shows(&house, "bare.example", "rsa.pem", Some(SignatureScheme::RSA_PSS_SHA256)).await);
    assert!(!shows(&house, "elsewhere.example", "ecdsa.pem", None).await, "that is the default's");
    house.running.stop().await;
}

#[tokio::test]
async fn a_request_that_came_over_a_connection_to_another_distribution_is_misdirected() {
    let house = furnished().await;
    let trusted = house.path().join("ecdsa.pem");
    let visitor = Visitor {
        name: "bare.example",
        trusted: &trusted,
        protocols: &["http/1.1"],
        versions: ALL_VERSIONS,
        scheme: None,
    };
    let mut line = Line::over(visitor.connect(house.https()).await.expect("it is trusted"));
    line.ask(&format!("{FILM}\nHost: bare.example")).await.expect(200);
    line.ask(&format!("{FILM}\nHost: other.bare.example")).await.expect(200);
    line.ask(&format!("{FILM}\nHost: localhost")).await.expect(421);
    let both = Visitor { protocols: &["h2"], ..visitor };
    let both = Http2::over(both.connect(house.https()).await.expect("it is trusted")).await;
    both.get("https://localhost/sample.mp4/index.m3u8").await.expect(421);
    both.get("https://bare.example/sample.mp4/index.m3u8").await.expect(200);
    house.running.stop().await;
}

#[tokio::test]
async fn a_security_policy_of_tls_1_3_refuses_older_viewers() {
    let house = House::with(&["listen.https.security_policy=TLSv1.3_2025"]).await;
    let trusted = house.path().join("certificate.pem");
    for (versions, speaks) in [(&[&TLS12], false), (&[&TLS13], true)] {
        let visitor =
            Visitor { name: "localhost", trusted: &trusted, protocols: &[], versions, scheme: None };
        assert_eq!(visitor.connect(house.https()).await.is_some(), speaks);
    }
    house.running.stop().await;
}

#[tokio::test]
async fn what_was_agreed_to_be_spoken_is_spoken_and_nothing_else() {
    let house = House::open().await;
    let trusted = house.path().join("certificate.pem");
    let visitor = |protocols| Visitor {
        name: "localhost",
        trusted: &trusted,
        protocols,
        versions: ALL_VERSIONS,
        scheme: None,
    };
    let older = visitor(&["http/1.1"]).connect(house.https()).await.expect("it is trusted");
    let mut line = Line::over(older);
    line.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert_eq!(line.rest().await, b"", "it is hung up on");
    assert!(visitor(&["spdy/3"]).connect(house.https()).await.is_none(), "nothing is in common");
    house.running.stop().await;
}
