//! The agent's core behind one object-safe face, so that routes need not know the host's types.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use openraft::{Raft, RaftTypeConfig, storage::RaftStateMachine};
use tokio::sync::{Mutex, mpsc};

use crate::{
    Host, Options, Refusal, Rights, events, view,
    wire::{ChangeRequest, GroupView, Identity, Receipt},
};

/// What the routes ask for.
pub(crate) trait Node: Send + Sync + 'static {
    fn identity(&self, rights: Rights) -> Identity;
    fn view(&self) -> BoxFuture<'_, GroupView>;
    fn change(&self, request: ChangeRequest) -> BoxFuture<'_, Result<Receipt, Refusal>>;
    /// Sends the view whenever state, term, leader, roles or health moved, the first at once,
    /// until the receiver is gone.
    fn follow(self: Arc<Self>, views: mpsc::Sender<GroupView>) -> BoxFuture<'static, ()>;
}

pub(crate) struct Core<C, SM, H>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    pub raft: Raft<C, SM>,
    pub host: H,
    pub options: Arc<Options>,
    /// The one place for running changes.
    pub place: Mutex<()>,
    /// The one place for running snapshots.
    pub camera: Mutex<()>,
}

impl<C, SM, H> Core<C, SM, H>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    pub fn new(raft: Raft<C, SM>, host: H, options: Arc<Options>) -> Self {
        Self {
            raft,
            host,
            options,
            place: Mutex::new(()),
            camera: Mutex::new(()),
        }
    }
}

impl<C, SM, H> Node for Core<C, SM, H>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    fn identity(&self, rights: Rights) -> Identity {
        view::identity(self, rights)
    }

    fn view(&self) -> BoxFuture<'_, GroupView> {
        view::view(self).boxed()
    }

    fn change(&self, request: ChangeRequest) -> BoxFuture<'_, Result<Receipt, Refusal>> {
        self.carry_out(request).boxed()
    }

    fn follow(self: Arc<Self>, views: mpsc::Sender<GroupView>) -> BoxFuture<'static, ()> {
        events::follow(self, views).boxed()
    }
}

/// Runs a change on a task of its own: a caller that hangs up does not cut it in half, and a
/// panic in it ends there.
pub(crate) async fn change_to_its_end(
    node: Arc<dyn Node>,
    request: ChangeRequest,
) -> Result<Receipt, Refusal> {
    let running = tokio::spawn(async move { node.change(request).await });
    running.await.unwrap_or_else(|_| {
        Err(Refusal::unknown(
            "The agent failed while the change was running.",
        ))
    })
}
