//! `[identity]` with `mode = "oidc"`: the console as a client of an OpenID provider.

use std::path::{Path, PathBuf};

use quorate_drivers::Secret;
use toml::Value;
use url::Url;

use super::Reader;
use crate::{
    configuration::Listen,
    identity::{Oidc, Registration, Rules, protected},
};

/// The keys that this mode alone knows.
pub const KEYS: [&str; 5] = [
    "client_id",
    "client_secret_file",
    "public_client",
    "scopes",
    "provider_name",
];
/// Keys of signed assertions that this mode has as well.
pub const SHARED: [&str; 3] = ["issuer", "groups_claim", "leeway_ms"];
const SCOPES: [&str; 3] = ["openid", "profile", "email"];
const GROUPS_CLAIM: &str = "groups";

/// The client as configured; its secret is still in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub issuer: String,
    pub client_id: String,
    /// `None`: a public client.
    pub secret_file: Option<PathBuf>,
    pub scopes: Vec<String>,
    pub groups_claim: String,
    pub leeway: u64,
    pub name: String,
}

impl Client {
    pub(super) fn oidc(&self, rules: &Rules) -> Result<Oidc, String> {
        let secret = self.secret_file.as_deref().map(secret).transpose()?;
        Oidc::new(Registration {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            secret,
            scopes: self.scopes.clone(),
            groups_claim: self.groups_claim.clone(),
            leeway: self.leeway,
            name: self.name.clone(),
            rules: rules.clone(),
        })
        .map_err(|error| format!("identity: {error}"))
    }
}

fn secret(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("identity.client_secret_file: cannot read {shown}: {error}"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("identity.client_secret_file: {shown} is empty"));
    }
    Ok(Secret::new(text))
}

impl Reader<'_, '_> {
    pub(super) fn client(&mut self) -> Option<Client> {
        let issuer = self.issuer();
        let client_id = self.needed("client_id", "the mode \"oidc\"");
        let secret_file = self.section.text("client_secret_file").map(PathBuf::from);
        let public = self.section.0.and_then(|table| table.get("public_client"));
        let public = public.and_then(Value::as_bool).unwrap_or(false);
        match (&secret_file, public) {
            (None, false) => self.wrong(
                "client_secret_file",
                "missing; without a secret say public_client = true, and the provider must demand PKCE",
            ),
            (Some(_), true) => {
                self.wrong("public_client", "a public client has no client_secret_file");
            }
            _ => {}
        }
        let leeway = self.leeway();
        let (url, issuer) = issuer?;
        let host = url.host_str().unwrap_or(&issuer).to_owned();
        let name = self.section.text("provider_name").map(str::trim);
        Some(Client {
            client_id: client_id?.to_owned(),
            secret_file,
            scopes: self.scopes(),
            groups_claim: self
                .section
                .text("groups_claim")
                .unwrap_or(GROUPS_CLAIM)
                .to_owned(),
            leeway: leeway / 1_000,
            name: name
                .filter(|name| !name.is_empty())
                .map_or(host, str::to_owned),
            issuer,
        })
    }

    /// Kept as it is written: the provider must name itself by exactly this text.
    fn issuer(&mut self) -> Option<(Url, String)> {
        let text = self.needed("issuer", "the mode \"oidc\"")?;
        let url = Url::parse(text)
            .ok()
            .filter(|url| protected(url) && url.query().is_none() && url.fragment().is_none());
        if url.is_none() {
            self.wrong(
                "issuer",
                "expected the provider's https address (or http on this machine), without a \
                 password, query or fragment",
            );
        }
        Some((url?, text.to_owned()))
    }

    fn scopes(&mut self) -> Vec<String> {
        let mut scopes = self.texts("scopes");
        if scopes.is_empty() {
            scopes = SCOPES.map(str::to_owned).to_vec();
        }
        if scopes
            .iter()
            .any(|scope| scope.is_empty() || !scope.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            self.wrong("scopes", "expected names without spaces, like \"groups\"");
        }
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        scopes
    }
}

/// People come back from the provider to this very address, with what signs them in.
pub fn check_address(external: Option<&Url>, listen: Option<&Listen>, problems: &mut Vec<String>) {
    match external {
        Some(url) if !protected(url) => problems.push(
            "server.external_url: the mode \"oidc\" needs an https address (or http on this machine)"
                .to_owned(),
        ),
        Some(_) => {}
        None => {
            let here = matches!(listen, Some(Listen::Tcp(address)) if address.ip().is_loopback());
            if !here {
                problems.push(
                    "server.external_url: missing; the mode \"oidc\" needs the address that \
                     browsers come back to"
                        .to_owned(),
                );
            }
        }
    }
}
