//! Pushes the view whenever state, term, leader, roles or health move.

use std::{sync::Arc, time::Duration};

use openraft::{RaftTypeConfig, async_runtime::watch::WatchReceiver, storage::RaftStateMachine};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    Host,
    node::Core,
    view,
    wire::{GroupView, State},
};

/// How often health is looked at while nothing moves: a core that panicked says nothing.
const HEALTH_CHECK: Duration = Duration::from_secs(1);

pub(crate) async fn follow<C, SM, H>(core: Arc<Core<C, SM, H>>, views: mpsc::Sender<GroupView>)
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    // This channel moves on vote, state, leader and membership, not on every entry.
    let mut changes = core.raft.server_metrics();
    let mut sent = None;
    loop {
        changes.borrow_watched();
        let view = view::view(&core).await;
        let revision = view::summary(&view).revision();
        let stopped = view.state == State::Stopped;
        if sent.as_ref() != Some(&revision) {
            if views.send(view).await.is_err() {
                return;
            }
            sent = Some(revision);
        }
        let moved = async {
            if stopped
                || timeout(HEALTH_CHECK, changes.changed())
                    .await
                    .is_ok_and(|c| c.is_err())
            {
                // The core is gone and its channel with it: look again at leisure.
                tokio::time::sleep(HEALTH_CHECK).await;
            }
        };
        tokio::select! {
            () = moved => {}
            () = views.closed() => return,
        }
    }
}
