//! Which nodes there are, kept over runs.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

use super::Options;
use crate::identity::{random_hex, replace};

const FILE: &str = "demo.json";

/// The demo's nodes, and the ids that are still free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    pub cluster_id: String,
    /// Ids below were given out; none is given twice.
    pub next_id: u64,
    /// Whether the cluster was ever formed.
    pub formed: bool,
    pub nodes: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: u64,
    pub standing: Standing,
    /// It has run and must never again begin without its data.
    pub started: bool,
}

/// What a node was started for, or has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Voter,
    Learner,
    Spare,
    /// Was added by an operator.
    Member,
}

impl Roster {
    /// The roster in the data folder, or a new one.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(options: &Options) -> io::Result<Self> {
        match std::fs::read(options.data.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let roster = Self::new(options);
                roster.write(&options.data)?;
                Ok(roster)
            }
            Err(error) => Err(error),
        }
    }

    fn new(options: &Options) -> Self {
        let mut roster = Self {
            cluster_id: random_hex(8),
            next_id: 1,
            formed: false,
            nodes: Vec::new(),
        };
        let wanted = [
            (Standing::Voter, options.voters),
            (Standing::Learner, options.learners),
            (Standing::Spare, options.spares),
        ];
        for (standing, count) in wanted {
            for _ in 0..count {
                roster.enlist(standing);
            }
        }
        roster
    }

    /// A new node under an id that nobody ever had.
    pub fn enlist(&mut self, standing: Standing) -> Entry {
        let entry = Entry {
            id: self.next_id,
            standing,
            started: false,
        };
        self.next_id = self.next_id.saturating_add(1);
        self.nodes.push(entry.clone());
        entry
    }

    pub fn node(&mut self, id: u64) -> Option<&mut Entry> {
        self.nodes.iter_mut().find(|node| node.id == id)
    }

    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        replace(&data.join(FILE), &serde_json::to_vec_pretty(self)?)
    }
}
