//! What was seen, on its way to the store. The loop never waits for the disk: it leaves the
//! newest here, and whatever was not written by then is passed over.

use quorate_domain::{cluster::Membership, health::Override};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{KeptPlaces, Seen, Watched};
use crate::{ControlError, store::Store};

/// What the store is to hold of a cluster.
#[derive(Clone)]
struct Kept {
    membership: Option<Membership>,
    seen: Seen,
    places: Option<KeptPlaces>,
}

/// The newest that was seen, until it is written.
pub(crate) struct Keeping {
    newest: watch::Sender<Option<Kept>>,
    /// States set by hand that are over; each is removed once.
    over: watch::Sender<Vec<Override>>,
}

impl Keeping {
    pub(crate) fn new() -> Self {
        Self {
            newest: watch::Sender::new(None),
            over: watch::Sender::new(Vec::new()),
        }
    }

    pub(super) fn keep(
        &self,
        membership: Option<Membership>,
        seen: Seen,
        places: Option<KeptPlaces>,
    ) {
        self.newest.send_replace(Some(Kept {
            membership,
            seen,
            places,
        }));
    }

    pub(super) fn drop_overrides(&self, over: Vec<Override>) {
        if !over.is_empty() {
            self.over.send_modify(|waiting| waiting.extend(over));
        }
    }
}

/// Writes what is left here, until the loop has ended and nothing is left.
pub(super) async fn keep(watched: &Watched, store: &Store, ended: &CancellationToken) {
    let mut newest = watched.keeping.newest.subscribe();
    let mut over = watched.keeping.over.subscribe();
    // What was left before anybody listened counts as well.
    newest.mark_changed();
    over.mark_changed();
    loop {
        let left = newest.has_changed().unwrap_or(false) || over.has_changed().unwrap_or(false);
        if !left {
            tokio::select! {
                _moved = newest.changed() => newest.mark_changed(),
                _moved = over.changed() => over.mark_changed(),
                () = ended.cancelled() => return,
            }
        }
        let kept = newest.borrow_and_update().clone();
        over.borrow_and_update();
        let mut gone = Vec::new();
        watched.keeping.over.send_if_modified(|waiting| {
            gone.append(waiting);
            false
        });
        if let Err(error) = write(watched, store, kept, &gone).await {
            tracing::warn!(cluster = %watched.name(), %error, "what was seen could not be remembered");
        }
    }
}

async fn write(
    watched: &Watched,
    store: &Store,
    kept: Option<Kept>,
    gone: &[Override],
) -> Result<(), ControlError> {
    if let Some(kept) = kept {
        store
            .remember(
                &watched.key(),
                kept.membership.as_ref(),
                Some(&kept.seen),
                kept.places.as_ref(),
            )
            .await?;
    }
    for over in gone {
        store.override_over(&watched.key(), over).await?;
    }
    Ok(())
}
