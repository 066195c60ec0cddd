//! What a backend answered to a step, as it is kept until the outcome is recorded.

use quorate_domain::cluster::MemberId;
use quorate_drivers::{Applied, Exchange, SnapshotReceipt};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) how: How,
    pub(crate) exchange: Exchange,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub(crate) enum How {
    Accepted {
        snapshot: Option<SnapshotReceipt>,
        member: Option<MemberId>,
        deferred: bool,
        /// What the backend said beside its yes.
        #[serde(default)]
        note: Option<String>,
    },
    Refused {
        code: String,
        text: String,
    },
    /// Sent, and nobody knows.
    Lost {
        text: String,
    },
}

impl From<Applied> for Answer {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::Accepted(receipt) => Self {
                how: How::Accepted {
                    snapshot: receipt.snapshot,
                    member: receipt.member,
                    deferred: receipt.deferred,
                    note: receipt.note,
                },
                exchange: receipt.exchange,
            },
            Applied::Refused {
                exchange,
                code,
                text,
            } => Self {
                how: How::Refused { code, text },
                exchange,
            },
            Applied::Unknown { exchange, text } => Self {
                how: How::Lost { text },
                exchange,
            },
        }
    }
}
