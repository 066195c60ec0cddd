//! Admin agent for programs that embed openraft: the Quorate agent protocol, version 1.
//!
//! The crate answers for three things: telling what this node knows about its Raft group without
//! ever blocking it, carrying out membership changes only when they cannot cost the group its
//! quorum, and keeping every fault of its own away from the host. It knows nothing of how the
//! host stores data, speaks to its peers or ends TLS; what openraft itself does not know is asked
//! of the [`Host`].
//!
//! ```text
//! let agent = Agent::new(raft.clone(), MyHost::new(..), Options::with_token("…"));
//! let app = axum::Router::new().merge(my_routes).merge(agent.router());
//! ```
//!
//! The routes live below `/quorate/agent/v1/`. Nothing listens by itself: the host mounts the
//! router on a listener of its choosing, and chooses who may come (see [`Options`] for bearer
//! tokens and [`Rights`] for mutual TLS).

mod change;
mod events;
mod gate;
mod host;
mod node;
mod refusal;
mod rights;
mod routes;
mod transfer;
mod view;
pub mod wire;

use std::{sync::Arc, time::Duration};

use openraft::{Raft, RaftTypeConfig, storage::RaftStateMachine};

pub use host::{Host, Newcomer};
pub use refusal::Refusal;
pub use rights::Rights;

/// The group's name in the protocol: openraft runs one group in one `Raft`.
pub const GROUP: &str = "default";

/// Where the routes live.
pub const BASE: &str = "/quorate/agent/v1";

/// What the host decides about its agent.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bearer tokens that may look. Any of [`Options::change_tokens`] may look too.
    pub read_tokens: Vec<Token>,
    /// Bearer tokens that may also change.
    pub change_tokens: Vec<Token>,
    /// Entries a learner may be behind the leader when it is promoted.
    pub promote_lag: u64,
    /// Entries a voter may be behind the leader when leadership is handed to it. Anything but a
    /// few costs the group one or two election timeouts without writes.
    pub transfer_lag: u64,
    /// How long a promotion or transfer waits for its target to be level and heard of.
    pub patience: Duration,
    /// How long a membership change may take before its outcome is called unknown.
    pub change_timeout: Duration,
    /// How long the core may take to answer before it counts as stopped.
    pub health_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_tokens: Vec::new(),
            change_tokens: Vec::new(),
            promote_lag: 100,
            transfer_lag: 4,
            patience: Duration::from_secs(1),
            change_timeout: Duration::from_secs(5),
            health_timeout: Duration::from_millis(500),
        }
    }
}

impl Options {
    /// One token for everything.
    #[must_use]
    pub fn with_token(token: impl Into<String>) -> Self {
        Self {
            change_tokens: vec![Token::new(token)],
            ..Self::default()
        }
    }
}

/// A bearer token; shows itself as `***`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The agent of one node. Cheap to clone.
#[derive(Clone)]
pub struct Agent {
    node: Arc<dyn node::Node>,
    options: Arc<Options>,
}

impl Agent {
    /// An agent for `raft`. Must be called, and its router served, inside a tokio runtime.
    pub fn new<C, SM, H>(raft: Raft<C, SM>, host: H, options: Options) -> Self
    where
        C: RaftTypeConfig<Term = u64>,
        SM: RaftStateMachine<C>,
        H: Host<C>,
    {
        let options = Arc::new(options);
        let node = Arc::new(node::Core::new(raft, host, Arc::clone(&options)));
        Self { node, options }
    }

    /// The protocol's routes, to be merged into the host's own.
    pub fn router(&self) -> axum::Router {
        routes::router(Arc::clone(&self.node), Arc::clone(&self.options))
    }

    /// This node's own view of its group: what `GET groups/default` answers.
    pub async fn view(&self) -> wire::GroupView {
        self.node.view().await
    }

    /// Carries out one change, with all checks: what `POST groups/default/changes` does.
    ///
    /// # Errors
    /// A [`Refusal`] tells whether nothing changed or nobody knows.
    pub async fn change(&self, request: wire::ChangeRequest) -> Result<wire::Receipt, Refusal> {
        node::change_to_its_end(Arc::clone(&self.node), request).await
    }
}
