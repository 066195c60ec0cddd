//! Raft messages to peers, as HTTP requests.

use std::{future::Future, io, sync::Arc, time::Duration};

use openraft::{
    BasicNode, OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
        TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    faults::Faults,
    types::{Snapshot, TypeConfig, Vote, member_of},
};

/// Names the sender, so that the receiver can refuse members it is cut from.
pub const FROM: &str = "x-quorate-demo-from";

/// Everything a peer connection needs.
#[derive(Clone)]
pub struct Network {
    pub me: u64,
    pub token: Arc<str>,
    pub http: reqwest::Client,
    pub faults: Arc<Faults>,
}

/// The wire to one peer.
pub struct Peer {
    network: Network,
    target: u64,
    address: String,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        Peer {
            network: self.clone(),
            target,
            address: node.addr.clone(),
        }
    }
}

/// Why a message got no answer.
enum Silence {
    Timeout,
    Unreachable(io::Error),
}

impl Peer {
    async fn post(&self, path: &str, body: Vec<u8>, limit: Duration) -> Result<Vec<u8>, Silence> {
        let Network {
            me,
            token,
            http,
            faults,
        } = &self.network;
        if faults.cuts(&member_of(self.target)) {
            return Err(Silence::Unreachable(io::Error::other(
                "cut by a fault switch",
            )));
        }
        let request = http
            .post(format!("http://{}/raft/{path}", self.address))
            .bearer_auth(token)
            .header(FROM, member_of(*me))
            .header("content-type", "application/json")
            .timeout(limit)
            .body(body);
        let answer = async {
            let response = request.send().await?.error_for_status()?;
            response.bytes().await
        };
        answer.await.map(|bytes| bytes.to_vec()).map_err(|error| {
            if error.is_timeout() {
                Silence::Timeout
            } else {
                Silence::Unreachable(io::Error::other(error))
            }
        })
    }

    async fn call<Q, A>(
        &self,
        kind: RPCTypes,
        path: &str,
        request: &Q,
        limit: Duration,
    ) -> Result<A, RPCError<TypeConfig>>
    where
        Q: Serialize,
        A: DeserializeOwned,
    {
        let body = serde_json::to_vec(request).map_err(|error| NetworkError::new(&error))?;
        match self.post(path, body, limit).await {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_err(|e| NetworkError::new(&e))?),
            Err(Silence::Timeout) => Err(self.timeout(kind, limit).into()),
            Err(Silence::Unreachable(error)) => Err(Unreachable::new(&error).into()),
        }
    }

    fn timeout(&self, action: RPCTypes, timeout: Duration) -> Timeout<TypeConfig> {
        Timeout {
            action,
            id: self.network.me,
            target: self.target,
            timeout,
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        // A heartbeat is bounded by its interval; entries have to reach the other's disk first.
        let patience = if rpc.entries.is_empty() { 1 } else { 10 };
        let limit = option.hard_ttl().saturating_mul(patience);
        self.call(RPCTypes::AppendEntries, "append", &rpc, limit)
            .await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call(RPCTypes::Vote, "vote", &rpc, option.hard_ttl())
            .await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call(RPCTypes::Vote, "pre-vote", &rpc, option.hard_ttl())
            .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let limit = option.hard_ttl().max(Duration::from_secs(5));
        // One line about the snapshot, then the snapshot.
        let head = serde_json::to_vec(&(vote, &snapshot.meta));
        let mut body = head.map_err(|error| NetworkError::new(&error))?;
        body.push(b'\n');
        body.extend(snapshot.snapshot);
        let answer = tokio::select! {
            closed = cancel => return Err(closed.into()),
            answer = self.post("snapshot", body, limit) => answer,
        };
        match answer {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_err(|e| NetworkError::new(&e))?),
            Err(Silence::Timeout) => Err(self.timeout(RPCTypes::InstallSnapshot, limit).into()),
            Err(Silence::Unreachable(error)) => Err(Unreachable::new(&error).into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call(
            RPCTypes::TransferLeader,
            "transfer",
            &req,
            option.hard_ttl(),
        )
        .await
    }
}
