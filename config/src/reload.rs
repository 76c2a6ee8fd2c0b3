//! What a reload cannot change.

use crate::Config;

impl Config {
    /// The options in which `new` differs and that a running server takes only at its next start: sockets that are
    /// bound, memory that is given out, constants that playlists have announced. A test holds this list against the
    /// settings that say so.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        macro_rules! differing {
            ($($key:literal: $it:ident => $value:expr),+ $(,)?) => {
                [$(($key, { let value = |$it: &Self| $value; value(self) != value(new) })),+]
            };
        }
        let acme = |it: &Self| it.listen.https.as_ref().and_then(|it| it.acme.clone());
        let fixed = differing![
            "state_dir": it => it.state_dir.clone(),
            "listen.rtmp": it => it.listen.rtmp,
            "listen.http": it => it.listen.http,
            "listen.control": it => it.control.address,
            "listen.https": it => it.listen.https.is_some(),
            "listen.https.address": it => it.listen.https.as_ref().map(|it| it.address),
            "listen.https.acme": it => it.listen.https.as_ref().is_some_and(|it| it.acme.is_some()),
            "listen.https.acme.names": it => acme(it).map(|it| it.names),
            "listen.https.acme.contact": it => acme(it).map(|it| it.contact),
            "listen.https.acme.directory": it => acme(it).map(|it| it.directory),
            "listen.https.acme.authority": it => acme(it).map(|it| it.authority),
            "listen.https.http3": it => it.listen.https.as_ref().map(|it| it.http3),
            "listen.https.security_policy": it => it.listen.https.as_ref().map(|it| it.security_policy),
            "listen.max_connections": it => it.listen.max_connections,
            "listen.max_connections_per_client": it => it.listen.max_connections_per_client,
            "listen.max_connections_per_network": it => it.listen.max_connections_per_network,
            "listen.max_new_connections_per_client": it => it.listen.max_new_connections_per_client,
            "listen.max_requests_per_connection": it => it.listen.max_requests_per_connection,
            "listen.header_timeout": it => it.listen.header_timeout,
            "listen.keep_alive": it => it.listen.keep_alive,
            "listen.send_timeout": it => it.listen.send_timeout,
            "listen.max_header": it => it.listen.max_header,
            "listen.trusted_proxies": it => it.listen.trusted_proxies.clone(),
            "listen.proxy_protocol": it => it.listen.proxy_protocol,
            "listen.trusted_clients": it => it.listen.trusted_clients.clone(),
            "listen.drain": it => it.listen.drain,
            "rtmp.max_connections": it => it.rtmp.max_connections,
            "rtmp.max_connections_per_client": it => it.rtmp.max_connections_per_client,
            "rtmp.handshake_timeout": it => it.rtmp.handshake_timeout,
            "rtmp.silence_timeout": it => it.rtmp.silence_timeout,
            "rtmp.max_partial": it => it.rtmp.max_partial,
            "rtmp.replace_interval": it => it.rtmp.replace_interval,
            "rtmp.ring": it => it.rtmp.ring,
            "packaging.segment": it => it.packaging.segment,
            "packaging.part": it => it.packaging.part,
            "packaging.window": it => it.packaging.window,
            "packaging.grace": it => it.packaging.grace,
            "packaging.max_broadcasts": it => it.packaging.max_broadcasts,
            "packaging.memory": it => it.packaging.memory,
            "cache.memory": it => it.cache.memory,
            "cache.disk": it => it.cache.disk.is_some(),
            "cache.disk.directory": it => it.cache.disk.as_ref().map(|it| it.directory.clone()),
            "cache.disk.size": it => it.cache.disk.as_ref().map(|it| it.size),
            "cache.titles": it => it.cache.titles,
            "observe.log": it => it.observe.log.clone(),
            "observe.access_log": it => it.observe.access_log.is_some(),
            "observe.access_log.file": it => it.observe.access_log.as_ref().map(|it| it.file.clone()),
            "observe.access_log.format": it => it.observe.access_log.as_ref().map(|it| it.format),
        ];
        fixed.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }
}
