//! What every route of one console shares.

use std::{ops::Deref, sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use quorate_app::{assets::Assets, base::BasePath};
use quorate_control::Control;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    downloads::Downloads,
    identity::{Identity, Peers},
    sessions,
};

/// Pages and programs that may follow live at once. Each costs a rendering twice a second.
pub const STREAMS: usize = 256;

/// What stands between browsers and the console.
pub struct Front {
    pub proxies: Option<Peers>,
    pub streams_renewed: Duration,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Shared>);

pub struct Shared {
    pub control: Control,
    /// Who says who somebody is.
    pub identity: Identity,
    /// Whose word on where a request began is believed; `None`: nobody's.
    pub proxies: Option<Peers>,
    pub base: BasePath,
    /// `https://raft.example`: scheme, host and port of the configured external address.
    pub origin: String,
    /// Whether browsers reach it by https.
    pub secure: bool,
    pub assets: Assets,
    pub streams: Arc<Semaphore>,
    /// Files that clients take from the disk.
    pub downloads: Downloads,
    /// How long one stays open on one word of a sign-on proxy.
    pub streams_renewed: Duration,
    /// Cancelled when the console stops: streams end.
    pub closing: CancellationToken,
    pub metrics: PrometheusHandle,
}

impl Console {
    pub fn new(
        control: Control,
        identity: Identity,
        front: Front,
        external: &Url,
        assets: Assets,
        metrics: PrometheusHandle,
    ) -> Self {
        Self(Arc::new(Shared {
            control,
            identity,
            proxies: front.proxies,
            base: BasePath(external.path().trim_end_matches('/').to_owned()),
            origin: external.origin().ascii_serialization(),
            secure: external.scheme() == "https",
            assets,
            streams: Arc::new(Semaphore::new(STREAMS)),
            downloads: Downloads::default(),
            streams_renewed: front.streams_renewed,
            closing: CancellationToken::new(),
            metrics,
        }))
    }

    /// The same console as it answers at the socket for emergencies: by plain HTTP, to whoever has
    /// a link for it, whatever says elsewhere who somebody is.
    #[must_use]
    pub fn in_emergencies(&self) -> Self {
        Self(Arc::new(Shared {
            control: self.control.clone(),
            identity: Identity::BreakGlass,
            proxies: None,
            base: self.base.clone(),
            origin: String::new(),
            secure: false,
            assets: self.assets.clone(),
            streams: Arc::clone(&self.streams),
            downloads: self.downloads.clone(),
            streams_renewed: self.streams_renewed,
            closing: self.closing.clone(),
            metrics: self.metrics.clone(),
        }))
    }

    /// What browsers know their session by. At the socket for emergencies it is another one.
    #[must_use]
    pub fn cookie_name(&self) -> &'static str {
        match self.identity {
            Identity::BreakGlass => sessions::EMERGENCY_COOKIE,
            _ => sessions::cookie_name(self.secure),
        }
    }

    /// A path below the base, for redirects.
    pub fn path(&self, to: &str) -> String {
        self.base.path(to)
    }
}

impl Deref for Console {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
