//! Who is asked for names: the system's DNS, or one server that the configuration names.

use std::net::SocketAddr;

use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// How long one server gets for one question, and how often it is asked.
const WAIT: std::time::Duration = std::time::Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// Asks `server`, or whoever the system names at this moment. What was answered is not kept.
pub(super) fn fresh(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        Some(server) => only(server),
        None => TokioResolver::builder_tokio()?,
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = WAIT;
    options.attempts = ATTEMPTS;
    builder.build()
}

fn only(server: SocketAddr) -> ResolverBuilder<TokioRuntimeProvider> {
    let mut ways = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for way in &mut ways {
        way.port = server.port();
    }
    let server = NameServerConfig::new(server.ip(), true, ways);
    let config = ResolverConfig::from_name_servers(vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

/// The hosts of a cluster's addresses, by one server, each for as long as its record says.
#[derive(Clone)]
pub(crate) struct Names(TokioResolver);

impl Names {
    /// `None` only if the library cannot be set up at all.
    pub(crate) fn by(server: SocketAddr) -> Option<Self> {
        let mut builder = only(server);
        builder.options_mut().timeout = WAIT;
        builder.options_mut().attempts = ATTEMPTS;
        builder.build().ok().map(Self)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.0.clone();
        Box::pin(async move {
            let found = resolver.lookup_ip(name.as_str()).await?;
            let addresses: Vec<SocketAddr> =
                found.iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}
