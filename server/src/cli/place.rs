//! Which console a command is about: by its configuration or its data directory.

use std::path::{Path, PathBuf};

use clap::Args;
use quorate_control::Control;
use quorate_domain::permission::{Duty, Grant};

use crate::{configuration::Configuration, console};

#[derive(Debug, Args)]
pub struct Place {
    /// The console's configuration file
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The console's data directory
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

/// A console's store, opened beside the console or without it.
pub struct Here {
    pub control: Control,
    /// The address people open, ending in a slash, if the console has ever run.
    pub address: Option<String>,
}

impl Place {
    /// Whether exactly one of the two is given. Not clap's to say: it checks before a
    /// subcommand's own arguments are read.
    pub fn is_named(&self) -> bool {
        self.config.is_some() != self.data.is_some()
    }

    /// # Errors
    /// If the configuration or the data directory cannot be used.
    pub async fn open(&self) -> anyhow::Result<Here> {
        let (data_dir, configured) = match (&self.config, &self.data) {
            (Some(file), _) => {
                let configuration = Configuration::read(file)?;
                (
                    configuration.data_dir,
                    configuration.external_url.map(String::from),
                )
            }
            (None, Some(data)) => (data.clone(), None),
            (None, None) => anyhow::bail!("name the console: --config FILE or --data DIR"),
        };
        // A mistyped directory must not become a new, empty console.
        if self.data.is_some() && !data_dir.is_dir() {
            anyhow::bail!("there is no directory {}", data_dir.display());
        }
        let address = configured.or_else(|| last_address(&data_dir));
        let control = Control::offline(data_dir).await?;
        Ok(Here { control, address })
    }
}

impl Here {
    /// A one-time sign-in link; only its path where the address is not known.
    pub fn link(&self, secret: &str) -> String {
        let address = self
            .address
            .as_deref()
            .map_or("", |address| address.trim_end_matches('/'));
        format!("{address}/sign-in/link/{secret}")
    }
}

fn last_address(data_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join(console::ADDRESS_FILE)).ok()?;
    Some(text.trim().to_owned()).filter(|address| !address.is_empty())
}

/// Roles and where they hold, for accounts and tokens.
#[derive(Debug, Args)]
pub struct Roles {
    /// viewer, operator, admin, approver or auditor; may be given several times
    #[arg(long = "role", value_name = "ROLE", default_value = "viewer", value_parser = role)]
    roles: Vec<Duty>,
    /// The clusters they hold on; may be given several times
    #[arg(long = "cluster", value_name = "NAME", default_value = "*")]
    clusters: Vec<String>,
}

impl Roles {
    pub fn grants(&self) -> Vec<Grant> {
        let grant = |role| Grant {
            role,
            clusters: self.clusters.clone(),
            tags: Vec::new(),
        };
        self.roles.iter().copied().map(grant).collect()
    }
}

fn role(text: &str) -> Result<Duty, String> {
    Duty::parse(text)
        .ok_or_else(|| "expected viewer, operator, admin, approver or auditor".to_owned())
}

/// `admin on *, viewer on vault-eu`
pub fn shown(grants: &[Grant]) -> String {
    let one = |grant: &Grant| format!("{} on {}", grant.role.as_str(), grant.clusters.join(" "));
    grants.iter().map(one).collect::<Vec<_>>().join(", ")
}
