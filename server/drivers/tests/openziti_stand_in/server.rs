//! The TLS server of one stand-in controller: it can be killed, started again on its port, and
//! frozen, with everything that is connected to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use rustls::ServerConfig;
use tokio::{
    io::DuplexStream,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use super::world::{Life, World};

/// Who is at the other end: the certificate it showed, if any.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub certificate: Option<Vec<u8>>,
}

/// Connections that have been let in.
struct Admitted {
    connections: mpsc::Receiver<(DuplexStream, Caller)>,
}

impl Listener for Admitted {
    type Io = DuplexStream;
    type Addr = Caller;

    async fn accept(&mut self) -> (DuplexStream, Caller) {
        match self.connections.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Caller> {
        Ok(Caller::default())
    }
}

impl Connected<IncomingStream<'_, Admitted>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Admitted>) -> Self {
        stream.remote_addr().clone()
    }
}

/// One controller's server.
pub struct Server {
    id: String,
    world: World,
    tls: Arc<ServerConfig>,
    address: SocketAddr,
    admit: mpsc::Sender<(DuplexStream, Caller)>,
    accepting: Option<JoinHandle<()>>,
    serving: JoinHandle<()>,
}

impl Server {
    /// A port of its own on loopback.
    pub async fn listen() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    pub fn start(
        id: &str,
        world: World,
        tls: Arc<ServerConfig>,
        listener: TcpListener,
        routes: Router,
    ) -> Self {
        let (admit, connections) = mpsc::channel(16);
        let address = listener.local_addr().unwrap();
        let service = routes.into_make_service_with_connect_info::<Caller>();
        let serving = tokio::spawn(async move {
            let _ = axum::serve(Admitted { connections }, service).await;
        });
        let mut server = Self {
            id: id.to_owned(),
            world,
            tls,
            address,
            admit,
            accepting: None,
            serving,
        };
        server.accept(listener);
        server
    }

    fn accept(&mut self, listener: TcpListener) {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls));
        let (admit, world, id) = (self.admit.clone(), self.world.clone(), self.id.clone());
        self.accepting = Some(tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, admit) = (acceptor.clone(), admit.clone());
                let (world, id) = (world.clone(), id.clone());
                connections.spawn(async move {
                    until_it_runs(&world, &id).await;
                    pass_on(stream, acceptor, admit).await;
                });
                while connections.try_join_next().is_some() {}
            }
        }));
    }

    /// The process is gone: nothing listens, everything that was connected breaks.
    pub async fn kill(&mut self) {
        self.world.state().node_mut(&self.id).life = Life::Dead;
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
    }

    /// Listens again where it did.
    pub async fn start_again(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        self.accept(listener);
        self.world.state().node_mut(&self.id).life = Life::Running;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.serving.abort();
    }
}

/// Returns once the controller is not frozen.
pub async fn until_it_runs(world: &World, id: &str) {
    while world.state().node(id).life == Life::Frozen {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn pass_on(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    admit: mpsc::Sender<(DuplexStream, Caller)>,
) {
    let mut first = [0_u8; 1];
    let Ok(1) = stream.peek(&mut first).await else {
        return;
    };
    if first[0] != 0x16 {
        refuse_plain(stream).await;
        return;
    }
    let Ok(mut outer) = acceptor.accept(stream).await else {
        return;
    };
    let shown = outer.get_ref().1.peer_certificates();
    let certificate = shown.and_then(|chain| Some(chain.first()?.to_vec()));
    let (inner, mut ours) = tokio::io::duplex(64 * 1024);
    if admit.send((inner, Caller { certificate })).await.is_ok() {
        let _ = tokio::io::copy_bidirectional(&mut outer, &mut ours).await;
    }
}

/// As servers written in Go answer plain HTTP.
async fn refuse_plain(mut stream: TcpStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut request = [0_u8; 4096];
    let _ = stream.read(&mut request).await;
    let body = "Client sent an HTTP request to an HTTPS server.\n";
    let answer = format!(
        "HTTP/1.0 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
