//! What is given, by whom it is first had, and the certificate it is given under.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::server::{Places, Server};

/// A directory with files of given lengths, a certificate, and a web server that caches fetch the files from.
pub(crate) struct Media {
    directory: TempDir,
    pub(crate) origin: Server,
}

impl Media {
    pub(crate) fn new(files: &[(&str, u64)]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let at = directory.path();
        fs::create_dir(at.join("files"))?;
        for (name, length) in files {
            let octets: Vec<u8> = (0..*length).map(|it| (it % 251) as u8).collect();
            fs::write(at.join("files").join(name), octets)?;
        }
        certificate(at)?;
        // Some servers read it as nobody; nothing in it is worth hiding.
        fs::set_permissions(at, fs::Permissions::from_mode(0o755))?;
        let places = Places::free()?;
        let origin = super::peers::nginx(&super::peers::files(places, at), places, None)?;
        Ok(Self { directory, origin })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// ECDSA over P-256, and a setting that has OpenSSL's clients ask for AES-128-GCM first, so that all servers encrypt
/// alike.
fn certificate(at: &Path) -> anyhow::Result<()> {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(at)
        .stderr(Stdio::null())
        .status()
        .context("openssl does not start")?;
    ensure!(made.success(), "openssl made no certificate");
    let both = [fs::read(at.join("cert.pem"))?, fs::read(at.join("key.pem"))?].concat();
    fs::write(at.join("both.pem"), both)?;
    fs::set_permissions(at.join("key.pem"), fs::Permissions::from_mode(0o644))?;
    let settings = "openssl_conf = first\n[first]\nssl_conf = second\n[second]\nsystem_default = third\n\
                    [third]\nCiphersuites = TLS_AES_128_GCM_SHA256\nMinProtocol = TLSv1.3\n";
    Ok(fs::write(at.join("openssl.cnf"), settings)?)
}

/// `1 KiB`, `6 MiB`.
pub(super) fn size(octets: u64) -> String {
    match octets {
        0..=0xf_ffff => format!("{} KiB", octets >> 10),
        _ => format!("{} MiB", octets >> 20),
    }
}
