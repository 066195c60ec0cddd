//! What openraft does not know and the host does.

use futures::future::BoxFuture;
use openraft::{RaftTypeConfig, alias::CommittedLeaderIdOf};

/// The program around a `Raft`, as far as its agent has to know it.
///
/// All methods are called often and must answer at once, except [`Host::contact`], which is
/// called for `add_learner` only and is given a few seconds.
pub trait Host<C: RaftTypeConfig>: Send + Sync + 'static {
    /// Name and version of the program: `orders 4.2.0`.
    fn program(&self) -> String;

    /// Identity of the cluster, the same on every node; `None` if the program has none.
    fn cluster_id(&self) -> Option<String>;

    /// Identity of this node's data or process; changes when either is replaced.
    fn instance(&self) -> String;

    /// The member's id as operators write it: `node-1`.
    fn member_of(&self, id: &C::NodeId) -> String;

    /// The inverse of [`Host::member_of`].
    fn id_of(&self, member: &str) -> Option<C::NodeId>;

    /// The term in a log id's leader; openraft leaves that type to the host.
    fn term_of(&self, leader: &CommittedLeaderIdOf<C>) -> u64;

    /// Where a node speaks Raft.
    fn raft_address(&self, node: &C::Node) -> String;

    /// The base address of a node's agent, `https://10.0.0.4:7000`, if the membership tells it.
    fn agent_address(&self, node: &C::Node) -> Option<String>;

    /// Every id that was ever a member of this cluster and is none now. They are never used
    /// again: a node that returns empty under an id the leader remembers stops the leader.
    fn burned(&self) -> Vec<C::NodeId>;

    /// Asks the node at `address` who it is, before it is added as a learner. The host decides
    /// which addresses it is willing to contact at all.
    fn contact(&self, address: String) -> BoxFuture<'_, Result<Newcomer<C>, String>>;
}

/// What a node said that is to become a learner.
#[derive(Clone, Debug)]
pub struct Newcomer<C: RaftTypeConfig> {
    pub id: C::NodeId,
    /// What the membership will hold of it.
    pub node: C::Node,
    pub cluster_id: Option<String>,
    /// Whether it holds no log yet. A node with a past is never added.
    pub empty: bool,
}
