//! A stand-in for a cluster of OpenZiti controllers, for tests and to look at the console by
//! hand. It is not OpenZiti: it answers as upstream describes the API and as its code goes about
//! things, on a simulated Raft, with the times shortened. Real controllers have not been met.
//! Knows nothing of the driver beyond what a configuration gives it.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod certificates;
mod edge;
mod fabric;
mod provider;
mod raft;
mod routes;
mod server;
mod socket;
mod world;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use quorate_domain::cluster::Kind;
use quorate_drivers::{Connection, Login, Secret};
use tokio::task::JoinHandle;

use certificates::{Authority, Identified};
use routes::{Access, Controller};
use server::Server;
use world::Node;

pub use edge::{ADMINISTRATOR, NOBODY};
pub use routes::Exchange;
pub use world::{Life, Pace, Server as RaftServer, State, Trap, World};

/// How to make a cluster: controllers `n1`, `n2` …, voters first, then learners, then such as
/// belong to no cluster yet.
#[derive(Clone, Debug)]
pub struct Shape {
    pub voters: usize,
    pub learners: usize,
    pub spares: usize,
    pub version: String,
    /// From 2.1 on every controller keeps a channel to every other.
    pub mesh: bool,
    pub oidc: bool,
    pub multi_factor: bool,
    /// What sessions and tokens last.
    pub life: Duration,
    pub domain: String,
    /// Whether the API's certificates name their controllers.
    pub certificates_name: bool,
    pub pace: Pace,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            voters: 3,
            learners: 1,
            spares: 1,
            version: "v2.0.3".to_owned(),
            mesh: false,
            oidc: true,
            multi_factor: false,
            life: Duration::from_secs(1_800),
            domain: "stand-in".to_owned(),
            certificates_name: true,
            pace: Pace::default(),
        }
    }
}

impl Shape {
    pub fn of_2_1() -> Self {
        Self {
            version: "v2.1.0".to_owned(),
            mesh: true,
            ..Self::default()
        }
    }

    /// Who was removed is let go at once.
    pub fn forgetting_strangers_soon() -> Self {
        let mut shape = Self::default();
        shape.pace.drop_strangers = Duration::from_millis(200);
        shape
    }

    /// The API has certificates of another authority's making.
    pub fn with_other_certificates() -> Self {
        Self {
            certificates_name: false,
            ..Self::default()
        }
    }

    pub fn of_1_6_with_oidc() -> Self {
        Self {
            oidc: true,
            ..Self::of_1_6()
        }
    }

    pub fn of_1_6() -> Self {
        Self {
            version: "v1.6.20".to_owned(),
            oidc: false,
            ..Self::default()
        }
    }
}

/// A running stand-in; everything ends with it.
pub struct StandIn {
    pub world: World,
    pub authority: Authority,
    /// A client's certificate that an administrator signs in with.
    pub administrator: Identified,
    access: Arc<Access>,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    certificates_name: bool,
    servers: BTreeMap<String, Server>,
    ticking: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

impl StandIn {
    pub async fn start(shape: Shape) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = Authority::new(&shape.domain);
        let administrator = authority.client("console");
        let access = Arc::new(Access {
            oidc: shape.oidc,
            multi_factor: shape.multi_factor,
            life: shape.life,
            administrator: administrator.certificate.clone(),
            sign_ins: AtomicUsize::new(0),
        });
        let world = World::new(shape.pace, shape.mesh);
        let mut stand_in = Self {
            ticking: tokio::spawn(tick(world.clone())),
            world,
            authority,
            administrator,
            access,
            exchanges: Arc::default(),
            certificates_name: shape.certificates_name,
            servers: BTreeMap::new(),
        };
        for number in 1..=shape.voters + shape.learners + shape.spares {
            let id = format!("n{number}");
            stand_in.put(&id, &shape.version).await;
            let mut state = stand_in.world.state();
            if number <= shape.voters + shape.learners {
                let server = RaftServer {
                    address: state.node(&id).address.clone(),
                    id,
                    voter: number <= shape.voters,
                };
                state.config.push(server);
            }
        }
        stand_in.world.state().lead("n1");
        stand_in
    }

