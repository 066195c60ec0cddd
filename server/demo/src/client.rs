//! The one HTTP client of a process, without proxies: nodes are on this machine.

use std::{sync::Once, time::Duration};

static PROVIDER: Once = Once::new();

/// A client whose requests each set their own time limit.
///
/// # Errors
/// If the TLS back end cannot be set up.
pub fn client() -> reqwest::Result<reqwest::Client> {
    PROVIDER.call_once(|| {
        // Already set by the host program: that one serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_millis(500))
        .timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(4)
        .build()
}
