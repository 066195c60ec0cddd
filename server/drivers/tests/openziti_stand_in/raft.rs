//! What the leader does about its membership, as upstream's controller goes about it, with its
//! traps. Errors are its words.

use std::time::{Duration, Instant};

use super::world::{Server, State, Trap, World};

/// How long a commit takes.
const COMMIT: Duration = Duration::from_millis(5);

impl World {
    /// Adds, promotes or demotes: the same call. What is listed by the same id or address and
    /// differs goes first, in an entry of its own.
    pub async fn add_peer(&self, leader: &str, address: &str, voter: bool) -> Result<(), String> {
        if !address.starts_with("tls:") {
            return Err(format!("unsupported peer address format '{address}'"));
        }
        let id = self.dial(leader, address).await?;
        let clashing: Vec<Server> = {
            let state = self.state();
            let same = |server: &&Server| server.id == id || server.address == address;
            state.config.iter().filter(same).cloned().collect()
        };
        for server in clashing {
            if server.id == id && server.address == address && server.voter == voter {
                return Ok(());
            }
            self.remove_server(leader, &server.id).await?;
        }
        if self.state().node_mut(leader).springs(Trap::StopsHalfWay) {
            return Err("add peer failed: leadership lost while committing log".to_owned());
        }
        let address = address.to_owned();
        self.commit(leader, move |config| {
            config.push(Server { id, address, voter });
        })
        .await
        .map_err(|why| format!("add peer failed: {why}"))
    }

    /// An id nobody has is no error.
    pub async fn remove_peer(&self, leader: &str, id: &str) -> Result<(), String> {
        let last = {
            let state = self.state();
            let mut voters = state.config.iter().filter(|server| server.voter);
            voters.all(|server| server.id == id)
        };
        if last {
            return Err(format!(
                "error removing existing node {id}: need at least one voter in configuration"
            ));
        }
        self.remove_server(leader, id).await
    }

    pub async fn transfer(&self, leader: &str, target: Option<&str>) -> Result<(), String> {
        let (target, level) = {
            let state = self.state();
            let found = match target {
                None => state.config.iter().find(|server| {
                    server.voter && server.id != leader && state.reach(leader, &server.id)
                }),
                Some(id) => {
                    let found = state.config.iter().find(|server| server.id == id);
                    let Some(server) = found else {
                        return Err(format!("no cluster node found with id {id}"));
                    };
                    if !server.voter {
                        return Err(format!("cluster node {id} is not a voting member"));
                    }
                    Some(server)
                }
            };
            let Some(found) = found else {
                return Err("error transferring leadership: cannot find peer".to_owned());
            };
            let level = state.reach(leader, &found.id) && !state.node(&found.id).held;
            (found.id.clone(), level)
        };
        if !level {
            let wait = self.state().pace.election;
            tokio::time::sleep(wait).await;
            return Err("error transferring leadership: leadership transfer timeout".to_owned());
        }
        tokio::time::sleep(COMMIT).await;
        self.state().lead(&target);
        self.emit(&target, "leadership.gained", serde_json::json!({}));
        self.emit(leader, "leadership.lost", serde_json::json!({}));
        Ok(())
    }

    /// The id of who answers at a control address.
    async fn dial(&self, leader: &str, address: &str) -> Result<String, String> {
        let until = Instant::now() + self.state().pace.dial;
        loop {
            {
                let state = self.state();
                let there = state.by_address(address);
                if let Some(node) = there.filter(|node| state.reach(leader, &node.id)) {
                    return Ok(node.id.clone());
                }
                let refuses = there.is_none_or(|node| node.life == super::world::Life::Dead);
                if refuses || Instant::now() > until {
                    return Err(format!("unable to reach peer at '{address}' to add it"));
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn remove_server(&self, leader: &str, id: &str) -> Result<(), String> {
        let id = id.to_owned();
        self.commit(leader, move |config| {
            config.retain(|server| server.id != id)
        })
        .await
        .map_err(|why| format!("error removing existing node: {why}"))
    }

    /// One entry that changes the configuration; waits for a majority, as long as it leads.
    async fn commit(
        &self,
        leader: &str,
        change: impl FnOnce(&mut Vec<Server>) + Send,
    ) -> Result<(), String> {
        tokio::time::sleep(COMMIT).await;
        loop {
            {
                let mut state = self.state();
                if state.leader.as_deref() != Some(leader) {
                    return Err("leadership lost while committing log".to_owned());
                }
                if state.has_quorum(leader) {
                    change(&mut state.config);
                    state.log += 1;
                    state.step_down_if_gone();
                    break;
                }
            }
            tokio::time::sleep(COMMIT).await;
        }
        self.emit_members();
        Ok(())
    }
}

impl State {
    /// A leader that is no voter any more shuts its Raft down until its process restarts.
    fn step_down_if_gone(&mut self) {
        let Some(leader) = self.leader.clone() else {
            return;
        };
        let votes = self
            .config
            .iter()
            .any(|server| server.id == leader && server.voter);
        if !votes {
            self.leader = None;
        }
    }
}
