//! The messages of the gRPC service `RaftAdmin`, as far as they are used, and its methods.
//!
//! They are those of `proto/raftadmin.proto` of github.com/Jille/raftadmin (`LICENSE` beside this
//! file is that project's), written by hand so that nothing needs protoc. Two methods are left
//! out on purpose, so that nothing in the console can call them: `ApplyLog` and `Shutdown`.

use std::collections::BTreeMap;

use prost::Message;

/// One method of the service. The names are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stats,
    Leader,
    GetConfiguration,
    AddNonvoter,
    AddVoter,
    DemoteVoter,
    RemoveServer,
    LeadershipTransfer,
    LeadershipTransferToServer,
    Snapshot,
    Barrier,
    Await,
    Forget,
}

impl Method {
    /// The path of its calls. The service belongs to no package.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Stats => "/RaftAdmin/Stats",
            Self::Leader => "/RaftAdmin/Leader",
            Self::GetConfiguration => "/RaftAdmin/GetConfiguration",
            Self::AddNonvoter => "/RaftAdmin/AddNonvoter",
            Self::AddVoter => "/RaftAdmin/AddVoter",
            Self::DemoteVoter => "/RaftAdmin/DemoteVoter",
            Self::RemoveServer => "/RaftAdmin/RemoveServer",
            Self::LeadershipTransfer => "/RaftAdmin/LeadershipTransfer",
            Self::LeadershipTransferToServer => "/RaftAdmin/LeadershipTransferToServer",
            Self::Snapshot => "/RaftAdmin/Snapshot",
            Self::Barrier => "/RaftAdmin/Barrier",
            Self::Await => "/RaftAdmin/Await",
            Self::Forget => "/RaftAdmin/Forget",
        }
    }
}

/// Every request and answer without a field.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Nothing {}

/// An operation under way, to be waited for and then forgotten.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Future {
    #[prost(string, tag = "1")]
    pub operation_token: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AwaitResponse {
    /// The library's words; empty if it was done.
    #[prost(string, tag = "1")]
    pub error: String,
    /// The log index of what was done, where it has one.
    #[prost(uint64, tag = "2")]
    pub index: u64,
}

/// Of `AddVoter` and `AddNonvoter`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AddRequest {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub address: String,
    #[prost(uint64, tag = "3")]
    pub previous_index: u64,
}

/// Of `DemoteVoter` and `RemoveServer`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NameRequest {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(uint64, tag = "2")]
    pub previous_index: u64,
}

/// Of `LeadershipTransferToServer`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TransferRequest {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub address: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LeaderResponse {
    /// The Raft address; empty if none is known.
    #[prost(string, tag = "1")]
    pub address: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StatsResponse {
    #[prost(btree_map = "string, string", tag = "1")]
    pub stats: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetConfigurationResponse {
    #[prost(message, repeated, tag = "1")]
    pub servers: Vec<Server>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Server {
    /// [`VOTER`], [`NONVOTER`] or [`STAGING`].
    #[prost(int32, tag = "1")]
    pub suffrage: i32,
    #[prost(string, tag = "2")]
    pub id: String,
    #[prost(string, tag = "3")]
    pub address: String,
}

pub(super) const VOTER: i32 = 0;
pub(super) const NONVOTER: i32 = 1;
pub(super) const STAGING: i32 = 2;
