//! The running console: built from its settings, bound to its port, run until it is told to stop.
//! `serve`, `demo` and the tests start it the same way.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    ServiceExt as _,
    extract::{Request, connect_info::Connected},
    response::Response,
    serve::{IncomingStream, Listener},
};
use quorate_control::{ClusterSetup, Control, Outside};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, Service, util::MapRequestLayer};
use url::Url;

use crate::{
    assets,
    configuration::{Listen, Reports},
    events,
    guards::peer::{Peer, Prompt},
    health,
    identity::{Identity, Peers},
    router, sessions,
    state::{Console, Front},
};

/// In the data directory: the address people open, for commands beside the console.
pub const ADDRESS_FILE: &str = "address";
/// Answers under way may take this long to end once the console stops.
const DRAIN: Duration = Duration::from_secs(2);
/// And the records of running changes this long: together less than people wait before they kill.
const RECORD: Duration = Duration::from_secs(7);

/// What a console starts from.
pub struct Settings {
    pub listen: Listen,
    /// As browsers see it. `None`: the address listened on.
    pub external_url: Option<Url>,
    pub data_dir: PathBuf,
    pub read_only: bool,
    pub identity: Identity,
    /// Proxies whose word on where a request began is believed.
    pub trusted_proxies: Option<Peers>,
    /// How long a page stays live on one word of a sign-on proxy.
    pub streams_renewed: Duration,
    pub clusters: Vec<ClusterSetup>,
    /// Where checkpoints of the audit log are copied to.
    pub copies: Vec<Arc<dyn Outside>>,
    /// Reports of the audit log that are made by a schedule.
    pub reports: Reports,
    pub session_idle: Duration,
    pub session_absolute: Duration,
}

impl Settings {
    /// A console for `data_dir` on `listen`, without clusters.
    #[must_use]
    pub fn new(data_dir: PathBuf, listen: Listen) -> Self {
        Self {
            listen,
            external_url: None,
            data_dir,
            read_only: false,
            identity: Identity::Local,
            trusted_proxies: None,
            streams_renewed: events::RENEWED_EVERY,
            clusters: Vec::new(),
            copies: Vec::new(),
            reports: Reports::default(),
            session_idle: sessions::IDLE,
            session_absolute: sessions::ABSOLUTE,
        }
    }
}

/// A console that listens and does not answer yet.
pub struct Application {
    console: Console,
    socket: Socket,
    external: Url,
    session_absolute: Duration,
}

enum Socket {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

impl Application {
    /// Binds the listener, opens the store, begins to watch.
    ///
    /// # Errors
    /// If the address is taken or the data directory cannot be used.
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        let socket = bind(&settings.listen).await?;
        let external = match settings.external_url {
            Some(url) => url,
            None => own_url(&socket)?,
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
        })
        .await
        .context("cannot open the console's data directory")?;
        control.audit_copies(settings.copies).await?;
        let reports = settings.reports;
        control.audit_reports(reports.plans, reports.keeping);
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
        match &self.socket {
            Socket::Tcp(_, address) => address.port(),
            Socket::Unix(..) => 0,
        }
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
        let router = router::build(&self.console, self.session_absolute);
        let below = MapRequestLayer::new(router::below(&self.console.base.0));
        let service = below.layer(router);
        let served = match self.socket {
            Socket::Tcp(listener, _) => {
                serve(Prompt(listener), service, &self.console.closing).await
            }
            Socket::Unix(listener, path) => {
                let served = serve(listener, service, &self.console.closing).await;
                let _ = std::fs::remove_file(path);
                served
            }
        };
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

async fn bind(listen: &Listen) -> anyhow::Result<Socket> {
    match listen {
        Listen::Tcp(address) => {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?;
            let address = listener.local_addr()?;
            Ok(Socket::Tcp(listener, address))
        }
        Listen::Unix(path) => {
            remove_dead(path).await?;
            let listener = UnixListener::bind(path)
                .with_context(|| format!("cannot listen on {}", path.display()))?;
            Ok(Socket::Unix(listener, path.clone()))
        }
    }
}

/// A socket that a killed console left behind; one that answers stays.
async fn remove_dead(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;

    let is_socket = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)
            .with_context(|| format!("cannot remove the dead socket {}", path.display()))?;
    }
    Ok(())
}

fn own_url(socket: &Socket) -> anyhow::Result<Url> {
    let text = match socket {
        Socket::Tcp(_, address) if address.ip().is_unspecified() => {
            format!("http://127.0.0.1:{}/", address.port())
        }
        Socket::Tcp(_, address) => format!("http://{address}/"),
        Socket::Unix(..) => "http://localhost/".to_owned(),
    };
    Url::parse(&text).context("the listener's address")
}

async fn serve<L, S>(listener: L, service: S, closing: &CancellationToken) -> anyhow::Result<()>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    Peer: for<'a> Connected<IncomingStream<'a, L>>,
{
    let make = service.into_make_service_with_connect_info::<Peer>();
    let server =
        axum::serve(listener, make).with_graceful_shutdown(closing.clone().cancelled_owned());
    let drained = async {
        closing.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server => served.context("the listener failed"),
        () = drained => Ok(()),
    }
}
