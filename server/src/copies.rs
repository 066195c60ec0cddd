//! The configured places outside: built, with their secrets read from their files, and asked
//! whether they can be reached.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use quorate_control::{Outside, OutsideFile, Recipient, Terms, What};
use quorate_drivers::Secret;
use quorate_outside::{
    Named, ObjectSettings, Objects, Syslog, SyslogSettings, Tls, Webhook, WebhookSettings,
};

use crate::configuration::{Certificates, Copies, Place, To, Wanted};

/// What copies and reports are sent to.
#[derive(Default)]
pub struct Places {
    pub copies: Vec<Arc<dyn Outside>>,
    pub recipients: Vec<Arc<dyn Recipient>>,
}

/// A place by its wire.
enum Built {
    File(OutsideFile),
    Webhook(Webhook),
    Syslog(Syslog),
    Objects(Objects),
}

/// The configured places.
///
/// # Errors
/// If a secret or certificate cannot be read or used.
pub fn places(copies: &Copies) -> anyhow::Result<Places> {
    let mut places = Places::default();
    for place in all(copies) {
        let built = built(&place).with_context(|| format!("audit.copies: {}", place.name))?;
        let wants_reports = place.what == Wanted::Reports;
        match built {
            Built::File(file) => places.copies.push(Arc::new(file)),
            Built::Syslog(syslog) => places.copies.push(Arc::new(syslog)),
            Built::Webhook(it) if wants_reports => places.recipients.push(Arc::new(it)),
            Built::Webhook(it) => places.copies.push(Arc::new(it)),
            Built::Objects(it) if wants_reports => places.recipients.push(Arc::new(it)),
            Built::Objects(it) => places.copies.push(Arc::new(it)),
        }
    }
    Ok(places)
}

/// Each place's name, and why nothing can be sent there, if so. Sends and changes nothing.
pub async fn diagnose(copies: &Copies) -> Vec<(String, Result<(), String>)> {
    let all = all(copies);
    let one = async |place: &Place| {
        let said = match built(place) {
            Ok(Built::File(_)) => writable(&place.to),
            Ok(Built::Webhook(webhook)) => webhook.diagnose().await,
            Ok(Built::Syslog(syslog)) => syslog.diagnose().await,
            Ok(Built::Objects(objects)) => objects.diagnose().await,
            Err(error) => Err(format!("{error:#}")),
        };
        (format!("{}: {}", place.name, place.to.words()), said)
    };
    futures::future::join_all(all.iter().map(one)).await
}

/// Those of the short keys as well.
fn all(copies: &Copies) -> Vec<Place> {
    let usual = |name: String, to: To| Place {
        name,
        what: Wanted::Checkpoints,
        alarm_after: Terms::of("").alarm_after,
        to,
        certificates: Certificates::default(),
    };
    let files = copies.files.iter().zip(1..);
    let files = files.map(|(path, number)| usual(format!("file-{number}"), To::File(path.clone())));
    let webhooks = copies.webhooks.iter().zip(1..);
    let webhooks = webhooks.map(|(url, number)| {
        let to = To::Webhook {
            url: url.clone(),
            token_file: copies.token_file.clone(),
            secret_file: None,
        };
        usual(format!("webhook-{number}"), to)
    });
    let places = copies.places.iter().cloned();
    files.chain(webhooks).chain(places).collect()
}

fn built(place: &Place) -> anyhow::Result<Built> {
    let named = named(place);
    let tls = tls(&place.certificates)?;
    Ok(match &place.to {
        To::File(path) => Built::File(OutsideFile::with(path.clone(), named.name, named.terms)),
        To::Webhook {
            url,
            token_file,
            secret_file,
        } => Built::Webhook(Webhook::new(WebhookSettings {
            named,
            url: url.clone(),
            token: token_file.as_deref().map(secret).transpose()?,
            secret: secret_file.as_deref().map(secret).transpose()?,
            tls,
        })?),
        To::Syslog {
            transport,
            host,
            port,
        } => Built::Syslog(Syslog::new(SyslogSettings {
            named,
            transport: *transport,
            host: host.clone(),
            port: *port,
            tls,
        })?),
        To::Objects {
            endpoint,
            bucket,
            prefix,
            region,
            access_key,
            secret_key_file,
            only_new,
            lock,
        } => Built::Objects(Objects::new(ObjectSettings {
            named,
            endpoint: endpoint.clone(),
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            region: region.clone(),
            key_id: access_key.clone(),
            secret: secret(secret_key_file)?,
            only_new: *only_new,
            lock: *lock,
            tls,
        })?),
    })
}

fn named(place: &Place) -> Named {
    let mut terms = Terms::of(&place.name);
    terms.alarm_after = place.alarm_after;
    terms.acknowledges = !matches!(place.to, To::Syslog { .. });
    let to = place.to.words();
    let name = match place.what {
        Wanted::Checkpoints => format!("{}: {to}", place.name),
        Wanted::Entries => {
            terms.what = What::Entries;
            format!("{}: entries to {to}", place.name)
        }
        // Plans name it so.
        Wanted::Reports => place.name.clone(),
    };
    Named { name, terms }
}

fn tls(files: &Certificates) -> anyhow::Result<Tls> {
    let authorities = files.ca_file.as_deref().map(text).transpose()?;
    let identity = match (&files.cert_file, &files.key_file) {
        (Some(certificate), Some(key)) => {
            let both = format!("{}\n{}", text(certificate)?, text(key)?);
            Some(Secret::new(both))
        }
        _ => None,
    };
    Ok(Tls {
        authorities,
        identity,
    })
}

fn secret(path: &Path) -> anyhow::Result<Secret> {
    let text = text(path)?;
    let text = text.trim();
    anyhow::ensure!(!text.is_empty(), "{} is empty", path.display());
    Ok(Secret::new(text))
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Whether a file could be appended to. What is not there is not made.
fn writable(to: &To) -> Result<(), String> {
    let To::File(path) = to else {
        return Ok(());
    };
    match std::fs::OpenOptions::new().append(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| folder.as_os_str() != "");
            let folder = std::fs::metadata(folder.unwrap_or(Path::new(".")));
            let folder = folder.map_err(|error| format!("its folder: {error}"))?;
            match folder.permissions().readonly() {
                true => Err("its folder is read-only".to_owned()),
                false => Ok(()),
            }
        }
        Err(error) => Err(error.to_string()),
    }
}
