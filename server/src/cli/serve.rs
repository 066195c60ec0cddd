//! `quorate serve`: the console.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use quorate_control::ClusterSetup;
use quorate_drivers::Driver;

use super::{output, signals};
use crate::{
    configuration::{self, Configuration, ConfigurationError},
    console::{Application, Settings},
    copies,
    exit::Exit,
    identity::Identity,
    logs,
    renewal::Renewed,
};

#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE", required_unless_present = "print_config")]
    config: Option<PathBuf>,
    /// Print every key with its default and what it is for, and end
    #[arg(long)]
    print_config: bool,
    /// How log lines on stderr are written
    #[arg(long, value_enum, default_value = "text")]
    log_format: logs::Format,
}

impl Serve {
    pub fn run(self) -> Exit {
        let Some(file) = self.config.filter(|_| !self.print_config) else {
            output::say(configuration::printed().trim_end());
            return Exit::Done;
        };
        logs::start(self.log_format);
        match Configuration::read(&file) {
            Ok(configuration) => super::wait_for(serve(configuration)),
            Err(error) => output::misconfigured(&error),
        }
    }
}

async fn serve(configuration: Configuration) -> anyhow::Result<Exit> {
    let stop = signals::stop()?;
    let clusters = setups(&configuration)?;
    let places = copies::places(&configuration.copies)?;
    let identity = identity(&configuration)?;
    let mut settings = Settings::new(configuration.data_dir, configuration.listen);
    settings.configuration = Some(configuration.version);
    settings.certificates = configuration.certificates;
    settings.break_glass = configuration.break_glass;
    settings.external_url = configuration.external_url;
    settings.read_only = configuration.read_only;
    settings.identity = identity;
    settings.session_idle = configuration.sessions.idle;
    settings.session_absolute = configuration.sessions.absolute;
    settings.step_up = configuration.step_up;
    settings.trusted_proxies = configuration.trusted_proxies;
    settings.streams_renewed = configuration.streams_renewed;
    settings.clusters = clusters;
    settings.approvals = configuration.approvals;
    settings.copies = places.copies;
    settings.recipients = places.recipients;
    settings.reports = configuration.reports;
    settings.retention = configuration.retention;
    settings.snapshots = configuration.snapshots;
    let application = Application::build(settings).await?;
    tracing::info!(address = application.address(), "listening");
    application.run_until_stopped(stop).await?;
    Ok(Exit::Done)
}

/// The identity mode, with its secrets and keys read from their files.
///
/// # Errors
/// If a file cannot be used.
pub fn identity(configuration: &Configuration) -> Result<Identity, ConfigurationError> {
    let identity = configuration.identity.identity();
    identity.map_err(|problem| ConfigurationError {
        problems: vec![problem],
    })
}

/// Every configured cluster with a driver for it; reaches nothing yet.
///
/// # Errors
/// If a secret cannot be read or an address is none.
pub fn setups(configuration: &Configuration) -> anyhow::Result<Vec<ClusterSetup>> {
    let drivers = drivers(configuration)?;
    let clusters = configuration.clusters.iter().zip(drivers);
    Ok(clusters
        .map(|(cluster, driver)| ClusterSetup {
            registration: cluster.registration.clone(),
            driver,
            join_allowed: cluster.join_allowed.clone(),
        })
        .collect())
}

/// A driver for each configured cluster, in their order.
///
/// # Errors
/// As [`setups`].
pub fn drivers(configuration: &Configuration) -> anyhow::Result<Vec<Arc<dyn Driver>>> {
    let mut problems = Vec::new();
    let mut drivers = Vec::new();
    let connections = configuration.connections()?;
    for (cluster, connection) in configuration.clusters.iter().zip(connections) {
        let name = connection.name.clone();
        let cluster = cluster.clone();
        match Renewed::follow(connection, move || cluster.connection()) {
            Ok(driver) => drivers.push(driver),
            Err(error) => problems.push(format!("cluster {name}: {error}")),
        }
    }
    if problems.is_empty() {
        Ok(drivers)
    } else {
        Err(ConfigurationError { problems }.into())
    }
}
