//! The running console: built from its settings, bound to its port, run until it is told to stop.
//! `serve`, `demo` and the tests start it the same way.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use quorate_control::{
    ApprovalPolicy, ClusterSetup, Control, Outside, Recipient, Retention, SnapshotsKept,
    step_up::{Rules, Site},
};
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, util::MapRequestLayer};
use url::Url;

use crate::{
    assets,
    configuration::{Listen, Reports},
    events, health,
    identity::{Identity, Peers},
    listening::{
        Answers, Socket,
        emergency::{Bound, Door},
        tls::TlsFiles,
    },
    router, sessions,
    state::{Console, Front},
};

/// In the data directory: the address people open, for commands beside the console.
pub const ADDRESS_FILE: &str = "address";
/// The records of running changes may take this long once the console stops; with the answers under
/// way it is less than people wait before they kill.
const RECORD: Duration = Duration::from_secs(7);

/// What a console starts from.
pub struct Settings {
    pub listen: Listen,
    /// TLS of the console's own.
    pub certificates: Option<TlsFiles>,
    /// The socket for emergencies.
    pub break_glass: Option<Door>,
    /// As browsers see it. `None`: the address listened on.
    pub external_url: Option<Url>,
    pub data_dir: PathBuf,
    pub read_only: bool,
    pub identity: Identity,
    /// Before what people prove that it is them.
    pub step_up: Rules,
    /// Proxies whose word on where a request began is believed.
    pub trusted_proxies: Option<Peers>,
    /// How long a page stays live on one word of a sign-on proxy.
    pub streams_renewed: Duration,
    pub clusters: Vec<ClusterSetup>,
    /// Where checkpoints of the audit log are copied to.
    pub copies: Vec<Arc<dyn Outside>>,
    /// Reports of the audit log that are made by a schedule.
    pub reports: Reports,
    /// How long the audit log is kept; `None`: for ever.
    pub retention: Option<Retention>,
    /// Places that reports are delivered to.
    pub recipients: Vec<Arc<dyn Recipient>>,
    /// How many snapshots stay on this machine.
    pub snapshots: SnapshotsKept,
    pub session_idle: Duration,
    pub session_absolute: Duration,
    /// Which changes other people have to approve.
    pub approvals: ApprovalPolicy,
    /// The beginning of the digest of the configuration; `None` without one.
    pub configuration: Option<String>,
}

impl Settings {
    /// A console for `data_dir` on `listen`, without clusters.
    #[must_use]
    pub fn new(data_dir: PathBuf, listen: Listen) -> Self {
        Self {
            listen,
            certificates: None,
            break_glass: None,
            external_url: None,
            data_dir,
            read_only: false,
            identity: Identity::Local,
            step_up: Rules::default(),
            trusted_proxies: None,
            streams_renewed: events::RENEWED_EVERY,
            clusters: Vec::new(),
            copies: Vec::new(),
            reports: Reports::default(),
            retention: None,
            recipients: Vec::new(),
            snapshots: SnapshotsKept::default(),
            session_idle: sessions::IDLE,
            session_absolute: sessions::ABSOLUTE,
            approvals: ApprovalPolicy::default(),
            configuration: None,
        }
    }
}

/// A console that listens and does not answer yet.
pub struct Application {
    console: Console,
    socket: Socket,
    emergency: Option<Bound>,
    external: Url,
    session_absolute: Duration,
}

impl Application {
    /// Binds the listener, opens the store, begins to watch.
    ///
    /// # Errors
    /// If the address is taken or the data directory cannot be used.
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        let socket = Socket::bind(&settings.listen, settings.certificates.as_ref()).await?;
        let emergency = match &settings.break_glass {
            Some(door) => Some(
                door.bind()
                    .await
                    .context("identity.break_glass: the socket cannot be used")?,
            ),
            None => None,
        };
        let external = match settings.external_url {
            Some(url) => url,
            None => socket.own_url()?,
        };
        let metrics = health::recorder();
        let data_dir = settings.data_dir.clone();
        let control = Control::start(quorate_control::Settings {
            data_dir: settings.data_dir,
            read_only: settings.read_only,
            clusters: settings.clusters,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            session_idle: settings.session_idle,
            session_absolute: settings.session_absolute,
            approvals: settings.approvals,
            configuration: settings.configuration,
        })
        .await
        .context("cannot open the console's data directory")?;
        control.step_up_rules(Rules {
            site: Site::of(&external),
            ..settings.step_up
        });
        control.audit_copies(settings.copies).await?;
        let reports = settings.reports;
        control.audit_reports(reports.plans, reports.keeping, settings.recipients);
        if let Some(version) = settings.identity.mapping_version() {
            control.audit_maps_by(version);
        }
        if let Some(retention) = settings.retention {
            control.audit_retention(retention);
        }
        control.keep_snapshots(settings.snapshots);
        let identity = settings.identity;
        let front = Front {
            proxies: settings.trusted_proxies,
            streams_renewed: settings.streams_renewed,
        };
        let console = Console::new(
            control,
            identity,
            front,
            &external,
            assets::names(),
            metrics,
        );
        // Without it `quorate user link` prints a path instead of an address.
        if let Err(error) = std::fs::write(data_dir.join(ADDRESS_FILE), external.as_str()) {
            tracing::warn!("cannot note the console's address: {error}");
        }
        Ok(Self {
            console,
            socket,
            emergency,
            external,
            session_absolute: settings.session_absolute,
        })
    }

    /// The address people open, ending in a slash.
    #[must_use]
    pub fn address(&self) -> String {
        let address = self.external.as_str();
        if address.ends_with('/') {
            address.to_owned()
        } else {
            format!("{address}/")
        }
    }

    /// 0 on a Unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.socket.port()
    }

    #[must_use]
    pub fn control(&self) -> &Control {
        &self.console.control
    }

    /// Answers until `stop` is cancelled; then streams end, answers under way are finished,
    /// running steps are recorded.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        let closing = self.console.closing.clone();
        let stopping = tokio::spawn(async move {
            stop.cancelled_owned().await;
            closing.cancel();
        });
        let (control, closing) = (&self.console.control, &self.console.closing);
        let served = async {
            let service = service(&self.console, self.session_absolute);
            let served = self.socket.serve(service, control, closing).await;
            // Nobody is let in by the socket for emergencies of a console that has ended.
            closing.cancel();
            served
        };
        let emergency = async {
            if let Some(bound) = self.emergency {
                let service = service(&self.console.in_emergencies(), self.session_absolute);
                bound.serve(service, control, closing).await;
            }
        };
        let (served, ()) = tokio::join!(served, emergency);
        stopping.abort();
        if tokio::time::timeout(RECORD, self.console.control.stop())
            .await
            .is_err()
        {
            tracing::warn!(
                "running changes are left open; they are looked at after the next start"
            );
        }
        served
    }
}

/// What answers requests.
fn service(console: &Console, life: Duration) -> impl Answers + use<> {
    let router = router::build(console, life);
    MapRequestLayer::new(router::below(&console.base.0)).layer(router)
}
