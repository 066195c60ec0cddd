//! `quorate ctl`: the remote client. It knows the REST API and nothing else of the console.

mod approval;
mod change;
mod client;
mod follow;
mod show;

use clap::{Args, Subcommand};

use super::{later, output};
use crate::exit::Exit;
use client::Client;

#[derive(Debug, Args)]
pub struct Ctl {
    /// The console's address
    #[arg(
        long,
        env = "QUORATE_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:7878/"
    )]
    url: String,
    /// PEM file with authorities to trust in addition to the system's
    #[arg(long, env = "QUORATE_CA_FILE", value_name = "FILE")]
    ca_file: Option<std::path::PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The clusters you may see
    Clusters(Read),
    /// One cluster as it stands now
    Show {
        cluster: String,
        #[command(flatten)]
        read: Read,
    },
    /// The groups of a program that runs many
    Groups {
        cluster: String,
        /// Only of this class: no_quorum, no_leader, lagging, …
        #[arg(long)]
        class: Option<String>,
        /// Only those with this in their name or their leader's
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        #[command(flatten)]
        read: Read,
    },
    /// One cluster, live
    Watch {
        cluster: String,
        #[command(flatten)]
        read: Read,
    },
    /// Add a member that replicates and does not vote
    AddLearner {
        cluster: String,
        /// Where the new member is
        address: String,
        /// The id it is expected to have
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        how: change::How,
    },
    /// Make a learner a voter
    Promote {
        cluster: String,
        member: String,
        #[command(flatten)]
        how: change::How,
    },
    /// Make a voter a learner
    Demote {
        cluster: String,
        member: String,
        #[command(flatten)]
        how: change::How,
    },
    /// Take a member out
    Remove {
        cluster: String,
        member: String,
        #[command(flatten)]
        how: change::How,
    },
    /// Have a member write its store anew, without gaps (etcd)
    Defragment {
        cluster: String,
        member: String,
        #[command(flatten)]
        how: change::How,
    },
    /// Have the leader look through its data for what is inconsistent (OpenZiti)
    CheckIntegrity {
        cluster: String,
        #[command(flatten)]
        how: change::How,
    },
    /// Move leadership, to a member where the backend lets it be chosen
    Transfer {
        cluster: String,
        member: Option<String>,
        #[command(flatten)]
        how: change::How,
    },
    /// Take a snapshot
    Snapshot {
        cluster: String,
        #[command(flatten)]
        how: change::How,
    },
    /// Changes, running ones first
    Changes {
        /// Only this cluster's
        #[arg(long)]
        cluster: Option<String>,
        #[command(flatten)]
        read: Read,
    },
    /// The audit log, oldest first
    Audit {
        #[arg(long)]
        from: Option<String>,
        #[arg(long)]
        to: Option<String>,
        #[arg(long)]
        cluster: Option<String>,
        #[arg(long)]
        actor: Option<String>,
        #[command(flatten)]
        read: Read,
    },
    #[command(hide = true)]
    Plan(later::Anything),
    /// Approve a change that somebody else asked for
    Approve(approval::Word),
    /// Deny one, for good
    Deny(approval::Word),
    /// Take back a change that waits for approval
    Cancel(approval::Word),
}

/// What every read takes.
#[derive(Clone, Debug, Args)]
pub struct Read {
    /// Print what the console answered, as JSON
    #[arg(long)]
    json: bool,
    /// One group of a program that runs many (`show` only)
    #[arg(long)]
    group: Option<String>,
}

impl Ctl {
    pub fn run(self) -> Exit {
        if self.what.is_later() {
            return later::answer();
        }
        match Client::new(&self.url, self.ca_file.as_deref()) {
            Ok(client) => super::wait_for(async { Ok(answer(&client, self.what).await) }),
            Err(problem) => output::misused(&problem),
        }
    }
}

impl What {
    /// Commands and options of later versions.
    fn is_later(&self) -> bool {
        match self {
            Self::Plan(_) => true,
            Self::Clusters(read)
            | Self::Groups { read, .. }
            | Self::Watch { read, .. }
            | Self::Changes { read, .. }
            | Self::Audit { read, .. } => read.group.is_some(),
            _ => false,
        }
    }
}

async fn answer(client: &Client, what: What) -> Exit {
    let done = match what {
        What::Clusters(read) => show::clusters(client, &read).await,
        What::Show { cluster, read } => show::cluster(client, &cluster, &read).await,
        What::Groups {
            cluster,
            class,
            find,
            read,
        } => show::groups(client, &cluster, [("class", class), ("q", find)], &read).await,
        What::Watch { cluster, read } => follow::cluster(client, &cluster, &read).await,
        What::Changes { cluster, read } => show::changes(client, cluster.as_deref(), &read).await,
        What::Audit {
            from,
            to,
            cluster,
            actor,
            read,
        } => {
            let asked = [
                ("from", from),
                ("to", to),
                ("cluster", cluster),
                ("actor", actor),
            ];
            show::audit(client, asked, &read).await
        }
        What::AddLearner {
            cluster,
            address,
            id,
            how,
        } => {
            let mut fields = vec![("address", address)];
            fields.extend(id.map(|id| ("member", id)));
            change::ask(client, &cluster, "add_learner", fields, &how).await
        }
        What::Promote {
            cluster,
            member,
            how,
        } => change::ask(client, &cluster, "promote", vec![("member", member)], &how).await,
        What::Demote {
            cluster,
            member,
            how,
        } => change::ask(client, &cluster, "demote", vec![("member", member)], &how).await,
        What::Remove {
            cluster,
            member,
            how,
        } => change::ask(client, &cluster, "remove", vec![("member", member)], &how).await,
        What::Defragment {
            cluster,
            member,
            how,
        } => {
            let fields = vec![("member", member)];
            change::ask(client, &cluster, "defragment", fields, &how).await
        }
        What::CheckIntegrity { cluster, how } => {
            change::ask(client, &cluster, "check_integrity", Vec::new(), &how).await
        }
        What::Transfer {
            cluster,
            member,
            how,
        } => {
            let fields = member
                .map(|member| ("member", member))
                .into_iter()
                .collect();
            change::ask(client, &cluster, "transfer", fields, &how).await
        }
        What::Snapshot { cluster, how } => {
            change::ask(client, &cluster, "snapshot", Vec::new(), &how).await
        }
        What::Approve(word) => approval::say(client, "approve", &word).await,
        What::Deny(word) => approval::say(client, "deny", &word).await,
        What::Cancel(word) => approval::say(client, "cancel", &word).await,
        What::Plan(_) => return later::answer(),
    };
    done.unwrap_or_else(|failure| failure.tell())
}
