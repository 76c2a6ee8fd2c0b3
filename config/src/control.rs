//! The control address.

use std::net::SocketAddr;

use crate::section::Section;
use crate::setting::Default::Absent;
use crate::setting::{Kind, Setting};

/// Where operators come in.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Its address; beyond loopback it is a problem, since it has no TLS. None: no control page.
    pub address: Option<SocketAddr>,
    /// How the control page names this server to encoders and viewers, such as `stream.example.com`. None: the
    /// host the page was asked under.
    pub public_host: Option<String>,
}

pub(crate) const SETTINGS: &[Setting] = &[Setting::new(
    "public_host",
    Kind::Text,
    Absent("the host that the control page was asked under"),
    "Set it when encoders and viewers reach this server by another name than operators do.",
)
.example("stream.example.com")];

impl Control {
    /// `listen` has the address, beside the other addresses.
    pub(crate) fn read(section: &Section<'_>, listen: &Section<'_>) -> Self {
        let address = listen.address("control");
        if address.is_some_and(|it| !it.ip().to_canonical().is_loopback()) {
            listen.report(
                "control",
                "the control page would be open beyond this machine, without TLS",
                "write \"127.0.0.1:9090\" and reach it through an ssh tunnel or a TLS proxy on this machine",
            );
        }
        Self { address, public_host: section.optional_text("public_host") }
    }
}
