//! TLS to origins: which certificates are taken, which name is said, and which protocol is spoken (cloudfront.md 2.5).

use std::path::Path;

use http::Version;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::PrivateKeyDer;

use super::*;

/// What a server was asked: the name in SNI, the protocol, and `Host`.
type Said = Arc<Mutex<Vec<(Option<String>, Version, String)>>>;

/// A server with a certificate of a private authority for these names, whose own certificate is in a file.
async fn secure_server(at: &Path, names: &[&str], days: std::ops::Range<i32>) -> (HttpOrigin, Said) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let file = at.join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let mut leaf = CertificateParams::new(names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()).unwrap();
    leaf.not_before = rcgen::date_time_ymd(days.start, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(days.end, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Said::default();
    let heard = Arc::clone(&said);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let name = stream.get_ref().1.server_name().map(str::to_owned);
            let heard = Arc::clone(&heard);
            let answer = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let host = request.headers().get("host").map(|it| it.to_str().unwrap().to_owned());
                let host = host.or_else(|| request.uri().host().map(str::to_owned)).unwrap_or_default();
                heard.lock().unwrap().push((name.clone(), request.version(), host));
                async {
                    Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from("ocean"))))
                }
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    let settings = HttpOrigin {
        domain_name: "localhost".into(),
        protocol_policy: OriginProtocolPolicy::HttpsOnly,
        ca_file: Some(file),
        ..settings(port)
    };
    (settings, said)
}

const TODAY: std::ops::Range<i32> = 2020..2099;

async fn refusal(settings: HttpOrigin) -> String {
    match fetch(&settings, Ask::default()).await.err() {
        Some(Failure::Unreachable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_an_own_authority_is_taken_and_the_origin_is_named_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let (settings, said) = secure_server(directory.path(), &["localhost"], TODAY).await;
    let fetched = fetch(&settings, Ask::default()).await.unwrap();
    assert_eq!(body(fetched).await.unwrap(), b"ocean");
    let (name, version, _) = said.lock().unwrap().remove(0);
    assert_eq!((name.as_deref(), version), (Some("localhost"), Version::HTTP_2));
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_not_its_own_or_not_of_today_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (trusting, said) = secure_server(directory.path(), &["localhost"], TODAY).await;
    let strict = HttpOrigin { ca_file: None, ..trusting.clone() };
    assert!(refusal(strict).await.contains("certificate"));
    let lost = HttpOrigin { ca_file: Some(directory.path().join("none.pem")), ..trusting };
    assert!(refusal(lost).await.contains("none.pem"));

    let (other, _) = secure_server(directory.path(), &["other.example"], TODAY).await;
    assert!(refusal(other).await.contains("certificate"));
    let (expired, _) = secure_server(directory.path(), &["localhost"], 2001..2002).await;
    assert!(refusal(expired).await.contains("certificate"));
    assert!(said.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_host_that_is_forwarded_is_told_over_http_1_and_changes_no_name_in_tls() {
    let directory = tempfile::tempdir().unwrap();
    let (settings, said) = secure_server(directory.path(), &["localhost"], TODAY).await;
    let asked = || Example::get_url("https://tv.example/a").policy(|it| it.headers = vec!["host".into()]);
    Web::new(settings.clone()).fetch(&question(asked()), &Ask::default()).await.unwrap();
    let said = said.lock().unwrap().remove(0);
    assert_eq!(said, (Some("localhost".to_owned()), Version::HTTP_11, "tv.example".to_owned()));
    // A certificate for what a viewer names is none for the origin.
    let (other, _) = secure_server(directory.path(), &["tv.example"], TODAY).await;
    assert!(Web::new(other).fetch(&question(asked()), &Ask::default()).await.is_err());
}
