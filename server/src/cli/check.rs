//! `quorate check`: what would be wrong if the console were started now. Changes nothing.

use std::path::PathBuf;

use clap::Args;
use futures::future::join_all;

use super::{output, serve};
use crate::{configuration::Configuration, copies, exit::Exit, identity::Identity};

#[derive(Debug, Args)]
pub struct Check {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Check {
    pub fn run(self) -> Exit {
        match Configuration::read(&self.config) {
            Ok(configuration) => super::wait_for(check(configuration)),
            Err(error) => output::misconfigured(&error),
        }
    }
}

async fn check(configuration: Configuration) -> anyhow::Result<Exit> {
    let identity = serve::identity(&configuration)?;
    let drivers = serve::drivers(&configuration)?;
    let diagnoses = join_all(drivers.iter().map(|driver| driver.diagnose())).await;
    let mut good = sign_on(&identity).await;
    for (place, said) in copies::diagnose(&configuration.copies).await {
        match said {
            Ok(()) => output::say(format!("ok    audit.copies  {place} can be reached")),
            Err(why) => {
                good = false;
                output::say(format!(
                    "FAIL  audit.copies  {place}: {why} — nothing is copied there until this is \
                     mended"
                ));
            }
        }
    }
    for (cluster, lines) in configuration.clusters.iter().zip(diagnoses) {
        for line in lines {
            good &= line.ok;
            let mark = if line.ok { "ok  " } else { "FAIL" };
            let hint = line
                .hint
                .map(|hint| format!(" — {hint}"))
                .unwrap_or_default();
            output::say(output::plain(&format!(
                "{mark}  {}  {}: {}{hint}",
                cluster.name(),
                line.code,
                line.text
            )));
        }
    }
    if configuration.clusters.is_empty() {
        output::say("ok    the configuration names no cluster yet");
    }
    Ok(if good { Exit::Done } else { Exit::Failed })
}

/// Whether the OpenID provider can be asked, where there is one.
async fn sign_on(identity: &Identity) -> bool {
    let Some(oidc) = identity.oidc() else {
        return true;
    };
    let issuer = oidc.issuer();
    match oidc.diagnose().await {
        Ok(()) => output::say(format!("ok    identity  {issuer} describes itself")),
        Err(refusal) => {
            output::say(format!("FAIL  identity  {issuer}: {refusal}"));
            return false;
        }
    }
    true
}