    /// One more controller, a member of nothing.
    pub async fn put(&mut self, id: &str, version: &str) {
        let listener = Server::listen().await;
        let url = format!("https://{}", listener.local_addr().unwrap());
        let port = listener.local_addr().unwrap().port();
        // Nothing listens there: the simulated leader dials by this name only.
        let address = format!("tls:127.0.0.1:{}", port ^ 1);
        let node = Node::new(id, address, url, version);
        self.world.state().nodes.insert(id.to_owned(), node);
        let controller = Controller {
            id: id.to_owned(),
            world: self.world.clone(),
            access: Arc::clone(&self.access),
            exchanges: Arc::clone(&self.exchanges),
            requests: Arc::default(),
        };
        let tls = self.authority.server(id, self.certificates_name);
        let routes = routes::routes(controller);
        let server = Server::start(id, self.world.clone(), tls, listener, routes);
        self.servers.insert(id.to_owned(), server);
    }

    pub async fn kill(&mut self, id: &str) {
        self.servers.get_mut(id).unwrap().kill().await;
    }

    pub async fn start_again(&mut self, id: &str) {
        self.servers.get_mut(id).unwrap().start_again().await;
    }

    pub fn freeze(&self, id: &str) {
        self.world.state().node_mut(id).life = Life::Frozen;
    }

    pub fn thaw(&self, id: &str) {
        self.world.state().node_mut(id).life = Life::Running;
    }

    /// Cuts these off from all others; the console still reaches everybody.
    pub fn cut_off(&self, ids: &[&str]) {
        let mut state = self.world.state();
        for (id, node) in &mut state.nodes {
            node.part = u8::from(ids.contains(&id.as_str()));
        }
    }

    pub fn set_trap(&self, id: &str, trap: Trap) {
        self.world.state().node_mut(id).traps.push(trap);
    }

    pub fn url(&self, id: &str) -> String {
        self.world.state().node(id).url.clone()
    }

    pub fn address(&self, id: &str) -> String {
        self.world.state().node(id).address.clone()
    }

    pub fn leader(&self) -> Option<String> {
        self.world.state().leader.clone()
    }

    /// Whether the configuration has it, and as a voter.
    pub fn votes(&self, id: &str) -> Option<bool> {
        let state = self.world.state();
        let found = state.config.iter().find(|server| server.id == id);
        found.map(|server| server.voter)
    }

    /// How many entries of the configuration there were.
    pub fn log(&self) -> u64 {
        self.world.state().log
    }

    pub fn sign_ins(&self) -> usize {
        self.access.sign_ins.load(Ordering::SeqCst)
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        let exchanges = self.exchanges.lock();
        exchanges.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often this was called at this controller.
    pub fn calls(&self, id: &str, path: &str) -> usize {
        let is_it = |it: &&Exchange| it.node == id && it.path.ends_with(path);
        self.exchanges().iter().filter(is_it).count()
    }

    /// How to reach it with a name and a password, beginning with these.
    pub fn connection(&self, seeds: &[&str]) -> Connection {
        Connection {
            name: "ziti".to_owned(),
            kind: Kind::Openziti,
            seeds: seeds.iter().map(|id| self.url(id)).collect(),
            token: None,
            login: Some(login(ADMINISTRATOR)),
            ca_pem: Some(self.authority.pem().into_bytes()),
            client_pem: None,
            api_address_pattern: None,
            remembered: Vec::new(),
            lookups: quorate_drivers::Lookups::default(),
            status_timeout: Duration::from_secs(1),
            change_timeout: Duration::from_secs(5),
        }
    }

    /// Waits until `holds`.
    pub async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let start = Instant::now();
        while !holds(&self.world.state()) {
            assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn login((username, password): (&str, &str)) -> Login {
    Login {
        username: username.to_owned(),
        password: Secret::new(password),
    }
}

async fn tick(world: World) {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.tick();
    }
}
